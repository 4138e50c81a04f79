"""What may be asked of acquisitions while they are worked on: pause, resume, cancel, retry. One at a time or by the batch."""

from __future__ import annotations

import asyncio
import secrets
import time

from cellstorm import mp4, zoo
from cellstorm.acquisitions import Acquisition, Action, check_action
from cellstorm.errors import AcquisitionNotFound, WrongState
from cellstorm_server.services import Services


async def pause(services: Services, acquisition_id: str) -> Acquisition:
    """Workers leave its chunks within a second or two; what comes in is kept until it is resumed.

    Raises
    ------
    WrongState
        If it is over.
    """
    return await asyncio.to_thread(_pause, services, acquisition_id)


def _pause(services: Services, acquisition_id: str) -> Acquisition:
    services.store.pause(acquisition_id)
    services.queues.withdraw(acquisition_id, services.store.pending(acquisition_id))
    return services.store.get(acquisition_id)


async def resume(services: Services, acquisition_id: str) -> Acquisition:
    """Go on where it was paused.

    Raises
    ------
    WrongState
        If it is over.
    """
    acquisition = await asyncio.to_thread(_resume, services, acquisition_id)
    services.feeding.wake(acquisition_id)
    return acquisition


def _resume(services: Services, acquisition_id: str) -> Acquisition:
    numbers = services.store.resume(acquisition_id)
    acquisition = services.store.get(acquisition_id)
    live = services.store.field(acquisition_id, "live") == "1"
    for number in numbers:
        services.queues.enqueue(acquisition_id, number, live=live, priority=acquisition.priority)
    return acquisition


async def cancel(services: Services, acquisition_id: str) -> Acquisition:
    """End it at once and remove what came and was made; an entry stays that says so.

    Raises
    ------
    WrongState
        If it is over in another way.
    """
    await asyncio.to_thread(_stop_work, services, acquisition_id)
    return await _clear_up(services, acquisition_id)


async def cancel_all(services: Services, acquisition_ids: list[str]) -> None:
    """As `cancel`, for all that can be: first no worker goes on with any, then what is left is cleared up."""
    stopped = await asyncio.to_thread(lambda: [key for key in acquisition_ids if _could_stop_work(services, key)])
    for acquisition_id in stopped:
        await _clear_up(services, acquisition_id)


def _could_stop_work(services: Services, acquisition_id: str) -> bool:
    try:
        _stop_work(services, acquisition_id)
    except (AcquisitionNotFound, WrongState):  # deleted, or over meanwhile
        return False
    return True


def _stop_work(services: Services, acquisition_id: str) -> None:
    """From here on no commit, no chunk and no result of it is taken any more."""
    numbers = services.store.pending(acquisition_id)
    services.store.cancel(acquisition_id)
    services.queues.withdraw(acquisition_id, numbers)


async def _clear_up(services: Services, acquisition_id: str) -> Acquisition:
    await services.sessions.close_acquisition(acquisition_id)
    await services.uploads.cancel(acquisition_id)
    await services.archiver.cancel(acquisition_id)
    await services.forget(acquisition_id, "cancelled")
    await asyncio.to_thread(services.library.delete, acquisition_id)
    # What a phone or a worker met with in its last moments is no error of this acquisition.
    await asyncio.to_thread(services.store.set_fields, acquisition_id, error="", spooled_chunks=0)
    await asyncio.to_thread(services.store.expire_bulk, acquisition_id, services.settings.expire_after_s)
    return await asyncio.to_thread(services.store.get, acquisition_id)


async def retry(services: Services, acquisition_id: str) -> Acquisition:
    """Localize a failed acquisition's kept video again, from its beginning.

    Raises
    ------
    WrongState
        If it has not failed, or nothing of its video was kept.
    ModelUnavailable
        If its generator is no longer here.
    """
    check_action(Action.RETRY, (await asyncio.to_thread(services.store.get, acquisition_id)).state)
    # A phone that still films would go on writing to the video that is to be read.
    await services.sessions.close_acquisition(acquisition_id)
    await services.feeding.stop(acquisition_id)
    await asyncio.to_thread(_begin_anew, services, acquisition_id)
    await services.forget(acquisition_id, "failed")
    await services.uploads.resume(await asyncio.to_thread(services.store.get, acquisition_id))
    return await asyncio.to_thread(services.store.get, acquisition_id)


def _begin_anew(services: Services, acquisition_id: str) -> None:
    store, library = services.store, services.library
    upload, parts = library.upload(acquisition_id), library.parts(acquisition_id)
    if not upload.exists():
        if not parts:
            raise WrongState("nothing of its video was kept here; delete it, and send the video again")
        # Cut again, the video of all sessions gives the same chunks as it came in.
        library.check_room(sum(part.stat().st_size for part in parts))
        joined = upload.with_name(f".joined-{secrets.token_hex(4)}")  # of this request alone
        mp4.join(parts, joined)
        joined.rename(upload)
    generator = zoo.entry(store.get(acquisition_id).settings.model, services.settings.zoo).spec
    services.feeder.drop(acquisition_id)
    store.begin_anew(acquisition_id)
    store.set_fields(
        acquisition_id, live="", upload_ready=1, started_at=time.time(), generator=generator.model_dump_json()
    )
