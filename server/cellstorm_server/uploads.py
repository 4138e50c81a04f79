"""Plain upload: a video or TIFF stack is streamed to disk, looked into, then fed to the workers chunk by chunk.

The file lies under its final name from its first byte on, which keeps phones away from the acquisition; the field
`upload_ready` in the store says that it is whole and readable. What is fed and dies is fed again from the beginning by
whichever gateway comes next: the store knows the chunks that it had.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import structlog
from fastapi import APIRouter, Header, Request, status

from cellstorm.acquisitions import Acquisition, State
from cellstorm.errors import AcquisitionNotFound, CellstormError, StorageFull, StoreUnavailable, TooLarge, WrongState
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.sources import open_source
from cellstorm.store import STORE_TROUBLE, Store
from cellstorm_server.access import AcquisitionId
from cellstorm_server.claims import Claims
from cellstorm_server.feeder import Feeder
from cellstorm_server.library import Library
from cellstorm_server.probing import Probe, probe_apart
from cellstorm_server.services import Current

log = structlog.get_logger()

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["upload"])

_WRITE_BYTES: Final = 2**20
_ROOM_CHECK_BYTES: Final = 64 * 2**20
_FEEDS_AT_ONCE: Final = 4
_TAKEN: Final = "this acquisition has video already, or is getting it now; open a new one for this file"


@router.put("/video", status_code=status.HTTP_202_ACCEPTED)
async def upload_video(
    acquisition_id: AcquisitionId,
    request: Request,
    services: Current,
    content_length: Annotated[int | None, Header(ge=0)] = None,
) -> Acquisition:
    """Upload a recorded video or a TIFF stack, as the request's plain body. Answered when the file has proved readable."""
    return await services.uploads.receive(acquisition_id, request.stream(), content_length)


