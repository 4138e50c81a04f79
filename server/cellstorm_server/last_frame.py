"""The newest frame whose localizations are in the image, as a picture: decoded when somebody looks, for all who do.

The gateway keeps the last few chunks that it has handed on. After a restart, and when the acquisition is over, the frame
is read from the kept video.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Header, Response, status

from cellstorm.acquisitions import Acquisition
from cellstorm.chunks import Chunk
from cellstorm.decoding import decode
from cellstorm.errors import InvalidVideo, ResultNotReady
from cellstorm.rendering import widefield_png
from cellstorm.results.folder import VIDEO
from cellstorm.sources import open_source
from cellstorm_server.access import AcquisitionId
from cellstorm_server.kept_video import kept_chunks
from cellstorm_server.library import Library
from cellstorm_server.recent_chunks import RecentChunks, holds
from cellstorm_server.services import Current
from cellstorm_server.viewers import View

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["live view"])

FRAME_INDEX: Final = "X-Frame-Index"
_FRESH_S: Final = 0.5
_ACQUISITIONS: Final = 32
"""Whose newest pictures are kept."""
_MAX_BYTES: Final = 32 * 2**20
"""Of all those pictures; the one that was asked for last is kept whatever its size."""
_PNG: Final = "image/png"


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame, as people see it."""

    frame_index: int
    png: bytes


@dataclass(slots=True)
class _Shown:
    picture: Picture | None = None
    made_at: float = float("-inf")
    making: asyncio.Lock = field(default_factory=asyncio.Lock)


class LastFrames:
    """Of one gateway: at most two pictures a second of each acquisition, whatever the number of viewers."""

    def __init__(self, library: Library, recent: RecentChunks, max_bytes: int = _MAX_BYTES) -> None:
        self._library = library
        self._recent = recent
        self._max_bytes = max_bytes
        self._shown: OrderedDict[str, _Shown] = OrderedDict()

    async def picture(self, view: View) -> Picture:
        """The newest frame of those that were localized, or one of half a second ago.

        Raises
        ------
        ResultNotReady
            Before the first, and where its video is not here.
        """
        acquisition = view.acquisition
        shown = self._shown.setdefault(acquisition.id, _Shown())
        self._shown.move_to_end(acquisition.id)
        self._make_room()
        async with shown.making:
            newest = _newest_frame(view)
            if shown.picture is None or (
                shown.picture.frame_index != newest and time.monotonic() - shown.made_at > _FRESH_S
            ):
                shown.picture = await asyncio.to_thread(self._make, acquisition, newest)
                shown.made_at = time.monotonic()
                self._make_room()
            return shown.picture

    def forget(self, acquisition_id: str) -> None:
        """It was deleted, or begins anew."""
        self._shown.pop(acquisition_id, None)

    @property
    def nbytes(self) -> int:
        """Of all pictures that are kept."""
        return sum(len(shown.picture.png) for shown in self._shown.values() if shown.picture)

    def _make_room(self) -> None:
        while len(self._shown) > _ACQUISITIONS or (len(self._shown) > 1 and self.nbytes > self._max_bytes):
            self._shown.popitem(last=False)

    def _make(self, acquisition: Acquisition, frame_index: int) -> Picture:
        chunk = self._recent.find(acquisition.id, frame_index)
        if chunk is None:
            chunk = next((c for c in self._kept(acquisition) if holds(c, frame_index)), None)
        if chunk is None:
            raise ResultNotReady("the video of the newest frame is not here; ask the gateway that received it")
        counts = decode(chunk, acquisition.roi)[frame_index - chunk.header.first_frame]
        return Picture(frame_index, widefield_png(counts))

    def _kept(self, acquisition: Acquisition) -> Iterator[Chunk]:
        """From disk, whichever file holds it."""
        yield from kept_chunks(self._library.parts(acquisition.id), 0)
        for path in (self._library.results(acquisition.id) / VIDEO, self._library.upload(acquisition.id)):
            if path.is_file():
                yield from _chunks_of(path, acquisition.settings.frame_rate)


def _chunks_of(path: Path, frame_rate: float | None) -> Iterable[Chunk]:
    try:
        yield from open_source(path, frame_rate=frame_rate).chunks()
    except InvalidVideo:  # removed or replaced meanwhile
        return


def _newest_frame(view: View) -> int:
    processed = [commit.end_frame for commit in view.commits if commit.frame_count]
    if not processed:
        raise ResultNotReady("no frame has been localized yet; the newest one is there with the first")
    return max(processed) - 1


@router.get("/frames/last.png", response_class=Response, responses={200: {"content": {_PNG: {}}}})
async def last_frame(
    acquisition_id: AcquisitionId, services: Current, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The newest frame whose localizations are in the live view; the header `X-Frame-Index` says which."""
    view = await services.followers.of(acquisition_id).read(max_age_s=_FRESH_S)
    async with services.renders.place():
        picture = await services.last_frames.picture(view)
    tag = f'"{picture.frame_index}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", FRAME_INDEX: str(picture.frame_index)}
    if if_none_match == tag:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(picture.png, media_type=_PNG, headers=headers)
