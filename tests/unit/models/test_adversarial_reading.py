"""What a package declares of a network, from how it does where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")

from cellstorm.localizations import LOCALIZATION, Localizations  # after the check for what it needs
from cellstorm.scoring import TRUTH, Truth
from cellstorm_models.adversarial.config import Kind
from cellstorm_models.adversarial.reading import Reading, describe, read
from cellstorm_models.adversarial.unet import FrameNet


def _truth(count: int, on: float = 1.0) -> Truth:
    truth = np.zeros(count, TRUTH)
    truth["frame"] = np.arange(count)
    truth["x_nm"] = truth["y_nm"] = 1000.0
    truth["photons"], truth["on"] = 400.0, on
    return truth


def _table(truth: Truth, photons: float, error_nm: float = 0.0) -> Localizations:
    table = np.zeros(len(truth), LOCALIZATION)
    table["frame"] = truth["frame"]
    table["x_nm"], table["y_nm"] = truth["x_nm"] + error_nm, truth["y_nm"] - error_nm
    table["photons"] = photons
    return table


def test_the_least_light_parts_phantoms_from_molecules() -> None:
    truth = _truth(20)
    found = _table(truth, 300.0)
    phantoms = _table(truth, 50.0, error_nm=5000.0)
    reading = read(np.concatenate([phantoms, found]), truth)
    assert reading.jaccard == reading.recall == reading.detection_precision == 1.0
    assert 50 < reading.least_drawn <= 300


def _declared(kind: Kind, reading: Reading) -> float:
    net = FrameNet(kind, 2)
    return describe(net, reading, name="tiny", version="0", sha256="0" * 64).least_signal


def test_the_least_light_is_declared_in_the_units_in_which_it_is_compared() -> None:
    reading = Reading(least_drawn=100.0, map_signal=4.0)
    assert _declared("pix2pix", reading) == 400.0  # of a map, whose light is given back before
    assert _declared("enhance", reading) == 100.0


def test_light_that_a_network_loses_is_given_back() -> None:
    truth = _truth(20)
    assert read(_table(truth, 100.0), truth).map_signal == pytest.approx(4.0)


def test_the_precision_is_the_error_that_two_thirds_stay_below() -> None:
    truth = _truth(300)
    table = _table(truth, 400.0)
    table["x_nm"] += np.random.default_rng(0).normal(0, 30, 300)
    table["y_nm"] += np.random.default_rng(1).normal(0, 30, 300)
    assert read(table, truth).precision_px == pytest.approx(0.3, rel=0.1)


def test_faint_molecules_are_given_up_where_phantoms_are_as_faint() -> None:
    truth = _truth(30)
    table = np.concatenate([_table(truth[:20], 300.0), _table(truth[20:22], 50.0), _table(truth, 50.0, 5000.0)])
    reading = read(table, truth)
    assert reading.recall == pytest.approx(20 / 30)
    assert reading.detection_precision == 1.0


def test_finding_what_nobody_need_find_is_neither_right_nor_wrong() -> None:
    truth = np.concatenate([_truth(10), _truth(10, on=0.1)])
    truth["frame"] = np.arange(20)
    reading = read(_table(truth, 300.0), truth)
    assert reading.jaccard == 1.0


def test_a_network_that_finds_nothing_has_no_reading() -> None:
    assert read(np.zeros(0, LOCALIZATION), _truth(3)) == Reading()
