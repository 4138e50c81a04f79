"""A request's body into a file, a MiB in memory, in threads; plain uploads and tus write by the same means."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellstorm.errors import TooLarge
from cellstorm_server.tus.storage import no_room
from cellstorm_server.tus.turns import undisturbed

if TYPE_CHECKING:
    import hashlib

_WRITE_BYTES: Final = 2**20
_SYNC_BYTES: Final = 64 * 2**20
"""So often the disk is asked to keep up, and whether it has room: else gigabytes would wait in the page cache for one fsync."""


class Growing:
    """A file that grows at its end. Everything here blocks but `receive`.

    Parameters
    ----------
    offset
        Its length; what lies behind it is cut off.
    limit, beyond
        The length that it must not exceed, and what is raised if it would.
    check_room
        Raises if the disk is too full to go on.
    digest
        Takes in every byte that is written.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        *,
        limit: int,
        beyond: TooLarge,
        check_room: Callable[[], None],
        digest: hashlib._Hash | None = None,
    ) -> None:
        self.offset = offset
        self._promised = offset
        self._limit = limit
        self._beyond = beyond
        self._check_room = check_room
        self._digest = digest
        self._unsynced = 0
        self._path = path
        self._file = -1

    async def receive(self, body: AsyncIterator[bytes]) -> None:
        """Take in all that comes. However it ends, what came is in the file, durably, and `offset` is its length.

        Raises
        ------
        TooLarge
            If more comes than may.
        StorageFull
            If the disk takes no more.
        """
        buffer = bytearray()
        try:
            await undisturbed(self._open)
            async for piece in body:
                self._promised += len(piece)
                if self._promised > self._limit:
                    raise self._beyond
                buffer += piece
                if len(buffer) >= _WRITE_BYTES:
                    full, buffer = buffer, bytearray()
                    await undisturbed(self._write, full)
        finally:
            await undisturbed(self._finish, buffer)

    def _open(self) -> None:
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.ftruncate(self._file, self.offset)
            os.lseek(self._file, self.offset, os.SEEK_SET)
        except OSError as error:
            raise no_room(error) from error

    def _write(self, data: bytearray) -> None:
        left = memoryview(data)
        try:
            while left:
                written = os.write(self._file, left)
                if self._digest is not None:
                    self._digest.update(left[:written])
                self.offset += written
                self._unsynced += written
                left = left[written:]
            if self._unsynced >= _SYNC_BYTES:
                self._unsynced = 0
                os.fsync(self._file)
                self._check_room()
        except OSError as error:
            raise no_room(error) from error

    def _finish(self, rest: bytearray) -> None:
        if self._file < 0:
            return
        try:
            self._write(rest)
            os.fsync(self._file)
        except OSError as error:
            raise no_room(error) from error
        finally:
            os.close(self._file)
