"""Exposure that drifts: a phone that cannot lock it makes the picture brighter or darker, and photons mean something else.

Judged by the background under the localizations. It falls slowly in a real sample, too, as out-of-focus dye bleaches, so
that only a change beyond that counts.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cellstorm.localizations import Localizations

MIN_LOCALIZATIONS: Final = 50
"""At either end; fewer say nothing of the background."""
TOLERATED: Final = (0.7, 1.25)
"""Newest to first background. Bleaching alone darkens it, and nothing but the camera or the lamp brightens it."""


class ExposureDrift(BaseModel):
    """Background at the beginning and now; null until there are enough localizations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_background_photons: float | None
    newest_background_photons: float | None
    ratio: float | None = Field(description="Newest to first.")
    has_drifted: bool = Field(description="Beyond what bleaching explains.")

    @classmethod
    def between(cls, first: Localizations, newest: Localizations) -> Self:
        """From localizations of the beginning and of the newest frames."""
        before, now = _background(first), _background(newest)
        ratio = None if before is None or now is None or before <= 0 else now / before
        return cls(
            first_background_photons=before,
            newest_background_photons=now,
            ratio=ratio,
            has_drifted=ratio is not None and not TOLERATED[0] <= ratio <= TOLERATED[1],
        )


def _background(table: Localizations) -> float | None:
    known = table["background_photons"][np.isfinite(table["background_photons"])]
    return float(np.median(known)) if len(known) >= MIN_LOCALIZATIONS else None
