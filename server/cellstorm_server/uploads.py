"""Recordings on their way in: a file is taken, looked into, then left to cellstorm_server.feeding.

A plain upload is streamed to its final name, which keeps phones away from the acquisition; what came by tus is moved
there when it is whole. The field `upload_ready` in the store says that the file was looked into and may be fed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Header, Request, status

from cellstorm.acquisitions import Acquisition, State
from cellstorm.camera import DEFAULT_CAMERA
from cellstorm.errors import AcquisitionNotFound, InvalidInput, WrongState
from cellstorm.roi import RegionOfInterest
from cellstorm.settings import Settings
from cellstorm.sources.probe import Probe
from cellstorm.store import Store
from cellstorm.writing import sync
from cellstorm_server.access import FilmedAcquisitionId
from cellstorm_server.claims import Claims
from cellstorm_server.feeding import Feeding, feed_claim
from cellstorm_server.library import Library
from cellstorm_server.probing import Prober
from cellstorm_server.services import Current
from cellstorm_server.tus.protocol import too_large
from cellstorm_server.tus.writing import Growing
from cellstorm_server.urls import VIDEO

log = structlog.get_logger()

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["upload"])

_TAKEN: Final = "this acquisition has video already, or is getting it now; open a new one for this file"
_GONE: Final = "the acquisition was deleted or cancelled while its video was coming in"


@router.put(VIDEO, status_code=status.HTTP_202_ACCEPTED)
async def upload_video(
    acquisition_id: FilmedAcquisitionId,
    request: Request,
    services: Current,
    content_length: Annotated[int | None, Header(ge=0)] = None,
) -> Acquisition:
    """Upload a recorded video or a TIFF stack, as the request's plain body. Answered when the file has proved readable."""
    return await services.uploads.receive(acquisition_id, request.stream(), content_length)


