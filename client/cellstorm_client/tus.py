"""Sends one file by tus 1.0, in pieces that may each be lost: after a broken connection the server is asked where to go on."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import httpx

from cellstorm.errors import Busy, InvalidVideo
from cellstorm.file_names import readable_name
from cellstorm_client.errors import Unreachable, check, error_of, unreachable

OnProgress = Callable[[int, int], object]
"""Told how many bytes of how many the server has been sent."""
OnLocation = Callable[[str], object]
"""Told where the upload lies, before its first byte is sent."""

_VERSION: Final = {"Tus-Resumable": "1.0.0"}
_REQUEST_BYTES: Final = 16 * 2**20
_PIECE_BYTES: Final = 256 * 2**10
_PATIENCE_S: Final = 120.0
"""Without a byte getting through."""
_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0
_OFFSET_TROUBLE: Final = (409, 423, 460)
"""Another request is at it, or something was lost: ask where to go on."""
_ANSWER_S: Final = 180.0
"""With the last byte, the file is looked into before the answer comes."""


class Upload:
    """A file on its way to an acquisition. Blocks while it sends."""

    def __init__(self, http: httpx.Client, url: str, file: Path, acquisition_id: str) -> None:
        self._http = http
        self._url = url
        self._file = file
        self._acquisition_id = acquisition_id

    def send(
        self,
        *,
        location: str | None = None,
        on_progress: OnProgress | None = None,
        on_location: OnLocation | None = None,
    ) -> None:
        """Send what the server lacks, and wait until it has looked into the file.

        Raises
        ------
        InvalidVideo
            If the file cannot be read, here or there.
        CellstormError
            If the server refuses it, or cannot be reached for two minutes.
        """
        try:
            with self._file.open("rb") as source:
                self._send(source, source.seek(0, 2), location, on_progress or _nobody, on_location)
        except OSError as error:
            raise unreadable(self._file, error) from error

    def _send(
        self,
        source: IO[bytes],
        size: int,
        location: str | None,
        on_progress: OnProgress,
        on_location: OnLocation | None,
    ) -> None:
        offset = None if location is None else self._offset(location)
        if location is None or offset is None:
            location, offset = self._create(size), 0
            if on_location is not None:
                on_location(location)
        trying_since, pause_s = time.monotonic(), _FIRST_PAUSE_S
        while offset < size or offset == 0:
            try:
                sent = self._append(location, source, offset, size, on_progress)
                trying_since, pause_s = time.monotonic(), _FIRST_PAUSE_S
                if sent >= size:
                    return
                offset = sent
            except Busy:
                if time.monotonic() - trying_since > _PATIENCE_S:
                    raise
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                offset = self._offset_again(location, offset)

    def _create(self, size: int) -> str:
        said = {"filename": readable_name(self._file), "acquisition": self._acquisition_id}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        headers = _VERSION | {"Upload-Length": str(size), "Upload-Metadata": metadata}
        return self._request("POST", self._url, headers).headers["Location"]

    def _offset(self, location: str) -> int | None:
        """How much the server has; None where it knows nothing of the upload any more.

        Raises
        ------
        CellstormError
            If the server has refused the upload; it says why.
        """
        try:
            response = self._http.head(location, headers=_VERSION)
        except httpx.HTTPError as error:
            raise unreachable(location, error) from error
        if response.status_code in (404, 410):
            return None
        if response.is_client_error:  # HEAD has no body that could say why
            told = self._request("GET", location, {})
            raise error_of(told.json()["problem"], response)
        check(response)
        return int(response.headers["Upload-Offset"])

    def _offset_again(self, location: str, known: int) -> int:
        """After trouble, of which the next attempt tells if it goes on."""
        try:
            offset = self._offset(location)
        except Busy:
            return known
        return known if offset is None else offset

    def _append(self, location: str, source: IO[bytes], start: int, size: int, on_progress: OnProgress) -> int:
        stop = min(size, start + _REQUEST_BYTES)
        headers = _VERSION | {
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(start),
            "Content-Length": str(stop - start),
        }
        pieces = _pieces(source, start, stop, lambda sent: on_progress(sent, size))
        return int(self._request("PATCH", location, headers, pieces).headers["Upload-Offset"])

    def _request(
        self, method: str, url: str, headers: dict[str, str], content: Iterator[bytes] | None = None
    ) -> httpx.Response:
        timeout = httpx.Timeout(60.0, connect=5.0, read=_ANSWER_S)
        try:
            response = self._http.request(method, url, headers=headers, content=content, timeout=timeout)
        except httpx.HTTPError as error:
            raise unreachable(url, error) from error
        if method == "PATCH" and response.status_code in _OFFSET_TROUBLE and not _is_refusal(response):
            raise Unreachable("another request is at this upload; asking where to go on")
        check(response)
        return response


def unreadable(file: Path, error: OSError) -> InvalidVideo:
    """What to say of a file that cannot be opened or read."""
    return InvalidVideo(f"{file} cannot be read ({error.strerror}); check its name and permissions")


def _is_refusal(response: httpx.Response) -> bool:
    """A 409 that is about the acquisition, not about the offset."""
    return "wrong-state" in response.text


def _pieces(source: IO[bytes], start: int, stop: int, on_sent: Callable[[int], object]) -> Iterator[bytes]:
    source.seek(start)
    while start < stop:
        piece = source.read(min(_PIECE_BYTES, stop - start))
        if not piece:
            raise OSError(0, "it has become shorter while it was sent")
        yield piece
        start += len(piece)
        on_sent(start)


def _nobody(sent: int, size: int) -> None:
    """Is told nothing."""
