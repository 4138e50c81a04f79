"""8-bit views of images, for people. What is measured is measured on the images themselves, never on these.

PNGs are palette images, compressed at level 1: eight times faster than RGB, for files of half the size.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cellstorm.errors import InvalidSetting

Colormap = Literal["gray", "hot", "fire", "viridis"]

DEFAULT_PERCENTILE: Final = 99.5
DEFAULT_GAMMA: Final = 0.8
"""Below one, so that single localizations can be seen beside dense structures."""

_WIDEFIELD_PERCENTILES: Final = (0.5, 99.8)
_SAMPLE_PIXELS: Final = 2**19
"""A percentile of every n-th pixel is as good as one of all, and keeps the live view quick."""
_BAND_PIXELS: Final = 2**19
_MIN_ANNOTATED_WIDTH: Final = 160
"""A narrower image is magnified, by a whole number, until a scale bar and its label fit."""

# Red, green and blue along each map, evenly spaced; straight lines between them. Brightness grows throughout.
_ANCHORS: Final[dict[Colormap, tuple[tuple[int, int, int], ...]]] = {
    "gray": ((0, 0, 0), (255, 255, 255)),
    "hot": ((0, 0, 0), (90, 0, 0), (180, 0, 0), (255, 20, 0), (255, 110, 0), (255, 200, 0), (255, 255, 80), (255,) * 3),
    "fire": ((0, 0, 0), (40, 0, 110), (125, 0, 150), (200, 20, 90), (240, 90, 15), (255, 180, 0), (255, 240, 110), (255,) * 3),
    "viridis": ((68, 1, 84), (67, 62, 133), (48, 104, 142), (33, 145, 140), (53, 183, 121), (144, 215, 67), (253, 231, 37)),
}  # fmt: skip


def palette(colormap: Colormap) -> NDArray[np.uint8]:
    """(256, 3) red, green and blue, from nothing to brightest.

    Raises
    ------
    InvalidSetting
        If there is no such colour map.
    """
    if colormap not in _ANCHORS:
        raise InvalidSetting(f"there is no colour map {colormap!r}; choose one of {', '.join(get_args(Colormap))}")
    anchors = np.array(_ANCHORS[colormap], np.float64)
    place = np.linspace(0, len(anchors) - 1, 256)
    channels = [np.interp(place, np.arange(len(anchors)), anchors[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def to_8bit(
    image: NDArray[np.float32],
    *,
    percentile: float = DEFAULT_PERCENTILE,
    gamma: float = DEFAULT_GAMMA,
    white: float | None = None,
) -> NDArray[np.uint8]:
    """(height, width) 0 to 255: zero stays black, the `percentile` of all pixels that are not zero becomes white.

    Where `white` is given, that becomes white instead: a part of an image has another percentile than the whole.

    Raises
    ------
    InvalidSetting
        If `percentile` is not above 0 and at most 100, or `gamma` not from 0.1 to 10.
    """
    if not 0 < percentile <= 100:
        raise InvalidSetting(f"percentile {percentile:g} is impossible; choose one above 0, at most 100, e.g. 99.5")
    if not 0.1 <= gamma <= 10:
        raise InvalidSetting(f"gamma {gamma:g} is impossible; choose one from 0.1 to 10, e.g. 0.8")
    if white is None:
        lit = _sample_of_lit(image)
        white = float(np.percentile(lit, percentile)) if len(lit) else 1.0
    return _quantised(image, 0.0, white, gamma)


def reconstruction_png(
    image: NDArray[np.float32],
    *,
    colormap: Colormap = "hot",
    percentile: float = DEFAULT_PERCENTILE,
    gamma: float = DEFAULT_GAMMA,
    white: float | None = None,
) -> bytes:
    """A PNG of a (height, width) reconstruction, pixel by pixel."""
    return _png(to_8bit(image, percentile=percentile, gamma=gamma, white=white), palette(colormap))


def annotated_png(
    image: NDArray[np.float32],
    output_pixel_nm: float,
    *,
    colormap: Colormap = "hot",
    percentile: float = DEFAULT_PERCENTILE,
) -> bytes:
    """A PNG of a (height, width) reconstruction with a scale bar; a very small one is magnified."""
    magnification = math.ceil(_MIN_ANNOTATED_WIDTH / image.shape[1])
    view = to_8bit(image, percentile=percentile).repeat(magnification, axis=0).repeat(magnification, axis=1)
    return _png(_with_scale_bar(view, output_pixel_nm / magnification), palette(colormap))


def widefield_png(widefield: NDArray[np.floating] | NDArray[np.unsignedinteger]) -> bytes:
    """A grey PNG of the (height, width) sum of all frames, linear between two percentiles."""
    sample = widefield.reshape(-1)[:: 1 + widefield.size // _SAMPLE_PIXELS]
    black, white = (float(value) for value in np.percentile(sample, _WIDEFIELD_PERCENTILES))
    return _png(_quantised(widefield, black, white, gamma=1.0), palette("gray"))


def difference_png(first: NDArray[np.float32], second: NDArray[np.float32]) -> bytes:
    """A PNG of two (height, width) reconstructions: where only the first is bright it is orange, the second blue.

    Each is scaled by itself, so that more localizations of the same structure are no difference; where both agree it is grey.
    """
    one, two = to_8bit(first), to_8bit(second)
    # Orange and blue are opposite in hue, and told apart by every kind of colour vision.
    orange, blue = np.array([1.0, 0.55, 0.0]), np.array([0.0, 0.45, 1.0])
    mixed = np.empty((*one.shape, 3), np.uint8)
    for rows in _bands(one):
        mixed[rows] = np.clip(one[rows, :, None] * orange + two[rows, :, None] * blue, 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(mixed, "RGB").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def scale_bar_nm(width_nm: float) -> int:
    """The length from the series 1, 2, 5, 10, … nm that is nearest to a fifth of the width, by ratio."""
    wanted = max(width_nm / 5, 1.0)
    decade = int(10 ** math.floor(math.log10(wanted)))
    return min((decade, 2 * decade, 5 * decade, 10 * decade), key=lambda length: abs(math.log(length / wanted)))


def _bands(image: NDArray[Any]) -> Iterator[slice]:
    """Rows that are worked on at once: what is computed on the way takes a few MiB, however large the image is."""
    rows = max(1, _BAND_PIXELS // max(1, image.shape[1]))
    return (slice(start, start + rows) for start in range(0, image.shape[0], rows))


def _sample_of_lit(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every n-th pixel that is not zero."""
    step = 1 + sum(np.count_nonzero(image[rows] > 0) for rows in _bands(image)) // _SAMPLE_PIXELS
    pieces, passed = [np.empty(0, np.float32)], 0
    for rows in _bands(image):
        lit = image[rows][image[rows] > 0]
        pieces.append(lit[-passed % step :: step])
        passed += len(lit)
    return np.concatenate(pieces)


