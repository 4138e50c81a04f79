"""A curve through values of known error, as smooth as the error allows (Reinsch, Numerische Mathematik 10, 177, 1967).

The natural cubic spline that gives up some nearness for less bending. How much is chosen by the risk that is to be expected
(Mallows, Technometrics 15, 661, 1973): values that lie on a line up to their error become a line, and motion that stands out
of the error is kept. The error of what is left follows as the spline's posterior covariance, which counts what smoothing takes
away as well as what it leaves (Nychka, Journal of the American Statistical Association 83, 1134, 1988).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_STRENGTHS: Final = 120


class Smooth(NamedTuple):
    """(n,) values, and the (n, n) covariance of their errors."""

    values: NDArray[np.float64]
    covariance: NDArray[np.float64]


def smoothed(at: NDArray[np.float64], values: NDArray[np.float64], sigma: float) -> Smooth:
    """The curve at the (n,) places `at`, increasing, of (n,) values with independent errors of one `sigma`; n is 3 or more."""
    bending, modes = np.linalg.eigh(_bending(at))
    # A line does not bend: its two modes are zero but for rounding.
    bending[:2] = 0
    amounts = modes.T @ values
    strengths = np.concatenate([[0.0], np.geomspace(1e-3 / bending[-1], 1e6 / bending[2], _STRENGTHS)])
    kept = 1 / (1 + strengths[:, None] * bending)
    risk = (((1 - kept) * amounts) ** 2).sum(axis=1) + 2 * sigma**2 * kept.sum(axis=1)
    share = kept[np.argmin(risk)]
    return Smooth(modes @ (share * amounts), sigma**2 * (modes * share) @ modes.T)


def _bending(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) quadratic form: the integral of the squared second derivative of the natural spline through n values."""
    gaps = np.diff(at)
    inner = len(at) - 2
    column = np.arange(inner)
    second = np.zeros((len(at), inner))
    second[column, column] = 1 / gaps[:-1]
    second[column + 1, column] = -1 / gaps[:-1] - 1 / gaps[1:]
    second[column + 2, column] = 1 / gaps[1:]
    overlap = np.diag((gaps[:-1] + gaps[1:]) / 3) + np.diag(gaps[1:-1] / 6, 1) + np.diag(gaps[1:-1] / 6, -1)
    form = second @ np.linalg.solve(overlap, second.T)
    return np.asarray((form + form.T) / 2, np.float64)
