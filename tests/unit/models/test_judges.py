"""Judges are fitted to what candidates turn out to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

torch = pytest.importorskip("torch", reason="judges are fitted with torch: pip install '.[train]'")

from cellstorm.camera import DEFAULT_CAMERA  # noqa: E402  # after the check for torch
from cellstorm.generator import EMITTER_CHANNELS  # noqa: E402
from cellstorm.judging import FEATURES, Judge, features, overlaps  # noqa: E402
from cellstorm.localizations import LOCALIZATION, Localizations  # noqa: E402
from cellstorm_models import judges  # noqa: E402
from cellstorm_models.clips import make_clip  # noqa: E402
from cellstorm_models.evaluation.exported import ExportedGenerator  # noqa: E402
from cellstorm_models.export import write_package  # noqa: E402
from cellstorm_models.judges import JudgedGroup, Kind, fit, fit_judge  # noqa: E402
from cellstorm_models.networks import EmitterNet  # noqa: E402
from cellstorm_models.variety import Chances, Variety  # noqa: E402

_PRECISION_PX = 0.2
_CAUTION = 1.1


def _group(rng: np.random.Generator, crowd: bool) -> tuple[Localizations, JudgedGroup]:
    """Candidates that are likelier than they say among many, and less likely among few; errors half as large again."""
    count = 300 if crowd else 30
    table = np.zeros(count, LOCALIZATION)
    table["frame"] = np.sort(rng.integers(0, 32, count))
    table["x_nm"], table["y_nm"] = rng.uniform(0, 12_800, (2, count))
    logit = rng.normal(-1, 1.5, count)
    table["probability"] = np.clip(expit(logit), 0.02, 0.999)
    table["photons"], table["precision_nm"], table["psf_sigma_nm"] = 300, 100 * _PRECISION_PX, 140
    right = rng.random(count) < expit(logit + (1 if crowd else -1))
    error = np.abs(rng.normal(0, 1.5 * _PRECISION_PX, (count, 2)))
    return table, _judged(table, right, error)


def _judged(table: Localizations, right: NDArray[np.bool_], error_px: NDArray[np.float64]) -> JudgedGroup:
    inputs = features(table, frame_count=32, frame_pixels=128 * 128, pixel_size_nm=100.0)
    overlap = overlaps(table, pixel_size_nm=100.0)
    return JudgedGroup(inputs, overlap, np.ones(len(table), np.bool_), right, error_px, 1.0 / len(table))


def _revised(judge: Judge, table: Localizations) -> Localizations:
    return judge.revise(table, frame_count=32, frame_pixels=128 * 128, pixel_size_nm=100.0)


@pytest.fixture(scope="module")
def judge() -> Judge:
    rng = np.random.default_rng(0)
    return fit([_group(rng, crowd=number % 2 == 0)[1] for number in range(120)])


@pytest.mark.parametrize("crowd", [True, False])
def test_probabilities_become_what_they_are_by_what_the_group_shows(judge: Judge, crowd: bool) -> None:
    rng = np.random.default_rng(1)
    said, revised, right = 0.0, 0.0, 0
    for _ in range(40):
        table, group = _group(rng, crowd)
        said, right = said + table["probability"].sum(), right + int(group.right.sum())
        revised += _revised(judge, table)["probability"].sum()
    assert abs(said - right) > 0.2 * right
    assert revised == pytest.approx(right, rel=0.08)


def test_one_sigma_holds_as_many_errors_as_a_gaussians_and_a_tenth_more_for_caution(judge: Judge) -> None:
    table, _ = _group(np.random.default_rng(2), crowd=True)
    revised = _revised(judge, table)["precision_nm"]
    assert np.median(revised) / (100 * _PRECISION_PX) == pytest.approx(1.5 * _CAUTION, rel=0.08)


def _pairs(rng: np.random.Generator) -> tuple[Localizations, JudgedGroup]:
    """Two spots in a frame, in every second frame on top of each other; there errors are twice as large."""
    frames = np.repeat(np.arange(32), 2)
    table = np.zeros(len(frames), LOCALIZATION)
    table["frame"], table["probability"] = frames, 0.9
    near = frames % 2 == 0
    table["x_nm"] = 1000 + np.tile([0, 1], 32) * np.where(near, 50, 5000)
    table["photons"], table["precision_nm"], table["psf_sigma_nm"] = 300, 100 * _PRECISION_PX, 140
    error = np.abs(rng.normal(0, _PRECISION_PX, (len(frames), 2))) * np.where(near, 2.0, 1.0)[:, None]
    return table, _judged(table, rng.random(len(frames)) < 0.9, error)


def test_errors_are_larger_where_spots_overlap() -> None:
    rng = np.random.default_rng(3)
    judge = fit([_pairs(rng)[1] for _ in range(60)])
    table, _ = _pairs(rng)
    revised = _revised(judge, table)["precision_nm"]
    near = table["frame"] % 2 == 0
    assert np.median(revised[near]) / np.median(revised[~near]) == pytest.approx(2.0, rel=0.1)


def test_the_same_groups_give_the_same_judge() -> None:
    groups = [_group(np.random.default_rng(seed), crowd=True)[1] for seed in range(4)]
    assert fit(groups) == fit(groups)


def test_a_generator_that_finds_nothing_has_no_judge(tmp_path: Path) -> None:
    net = EmitterNet(4).eval()
    assert net.read.bias is not None
    with torch.no_grad():
        net.read.weight.zero_()
        net.read.bias[0] = -20.0  # of the probability's logit, whatever it sees
    assert (
        write_package(net, tmp_path / "blind", version="0.0.1", threshold=0.5, judging=[make_clip(3, 0)]).judge is None
    )


class _Guesses(ExportedGenerator):
    """Says of every seventh pixel that there may be an emitter in its middle."""

    def __init__(self) -> None:
        self.context_frames = 3

    def predict(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        batch, _, height, width = windows.shape
        output = np.zeros((batch, len(EMITTER_CHANNELS), height, width), np.float32)
        output[:, 0, ::7, ::7] = 0.4
        output[:, 3], output[:, 5:7], output[:, 7] = 50.0, 0.3, 1.4
        return output


def test_a_judge_learns_from_simulated_recordings_what_a_generator_is_worth() -> None:
    clips = [make_clip(3, number) for number in range(8)]
    judge = fit_judge(_Guesses(), clips)
    assert judge is not None
    assert len(judge.centre) == len(FEATURES)
    counts = clips[0].counts[:32]
    table = _Guesses().candidates(counts, camera=DEFAULT_CAMERA, pixel_size_nm=100.0)
    revised = judge.revise(table, frame_count=32, frame_pixels=counts[0].size, pixel_size_nm=100.0)
    assert revised["probability"].mean() < 0.15  # hardly one such guess is right


def test_clips_count_as_much_as_their_kind_says(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = Variety(chance_of=Chances(empty=0.0, sparse=0.0), emitters=(100, 150))
    empty = Variety(chance_of=Chances(empty=1.0, sparse=0.0))
    counts = make_clip(3, 0, crowded).counts[:32]
    table = _Guesses().candidates(counts, camera=DEFAULT_CAMERA, pixel_size_nm=100.0)

    def believed(weight_of_empty: float) -> float:
        monkeypatch.setattr(judges, "KINDS", (Kind(crowded, 4), Kind(empty, 4, weight_of_empty)))
        judge = fit_judge(_Guesses())
        assert judge is not None
        revised = judge.revise(table, frame_count=32, frame_pixels=counts[0].size, pixel_size_nm=100.0)
        return float(revised["probability"].mean())

    assert believed(100.0) < 0.9 * believed(0.001)