class Uploads:
    """All uploads of this gateway."""

    def __init__(self, store: Store, feeding: Feeding, library: Library, settings: Settings, claims: Claims) -> None:
        self._store = store
        self._feeding = feeding
        self._library = library
        self._settings = settings
        self._claims = claims
        self._prober = Prober()
        self._receiving: dict[str, asyncio.Task[None]] = {}
        self._adopting: set[str] = set()

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
        if self._is_at_work_on(acquisition_id):
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
            raise AcquisitionNotFound(_GONE)
        try:
            taking.result()
        except InvalidInput as error:
            await self._note_refusal(acquisition_id, error)
            raise
        await self._feeding.start(acquisition_id)
        return await asyncio.to_thread(self._store.get, acquisition_id)

    def check_open(self, acquisition_id: str) -> None:
        """Blocks. Nothing, if the acquisition can take a file.

        Raises
        ------
        WrongState
            If it has or gets video already.
        """
        if self._is_at_work_on(acquisition_id) or not self._is_open(acquisition_id):
            raise WrongState(_TAKEN)

    async def take(self, acquisition_id: str, file: Path, name: str | None = None) -> None:
        """Take over a whole file that came by another way; when this returns it has moved and is being fed.

        `name` is what it was called where it came from.

        Raises
        ------
        WrongState, InvalidVideo, InvalidSetting
            If it cannot be taken. It lies where it was then, and another may be sent.
        """
        if self._is_at_work_on(acquisition_id):
            raise WrongState(_TAKEN)
        self._adopting.add(acquisition_id)
        try:
            frame_rate = await asyncio.to_thread(self._frame_rate, acquisition_id)
            found = await self._prober.probe(file, frame_rate, name)
            await asyncio.to_thread(self._adopt, acquisition_id, file, found, name)
        except InvalidInput as error:
            await self._note_refusal(acquisition_id, error)
            raise
        finally:
            self._adopting.discard(acquisition_id)
        await self._feeding.start(acquisition_id)

    async def cancel(self, acquisition_id: str) -> None:
        """Stop what is being received or fed of an acquisition, and wait until nothing is written any more."""
        if taking := self._receiving.get(acquisition_id):
            taking.cancel()
            await asyncio.wait({taking})
        await self._feeding.stop(acquisition_id)

    async def resume(self, acquisition: Acquisition) -> None:
        """Go on with an upload that another process has left; nothing, if it is going on."""
        key = acquisition.id
        if self._is_at_work_on(key):
            return
        if not await asyncio.to_thread(self._claims.take, feed_claim(key)):
            return
        if not await asyncio.to_thread(self._is_ready, key):
            await asyncio.to_thread(self._abandon, key)
            return
        log.info("upload resumed", acquisition=key)
        await self._feeding.start(key)

    def _is_at_work_on(self, acquisition_id: str) -> bool:
        return acquisition_id in self._receiving or acquisition_id in self._adopting or acquisition_id in self._feeding

    # -- receiving

    async def _note_refusal(self, acquisition_id: str, error: InvalidInput) -> None:
        """Of a batch, each acquisition is for one file: refused, it has failed, and the batch tells why."""
        with contextlib.suppress(AcquisitionNotFound, WrongState):
            acquisition = await asyncio.to_thread(self._store.get, acquisition_id)
            if acquisition.batch_id is not None:
                await asyncio.to_thread(self._store.transition, acquisition_id, State.FAILED, error=str(error))

    def _check_size(self, size: int) -> None:
        if size > self._settings.max_upload_bytes:
            raise too_large(self._settings.max_upload_bytes)

    async def _take(self, acquisition_id: str, body: AsyncIterator[bytes]) -> None:
        if not await asyncio.to_thread(self._reserve, acquisition_id):
            raise WrongState(_TAKEN)
        path = self._library.upload(acquisition_id)
        limit = self._settings.max_upload_bytes
        try:
            file = Growing(path, 0, limit=limit, beyond=too_large(limit), check_room=self._library.check_room)
            await file.receive(body)
            found = await self._prober.probe(path, await asyncio.to_thread(self._frame_rate, acquisition_id))
            await asyncio.to_thread(self._accept, acquisition_id, found)
        except BaseException:  # also when the client has gone: nothing is left behind
            await asyncio.shield(asyncio.to_thread(self._abandon, acquisition_id))
            raise

    def _reserve(self, acquisition_id: str) -> bool:
        if not self._is_open(acquisition_id) or not self._claims.take(feed_claim(acquisition_id)):
            return False
        try:
            # The state first: `resume` sets right what is receiving without a file, and nobody what has a file and waits.
            self._store.transition(acquisition_id, State.RECEIVING)
            self._library.upload(acquisition_id).touch()
        except BaseException:
            self._claims.release(feed_claim(acquisition_id))
            raise
        return True

    def _is_open(self, acquisition_id: str) -> bool:
        """Whether it has no video yet; a reservation that a process left behind when it was killed is none."""
        acquisition = self._store.get(acquisition_id)
        path = self._library.upload(acquisition_id)
        if acquisition.chunks_received or self._store.field(acquisition_id, "live") is not None:
            return False
        if acquisition.state is State.WAITING:
            return not path.exists()
        is_reserved = acquisition.state is State.RECEIVING and path.exists() and acquisition_id not in self._receiving
        return is_reserved and path.stat().st_size == 0

    def _is_ready(self, acquisition_id: str) -> bool:
        path = self._library.upload(acquisition_id)
        is_there = path.exists() and path.stat().st_size > 0
        return is_there and self._store.field(acquisition_id, "upload_ready") == "1"

    def _adopt(self, acquisition_id: str, file: Path, found: Probe, name: str | None) -> None:
        if not self._reserve(acquisition_id):
            raise WrongState(_TAKEN)
        try:
            self._accept(acquisition_id, found, name)
            os.replace(file, self._library.upload(acquisition_id))
            sync(self._library.upload(acquisition_id).parent)
        except FileNotFoundError as error:  # its folder is gone, and it with that
            self._abandon(acquisition_id)
            raise AcquisitionNotFound(_GONE) from error
        except BaseException:
            self._abandon(acquisition_id)
            raise

    def _frame_rate(self, acquisition_id: str) -> float | None:
        return self._store.get(acquisition_id).settings.frame_rate

    def _accept(self, acquisition_id: str, found: Probe, name: str | None = None) -> None:
        settings = self._store.get(acquisition_id).settings
        wanted = settings.roi or RegionOfInterest.default(found.width, found.height)
        roi = wanted.check_inside(found.width, found.height)
        self._store.set_frame_size(acquisition_id, found.width, found.height, roi)
        source = found.description.model_dump(mode="json", exclude_none=True)
        facts: dict[str, str | int | float] = {
            "source": json.dumps(source | ({"file": name} if name else {})),
            "started_at": time.time(),
            "upload_ready": 1,
            "notice": found.description.notice or "",
        }
        if found.frame_count_estimate is not None:
            facts["frames_expected"] = found.frame_count_estimate
        usual = found.description.usual_camera
        if settings.camera is None and usual != DEFAULT_CAMERA:
            facts["settings"] = settings.model_copy(update={"camera": usual}).model_dump_json()
        self._store.set_fields(acquisition_id, **facts)

    def _abandon(self, acquisition_id: str) -> None:
        self._library.upload(acquisition_id).unlink(missing_ok=True)
        self._claims.release(feed_claim(acquisition_id))
        try:
            self._store.set_fields(acquisition_id, upload_ready=0)
            self._store.transition(acquisition_id, State.WAITING)
        except (AcquisitionNotFound, WrongState):  # it was deleted or cancelled
            return