def _quantised(
    image: NDArray[np.floating] | NDArray[np.unsignedinteger], black: float, white: float, gamma: float
) -> NDArray[np.uint8]:
    view = np.empty(image.shape, np.uint8)
    for rows in _bands(image):
        scaled = (image[rows].astype(np.float32) - np.float32(black)) / np.float32(max(white - black, 1e-12))
        np.clip(scaled, 0, 1, out=scaled)
        if gamma != 1:
            np.power(scaled, np.float32(gamma), out=scaled)
        view[rows] = scaled * np.float32(255) + np.float32(0.5)
    return view


def _png(view: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(view, "L")
    picture.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _with_scale_bar(view: NDArray[np.uint8], pixel_nm: float) -> NDArray[np.uint8]:
    """A copy with a bar and its length in the right lower corner, on a dark ground."""
    height, width = view.shape
    picture = Image.fromarray(view, "L")
    draw = ImageDraw.Draw(picture)
    text_px = max(14, round(min(width / 32, height / 6)))
    font = ImageFont.load_default(size=text_px)
    length_nm = scale_bar_nm(width * pixel_nm)
    length = max(1, round(length_nm / pixel_nm))
    label = f"{length_nm} nm" if length_nm < 1000 else f"{length_nm // 1000} um"
    label_width = round(draw.textlength(label, font))
    thickness, gap = max(3, text_px // 5), text_px // 2
    inner = max(length, label_width)
    left, baseline = width - inner - gap, height - thickness - 2 * gap
    draw.rectangle((left - gap, baseline - text_px - gap // 2, width, height), fill=0)
    _draw_label(draw, (left + (inner - label_width) // 2, baseline), label, font)
    bar_left, bar_top = left + (inner - length) // 2, height - gap - thickness
    draw.rectangle((bar_left, bar_top, bar_left + length - 1, bar_top + thickness - 1), fill=255)
    return np.array(picture, np.uint8)


def _draw_label(
    draw: ImageDraw.ImageDraw,
    start: tuple[int, int],
    label: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Draw on the baseline, on black. Pillow's font has no micro sign: what p has below the line makes one of the u."""
    left, baseline = start
    if "u" in label:
        draw.text(start, label.replace("u", "p"), fill=255, font=font, anchor="ls")
        above = draw.textbbox(start, label, font, anchor="ls")
        draw.rectangle((left, above[1] - 1, above[2] + 1, baseline - 1), fill=0)
    draw.text(start, label, fill=255, font=font, anchor="ls")
