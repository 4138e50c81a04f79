"""What a group's candidates tell, and what a judge makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from cellstorm.judging import FARTHEST, FEATURES, OVERLAP_UNIT, SURE, Judge, features, overlaps
from cellstorm.localizations import LOCALIZATION, Localizations

_PIXELS = 128 * 128


def _rows(**columns: ArrayLike) -> Localizations:
    table = np.zeros(np.size(columns["frame"]), LOCALIZATION)
    usual = {"photons": 300.0, "precision_nm": 20.0, "psf_sigma_nm": 140.0}
    for name, values in {**usual, **columns}.items():
        table[name] = values
    return table


def _features(
    table: Localizations, frame_count: int = 32, pixel_size_nm: float = 100.0
) -> dict[str, NDArray[np.float64]]:
    found = features(table, frame_count=frame_count, frame_pixels=_PIXELS, pixel_size_nm=pixel_size_nm)
    return dict(zip(FEATURES, found.T, strict=True))


def test_numbers_are_those_of_a_unit_volume_however_much_was_seen() -> None:
    few = _rows(frame=np.zeros(20), x_nm=np.arange(20) * 500.0, probability=0.2)
    many = _rows(frame=np.repeat(np.arange(4), 20), x_nm=np.tile(np.arange(20) * 500.0, 4), probability=0.2)
    for table, frames in ((few, 32), (many, 128)):
        assert _features(table, frames)["candidates_from_0.1"][0] == pytest.approx(np.log(20), abs=0.02)
    assert _features(few)["candidates_from_0.1"][0] == pytest.approx(np.log(20.3 / 1.02))
    assert _features(few)["candidates_from_0.7"][0] == pytest.approx(np.log(0.3 / 1.02))


def test_who_is_still_there_in_the_next_frame_is_seen_elsewhere() -> None:
    table = _rows(
        frame=[0, 1, 1, 2, 3], x_nm=[1000, 1100, 5000, 5000, 1000], y_nm=1000, probability=[0.9, 0.4, 0.3, 0.6, 0.8]
    )
    assert _features(table)["elsewhere"] == pytest.approx([0.4, 0.9, 0.6, 0.3, 0.0])
    apart = table.copy()
    apart["x_nm"][1] = 1160  # over one and a half pixels from the first
    assert _features(apart)["elsewhere"][:2] == pytest.approx([0, 0])


def test_brightness_is_that_above_the_others_and_lengths_are_in_pixels() -> None:
    table = _rows(frame=[0, 1, 2], probability=[0.9, 0.9, 0.05], photons=[300, 300, 100], x_nm=[0, 3000, 6000])
    found = _features(table)
    assert found["brightness"] == pytest.approx([0, 0, np.log(1 / 3)], abs=0.01)
    assert found["brightness_spread"] == pytest.approx(np.log(3) * np.sqrt(0.05 / 1.85), rel=0.05)
    larger = table.copy()
    for name in ("x_nm", "y_nm", "precision_nm", "psf_sigma_nm"):
        larger[name] *= 1.6
    np.testing.assert_allclose(
        np.array(list(_features(larger, pixel_size_nm=160.0).values())), np.array(list(found.values())), rtol=1e-5
    )


def test_spots_overlap_by_their_distance_in_widths_and_only_in_the_same_frame() -> None:
    table = _rows(frame=[0, 0, 1], x_nm=[1000, 1280, 1000], probability=[0.9, 0.5, 0.9])  # 1.4 pixels wide, 2.8 apart
    shared = np.exp(-1.0)
    expected = np.log1p(np.array([0.5 * shared, 0.9 * shared, 0.0]) / OVERLAP_UNIT)
    assert overlaps(table, pixel_size_nm=100.0) == pytest.approx(expected, rel=1e-5)
    assert overlaps(table[:1], pixel_size_nm=100.0) == pytest.approx([0.0])


def test_a_spot_under_another_is_stated_less_precise() -> None:
    judge = Judge(
        centre=(0.0,) * len(FEATURES),
        spread=(1.0,) * len(FEATURES),
        hidden=((0.0,) * (len(FEATURES) + 1),),
        output=((0.0, 0.0), (0.0, 0.0)),
        overlap=0.5,
    )
    table = _rows(frame=[0, 0, 0], x_nm=[1000, 1000, 9000], probability=0.8)
    revised = judge.revise(table, frame_count=1, frame_pixels=_PIXELS, pixel_size_nm=100.0)
    assert revised["precision_nm"] == pytest.approx(20 * np.sqrt([17, 17, 1]))  # 1 + 0.8 / 0.05 are 17
    assert revised["probability"] == pytest.approx(table["probability"])


def test_gain_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    table = _rows(frame=np.sort(rng.integers(0, 9, 50)), x_nm=rng.uniform(0, 9e3, 50), probability=rng.random(50))
    table["photons"] = rng.lognormal(5, 1, 50)
    brighter = table.copy()
    brighter["photons"] *= 7.5
    for name, values in _features(brighter).items():
        np.testing.assert_allclose(values, _features(table)[name], atol=1e-5)


def test_even_one_that_is_certain_has_a_logit() -> None:
    assert _features(_rows(frame=[0], probability=[1.0]))["logit"] == pytest.approx([np.log(SURE / (1 - SURE))])


def test_what_a_judge_was_not_fitted_to_counts_as_the_farthest_that_it_was() -> None:
    weights = [0.0] * len(FEATURES)
    weights[FEATURES.index("precision")] = 0.0
    weights[FEATURES.index("width")] = 0.1
    judge = Judge(
        centre=(0.0,) * len(FEATURES),
        spread=(1.0,) * len(FEATURES),
        hidden=((*weights, 0.0),),
        output=((1.0, 0.0), (0.0, 0.0)),
    )
    table = _rows(frame=[0, 1], probability=0.5, psf_sigma_nm=[1e6, 1e9])
    revised = judge.revise(table, frame_count=2, frame_pixels=_PIXELS, pixel_size_nm=100.0)
    assert revised["probability"] == pytest.approx(1 / (1 + np.exp(-np.tanh(0.1 * FARTHEST))))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"centre": (0.0,)}, id="inputs"),
        pytest.param({"hidden": ((0.0,) * len(FEATURES),)}, id="no bias"),
        pytest.param({"output": ((0.0, 0.0, 0.0), (0.0, 0.0))}, id="hidden units"),
        pytest.param({"output": ((0.0, 0.0),)}, id="outputs"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    fitting = {
        "centre": (0.0,) * len(FEATURES),
        "spread": (1.0,) * len(FEATURES),
        "hidden": ((0.0,) * (len(FEATURES) + 1),),
        "output": ((0.0, 0.0), (0.0, 0.0)),
    }
    assert Judge.model_validate(fitting)
    with pytest.raises(ValidationError):
        Judge.model_validate({**fitting, **change})
