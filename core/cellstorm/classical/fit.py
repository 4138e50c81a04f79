"""Maximum-likelihood fit of a spot: a Gaussian integrated over pixels, on a flat background, many windows at once.

    mu(row, column) = photons * E(row - y) * E(column - x) + background
    E(u) = (erf((u + 1/2) / (sqrt(2) sigma)) - erf((u - 1/2) / (sqrt(2) sigma))) / 2

Derivatives and Fisher matrix after Smith et al., Nat. Methods 7, 373 (2010). Read noise: its variance is added to data and
model, whose sum is again nearly Poisson distributed (Huang et al., Nat. Methods 10, 653 (2013)). Steps are Fisher
scoring with Levenberg's and Marquardt's damping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]

X, Y, PHOTONS, BACKGROUND, SIGMA = range(5)
"""Columns of parameters: pixels from the window's first pixel centre, photons, photons per pixel, pixels."""

SIGMA_BOUNDS_PX: Final = (0.5, 4.0)
_LEAST_PHOTONS: Final = 1.0
_LEAST_BACKGROUND: Final = 0.01
_LEAST_DATUM: Final = 0.01
_ITERATIONS: Final = 20
_STILL_PX: Final = 2e-3
_STILL_SHARE: Final = 2e-3
_DAMPING: Final = 1e-2
_CALMER: Final = 0.2
_WILDER: Final = 8.0
_WILDEST: Final = 1e6
_TOGETHER: Final = 256
"""Windows that are fitted at once: so many stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Fits:
    """What (n,) windows hold.

    Attributes
    ----------
    parameters
        (n, 5): x, y, photons, background, sigma.
    errors
        (n, 5): one sigma of each by the Cramér-Rao bound, at the estimate.
    """

    parameters: Floats
    errors: Floats


def fit(windows: Floats, start: Floats, read_variance: float, others: Floats | None = None) -> Fits:
    """Fit one spot in each of the (n, w, w) windows of photons, from the (n, 5) `start`.

    `read_variance` is in squared electrons. `others` (n, w, w) is light of other spots, known and left as it is.
    """
    fixed = np.full_like(windows, read_variance) if others is None else others + read_variance
    data = np.maximum(windows + read_variance, _LEAST_DATUM)
    blocks = [slice(first, first + _TOGETHER) for first in range(0, len(windows), _TOGETHER)]
    done = [_fit(data[block], fixed[block], start[block]) for block in blocks]
    parameters = np.concatenate([fits.parameters for fits in done]) if done else np.zeros((0, 5))
    errors = np.concatenate([fits.errors for fits in done]) if done else np.zeros((0, 5))
    return Fits(parameters, errors)


def spots(parameters: Floats, size: int) -> Floats:
    """(n, size, size) photons of each spot alone, without background."""
    rows, columns = (_Profile.of(parameters[:, axis], parameters[:, SIGMA], size) for axis in (Y, X))
    return np.asarray(parameters[:, PHOTONS, None, None] * rows.share[:, :, None] * columns.share[:, None, :])


def _fit(data: Floats, fixed: Floats, start: Floats) -> Fits:
    size = data.shape[1]
    parameters = _bounded(start, size)
    damping = np.full(len(data), _DAMPING)
    badness, gradient, fisher = _evaluate(data, fixed, parameters)
    active = np.arange(len(data))
    for _ in range(_ITERATIONS):
        present = parameters[active]
        step = _step(gradient[active], fisher[active], damping[active])
        tried = _bounded(present + step, size)
        new_badness, new_gradient, new_fisher = _evaluate(data[active], fixed[active], tried)
        better = new_badness <= badness[active]
        moved = active[better]
        parameters[moved], badness[moved] = tried[better], new_badness[better]
        gradient[moved], fisher[moved] = new_gradient[better], new_fisher[better]
        damping[active] = np.minimum(_WILDEST, damping[active] * np.where(better, _CALMER, _WILDER))
        active = active[~_still(present, tried)]
        if not len(active):
            break
    return Fits(parameters, _errors(fisher))


def _bounded(parameters: Floats, size: int) -> Floats:
    lowest = np.array([-1.0, -1.0, _LEAST_PHOTONS, _LEAST_BACKGROUND, SIGMA_BOUNDS_PX[0]])
    highest = np.array([size, size, np.inf, np.inf, SIGMA_BOUNDS_PX[1]])
    return np.asarray(np.clip(parameters, lowest, highest))


def _step(gradient: Floats, fisher: Floats, damping: Floats) -> Floats:
    damped = fisher.copy()
    diagonal = np.arange(5)
    damped[:, diagonal, diagonal] *= 1.0 + damping[:, None]
    damped[:, diagonal, diagonal] += 1e-12
    return np.asarray(np.linalg.solve(damped, gradient[:, :, None])[:, :, 0])


def _still(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Whether a step was so small that the next would not matter."""
    change = np.abs(after - before)
    lengths = change[:, [X, Y, SIGMA]].max(axis=1) < _STILL_PX
    return np.asarray(lengths & (change[:, PHOTONS] < _STILL_SHARE * before[:, PHOTONS]))


@dataclass(frozen=True, slots=True)
class _Profile:
    """(n, size) each: a spot's share of light in each pixel along one axis, and how that changes with place and width."""

    share: Floats
    by_place: Floats
    by_sigma: Floats

    @classmethod
    def of(cls, place: Floats, sigma: Floats, size: int) -> _Profile:
        edges = np.arange(size + 1) - 0.5 - place[:, None]
        scaled = edges / sigma[:, None]
        density = np.exp(-0.5 * scaled**2) / (np.sqrt(2.0 * np.pi) * sigma[:, None])
        return cls(
            share=0.5 * np.diff(erf(scaled / np.sqrt(2.0)), axis=1),
            by_place=-np.diff(density, axis=1),
            by_sigma=-np.diff(scaled * density, axis=1),
        )


def _evaluate(data: Floats, fixed: Floats, parameters: Floats) -> tuple[Floats, Floats, Floats]:
    """(n,) negative log-likelihood, (n, 5) the gradient of its opposite, (n, 5, 5) Fisher matrix."""
    count, size = data.shape[:2]
    rows, columns = (_Profile.of(parameters[:, axis], parameters[:, SIGMA], size) for axis in (Y, X))
    photons = parameters[:, PHOTONS, None, None]
    slopes = np.empty((count, 5, size, size))
    slopes[:, PHOTONS] = rows.share[:, :, None] * columns.share[:, None, :]
    slopes[:, X] = photons * (rows.share[:, :, None] * columns.by_place[:, None, :])
    slopes[:, Y] = photons * (rows.by_place[:, :, None] * columns.share[:, None, :])
    slopes[:, SIGMA] = photons * (
        rows.share[:, :, None] * columns.by_sigma[:, None, :] + rows.by_sigma[:, :, None] * columns.share[:, None, :]
    )
    slopes[:, BACKGROUND] = 1.0
    expected = photons * slopes[:, PHOTONS] + parameters[:, BACKGROUND, None, None] + fixed
    flat = slopes.reshape(count, 5, size * size)
    weight = (1.0 / expected).reshape(count, 1, size * size)
    surplus = (data / expected - 1.0).reshape(count, size * size, 1)
    badness = (expected - data * np.log(expected)).reshape(count, -1).sum(axis=1)
    return badness, (flat @ surplus)[:, :, 0], (flat * weight) @ flat.transpose(0, 2, 1)


def _errors(fisher: Floats) -> Floats:
    ridged = fisher + 1e-12 * np.eye(5)
    variance = np.diagonal(np.linalg.inv(ridged), axis1=1, axis2=2)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))
