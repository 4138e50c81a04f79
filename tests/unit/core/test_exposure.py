"""Exposure that drifts shows in the background of the localizations."""

from __future__ import annotations

import numpy as np

from cellstorm.analysis.exposure import MIN_LOCALIZATIONS, ExposureDrift
from cellstorm.localizations import LOCALIZATION, Localizations


def table(background: float, count: int = 200) -> Localizations:
    made = np.zeros(count, LOCALIZATION)
    made["background_photons"] = np.random.default_rng(1).normal(background, 0.2 * background, count)
    return made


def test_a_steady_background_is_no_drift() -> None:
    drift = ExposureDrift.between(table(40), table(41))
    assert not drift.has_drifted
    assert drift.ratio is not None
    assert abs(drift.ratio - 41 / 40) < 0.05


def test_bleaching_darkens_without_a_warning() -> None:
    assert not ExposureDrift.between(table(40), table(32)).has_drifted


def test_a_phone_that_turns_its_exposure_up_or_far_down_is_found() -> None:
    assert ExposureDrift.between(table(40), table(60)).has_drifted
    assert ExposureDrift.between(table(40), table(20)).has_drifted


def test_few_localizations_say_nothing() -> None:
    drift = ExposureDrift.between(table(40), table(90, MIN_LOCALIZATIONS - 1))
    assert drift.ratio is None
    assert not drift.has_drifted


def test_a_background_that_no_generator_told_is_not_known() -> None:
    found = ExposureDrift.between(table(np.nan), table(np.nan))
    assert found.first_background_photons is None
    assert not found.has_drifted