@dataclass(frozen=True, slots=True)
class _Feed:
    """An upload that is being fed."""

    stop: threading.Event = field(default_factory=threading.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Uploads:
    """All uploads of this gateway."""

    def __init__(self, store: Store, feeder: Feeder, library: Library, settings: Settings, claims: Claims) -> None:
        self._store = store
        self._feeder = feeder
        self._library = library
        self._settings = settings
        self._claims = claims
        self._receiving: dict[str, asyncio.Task[None]] = {}
        self._feeds: dict[str, _Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(_FEEDS_AT_ONCE, thread_name_prefix="upload")

    async def receive(self, acquisition_id: str, body: AsyncIterator[bytes], size: int | None) -> Acquisition:
        """Take an upload; when this returns, its file has proved readable and is being fed.

        Raises
        ------
        WrongState
            If the acquisition has or gets video already.
        TooLarge, StorageFull, InvalidVideo, InvalidSetting
            If the file cannot be taken. Nothing of it is left then, and another may be sent.
        """
        self._check_size(size or 0)
        await asyncio.to_thread(self._library.check_room, size or 0)
        if acquisition_id in self._receiving or acquisition_id in self._feeds:
            raise WrongState(_TAKEN)
        # A task of its own, so that a deletion can end it without ending the request.
        taking = asyncio.create_task(self._take(acquisition_id, body), name=f"receive {acquisition_id}")
        self._receiving[acquisition_id] = taking
        try:
            await asyncio.wait({taking})
        finally:
            taking.cancel()
            del self._receiving[acquisition_id]
        if taking.cancelled():
            raise AcquisitionNotFound("the acquisition was deleted while its video was coming in")
        taking.result()
        self._start(acquisition_id)
        return await asyncio.to_thread(self._store.get, acquisition_id)

    async def cancel(self, acquisition_id: str) -> None:
        """Stop what is being received or fed of an acquisition, and wait until nothing is written any more."""
        if taking := self._receiving.get(acquisition_id):
            taking.cancel()
            await asyncio.wait({taking})
        if feed := self._feeds.get(acquisition_id):
            feed.stop.set()
            await feed.done.wait()

    async def resume(self, acquisition: Acquisition) -> None:
        """Go on with an upload that another process has left; nothing, if it is going on."""
        key = acquisition.id
        if key in self._receiving or key in self._feeds or not await asyncio.to_thread(self._claims.take, _claim(key)):
            return
        if await asyncio.to_thread(self._store.field, key, "upload_ready") is None:
            await asyncio.to_thread(self._abandon, key)
            return
        log.info("upload resumed", acquisition=key)
        self._start(key)

    async def shutdown(self) -> None:
        """Stop feeding; whoever comes next goes on."""
        for feed in self._feeds.values():
            feed.stop.set()
        await asyncio.gather(*self._tasks)
        self._threads.shutdown(wait=False)

    # -- receiving

    def _check_size(self, size: int) -> None:
        if size > self._settings.max_upload_bytes:
            limit = self._settings.max_upload_bytes / 2**20
            raise TooLarge(f"the file is larger than the {limit:,.0f} MiB that this server takes; cut or compress it")

    async def _take(self, acquisition_id: str, body: AsyncIterator[bytes]) -> None:
        if not await asyncio.to_thread(self._reserve, acquisition_id):
            raise WrongState(_TAKEN)
        path = self._library.upload(acquisition_id)
        try:
            await self._write(path, body)
            await asyncio.to_thread(self._accept, acquisition_id, await probe_apart(path))
        except BaseException:  # also when the client has gone: nothing is left behind
            await asyncio.shield(asyncio.to_thread(self._abandon, acquisition_id))
            raise

    def _reserve(self, acquisition_id: str) -> bool:
        acquisition = self._store.get(acquisition_id)
        path = self._library.upload(acquisition_id)
        live = self._store.field(acquisition_id, "live") is not None
        if acquisition.state is not State.WAITING or acquisition.chunks_received or live or path.exists():
            return False
        if not self._claims.take(_claim(acquisition_id)):
            return False
        path.touch(exist_ok=False)
        self._store.transition(acquisition_id, State.RECEIVING)
        return True

    async def _write(self, path: Path, body: AsyncIterator[bytes]) -> None:
        """Stream `body` into `path`, with a MiB or so in memory."""
        received, checked, buffer = 0, 0, bytearray()
        file = await asyncio.to_thread(path.open, "wb")
        try:
            async for part in body:
                buffer += part
                received += len(part)
                self._check_size(received)
                if len(buffer) >= _WRITE_BYTES:
                    await asyncio.to_thread(file.write, buffer)
                    buffer = bytearray()
                if received - checked > _ROOM_CHECK_BYTES:
                    checked = received
                    await asyncio.to_thread(self._library.check_room)
            await asyncio.to_thread(_finish_file, file, buffer)
        except OSError as error:
            raise StorageFull(f"the file cannot be stored ({error.strerror}); make room on the server") from error
        finally:
            file.close()

    def _accept(self, acquisition_id: str, found: Probe) -> None:
        wanted = self._store.get(acquisition_id).settings.roi or RegionOfInterest.default(found.width, found.height)
        roi = wanted.check_inside(found.width, found.height)
        self._store.set_frame_size(acquisition_id, found.width, found.height, roi)
        facts: dict[str, str | int | float] = {
            "source": found.description.model_dump_json(exclude_none=True),
            "started_at": time.time(),
            "upload_ready": 1,
        }
        if found.frame_count_estimate is not None:
            facts["frames_expected"] = found.frame_count_estimate
        self._store.set_fields(acquisition_id, **facts)

    def _abandon(self, acquisition_id: str) -> None:
        self._library.upload(acquisition_id).unlink(missing_ok=True)
        self._claims.release(_claim(acquisition_id))
        try:
            self._store.transition(acquisition_id, State.WAITING)
        except AcquisitionNotFound:  # it is being deleted
            return

    # -- feeding

    def _start(self, acquisition_id: str) -> None:
        feed = self._feeds[acquisition_id] = _Feed()
        task = asyncio.create_task(self._feed(acquisition_id, feed), name=f"feed {acquisition_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _feed(self, acquisition_id: str, feed: _Feed) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._threads, self._feed_all, acquisition_id, feed.stop)
        except AcquisitionNotFound:
            log.info("upload stopped: deleted", acquisition=acquisition_id)
        except (StoreUnavailable, *STORE_TROUBLE) as error:
            log.warning("upload interrupted", acquisition=acquisition_id, error=str(error))  # resumed by upkeep
        except CellstormError as error:
            await self._fail(acquisition_id, str(error))
        except Exception:  # the edge of a background task: else the acquisition would hang
            log.exception("upload failed", acquisition=acquisition_id)
            await self._fail(acquisition_id, "the file could not be read to its end; the server's log tells more")
        finally:
            self._claims.release(_claim(acquisition_id))
            del self._feeds[acquisition_id]
            feed.done.set()

    def _feed_all(self, acquisition_id: str, stop: threading.Event) -> None:
        fed = self._store.get(acquisition_id).chunks_received
        for chunk in open_source(self._library.upload(acquisition_id)).chunks():
            if chunk.header.number >= fed:
                self._feeder.put_waiting(acquisition_id, chunk, stop=stop)
            if stop.is_set():
                return
        self._store.transition(acquisition_id, State.PROCESSING)

    async def _fail(self, acquisition_id: str, reason: str) -> None:
        log.warning("upload refused", acquisition=acquisition_id, error=reason)
        try:
            await asyncio.to_thread(self._store.transition, acquisition_id, State.FAILED, error=reason)
            await asyncio.to_thread(self._store.expire_bulk, acquisition_id, self._settings.expire_after_s)
        except (CellstormError, *STORE_TROUBLE) as error:
            log.warning("failure not told", acquisition=acquisition_id, error=str(error))
            return
        await asyncio.to_thread(self._library.upload(acquisition_id).unlink, missing_ok=True)


def _claim(acquisition_id: str) -> str:
    return f"upload:{acquisition_id}"


def _finish_file(file: BinaryIO, rest: bytearray) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())
