from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.selection import Selection
from cellstorm.errors import InvalidSetting
from tests.fakes import blinking_localizations, filaments_and_rings_nm, star_localizations


def test_nothing_asked_for_is_the_table_itself_by_frame() -> None:
    table = star_localizations(500)
    assert Selection().is_all
    assert Selection().of(table[::-1]).size == 500
    np.testing.assert_array_equal(Selection().of(table[::-1])["frame"], table["frame"])


def test_filters_apply() -> None:
    table = star_localizations(500)
    chosen = Selection(photons="800:", frames="10:20").of(table)
    assert 0 < len(chosen) < 500
    assert chosen["photons"].min() >= 800
    assert set(chosen["frame"]) <= set(range(10, 20))
    assert not Selection(photons="800:").is_all


def test_drift_is_taken_out_and_only_where_it_is_asked_for() -> None:
    still = blinking_localizations(filaments_and_rings_nm(4000), 2000, 10, 15)
    drifting = still.copy()
    drifting["x_nm"] += (still["frame"] * 0.05).astype(np.float32)
    assert np.abs(Selection().of(drifting)["x_nm"] - drifting["x_nm"]).max() == 0
    residual = Selection(drift=True).of(drifting)["x_nm"] - still["x_nm"]
    assert np.sqrt(np.mean((residual - residual.mean()) ** 2)) < 5


def test_too_few_localizations_to_tell_the_drift_are_a_clear_error() -> None:
    with pytest.raises(InvalidSetting, match="drift cannot be taken out"):
        Selection(drift=True).of(star_localizations(100))


def test_linked_rows_are_emitters() -> None:
    table = blinking_localizations(filaments_and_rings_nm(2000), 500, 3, 10, mean_on_frames=4)
    linked = Selection(linked=True).of(table)
    assert len(linked) < 0.6 * len(table)
    assert linked["photons"].sum(dtype=np.float64) == pytest.approx(table["photons"].sum(dtype=np.float64), rel=1e-4)
    assert len(Selection(linked=True, photons="1e9:").of(table)) == 0
