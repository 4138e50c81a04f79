"""The super-resolution image, growing: each update costs by the localizations that are new, never by all.

The image covers the camera's pixels and nothing else. The centre of camera pixel (0, 0) is (0 nm, 0 nm), so the left
edge of the image lies half a camera pixel left of the origin and its right edge `width_px` pixels further. Output pixels
count from that edge. Where they do not divide the field evenly, the last column and row reach beyond it and hold less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from cellstorm.errors import InvalidSetting
from cellstorm.localizations import Localizations

Method = Literal["histogram", "gaussian", "ash"]

MAX_OUTPUT_PIXELS: Final = 64 * 2**20
"""Of one image in memory: 256 MiB as float32. Larger ones are drawn in windows (cellstorm.scene)."""

SHIFTS: Final = 2
"""Of the averaged histograms, in each direction; ThunderSTORM's default."""

MAX_SCALE: Final = 512
"""Output pixels along a camera pixel: 0.2 nm of 100 nm, a hundredth of the best precision, and the default of the largest
camera pixels. The cost of a localization grows with its square, and beyond it shows nothing."""
_RADIUS_SIGMAS: Final = 3.0
_BATCH_VALUES: Final = 2**20
"""Kernel values that are computed at once: 12 MiB with their addresses."""
_LARGE_VALUES: Final = 2**13
"""A kernel of more is drawn by itself, row by row: that is faster then, and what lies beyond the window costs nothing."""
_BORDER: Final = 1
"""Of the canvas, which takes whatever kernels put beyond the window, so that none has to be clipped."""


def default_output_pixel_nm(pixel_size_nm: float) -> float:
    """20 nm, about the precision of a good localization, or a fifth of a camera pixel where that is finer.

    Of camera pixels of more than 10 µm it is the finest there is.
    """
    return max(min(20.0, pixel_size_nm / 5), pixel_size_nm / MAX_SCALE)


