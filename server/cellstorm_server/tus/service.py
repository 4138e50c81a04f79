"""Creates uploads, appends to them, hands them over when they are whole, and forgets those that are left alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

import structlog

from cellstorm.errors import AcquisitionNotFound, Busy, CellstormError, InvalidInput, StorageFull, TooLarge, WrongState
from cellstorm.settings import Settings
from cellstorm_server.metrics import Metrics
from cellstorm_server.problems import as_problem
from cellstorm_server.tus import protocol
from cellstorm_server.tus.protocol import Checksum, Creation
from cellstorm_server.tus.storage import Storage, UploadInfo
from cellstorm_server.tus.turns import Turns, to_its_end, undisturbed
from cellstorm_server.tus.writing import Growing

log = structlog.get_logger()

T = TypeVar("T")

_SWEEP_S: Final = 5.0
_REMEMBERED_S: Final = 3600.0
_MAX_UNFINISHED: Final = 1000
_UNANNOUNCED: Final = "more came than the upload's length; nothing of this request was kept"


class Destination(Protocol):
    """Where whole files go."""

    async def take(self, info: UploadInfo, data: Path, note: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Take `data` over; it has another name afterwards. Again is no error, also where it was taken before.

        `note` is told the acquisition that it goes to before anything is moved.

        Raises
        ------
        CellstormError
            If it cannot be taken: for good, if it is one of `REFUSALS`, else for now.
        """

    async def exists(self, acquisition_id: str) -> bool: ...


REFUSALS: Final = (InvalidInput, WrongState, AcquisitionNotFound)
"""A file that ends in one of these would do so again; what is wrong is told to whoever asks for the upload."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In bytes, and how long an upload may be left alone."""

    file_bytes: int
    acquisition_bytes: int
    all_bytes: int
    expires_s: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            file_bytes=settings.max_upload_bytes,
            acquisition_bytes=settings.acquisition_upload_bytes,
            all_bytes=settings.total_upload_bytes,
            expires_s=settings.upload_expires_s,
        )


