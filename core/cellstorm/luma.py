"""A decoded frame's counts, whatever the pixel format: stored values as they are, never stretched to another range.

Luma and gray are taken from memory as the decoder left them (a conversion to "gray" would rescale limited-range video:
100 becomes 98). Only colour without luma is computed with: Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded,
which leaves gray pixels as they are.
"""

from __future__ import annotations

import re
from typing import Final, cast

import av
import numpy as np

from cellstorm.chunks import Counts
from cellstorm.errors import InvalidVideo

_LUMA_PLANE: Final = re.compile(r"(?:gray|yuv[aj]?4\d\dp|nv\d\d)(?:\d+)?(?:le|be)?")
_LUMA_IN_UPPER_BITS: Final = re.compile(r"p[024]1[026](?:le|be)")
_INTERLEAVED_LUMA: Final = {"yuyv422": 0, "yvyu422": 0, "uyvy422": 1, "ya8": 0, "ya16le": 0, "ya16be": 0}
"""Position of the first luma sample; every second one is luma."""
_PLANAR_COLOUR: Final = re.compile(r"gbra?p(?:\d+)?(?:le|be)?")
_PACKED_COLOUR: Final = re.compile(r"(?:[argb0x]{3,4}(?:\d+)?|pal8|mono[bw]|x2(?:rgb|bgr)10)(?:le|be)?")


def luma(frame: av.VideoFrame) -> Counts:
    """(height, width) counts of a decoded frame, 8 bits as uint8 and more as uint16.

    Raises
    ------
    InvalidVideo
        If the pixels are of a kind that is neither luma, gray nor RGB, or are not integers.
    """
    name = frame.format.name
    bits = frame.format.components[0].bits
    if _LUMA_IN_UPPER_BITS.fullmatch(name):
        return np.right_shift(_samples(frame), 16 - bits)
    if _LUMA_PLANE.fullmatch(name):
        return _samples(frame)
    if name in _INTERLEAVED_LUMA:
        return _samples(frame, first=_INTERLEAVED_LUMA[name], step=2)
    if _PLANAR_COLOUR.fullmatch(name):
        green, blue, red = (_samples(frame, plane) for plane in range(3))
        return _weighted(red, green, blue)
    if _PACKED_COLOUR.fullmatch(name):
        colour = frame.reformat(format="rgb24" if bits <= 8 else "rgb48le")
        red, green, blue = (_samples(colour, first=channel, step=3) for channel in range(3))
        return _weighted(red, green, blue)
    raise InvalidVideo(f"the video's pixel format {name} cannot be used; convert it with ffmpeg -pix_fmt gray")


def turned(counts: Counts, quarter_turns: int) -> Counts:
    """Counts after so many quarter turns counterclockwise."""
    return cast(Counts, np.ascontiguousarray(np.rot90(counts, quarter_turns))) if quarter_turns else counts


def _samples(frame: av.VideoFrame, plane_index: int = 0, first: int = 0, step: int = 1) -> Counts:
    """Every `step`-th sample of each row from `first` on; a negative line size means that the last row comes first."""
    plane = frame.planes[plane_index]
    stride = abs(plane.line_size)
    rows = np.frombuffer(memoryview(plane), np.uint8, count=stride * frame.height).reshape(frame.height, stride)
    if plane.line_size < 0:
        rows = rows[::-1]
    if frame.format.components[0].bits <= 8:
        counts: Counts = rows[:, first : frame.width * step : step].copy()
        return counts
    order = ">" if frame.format.name.endswith("be") else "<"
    used = np.ascontiguousarray(rows[:, : 2 * step * frame.width])
    return used.view(np.dtype(f"{order}u2"))[:, first::step].astype(np.uint16)


def _weighted(red: Counts, green: Counts, blue: Counts) -> Counts:
    total = 299 * red.astype(np.uint32) + 587 * green.astype(np.uint32) + 114 * blue.astype(np.uint32)
    rounded = (total + 500) // 1000
    return rounded.astype(np.uint8) if red.dtype == np.uint8 else rounded.astype(np.uint16)
