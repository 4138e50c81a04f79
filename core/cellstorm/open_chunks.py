"""Chunks in the making, used by `cutting` alone: encoded as they came or, where key frames are too far apart, cut anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from cellstorm.chunks import MAX_CHUNK_FRAMES, MAX_PAYLOAD_BYTES, Chunk, ChunkHeader, Counts
from cellstorm.decoding import PictureDecoder
from cellstorm.h264 import TICKS_PER_SECOND, AccessUnit
from cellstorm.luma import turned
from cellstorm.raw_chunks import RawCutter


@dataclass(frozen=True, slots=True)
class CutChunk:
    """A chunk, and all access units that came in it.

    Attributes
    ----------
    chunk
        None where only video is handed over: of frames that were damaged for so long that they are not kept waiting.
    units
        In decoding order, damaged ones too, in canonical form. All chunks' units, one after another, are the video to
        keep: cut again with `trust_marks`, it gives the same chunks.
    """

    chunk: Chunk | None
    units: tuple[AccessUnit, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk belongs, and the kind of its frames; width and height are those before they are turned."""

    number: int
    first_frame: int
    first_timestamp: int
    width: int
    height: int
    bit_depth: int
    quarter_turns: int = 0

    def time_s(self, timestamp: int) -> float:
        return (timestamp - self.first_timestamp) / TICKS_PER_SECOND


class OpenChunk(ABC):
    """What all kinds have in common: they collect the video and count what is missing from it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.lost = 0
        self.damaged = 0
        self._units: list[AccessUnit] = []

    @property
    @abstractmethod
    def frame_count(self) -> int:
        """Frames that the chunk holds, without lost and damaged ones."""

    @property
    def next_frame(self) -> int:
        return self.place.first_frame + self.frame_count + self.lost + self.damaged

    @property
    def decoded_bytes(self) -> int:
        """Of its frames' counts."""
        bytes_each = 1 if self.place.bit_depth == 8 else 2
        return self.frame_count * self.place.width * self.place.height * bytes_each

    @property
    def is_whole(self) -> bool:
        return self.lost == 0 and self.damaged == 0

    @abstractmethod
    def add(self, unit: AccessUnit) -> list[CutChunk]:
        """A picture that follows on the last."""

    @abstractmethod
    def close(self) -> list[CutChunk]:
        """All that is still held."""

    def keep(self, unit: AccessUnit) -> list[CutChunk]:
        """A unit of the video that is no frame of the chunk; after very many they are handed over before the chunk ends."""
        self._units.append(unit)
        if len(self._units) >= 2 * MAX_CHUNK_FRAMES:
            return [CutChunk(None, self._take_units())]
        return []

    def _take_units(self) -> tuple[AccessUnit, ...]:
        units = tuple(self._units)
        self._units.clear()
        return units


class EncodedChunk(OpenChunk):
    """Access units as they came."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._pictures: list[AccessUnit] = []
        self._size = 0

    @property
    def frame_count(self) -> int:
        return len(self._pictures)

    def has_room_for(self, unit: AccessUnit) -> bool:
        return len(self._pictures) < MAX_CHUNK_FRAMES and self._size + len(unit.data) <= MAX_PAYLOAD_BYTES

    def add(self, unit: AccessUnit) -> list[CutChunk]:
        self._pictures.append(unit)
        self._size += len(unit.data)
        return self.keep(unit)

    def cut_anew(self) -> tuple[RecutChunk, list[CutChunk]]:
        """The same frames, decoded, as what comes next has no room; and what of them is already ready."""
        successor = RecutChunk(self.place, self._take_units())
        ready = [chunk for picture in self._pictures for chunk in successor.decode(picture)]
        return successor, ready

    def close(self) -> list[CutChunk]:
        timestamps = [picture.timestamp for picture in self._pictures]
        order = sorted(range(len(timestamps)), key=timestamps.__getitem__)
        ranks = [0] * len(order)
        for rank, position in enumerate(order):
            ranks[position] = rank
        is_sideways = self.place.quarter_turns % 2 == 1
        header = ChunkHeader(
            number=self.place.number,
            codec="h264",
            first_frame=self.place.first_frame,
            times_s=tuple(self.place.time_s(timestamps[position]) for position in order),
            width=self.place.height if is_sideways else self.place.width,
            height=self.place.width if is_sideways else self.place.height,
            quarter_turns=self.place.quarter_turns,
            dtype="uint8" if self.place.bit_depth == 8 else "uint16",
            payload_sizes=tuple(len(picture.data) for picture in self._pictures),
            display_ranks=tuple(ranks),
            lost=self.lost,
            damaged=self.damaged,
            received_at_s=max(picture.received_at_s for picture in self._pictures),
        )
        return [CutChunk(Chunk(header, tuple(picture.data for picture in self._pictures)), self._take_units())]


class RecutChunk(OpenChunk):
    """Decoded frames of a group of pictures that is too long for one chunk; it gives several raw ones, one by one."""

    def __init__(self, place: Place, units: Iterable[AccessUnit]) -> None:
        super().__init__(place)
        self._units.extend(units)
        self._cutter = RawCutter(first_frame=place.first_frame, first_chunk=place.number)
        self._decoder = PictureDecoder()
        self._timestamps: dict[int, int] = {}  # of those that the decoder has not given back
        self._fed = 0
        self._received_at_s = 0.0

    @property
    def frame_count(self) -> int:
        return self._fed

    def add(self, unit: AccessUnit) -> list[CutChunk]:
        return self.keep(unit) + self.decode(unit)

    def decode(self, unit: AccessUnit) -> list[CutChunk]:
        """Like `add`, for a unit whose bytes are among those to keep already."""
        self._received_at_s = unit.received_at_s
        self._timestamps[self._fed] = unit.timestamp
        pictures = self._decoder.add(unit.data, self._fed)
        self._fed += 1
        return self._cut(pictures)

    def close(self) -> list[CutChunk]:
        ready = self._cut(self._decoder.finish())
        undecodable = len(self._timestamps)
        last = list(self._cutter.finish(self.lost, self.damaged + undecodable, self._received_at_s))
        return ready + self._with_units(last) if last or not self._units else [CutChunk(None, self._take_units())]

    def _cut(self, pictures: list[tuple[int, Counts]]) -> list[CutChunk]:
        ready = []
        for position, counts in pictures:
            timestamp = self._timestamps.pop(position)
            ready += self._pass_over([other for other, time in self._timestamps.items() if time < timestamp])
            upright = turned(counts, self.place.quarter_turns)
            time_s = self.place.time_s(timestamp)
            ready += self._with_units(self._cutter.add(time_s, upright, self._received_at_s))
        return ready

    def _pass_over(self, undecodable: list[int]) -> list[CutChunk]:
        """Pictures that should have been shown by now, and never will: later ones keep their indices."""
        if not undecodable:
            return []
        for position in undecodable:
            del self._timestamps[position]
        return self._with_units(self._cutter.finish(damaged=len(undecodable), received_at_s=self._received_at_s))

    def _with_units(self, chunks: Iterable[Chunk]) -> list[CutChunk]:
        return [CutChunk(chunk, self._take_units()) for chunk in chunks]
