"""Sends many files as one batch, a few at a time, so that it can be broken off anywhere and gone on with later.

What was done is noted in a small file, before and after each step: which batch, which acquisition is whose, and where each
upload lies. It holds the batch's token, so it is readable by its owner alone.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, ValidationError

from cellstorm.acquisitions import State
from cellstorm.batches import NewBatch
from cellstorm.errors import InvalidInput, InvalidSetting, WrongState
from cellstorm.file_names import readable, readable_name
from cellstorm.sources.members import folder_members
from cellstorm.writing import writing_to
from cellstorm_client.client import Client
from cellstorm_client.tus import unreadable

_AT_ONCE: Final = 3
_STEP_S: Final = 0.2


class FileState(BaseModel):
    """One file of a batch."""

    path: str = Field(description="As text: what in it is no UTF-8 is replaced.")
    size: int
    acquisition_id: str = ""
    location: str | None = None
    state: Literal["waiting", "sent", "refused"] = "waiting"
    error: str | None = None


class _Notes(BaseModel):
    """What is kept between two attempts."""

    server: str
    new: NewBatch
    key: str
    batch_id: str = ""
    token: str = ""
    files: list[FileState]


class Sending:
    """One batch on its way to a server.

    Parameters
    ----------
    client
        With a token that may open batches.
    new
        The batch; its `files` are taken from `files`.
    notes
        Where the notes are kept; those of an attempt that was broken off are gone on with, once it had opened its batch.

    Raises
    ------
    InvalidVideo
        If a file cannot be opened.
    InvalidSetting
        If the notes there are of other files or settings.
    """

    def __init__(
        self, client: Client, new: NewBatch, files: Sequence[Path], *, notes: Path, at_once: int = _AT_ONCE
    ) -> None:
        self._client = client
        self._path = notes
        self._at_once = at_once
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._sent: dict[str, int] = {}
        self._recordings = list(files)
        states = [FileState(path=readable(file), size=_size(file)) for file in files]
        batch = new.model_copy(update={"files": tuple(readable_name(file)[-200:] for file in files)})
        fresh = _Notes(server=client.server, new=batch, key=secrets.token_urlsafe(16), files=states)
        self._notes = self._known(fresh) or fresh

    @property
    def files(self) -> list[FileState]:
        """As far as they have come."""
        return self._notes.files

    @property
    def bytes_sent(self) -> int:
        return sum(
            file.size if file.state != "waiting" else self._sent.get(file.acquisition_id, 0) for file in self.files
        )

    @property
    def bytes_total(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def batch_id(self) -> str:
        """Once it is open."""
        return self._notes.batch_id

    def open(self) -> Client:
        """The batch, open on the server, new or from the attempt before; a client with its token.

        Raises
        ------
        CellstormError
            If the server does not let us, or the notes cannot be written.
        """
        if not self._notes.batch_id:
            self._save()  # with the key, so that asking twice makes one batch
            created = self._client.create_batch(self._notes.new, idempotency_key=self._notes.key)
            self._notes.batch_id, self._notes.token = created.id, created.token
            for file, member in zip(self.files, created.acquisitions, strict=True):
                file.acquisition_id = member.id
            self._save()
        return self._client.with_token(self._notes.token)

    def send(self, client: Client) -> None:
        """Send what is not sent. A file that the server refuses is noted as such, and the others go on.

        Raises
        ------
        CellstormError
            If the server cannot be reached for long, or has no room: what was sent stays sent.
        """
        pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="send")
        sending = [
            pool.submit(self._send, client, file, recording)
            for file, recording in zip(self.files, self._recordings, strict=True)
            if file.state == "waiting"
        ]
        try:
            _until_done(sending)
        finally:
            self._stopped.set()
            pool.shutdown(cancel_futures=True)

    def stop(self) -> None:
        """Break off, from another thread; `send` ends soon after."""
        self._stopped.set()

    def forget(self) -> None:
        """Remove the notes: there is nothing to go on with."""
        self._path.unlink(missing_ok=True)

    def _send(self, client: Client, file: FileState, recording: Path) -> None:
        def note_location(location: str) -> None:
            file.location = location
            self._save()

        def note_progress(sent: int, size: int) -> None:
            self._sent[file.acquisition_id] = sent
            if self._stopped.is_set():
                raise _StoppedError

        try:
            client.upload(
                file.acquisition_id,
                recording,
                location=file.location,
                on_progress=note_progress,
                on_location=note_location,
            )
            file.state = "sent"
        except _StoppedError:
            return
        except (InvalidInput, WrongState) as error:
            if _has_arrived(client, file):
                file.state = "sent"
            else:
                file.state, file.error = "refused", str(error)
        self._save()

    def _known(self, fresh: _Notes) -> _Notes | None:
        try:
            known = _Notes.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise InvalidSetting(f"{self._path} cannot be used; delete it to begin anew") from error
        same = [(file.path, file.size) for file in known.files] == [(file.path, file.size) for file in fresh.files]
        if not same or (known.server, known.new) != (fresh.server, fresh.new):
            if not known.batch_id:  # nothing was sent that could be gone on with
                return None
            raise InvalidSetting(
                f"{self._path} is of other files or settings; go on with those, or delete it to begin anew"
            )
        return known

    def _save(self) -> None:
        with self._lock, writing_to(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part = self._path.with_suffix(".part")
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as target:
                # what was not chosen must not come back as chosen: the server has its own idea of it
                target.write(self._notes.model_dump_json(indent=1, exclude_unset=True))
            os.replace(part, self._path)


class _StoppedError(Exception):
    """Somebody has called `stop`."""


def _has_arrived(client: Client, file: FileState) -> bool:
    """Whether it was sent, though nobody here heard of it.

    The server forgets an upload an hour after its last byte, and then refuses another one for the same acquisition. One that
    waits again has lost its file, as in a gateway that was killed; of one that was cancelled it was removed.
    """
    if file.location is None:  # none of its bytes can have gone anywhere
        return False
    acquisition = client.get(file.acquisition_id)
    return acquisition.video_from == "file" and acquisition.state not in (State.WAITING, State.CANCELLED)


def _until_done(sending: Sequence[Future[None]]) -> None:
    """In small steps, so that Ctrl-C is heard in between."""
    left: set[Future[None]] = set(sending)
    while left:
        done, left = wait(left, timeout=_STEP_S, return_when=FIRST_EXCEPTION)
        for each in done:
            each.result()


def _size(recording: Path) -> int:
    """In bytes; of a folder, of the files that are packed to be sent."""
    if recording.is_dir():
        return sum(_file_size(member.path) for member in folder_members(recording))
    return _file_size(recording)


def _file_size(file: Path) -> int:
    try:
        with file.open("rb") as source:
            return source.seek(0, 2)
    except OSError as error:
        raise unreadable(file, error) from error
