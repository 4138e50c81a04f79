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
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import structlog
from anyio import to_process
from fastapi import APIRouter, Header, Request, status
from starlette.requests import ClientDisconnect

from cellstorm.acquisitions import Acquisition, State
from cellstorm.errors import AcquisitionNotFound, CellstormError, InvalidVideo, StoreUnavailable, TooLarge, WrongState
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.sources import SourceDescription, open_source
from cellstorm.store import FAILED_CONNECTION, Store
from cellstorm_server.access import AcquisitionId
from cellstorm_server.claims import Claims
from cellstorm_server.feeder import Feeder
from cellstorm_server.library import Library
from cellstorm_server.services import Current

log = structlog.get_logger()

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["upload"])

NO_LIMIT: Final = 2**62
"""Of the framework: the limit of uploads is a setting, checked here."""
_WRITE_BYTES: Final = 2**20
_ROOM_CHECK_BYTES: Final = 64 * 2**20
_FEEDS_AT_ONCE: Final = 4
_PROBE_S: Final = 60.0


@router.put("/video", status_code=status.HTTP_202_ACCEPTED, max_body_size=NO_LIMIT)
async def upload_video(
    acquisition_id: AcquisitionId,
    request: Request,
    services: Current,
    content_length: Annotated[int | None, Header(ge=0)] = None,
) -> Acquisition:
    """Upload a recorded video or a TIFF stack, as the request's plain body. Answered when the file has proved readable."""
    return await services.uploads.receive(acquisition_id, request.stream(), content_length)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file says of itself."""

    width: int
    height: int
    frame_count_estimate: int | None
    description: SourceDescription


def probe(path: Path) -> Probe:
    """Look into a file; run in a process of its own, for a hostile file may end it.

    Raises
    ------
    InvalidVideo
        If it cannot be read, or not one frame can be had.
    """
    source = open_source(path)
    chunks = source.chunks()
    next(chunks)
    width, height = source.frame_size
    return Probe(width, height, source.frame_count_estimate, source.description)


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
        self._receiving: dict[str, asyncio.Task[object]] = {}
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
        await self._begin(acquisition_id)
        task = asyncio.current_task()
        assert task is not None
        self._receiving[acquisition_id] = task
        path = self._library.upload(acquisition_id)
        try:
            await self._write(path, body)
            found = await _probe_apart(path)
            await asyncio.to_thread(self._accept, acquisition_id, found)
        except BaseException:  # also when the client has gone: nothing is left behind
            await asyncio.shield(asyncio.to_thread(self._abandon, acquisition_id))
            raise
        finally:
            del self._receiving[acquisition_id]
        self._start(acquisition_id)
        return await asyncio.to_thread(self._store.get, acquisition_id)

    async def cancel(self, acquisition_id: str) -> None:
        """Stop what is being received or fed of an acquisition, and wait until nothing is written any more."""
        if task := self._receiving.get(acquisition_id):
            task.cancel()
            await asyncio.wait({task})
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

    async def _begin(self, acquisition_id: str) -> None:
        busy = acquisition_id in self._receiving or acquisition_id in self._feeds
        if busy or not await asyncio.to_thread(self._reserve, acquisition_id):
            raise WrongState("this acquisition has video already, or is getting it now; open a new one for this file")

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
        written, checked, buffer = 0, 0, bytearray()
        with path.open("wb") as file:
            async for part in body:
                buffer += part
                if len(buffer) < _WRITE_BYTES:
                    continue
                written += len(buffer)
                self._check_size(written)
                await asyncio.to_thread(file.write, buffer)
                buffer = bytearray()
                if written - checked > _ROOM_CHECK_BYTES:
                    checked = written
                    await asyncio.to_thread(self._library.check_room)
            self._check_size(written + len(buffer))
            await asyncio.to_thread(_finish_file, file.write, buffer, file.flush, file.fileno())

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
        except (StoreUnavailable, *FAILED_CONNECTION) as error:
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
        chunks = 0
        for chunk in open_source(self._library.upload(acquisition_id)).chunks():
            chunks += 1
            if chunk.header.number >= fed:
                self._feeder.put_waiting(acquisition_id, chunk, stop=stop)
            if stop.is_set():
                return
        if chunks == 0:
            raise InvalidVideo("the file holds no frame that can be used; record or convert it again")
        self._store.transition(acquisition_id, State.PROCESSING)

    async def _fail(self, acquisition_id: str, reason: str) -> None:
        log.warning("upload refused", acquisition=acquisition_id, error=reason)
        try:
            await asyncio.to_thread(self._store.transition, acquisition_id, State.FAILED, error=reason)
            await asyncio.to_thread(self._store.expire_bulk, acquisition_id, self._settings.expire_after_s)
        except (CellstormError, *FAILED_CONNECTION) as error:
            log.warning("failure not told", acquisition=acquisition_id, error=str(error))
            return
        await asyncio.to_thread(self._library.upload(acquisition_id).unlink, missing_ok=True)


def _claim(acquisition_id: str) -> str:
    return f"upload:{acquisition_id}"


def _finish_file(write: Callable[[bytearray], int], rest: bytearray, flush: Callable[[], None], descriptor: int) -> None:
    write(rest)
    flush()
    os.fsync(descriptor)


async def _probe_apart(path: Path) -> Probe:
    try:
        async with asyncio.timeout(_PROBE_S):
            return await to_process.run_sync(probe, path, cancellable=True)
    except TimeoutError as error:
        raise InvalidVideo("the file took too long to look into; convert it to H.264 in MP4, and try again") from error
    except BrokenWorkerProcess as error:
        raise InvalidVideo("the file cannot be read; convert it to H.264 in MP4, and try again") from error
