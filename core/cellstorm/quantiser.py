"""How coarsely a picture was coded, read from its slices' headers without decoding it (ITU-T H.264, 7.3.3).

    quantiser of a slice = 26 + pic_init_qp_minus26 + slice_qp_delta                    (7-30)

Six more halve the detail that is kept: the step of the quantiser doubles. It is where a slice begins; encoders that vary
it inside a slice (x264's adaptive quantisation, rate control by macroblock) do so around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from cellstorm.chunks import Chunk
from cellstorm.errors import InvalidVideo
from cellstorm.h264 import (
    IDR_SLICE,
    SLICE,
    ParameterSets,
    SequenceParameters,
    nal_type,
    split_annex_b,
)
from cellstorm.h264_bits import Bits

SliceKind = Literal["P", "B", "I"]

MAX_QUANTISER: Final = 51
_HEADER_BYTES: Final = 1024  # with a weight for each of 32 reference pictures, emulation prevention included
_MAX_REFERENCES: Final = 32
_PICTURE_SET_BYTES: Final = 4096
_KINDS: Final[tuple[SliceKind, ...]] = ("P", "B", "I", "P", "I")
"""By slice_type modulo 5 (table 7-6); switching slices (SP, SI) count as what they extend."""


@dataclass(frozen=True, slots=True)
class FrameCoding:
    """How one frame was coded.

    Attributes
    ----------
    frame_index
        In the acquisition.
    is_key
        Decoding can begin with it.
    quantiser
        Mean of its slices, 0 (lossless, nearly) to 51; None where a header cannot be read.
    size_bytes
        Of its access unit.
    """

    frame_index: int
    is_key: bool
    quantiser: float | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _PictureParameters:
    """Those fields of a picture parameter set (7.3.2.2) that shape the slices' headers."""

    is_arithmetic: bool
    has_bottom_order: bool
    references: tuple[int, int]
    is_weighted: bool
    weighted_bipredictive: int
    initial_quantiser: int
    has_redundant_count: bool


def codings_of(chunk: Chunk) -> list[FrameCoding]:
    """Of a chunk's frames in display order; empty where they did not come as H.264."""
    header = chunk.header
    if header.codec != "h264":
        return []
    sets = ParameterSets()
    codings = []
    for payload, rank in zip(chunk.payloads, header.display_ranks, strict=True):
        units = split_annex_b(payload)
        is_key = any(nal_type(unit) == IDR_SLICE for unit in units)
        codings.append(FrameCoding(header.first_frame + rank, is_key, _mean_quantiser(units, sets), len(payload)))
    return sorted(codings, key=lambda coding: coding.frame_index)


def _mean_quantiser(units: Sequence[bytes], sets: ParameterSets) -> float | None:
    try:
        for unit in units:
            sets.add(unit)
        found = [slice_quantiser(unit, sets) for unit in units if nal_type(unit) in (SLICE, IDR_SLICE)]
    except InvalidVideo:
        return None
    return sum(found) / len(found) if found else None


def slice_quantiser(nal_unit: bytes, sets: ParameterSets) -> int:
    """The quantiser with which a slice begins.

    Raises
    ------
    InvalidVideo
        If its header is damaged, uses what this does not read (slice groups), or its parameter sets have not come.
    """
    bits = Bits(nal_unit, _HEADER_BYTES)
    bits.unsigned()  # first macroblock
    slice_type = bits.unsigned(9) % 5
    kind = _KINDS[slice_type]
    pps_id = bits.unsigned(255)
    sequence, picture = sets.sequence(pps_id), _parse_picture(sets.picture_unit(pps_id))
    _skip_place(bits, nal_unit, sequence, picture)
    if picture.has_redundant_count:
        bits.unsigned(127)
    if kind == "B":
        bits.flag()  # direct mode is spatial
    if kind != "I":
        references = _read_references(bits, kind, picture)
        _skip_reordering(bits, kind)
        is_weighted = picture.is_weighted if kind == "P" else picture.weighted_bipredictive == 1
        if is_weighted:
            _skip_weights(bits, references, has_chroma=_has_chroma(sequence))
    if nal_unit[0] >> 5 & 3:
        _skip_marking(bits, is_idr=nal_type(nal_unit) == IDR_SLICE)
    if picture.is_arithmetic and kind != "I":
        bits.unsigned(2)  # table of the arithmetic coder
    quantiser = picture.initial_quantiser + bits.signed()
    if not -6 * (sequence.bit_depth - 8) <= quantiser <= MAX_QUANTISER:
        raise InvalidVideo(f"an H.264 slice says a quantiser of {quantiser}; export the video again")
    return quantiser