class Tus:
    """All uploads of this gateway."""

    def __init__(self, storage: Storage, limits: Limits, check_room: Callable[[int], None], metrics: Metrics) -> None:
        self.storage = storage
        self.limits = limits
        self._check_room = check_room
        self._metrics = metrics
        self._turns = Turns()
        self._swept_at = 0.0

    def expires_at(self, info: UploadInfo) -> float:
        """Blocks. Unix time; of what is over, until when it is remembered."""
        kept_s = self.limits.expires_s if info.outcome is None else min(self.limits.expires_s, _REMEMBERED_S)
        return self.storage.touched_at(info) + kept_s

    async def create(self, creation: Creation, acquisition_id: str | None) -> UploadInfo:
        """A new upload.

        Raises
        ------
        StorageFull, Busy, TooLarge
            If the disk or a quota has no room for it.
        """
        return await asyncio.to_thread(self._create, creation, acquisition_id)

    def _create(self, creation: Creation, acquisition_id: str | None) -> UploadInfo:
        wanted = creation.length or 0
        self._check_room(wanted)
        unfinished = self._unfinished()
        if len(unfinished) >= _MAX_UNFINISHED:
            raise Busy("too many uploads are unfinished; finish or end some, or wait until they expire")
        self._check_quotas(unfinished, wanted, acquisition_id)
        return self.storage.create(creation, acquisition_id)

    def _unfinished(self) -> list[UploadInfo]:
        return [info for info in self.storage.all() if info.outcome is None]

    def _check_quotas(self, others: Iterable[UploadInfo], wanted_bytes: int, acquisition_id: str | None) -> None:
        promised = [(info.acquisition_id, info.length or self.storage.offset(info)) for info in others]
        if sum(size for _, size in promised) + wanted_bytes > self.limits.all_bytes:
            raise StorageFull("the server's unfinished uploads leave no room for another; finish or end some first")
        own = sum(size for key, size in promised if key == acquisition_id)
        if acquisition_id is not None and own + wanted_bytes > self.limits.acquisition_bytes:
            raise StorageFull("this acquisition's unfinished uploads leave no room for another; end them first")

    def _check_growth(self, info: UploadInfo, size_bytes: int) -> None:
        """Of an upload whose length was not told when it was created, and so was not counted then."""
        others = [other for other in self._unfinished() if other.id != info.id]
        self._check_quotas(others, size_bytes, info.acquisition_id)

    async def append(
        self,
        upload_id: str,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes],
        destination: Destination,
    ) -> UploadInfo:
        """Take in a PATCH's body; when it makes the file whole, hand it over.

        Raises
        ------
        CellstormError
            With the status that tus has for it, or because the whole file cannot be taken.
        """
        protocol.check_content_type(headers)
        said = protocol.read_offset(headers)
        length = protocol.read_length(headers, self.limits.file_bytes)
        checksum = protocol.read_checksum(headers)

        async def work() -> UploadInfo:
            info = await undisturbed(self._prepared, upload_id, said, length, checksum)
            if info.outcome is not None:
                return info
            info = await self._receive(info, said, checksum, body)
            return await to_its_end(self._hand_over(info, destination))

        return await self._alone(upload_id, work)

    async def offset(self, upload_id: str) -> tuple[UploadInfo, int]:
        """Where to go on; whoever is at work on the upload is stopped."""

        async def work() -> tuple[UploadInfo, int]:
            return await undisturbed(self._settled_offset, upload_id)

        return await self._alone(upload_id, work, is_short=True)

    async def terminate(self, upload_id: str) -> None:
        """Remove an upload and its bytes, whatever is going on."""

        async def work() -> None:
            await undisturbed(self.storage.remove, upload_id)

        await asyncio.to_thread(self.storage.read, upload_id)
        await self._alone(upload_id, work, is_short=True)
        self._metrics.uploads.labels("terminated").inc()

    async def sweep(self, destination: Destination) -> None:
        """To be called every now and then: what is whole is handed over, what was left alone is forgotten."""
        if time.monotonic() - self._swept_at < _SWEEP_S:
            return
        self._swept_at = time.monotonic()
        for info in await asyncio.to_thread(self.storage.all):
            if self._turns.is_taken(info.id):
                continue
            try:
                await self._look_after(info, destination)
            except CellstormError as error:  # the others have their turn all the same
                log.info("upload not settled", upload=info.id, error=str(error))

    def unfinished(self) -> tuple[int, int]:
        """Blocks. How many uploads are under way, and the bytes that they hold."""
        unfinished = self._unfinished()
        return len(unfinished), sum(self.storage.offset(info) for info in unfinished)

    # -- one upload

    async def _alone(self, upload_id: str, work: Callable[[], Coroutine[Any, Any, T]], *, is_short: bool = False) -> T:
        async def locked() -> T:
            with self.storage.locked(upload_id):
                return await work()

        await asyncio.to_thread(self.storage.read, upload_id)
        return await self._turns.take(upload_id, locked, is_short=is_short)

    def _settled_offset(self, upload_id: str) -> tuple[UploadInfo, int]:
        info = self._current(upload_id)
        return info, self.storage.durable_offset(info)

    def _current(self, upload_id: str) -> UploadInfo:
        info = self.storage.settle(self.storage.read(upload_id))
        is_old = info.outcome is None and time.time() > self.expires_at(info)
        if is_old or (info.outcome is not None and info.outcome.kind == "expired"):
            raise protocol.expired()
        return info

    def _prepared(self, upload_id: str, said: int, length: int | None, checksum: Checksum | None) -> UploadInfo:
        """Ready to be appended to, the durable way: from here on a crash loses nothing that was acknowledged."""
        info = self._current(upload_id)
        have = self.storage.durable_offset(info)
        if said != have:
            raise protocol.wrong_offset(said, have)
        if info.outcome is not None:
            return info
        update: dict[str, int] = {}
        if length is not None and length != info.length:
            if info.length is not None or length < have:
                raise protocol.malformed("the upload's length is known already, or shorter than what has come")
            self._check_growth(info, length)
            update["length"] = length
        if checksum is not None:
            update["unverified_from"] = have
        if update:
            info = info.model_copy(update=update)
            self.storage.save(info)
        return info

    async def _receive(
        self, info: UploadInfo, start: int, checksum: Checksum | None, body: AsyncIterator[bytes]
    ) -> UploadInfo:
        def check_room() -> None:
            self._check_room(0)
            if info.length is None:
                self._check_growth(info, file.offset)

        digest = None if checksum is None else checksum.begin()
        file = Growing(
            self.storage.data(info.id),
            start,
            limit=self.limits.file_bytes if info.length is None else info.length,
            beyond=protocol.too_large(self.limits.file_bytes) if info.length is None else TooLarge(_UNANNOUNCED),
            check_room=check_room,
            digest=digest,
        )
        is_good = False
        try:
            await file.receive(body)
            if checksum is not None and digest is not None and digest.digest() != checksum.digest:
                raise protocol.wrong_checksum()
            is_good = True
        except TooLarge:
            await undisturbed(self._rewind, info, start)
            raise
        finally:
            if checksum is not None:
                info = (
                    await undisturbed(self._verified, info) if is_good else await undisturbed(self.storage.settle, info)
                )
            self._metrics.upload_bytes.inc(file.offset - start)
        return info

    def _rewind(self, info: UploadInfo, start: int) -> None:
        self.storage.settle(info.model_copy(update={"unverified_from": start}))

    def _verified(self, info: UploadInfo) -> UploadInfo:
        verified = info.model_copy(update={"unverified_from": None})
        self.storage.save(verified)
        return verified

    async def _hand_over(self, info: UploadInfo, destination: Destination) -> UploadInfo:
        """The upload with what became of it, if it is whole."""
        if info.length is None or await asyncio.to_thread(self.storage.offset, info) < info.length:
            return info
        known = info

        async def note(acquisition_id: str) -> None:
            nonlocal known
            known = info.model_copy(update={"acquisition_id": acquisition_id})
            await asyncio.to_thread(self.storage.save, known)

        try:
            await destination.take(info, self.storage.data(info.id), note)
        except REFUSALS as error:
            self._metrics.uploads.labels("refused").inc()
            problem = json.loads(bytes(as_problem(error).body))
            await asyncio.to_thread(self.storage.end, info, "refused", problem=problem)
            raise
        self._metrics.uploads.labels("taken").inc()
        return await asyncio.to_thread(self.storage.end, known, "taken")

    async def _look_after(self, info: UploadInfo, destination: Destination) -> None:
        is_old = time.time() > await asyncio.to_thread(self.expires_at, info)
        is_orphan = info.acquisition_id is not None and not await destination.exists(info.acquisition_id)
        if is_orphan or (is_old and info.outcome is not None):
            await self.terminate(info.id)
        elif is_old:
            self._metrics.uploads.labels("expired").inc()
            await self._alone(info.id, lambda: undisturbed(self.storage.end, info, "expired"))
        elif info.outcome is None and info.length == await asyncio.to_thread(self.storage.offset, info):

            async def finish() -> None:
                current = await asyncio.to_thread(self._current, info.id)
                if current.outcome is None:
                    await to_its_end(self._hand_over(current, destination))

            await self._alone(info.id, finish)