def fitting_output_pixel_nm(width_px: int, height_px: int, pixel_size_nm: float) -> float:
    """`default_output_pixel_nm`, or larger where an image of that many camera pixels would not fit in memory otherwise."""
    output_pixel_nm = default_output_pixel_nm(pixel_size_nm)
    while (grid := Grid(width_px, height_px, pixel_size_nm, output_pixel_nm)).pixels > MAX_OUTPUT_PIXELS:
        output_pixel_nm = grid.coarser_nm(MAX_OUTPUT_PIXELS)
    return output_pixel_nm


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of an image, in its output pixels; it may reach beyond the image."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The output pixels of an image.

    Attributes
    ----------
    width_px, height_px
        Of the region of interest, in camera pixels.
    pixel_size_nm
        Camera pixel in the sample plane.
    output_pixel_nm
        Side of an output pixel.

    Raises
    ------
    InvalidSetting
        If the output pixel has no size, or there are more than MAX_SCALE along a camera pixel.
    """

    width_px: int
    height_px: int
    pixel_size_nm: float
    output_pixel_nm: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.output_pixel_nm) and self.output_pixel_nm > 0):
            raise InvalidSetting(
                f"output pixels of {self.output_pixel_nm:g} nm are impossible; choose a positive size, e.g. 20"
            )
        if self.scale > MAX_SCALE * (1 + 1e-9):  # of which rounding may have made a trifle more
            raise InvalidSetting(
                f"output pixels of {self.output_pixel_nm:g} nm are too small for camera pixels of "
                f"{self.pixel_size_nm:g} nm; choose larger pixels, at least {1.01 * self.pixel_size_nm / MAX_SCALE:.3g} nm"
            )

    @property
    def scale(self) -> float:
        """Output pixels per camera pixel."""
        return self.pixel_size_nm / self.output_pixel_nm

    @property
    def width(self) -> int:
        """In output pixels."""
        return _whole_pixels(self.width_px * self.scale)

    @property
    def height(self) -> int:
        return _whole_pixels(self.height_px * self.scale)

    @property
    def pixels(self) -> int:
        """In all."""
        return self.width * self.height

    def coarser_nm(self, max_pixels: int) -> float:
        """Side of an output pixel with which the image has about so many, rather fewer."""
        return 1.01 * self.output_pixel_nm * math.sqrt(self.pixels / max_pixels)

    def check_fits(self, max_pixels: int) -> None:
        """Nothing.

        Raises
        ------
        InvalidSetting
            If the image has more pixels than these.
        """
        if self.pixels > max_pixels:
            raise InvalidSetting(
                f"an image of {self.width}x{self.height} pixels of {self.output_pixel_nm:g} nm is too large; "
                f"choose larger pixels, at least {self.coarser_nm(max_pixels):.3g} nm"
            )

    def positions(self, localizations: Localizations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) x and y in output pixels from the image's left upper corner."""
        x = (localizations["x_nm"].astype(np.float64) / self.pixel_size_nm + 0.5) * self.scale
        y = (localizations["y_nm"].astype(np.float64) / self.pixel_size_nm + 0.5) * self.scale
        return x, y

    def covers(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) whether these positions are on the camera's pixels; those that are not numbers are not."""
        inside: NDArray[np.bool_] = (
            (x >= 0) & (x < self.width_px * self.scale) & (y >= 0) & (y < self.height_px * self.scale)
        )
        return inside


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reconstruction at one moment; safe to hand to another thread.

    Attributes
    ----------
    image
        (height, width) float32, localizations per output pixel; row 0 is the top.
    output_pixel_nm
        Side of one of its pixels.
    localizations
        How many are drawn in it.
    outside
        How many were not, since they lie beyond the camera's pixels.
    """

    image: NDArray[np.float32]
    output_pixel_nm: float
    localizations: int
    outside: int


class Reconstruction:
    """Running image of localizations; their order and how they are batched change it by rounding only.

    `histogram` counts them by output pixel. `gaussian` draws each as a normal distribution of its own `precision_nm`,
    integrated over each pixel, cut at three sigma and normalised to a sum of one before the image's border cuts it. Its
    sigma is at least half an output pixel (a narrower one shows the grid, not the molecule) and at most one camera pixel
    (a wider one tells nothing, and its cost grows with the square). `ash` is the mean of histograms of SHIFTS times wider
    pixels whose grids are shifted against each other by one output pixel (Scott, Annals of Statistics 13, 1024, 1985):
    each localization becomes a triangle along either axis.

    With a `window` only that part of the image is kept and drawn; pixel by pixel it is what the whole image would be.

    Raises
    ------
    InvalidSetting
        If the image would have more than MAX_OUTPUT_PIXELS, and no window is given.
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        pixel_size_nm: float,
        output_pixel_nm: float,
        method: Method = "gaussian",
        window: Window | None = None,
    ) -> None:
        self.output_pixel_nm = output_pixel_nm
        self.method: Final = method
        self._grid = Grid(width_px, height_px, pixel_size_nm, output_pixel_nm)
        if window is None:
            self._grid.check_fits(MAX_OUTPUT_PIXELS)
            window = Window(0, 0, self._grid.width, self._grid.height)
        self._window = window
        self._reach = {"gaussian": _radius(self._max_sigma), "ash": SHIFTS - 1, "histogram": 0}[method]
        self._canvas = np.zeros((window.height + 2 * _BORDER, window.width + 2 * _BORDER), np.float32)
        self._drawn = 0
        self._outside = 0

    @property
    def _max_sigma(self) -> float:
        """In output pixels."""
        return max(self._grid.scale, 0.5)

    @property
    def image(self) -> NDArray[np.float32]:
        """(height, width) localizations per output pixel; a read-only view that goes on growing."""
        view = self._canvas[_BORDER:-_BORDER, _BORDER:-_BORDER]
        view.flags.writeable = False
        return view

    def add(self, localizations: Localizations) -> Self:
        """Draw these too; those beyond the camera's pixels are counted and left out."""
        x, y = self._grid.positions(localizations)
        inside = self._grid.covers(x, y)
        drawn = int(np.count_nonzero(inside))
        self._drawn += drawn
        self._outside += len(localizations) - drawn
        window, reach = self._window, self._reach
        x, y = x - window.left, y - window.top
        inside &= (x >= -reach) & (x < window.width + reach) & (y >= -reach) & (y < window.height + reach)
        if self.method == "gaussian":
            sigma = localizations["precision_nm"][inside].astype(np.float64) / self.output_pixel_nm
            self._draw(x[inside], y[inside], sigma)
        elif self.method == "ash":
            self._average(x[inside], y[inside])
        else:
            self._count(x[inside], y[inside])
        return self

    def snapshot(self, *, copy: bool = True) -> Snapshot:
        """The image as it is now; it need not be copied where nothing more will be drawn."""
        image = self.image.copy() if copy else self.image
        return Snapshot(image, self.output_pixel_nm, self._drawn, self._outside)

    def _count(self, x: NDArray[np.float64], y: NDArray[np.float64], weight: float = 1.0) -> None:
        columns, rows = (np.floor(axis).astype(np.intp) for axis in (x, y))
        np.add.at(self._canvas.reshape(-1), self._places(rows, columns), np.float32(weight))

    def _average(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        steps = range(1 - SHIFTS, SHIFTS)
        share = {step: (SHIFTS - abs(step)) / SHIFTS**2 for step in steps}
        for down in steps:
            for right in steps:
                self._count(x + right, y + down, share[right] * share[down])

    def _draw(self, x: NDArray[np.float64], y: NDArray[np.float64], sigma: NDArray[np.float64]) -> None:
        sigma = np.clip(np.nan_to_num(sigma, nan=self._max_sigma), 0.5, self._max_sigma)
        for radius, batch in _batches_of_one_radius(sigma):
            kernel_x, column = _kernels(x[batch], sigma[batch], radius)
            kernel_y, row = _kernels(y[batch], sigma[batch], radius)
            if (2 * radius + 1) ** 2 > _LARGE_VALUES:
                for place in range(len(batch)):
                    left, top = int(column[place]) - radius, int(row[place]) - radius
                    self._draw_large(kernel_x[place], kernel_y[place], left, top)
                continue
            span = np.arange(-radius, radius + 1)
            places = self._places((row[:, None] + span)[:, :, None], (column[:, None] + span)[:, None, :])
            values = kernel_y[:, :, None] * kernel_x[:, None, :]
            np.add.at(self._canvas.reshape(-1), places.reshape(-1), values.reshape(-1))

    def _draw_large(self, kernel_x: NDArray[np.float32], kernel_y: NDArray[np.float32], left: int, top: int) -> None:
        """Likewise one kernel that begins there, some of its rows at a time, and only as far as the window goes."""
        image = self._canvas[_BORDER:-_BORDER, _BORDER:-_BORDER]
        height, width = image.shape
        first, last = max(0, left), min(left + len(kernel_x), width)
        start, stop = max(0, top), min(top + len(kernel_y), height)
        if last <= first:
            return
        rows = _BATCH_VALUES // len(kernel_x)
        for begin in range(start, stop, rows):
            end = min(begin + rows, stop)
            part = kernel_y[begin - top : end - top, None] * kernel_x[None, first - left : last - left]
            image[begin:end, first:last] += part

    def _places(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.intp]:
        """Where these pixels of the window lie in the flat canvas; those beyond it on its border."""
        height, width = self._canvas.shape
        rows, columns = np.clip(rows + _BORDER, 0, height - 1), np.clip(columns + _BORDER, 0, width - 1)
        return rows * width + columns


def _whole_pixels(side: float) -> int:
    """Output pixels that cover `side`, which rounding may have made a trifle longer than a whole number."""
    return max(1, math.ceil(round(side, 6)))


def _radius(sigma: float) -> int:
    return math.ceil(_RADIUS_SIGMAS * sigma)


def _batches_of_one_radius(sigma: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Kernel radii and the localizations (their indices) that have them, few enough at a time for bounded memory."""
    radii = np.ceil(_RADIUS_SIGMAS * sigma).astype(np.intp)
    order = np.argsort(radii, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(radii[order])) + 1):
        if not len(group):
            continue
        radius = int(radii[group[0]])
        size = max(1, _BATCH_VALUES // (2 * radius + 1) ** 2)
        for start in range(0, len(group), size):
            yield radius, group[start : start + size]


def _kernels(
    position: NDArray[np.float64], sigma: NDArray[np.float64], radius: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Along one axis: (n, 2 radius + 1) shares of each pixel, which sum to one, and the (n,) middle pixels."""
    middle = np.floor(position)
    edges = np.arange(-radius, radius + 2) - (position - middle)[:, None]
    in_sigmas = (edges / (math.sqrt(2) * sigma[:, None])).astype(np.float32)  # erf is faster so
    shares = np.diff(erf(in_sigmas), axis=1).astype(np.float32)
    return shares / shares.sum(axis=1, keepdims=True), middle.astype(np.intp)
