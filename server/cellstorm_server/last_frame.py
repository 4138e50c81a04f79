"""The newest frame whose localizations are in the image, as a picture: decoded when somebody looks, for all who do.

The gateway keeps the last few chunks that it has handed on. After a restart, and when the acquisition is over, the frame
is read from the kept video; as little else as possible is decoded, and what came of it is remembered, also that there is none.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Header, Response, status

from cellstorm.acquisitions import Acquisition, State
from cellstorm.chunks import Counts
from cellstorm.decoding import decode_frame
from cellstorm.errors import InvalidInput, ResultNotReady
from cellstorm.rendering import widefield_png
from cellstorm.results.folder import VIDEO
from cellstorm.sources import open_source
from cellstorm_server.access import AcquisitionId
from cellstorm_server.library import Library
from cellstorm_server.recent_chunks import RecentChunks
from cellstorm_server.services import Current
from cellstorm_server.viewers import View

router = APIRouter(prefix="/acquisitions/{acquisition_id}", tags=["live view"])

FRAME_INDEX: Final = "X-Frame-Index"
_FRESH_S: Final = 0.5
_MISSED_S: Final = 60.0
"""So long a frame that was not here is not looked for again."""
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
    """What came of the frame that was looked for last: its picture, or None where it is not here."""

    picture: Picture | None = None
    looked_for: int | None = None
    made_at: float = float("-inf")
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_due(self, frame_index: int, now_s: float) -> bool:
        """Whether to look for this frame now."""
        if frame_index == self.looked_for:
            return self.picture is None and now_s - self.made_at > _MISSED_S
        return now_s - self.made_at > _FRESH_S


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
            if shown.is_due(newest, time.monotonic()):
                shown.picture = await asyncio.to_thread(self._make, acquisition, newest)
                shown.looked_for, shown.made_at = newest, time.monotonic()
                self._make_room()
            if shown.picture is None:
                raise ResultNotReady("the video of the newest frame is not here; ask the gateway that received it")
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

    def _make(self, acquisition: Acquisition, newest: int) -> Picture | None:
        """Of the newest frame that there is up to that one: what a table ends with may be lost frames."""
        found = self._recent_frame(acquisition, newest) or self._kept_frame(acquisition, newest)
        return None if found is None else Picture(found[0], widefield_png(found[1]))

    def _recent_frame(self, acquisition: Acquisition, newest: int) -> tuple[int, Counts] | None:
        chunk = self._recent.find(acquisition.id, newest)
        if chunk is None:
            return None
        return newest, decode_frame(chunk, newest - chunk.header.first_frame, acquisition.roi)

    def _kept_frame(self, acquisition: Acquisition, newest: int) -> tuple[int, Counts] | None:
        """From disk, whichever file holds it."""
        assert acquisition.roi is not None  # else no frame was localized
        is_whole = acquisition.state in (State.PROCESSING, State.FINISHED)
        frame_count = acquisition.frames_received + acquisition.frames_lost if is_whole else None
        for path, is_part in self._files(acquisition.id):
            try:
                found = open_source(path, is_part=is_part).frame(newest, frame_count)
            except (InvalidInput, OSError):  # of a session that was cut off at once; or removed or replaced meanwhile
                continue
            if found is not None:
                index, counts = found
                height, width = counts.shape
                return index, counts[acquisition.roi.check_inside(width, height).slices]
        return None

    def _files(self, acquisition_id: str) -> Iterator[tuple[Path, bool]]:
        """Those that may hold the frame, newest first; and which are parts."""
        for part in reversed(self._library.parts(acquisition_id)):
            yield part, True
        for path in (self._library.results(acquisition_id) / VIDEO, self._library.upload(acquisition_id)):
            if path.is_file():
                yield path, False


def _newest_frame(view: View) -> int:
    processed = [commit.end_frame for commit in view.commits if commit.frame_count]
    if not processed:
        raise ResultNotReady("no frame has been localized yet; the newest one is there with the first")
    frames = view.acquisition.settings.frames
    stop = max(processed) if frames is None or frames.stop is None else min(max(processed), frames.stop)
    return stop - 1


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
