"""What can be known of H.264 without decoding it: NAL units, parameter sets and the first words of a slice (ITU-T H.264).

An access unit is one picture with all that belongs to it. Here it is always in Annex B form, and in canonical form where
this module made it: every NAL unit after a start code of four bytes, without trailing zeros. Bytes are hostile until shown
otherwise: every read is bounded, and what is wrong raises `InvalidVideo`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cellstorm.chunks import MAX_FRAME_SIDE
from cellstorm.errors import InvalidVideo
from cellstorm.h264_bits import Bits

TICKS_PER_SECOND: Final = 90_000
"""Of every timestamp: RTP's clock for video (RFC 6184, 8.1)."""

SLICE: Final = 1
IDR_SLICE: Final = 5
SEI: Final = 6
SPS: Final = 7
PPS: Final = 8
DELIMITER: Final = 9

_LAST_TYPE_OF_USE: Final = 23  # table 7-1: above it the types are RTP's or not specified
_PROFILES_WITH_CHROMA_FORMAT: Final = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_MAX_PARAMETER_SET_BYTES: Final = 4096
_SLICE_HEADER_BYTES: Final = 48  # more than the fields read here can fill, emulation prevention included


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture as it came.

    Attributes
    ----------
    data
        Annex B bytes.
    timestamp
        When it is to be shown, in ticks of 1/90000 s, unwrapped.
    received_at_s
        Unix time of its arrival; 0 for what comes from a file.
    """

    data: bytes
    timestamp: int
    received_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """Those fields of a sequence parameter set (7.3.2.1.1) that matter without decoding."""

    sps_id: int
    profile: int
    chroma_format: int
    separate_colour_planes: bool
    bit_depth: int
    log2_max_frame_num: int
    picture_order_type: int
    log2_max_picture_order: int
    delta_picture_order_always_zero: bool
    gaps_in_frame_num_allowed: bool
    frame_mbs_only: bool
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AccessUnitFacts:
    """What an access unit says of itself.

    Attributes
    ----------
    is_picture
        It begins with the picture's first macroblock; false for parameter sets that came alone, or a picture's later part.
    is_partial
        It has slices, but not the first.
    is_field
        It is one field, or two, of an interlaced picture.
    """

    is_picture: bool
    is_partial: bool
    is_idr: bool
    is_reference: bool
    is_field: bool
    frame_num: int
    has_parameter_sets: bool
    sequence: SequenceParameters | None


def split_annex_b(data: bytes) -> list[bytes]:
    """The NAL units between start codes of three or four bytes; what comes before the first is passed over."""
    starts = []
    position = data.find(b"\0\0\1")
    while position >= 0:
        starts.append(position)
        position = data.find(b"\0\0\1", position + 3)
    ends = [*starts[1:], len(data)]
    units = (data[start + 3 : end].rstrip(b"\0") for start, end in zip(starts, ends, strict=False))
    return [unit for unit in units if unit]


def join_annex_b(nal_units: Sequence[bytes]) -> bytes:
    """The canonical form."""
    return b"".join(b"\0\0\0\1" + unit for unit in nal_units)


def nal_type(nal_unit: bytes) -> int:
    return nal_unit[0] & 0x1F


@dataclass(frozen=True, slots=True)
class AvcConfiguration:
    """How MP4, MOV and MKV hold H.264: NAL units after their length, parameter sets apart (ISO/IEC 14496-15, 5.3.3.1)."""

    length_size: int
    parameter_sets: tuple[bytes, ...]

    @classmethod
    def parse(cls, avcc: bytes) -> Self:
        """
        Raises
        ------
        InvalidVideo
            If it is cut short.
        """
        if len(avcc) < 7 or avcc[0] != 1:
            raise InvalidVideo("the video's H.264 configuration is damaged; export the video again")
        parameter_sets = []
        position = 5
        for count_mask in (0x1F, 0xFF):
            count = avcc[position : position + 1]
            position += 1
            for _ in range(count[0] & count_mask if count else 0):
                size = int.from_bytes(avcc[position : position + 2], "big")
                parameter_sets.append(avcc[position + 2 : position + 2 + size].rstrip(b"\0"))
                position += 2 + size
        if position > len(avcc):
            raise InvalidVideo("the video's H.264 configuration is damaged; export the video again")
        return cls((avcc[4] & 3) + 1, tuple(unit for unit in parameter_sets if unit))

    def split(self, sample: bytes) -> list[bytes]:
        """A sample's NAL units.

        Raises
        ------
        InvalidVideo
            If a length reaches beyond the sample.
        """
        units = []
        position = 0
        while position < len(sample):
            start = position + self.length_size
            end = start + int.from_bytes(sample[position:start], "big")
            if end > len(sample):
                raise InvalidVideo("a picture of the video is cut short; export the video again")
            units.append(sample[start:end].rstrip(b"\0"))
            position = end
        return [unit for unit in units if unit]


def parse_sps(nal_unit: bytes) -> SequenceParameters:
    """
    Raises
    ------
    InvalidVideo
        If it is damaged, or the picture larger than this project takes.
    """
    bits = Bits(nal_unit, _MAX_PARAMETER_SET_BYTES)
    profile = bits.read(8)
    bits.read(16)  # constraints and level
    sps_id = bits.unsigned(31)
    chroma_format, separate_planes, bit_depth = 1, False, 8
    if profile in _PROFILES_WITH_CHROMA_FORMAT:
        chroma_format, separate_planes, bit_depth = _read_format(bits)
    log2_max_frame_num = bits.unsigned(12) + 4
    picture_order_type, log2_max_picture_order, always_zero = _read_picture_order(bits)
    bits.unsigned()  # number of reference frames
    gaps_allowed = bits.flag()
    columns, rows = bits.unsigned(MAX_FRAME_SIDE // 16) + 1, bits.unsigned(MAX_FRAME_SIDE // 16) + 1
    frame_mbs_only = bits.flag()
    if not frame_mbs_only:
        bits.flag()  # macroblock-adaptive
        rows *= 2
    bits.flag()  # direct 8x8 inference
    width, height = _cropped(bits, 16 * columns, 16 * rows, 0 if separate_planes else chroma_format, frame_mbs_only)
    return SequenceParameters(
        sps_id=sps_id,
        profile=profile,
        chroma_format=chroma_format,
        separate_colour_planes=separate_planes,
        bit_depth=bit_depth,
        log2_max_frame_num=log2_max_frame_num,
        picture_order_type=picture_order_type,
        log2_max_picture_order=log2_max_picture_order,
        delta_picture_order_always_zero=always_zero,
        gaps_in_frame_num_allowed=gaps_allowed,
        frame_mbs_only=frame_mbs_only,
        width=width,
        height=height,
    )


def _read_format(bits: Bits) -> tuple[int, bool, int]:
    chroma_format = bits.unsigned(3)
    separate_planes = chroma_format == 3 and bits.flag()
    bit_depth = bits.unsigned(6) + 8
    bits.unsigned(6)  # of chroma
    bits.flag()  # lossless transform bypass
    if bits.flag():
        for index in range(12 if chroma_format == 3 else 8):
            if bits.flag():
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma_format, separate_planes, bit_depth


def _skip_scaling_list(bits: Bits, size: int) -> None:
    """7.3.2.1.1.1: once the next scale is 0 the list holds no more fields."""
    scale = 8
    for _ in range(size):
        scale = (scale + bits.signed()) % 256
        if scale == 0:
            return


def _read_picture_order(bits: Bits) -> tuple[int, int, bool]:
    """Its type, the length of its field in slice headers (0 but for type 0), and whether slices have no differences."""
    kind = bits.unsigned(2)
    length, always_zero = 0, False
    if kind == 0:
        length = bits.unsigned(12) + 4
    elif kind == 1:
        always_zero = bits.flag()
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned(255)):
            bits.signed()
    return kind, length, always_zero


def _cropped(bits: Bits, width: int, height: int, chroma: int, frame_mbs_only: bool) -> tuple[int, int]:
    """Equations 7-19 to 7-22: cropping counts in chroma samples, and in both fields' rows."""
    if bits.flag():
        left, right, top, bottom = (bits.unsigned(MAX_FRAME_SIDE) for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (1 if frame_mbs_only else 2) * (top + bottom)
    if not (0 < width <= MAX_FRAME_SIDE and 0 < height <= MAX_FRAME_SIDE):
        raise InvalidVideo(
            f"the video's frames are {width}x{height} pixels; crop them to at most {MAX_FRAME_SIDE} a side"
        )
    return width, height


class ParameterSets:
    """The parameter sets that a stream has sent so far, as facts and as bytes."""

    def __init__(self) -> None:
        self._sps: dict[int, tuple[SequenceParameters, bytes]] = {}
        self._pps: dict[int, tuple[int, bytes]] = {}

    def add(self, nal_unit: bytes) -> None:
        """
        Raises
        ------
        InvalidVideo
            If it is damaged.
        """
        if nal_type(nal_unit) in (SPS, PPS) and len(nal_unit) > _MAX_PARAMETER_SET_BYTES:
            raise InvalidVideo("an H.264 parameter set is too large; export the video again")
        if nal_type(nal_unit) == SPS:
            parameters = parse_sps(nal_unit)
            self._sps[parameters.sps_id] = parameters, nal_unit
        elif nal_type(nal_unit) == PPS:
            bits = Bits(nal_unit, _MAX_PARAMETER_SET_BYTES)
            self._pps[bits.unsigned(255)] = bits.unsigned(31), nal_unit

    def sequence(self, pps_id: int) -> SequenceParameters:
        """The sequence parameters of slices that name this picture parameter set.

        Raises
        ------
        InvalidVideo
            If they have not come.
        """
        if pps_id not in self._pps or self._pps[pps_id][0] not in self._sps:
            raise InvalidVideo("the video's parameter sets are missing; send a key frame or export the video again")
        return self._sps[self._pps[pps_id][0]][0]

    def picture_unit(self, pps_id: int) -> bytes:
        """The picture parameter set of that number, as it came.

        Raises
        ------
        InvalidVideo
            If it has not come.
        """
        if pps_id not in self._pps:
            raise InvalidVideo("the video's parameter sets are missing; send a key frame or export the video again")
        return self._pps[pps_id][1]

    def nal_units(self) -> list[bytes]:
        """All of them, in the order in which a decoder needs them."""
        return [unit for _, unit in self._sps.values()] + [unit for _, unit in self._pps.values()]


def read_facts(nal_units: Sequence[bytes], parameter_sets: ParameterSets) -> AccessUnitFacts:
    """Facts of one access unit, whose parameter sets are added to those known.

    Raises
    ------
    InvalidVideo
        If it has no NAL unit, or one of them is damaged.
    """
    types = [nal_type(unit) for unit in nal_units if 0 < nal_type(unit) <= _LAST_TYPE_OF_USE]
    if not types:
        raise InvalidVideo("the video's bytes are not H.264; export the video again")
    for unit in nal_units:
        parameter_sets.add(unit)
    has_parameter_sets = SPS in types and PPS in types
    slices = [unit for unit in nal_units if SLICE <= nal_type(unit) <= IDR_SLICE]
    if not slices:
        return AccessUnitFacts(False, False, False, False, False, 0, has_parameter_sets, None)
    return _read_slice_header(slices[0], parameter_sets, has_parameter_sets)


def _read_slice_header(unit: bytes, parameter_sets: ParameterSets, has_parameter_sets: bool) -> AccessUnitFacts:
    """7.3.3, as far as the frame number."""
    bits = Bits(unit, _SLICE_HEADER_BYTES)
    first_macroblock = bits.unsigned()
    bits.unsigned(9)  # kind of slice
    sequence = parameter_sets.sequence(bits.unsigned(255))
    if sequence.separate_colour_planes:
        bits.read(2)
    frame_num = bits.read(sequence.log2_max_frame_num)
    is_whole = first_macroblock == 0 and nal_type(unit) in (SLICE, IDR_SLICE)
    return AccessUnitFacts(
        is_picture=is_whole,
        is_partial=not is_whole,
        is_idr=nal_type(unit) == IDR_SLICE,
        is_reference=unit[0] >> 5 & 3 != 0,
        is_field=not sequence.frame_mbs_only and bits.flag(),
        frame_num=frame_num,
        has_parameter_sets=has_parameter_sets,
        sequence=sequence,
    )
