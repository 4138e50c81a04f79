"""Unfinished uploads on disk. The length of a data file is the upload's offset; everything else stands beside it.

uploads/ID/
    data         the bytes that came
    info.json    what was asked for and what became of it; replaced as a whole
    lock         held by the gateway that is at work on it (flock: a process that dies lets go)

What is over (taken, refused, expired) leaves its info behind for a while, so that a client that comes back hears of it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cellstorm.errors import StorageFull
from cellstorm.writing import sync
from cellstorm_server.tus.protocol import Creation, TusError, is_locked, not_found

_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")


class Outcome(BaseModel):
    """What became of an upload."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["taken", "refused", "expired"]
    at: float = Field(description="Unix time.")
    offset: int
    problem: dict[str, object] | None = Field(default=None, description="Of one that was refused.")


class UploadInfo(BaseModel):
    """All that is known of an upload but its bytes."""

    model_config = ConfigDict(frozen=True)

    id: str
    length: int | None
    metadata_header: str
    metadata: dict[str, str]
    created_at: float
    unverified_from: int | None = Field(
        default=None, description="What lies behind this offset waits for its checksum, and counts for nothing."
    )
    acquisition_id: str | None = Field(default=None, description="Where it goes, once that is known.")
    outcome: Outcome | None = None


class Storage:
    """Everything here blocks."""

    def __init__(self, root: Path) -> None:
        self._root = root / "uploads"

    def create(self, creation: Creation, acquisition_id: str | None) -> UploadInfo:
        """A new upload without bytes."""
        info = UploadInfo(
            id=secrets.token_urlsafe(16),
            length=creation.length,
            metadata_header=creation.metadata_header,
            metadata=creation.metadata,
            created_at=time.time(),
            acquisition_id=acquisition_id,
        )
        try:
            self._folder(info.id).mkdir(parents=True)
            self.data(info.id).touch()
            self._lock_file(info.id).touch()  # to make it later would let the event loop wait for the disk
            self.save(info)
            sync(self._root)
        except OSError as error:
            self.remove(info.id)
            raise no_room(error) from error
        return info

    def data(self, upload_id: str) -> Path:
        return self._folder(upload_id) / "data"

    def read(self, upload_id: str) -> UploadInfo:
        """An upload, by the id that a request names.

        Raises
        ------
        TusError
            404, if there is none.
        """
        if not _ID.fullmatch(upload_id):
            raise not_found()
        try:
            return UploadInfo.model_validate_json(self._info(upload_id).read_bytes())
        except (FileNotFoundError, NotADirectoryError, ValidationError) as error:
            raise not_found() from error

    def save(self, info: UploadInfo) -> None:
        """Durably, and as a whole."""
        path = self._info(info.id)
        part = path.with_suffix(".part")
        try:
            with part.open("w", encoding="utf-8") as file:
                json.dump(info.model_dump(mode="json"), file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            sync(path.parent)
        except OSError as error:
            raise no_room(error) from error

    def settle(self, info: UploadInfo) -> UploadInfo:
        """After a process has died in the middle: what waited for its checksum is cut off."""
        if info.unverified_from is None:
            return info
        with suppress(FileNotFoundError):
            os.truncate(self.data(info.id), info.unverified_from)
        settled = info.model_copy(update={"unverified_from": None})
        self.save(settled)
        return settled

    def offset(self, info: UploadInfo) -> int:
        """How much has come, without what waits for its checksum."""
        if info.outcome is not None:
            return info.outcome.offset
        try:
            size = self.data(info.id).stat().st_size
        except FileNotFoundError:  # it was handed over just now
            return info.length or 0
        return size if info.unverified_from is None else min(size, info.unverified_from)

    def durable_offset(self, info: UploadInfo) -> int:
        """As `offset`, and so much survives also a loss of power."""
        with suppress(FileNotFoundError), self.data(info.id).open("rb") as file:
            os.fsync(file.fileno())
        return self.offset(info)

    def touched_at(self, info: UploadInfo) -> float:
        """Unix time of the last byte, or of what became of it."""
        if info.outcome is not None:
            return info.outcome.at
        try:
            return self.data(info.id).stat().st_mtime
        except FileNotFoundError:
            return info.created_at

    def end(self, info: UploadInfo, kind: Literal["taken", "refused", "expired"], **more: object) -> UploadInfo:
        """Note what became of it; its bytes are gone afterwards."""
        outcome = Outcome.model_validate({"kind": kind, "at": time.time(), "offset": self.offset(info), **more})
        ended = info.model_copy(update={"outcome": outcome})
        self.save(ended)
        self.data(info.id).unlink(missing_ok=True)
        return ended

    def remove(self, upload_id: str) -> None:
        """With all that is known of it."""
        shutil.rmtree(self._folder(upload_id), ignore_errors=True)

    def all(self) -> list[UploadInfo]:
        """Of every upload that lies here."""
        found = []
        for folder in self._root.glob("*"):
            try:
                found.append(self.read(folder.name))
            except TusError:
                continue
        return found

    @contextmanager
    def locked(self, upload_id: str) -> Iterator[None]:
        """Nobody else on any gateway works on it meanwhile.

        Raises
        ------
        TusError
            423, if somebody does.
        """
        try:
            descriptor = os.open(self._lock_file(upload_id), os.O_RDWR)
        except FileNotFoundError as error:
            raise not_found() from error
        try:
            _lock(descriptor)
            try:
                yield
            finally:
                # Closing alone would leave it to a child process that is being started: for a moment it has a copy.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _folder(self, upload_id: str) -> Path:
        return self._root / upload_id

    def _lock_file(self, upload_id: str) -> Path:
        return self._folder(upload_id) / "lock"

    def _info(self, upload_id: str) -> Path:
        return self._folder(upload_id) / "info.json"


def no_room(error: OSError) -> StorageFull:
    return StorageFull(f"the file cannot be stored ({error.strerror}); make room on the server")


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise is_locked() from error