@lru_cache(maxsize=64)
def _parse_picture(nal_unit: bytes) -> _PictureParameters:
    bits = Bits(nal_unit, _PICTURE_SET_BYTES)
    bits.unsigned(255)
    bits.unsigned(31)
    is_arithmetic, has_bottom_order = bits.flag(), bits.flag()
    if bits.unsigned(7):
        raise InvalidVideo("the video's slices are in groups, which this does not read; export the video again")
    references = bits.unsigned(31) + 1, bits.unsigned(31) + 1
    is_weighted, weighted_bipredictive = bits.flag(), bits.read(2)
    initial_quantiser = 26 + bits.signed()
    bits.signed()  # of switching slices
    bits.signed()  # of chroma
    bits.read(2)  # deblocking is told by slices, intra prediction is constrained
    return _PictureParameters(
        is_arithmetic, has_bottom_order, references, is_weighted, weighted_bipredictive, initial_quantiser, bits.flag()
    )


def _skip_place(bits: Bits, nal_unit: bytes, sequence: SequenceParameters, picture: _PictureParameters) -> None:
    """Which picture this is a slice of, in decoding order and in display order."""
    if sequence.separate_colour_planes:
        bits.read(2)
    bits.read(sequence.log2_max_frame_num)
    is_field = not sequence.frame_mbs_only and bits.flag()
    if is_field:
        bits.flag()
    if nal_type(nal_unit) == IDR_SLICE:
        bits.unsigned(65535)
    if sequence.picture_order_type == 0:
        bits.read(sequence.log2_max_picture_order)
    elif sequence.picture_order_type == 1 and not sequence.delta_picture_order_always_zero:
        bits.signed()
    else:
        return
    if picture.has_bottom_order and not is_field:
        bits.signed()


def _read_references(bits: Bits, kind: SliceKind, picture: _PictureParameters) -> tuple[int, ...]:
    """How many reference pictures each of the slice's lists has."""
    lists = 2 if kind == "B" else 1
    if not bits.flag():
        return picture.references[:lists]
    return tuple(bits.unsigned(_MAX_REFERENCES - 1) + 1 for _ in range(lists))


def _skip_reordering(bits: Bits, kind: SliceKind) -> None:
    """7.3.3.1: in each list, commands until number 3."""
    for _ in range(2 if kind == "B" else 1):
        if bits.flag():
            while bits.unsigned(5) != 3:
                bits.unsigned()


def _has_chroma(sequence: SequenceParameters) -> bool:
    return sequence.chroma_format > 0 and not sequence.separate_colour_planes


def _skip_weights(bits: Bits, references: Sequence[int], *, has_chroma: bool) -> None:
    """7.3.3.2."""
    bits.unsigned(7)
    if has_chroma:
        bits.unsigned(7)
    for count in references:
        for _ in range(count):
            for values in (2, 4) if has_chroma else (2,):
                if bits.flag():
                    for _ in range(values):
                        bits.signed()


def _skip_marking(bits: Bits, *, is_idr: bool) -> None:
    """7.3.3.3: which pictures stay for reference."""
    if is_idr:
        bits.read(2)
    elif bits.flag():
        while (operation := bits.unsigned(6)) != 0:
            if operation != 5:
                bits.unsigned()
            if operation == 3:
                bits.unsigned()
