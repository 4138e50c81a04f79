"""Cuts a stream of H.264 access units into chunks that decode on their own.

The gateway feeds it what a phone sends, the batch path what lies in a file, and the chunks are the same: everything that
it decides by is in the access units themselves. What only the network could see (frames lost just before a key frame)
it writes into them as frame marks, and reads back from the kept video.

    IDR P P P P P P P P P | IDR P P x P P P P P P | IDR …      x  a lost frame
    └──── chunk 0 ──────┘   └─chunk 1┘ └damaged─┘   the frames of chunk 1 after x refer to it: counted, not localized
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cellstorm.chunks import FILE_CHUNK_BYTES, MIN_CHUNK_FRAMES
from cellstorm.continuity import MAX_LOST, Continuity
from cellstorm.errors import InvalidVideo
from cellstorm.frame_marks import FrameMark, find_mark, marked, unmarked
from cellstorm.h264 import (
    DELIMITER,
    AccessUnit,
    AccessUnitFacts,
    ParameterSets,
    SequenceParameters,
    join_annex_b,
    nal_type,
    read_facts,
    split_annex_b,
)
from cellstorm.open_chunks import CutChunk, EncodedChunk, OpenChunk, Place, RecutChunk
from cellstorm.raw_chunks import size_changed

__all__ = ["ChunkCutter", "CutChunk"]

_MAX_FRAME_INDEX: Final = 2**31 - 1


class ChunkCutter:
    """Access units in decoding order in, chunks out.

    Parameters
    ----------
    first_frame, first_chunk
        Index and number of what comes first, to continue an earlier session.
    first_timestamp
        The timestamp whose time is 0 s; without it the first key frame's.
    quarter_turns
        Counterclockwise, of every frame, as a file's display matrix asks for.
    chunk_frames
        From so many frames on a key frame ends a chunk; of large frames, from MIN_CHUNK_FRAMES or FILE_CHUNK_BYTES on.
    first_chunk_frames
        Likewise the first one, where that is another number: a phone's is short, so that its image begins soon.
    trust_marks
        Whether frame marks in the stream are to be believed: those of a file are (the gateway wrote them), a phone's not.
    """

    def __init__(
        self,
        *,
        first_frame: int = 0,
        first_chunk: int = 0,
        first_timestamp: int | None = None,
        trust_marks: bool = False,
        quarter_turns: int = 0,
        chunk_frames: int = MIN_CHUNK_FRAMES,
        first_chunk_frames: int | None = None,
    ) -> None:
        self._next_frame = first_frame
        self._next_chunk = first_chunk
        self._first_timestamp = first_timestamp
        self._trust_marks = trust_marks
        self._quarter_turns = quarter_turns
        self._chunk_frames = chunk_frames
        self._least_frames = chunk_frames if first_chunk_frames is None else first_chunk_frames
        self._parameter_sets = ParameterSets()
        self._sequence: SequenceParameters | None = None
        self._open: OpenChunk | None = None
        self._follows_marks = False
        self._last = Continuity()

    @property
    def frame_width(self) -> int | None:
        """Of every frame, in pixels; None before the first key frame."""
        return self._sequence.width if self._sequence else None

    @property
    def frame_height(self) -> int | None:
        return self._sequence.height if self._sequence else None

    @property
    def first_timestamp(self) -> int | None:
        """The timestamp whose time is 0 s; None while it is not known."""
        return self._first_timestamp

    @property
    def next_frame(self) -> int:
        """Index of the frame that comes next; after `finish` what a later session begins with."""
        return self._next_frame if self._open is None else self._open.next_frame

    @property
    def next_chunk(self) -> int:
        """Number of the chunk that comes out next; after `finish` what a later session begins with."""
        return self._next_chunk

    def add_parameter_sets(self, nal_units: Sequence[bytes]) -> None:
        """Parameter sets that came outside of access units, as in an MP4's header or an SDP's sprop-parameter-sets.

        Raises
        ------
        InvalidVideo
            If they are damaged.
        """
        for unit in nal_units:
            self._parameter_sets.add(unit)

    def add(self, unit: AccessUnit, lost_before: int = 0) -> list[CutChunk]:
        """Feed the next access unit; `lost_before` frames are known to have been lost directly before it.

        The number is needed where the stream itself cannot tell: before key frames. In between, `frame_num` is believed
        instead (unless the stream leaves gaps in it on purpose), because a missing packet need not be a missing frame.

        Raises
        ------
        FrameSizeChanged
            If the frame's size or depth is another than the first one's. The unit is then left out; `finish` still works.
        InvalidVideo
            If the stream is interlaced, or says that billions of frames were lost.
        """
        if self.next_frame > _MAX_FRAME_INDEX:
            raise InvalidVideo("the video counts more frames than can be numbered; start a new acquisition")
        nal_units = split_annex_b(unit.data)
        mark = find_mark(nal_units) if self._trust_marks else None
        nal_units = unmarked(nal_units)
        try:
            facts = read_facts(nal_units, self._parameter_sets)
        except InvalidVideo:
            facts = None
        if facts is None or facts.sequence is None or facts.is_partial:
            return self._set_aside(unit, nal_units, facts)
        if self._open is None and not facts.is_idr:
            return []
        self._check_format(facts.sequence, facts.is_field)
        lost = max(lost_before, self._last.unusable, self._lost_by(mark))
        step = self._begin_group if facts.is_idr else self._continue_group
        chunks = step(_Picture(unit.timestamp, unit.received_at_s, nal_units, facts), mark, lost)
        self._next_chunk += sum(cut.chunk is not None for cut in chunks)
        return chunks

    def finish(self) -> list[CutChunk]:
        """The last chunk. The cutter can be fed on, from a key frame."""
        if self._open is None:
            return []
        self._open.lost += self._last.halves  # no mark comes any more that could tell a file of the others
        chunks = self._close(self._open)
        self._last = Continuity()
        self._next_chunk += sum(cut.chunk is not None for cut in chunks)
        return chunks

    def _set_aside(self, unit: AccessUnit, nal_units: list[bytes], facts: AccessUnitFacts | None) -> list[CutChunk]:
        """A unit that is no picture: as if it had never come, but a picture's remains stay in the kept video."""
        if facts is not None and not facts.is_partial:
            return []  # parameter sets alone, or the end of the stream
        if self._open is None:
            return []
        self._last.unusable += 1
        if facts is None:
            return []
        self._last.halves += 1
        return self._open.keep(AccessUnit(join_annex_b(nal_units), unit.timestamp, unit.received_at_s))

    def _check_format(self, sequence: SequenceParameters, is_field: bool) -> None:
        if is_field:
            raise InvalidVideo("the video is interlaced; switch the camera or encoder to progressive frames")
        first = self._sequence or sequence
        formats = [(s.width, s.height, s.bit_depth) for s in (first, sequence)]
        if formats[0] != formats[1]:
            raise size_changed(*formats)
        self._sequence = first

    def _lost_by(self, mark: FrameMark | None) -> int:
        """Frames between the last one and the one that bears this mark."""
        missing = mark.frame_index - self.next_frame if mark else 0
        return missing if 0 < missing <= MAX_LOST else 0

    def _begin_group(self, picture: _Picture, mark: FrameMark | None, lost: int) -> list[CutChunk]:
        """At a key frame."""
        sequence = picture.facts.sequence
        assert sequence is not None
        chunks = []
        self._last.begin_group(picture.timestamp)
        if self._open is None:
            self._next_frame += self._lost_by(mark)
        else:
            self._open.lost += lost
            if not self._must_cut(self._open, mark):
                return self._append(self._open, picture.unit(self._parameter_sets))
            chunks = self._close(self._open)
        if self._first_timestamp is None:
            self._first_timestamp = picture.timestamp
        self._follows_marks = mark is not None
        number = self._next_chunk + sum(cut.chunk is not None for cut in chunks)
        place = Place(
            number,
            self._next_frame,
            self._first_timestamp,
            sequence.width,
            sequence.height,
            sequence.bit_depth,
            self._quarter_turns,
        )
        self._open = EncodedChunk(place)
        own_mark = FrameMark(place.first_frame, place.number)
        return chunks + self._append(self._open, picture.unit(self._parameter_sets, own_mark))

    def _must_cut(self, chunk: OpenChunk, mark: FrameMark | None) -> bool:
        """Whether a key frame begins a new chunk; in a kept video it does where it did when the video was received."""
        if not chunk.is_whole or isinstance(chunk, RecutChunk):
            return True
        if self._follows_marks:
            return mark is not None
        is_large = chunk.frame_count >= MIN_CHUNK_FRAMES and chunk.decoded_bytes >= FILE_CHUNK_BYTES
        return is_large or chunk.frame_count >= self._least_frames

    def _continue_group(self, picture: _Picture, mark: FrameMark | None, lost: int) -> list[CutChunk]:
        """Between key frames."""
        chunk, facts = self._open, picture.facts
        assert chunk is not None
        assert facts.sequence is not None
        if facts.sequence.gaps_in_frame_num_allowed:
            gap, seen_in_video = lost, 0
        else:
            seen_in_video = self._last.missing_before(picture.timestamp, facts, reported=0)
            gap = self._lost_by(mark) or self._last.missing_before(picture.timestamp, facts, lost)
        self._last.follow(picture.timestamp, facts, gap)
        if gap == 0 and chunk.is_whole:
            return self._append(chunk, picture.unit(self._parameter_sets))
        chunk.lost += gap
        own_mark = FrameMark(chunk.next_frame, chunk.place.number) if gap != seen_in_video else None
        chunk.damaged += 1
        return chunk.keep(picture.unit(self._parameter_sets, own_mark))

    def _append(self, chunk: OpenChunk, unit: AccessUnit) -> list[CutChunk]:
        ready: list[CutChunk] = []
        if isinstance(chunk, EncodedChunk) and not chunk.has_room_for(unit):
            chunk, ready = chunk.cut_anew()
            self._open = chunk
        return ready + chunk.add(unit)

    def _close(self, chunk: OpenChunk) -> list[CutChunk]:
        chunks = chunk.close()
        self._next_frame = chunk.next_frame
        self._least_frames = self._chunk_frames
        self._open = None
        return chunks


@dataclass(frozen=True, slots=True)
class _Picture:
    """An access unit, taken apart."""

    timestamp: int
    received_at_s: float
    nal_units: list[bytes]
    facts: AccessUnitFacts

    def unit(self, parameter_sets: ParameterSets, mark: FrameMark | None = None) -> AccessUnit:
        """Put together again; a key frame gets the parameter sets that it needs and may have left to the container."""
        nal_units = self.nal_units
        if self.facts.is_idr and not self.facts.has_parameter_sets:
            first = 1 if nal_type(nal_units[0]) == DELIMITER else 0
            nal_units = [*nal_units[:first], *parameter_sets.nal_units(), *nal_units[first:]]
        if mark is not None:
            nal_units = marked(nal_units, mark)
        return AccessUnit(join_annex_b(nal_units), self.timestamp, self.received_at_s)
