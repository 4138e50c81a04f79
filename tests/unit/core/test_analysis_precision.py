from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.precision import Nena, nena_precision
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import empty
from tests.fakes import blinking_localizations, filaments_and_rings_nm


@pytest.mark.parametrize("per_frame", [15, 60])
@pytest.mark.parametrize("precision_nm", [15, 30])
def test_nena_tells_the_precision_that_localizations_were_made_with(precision_nm: float, per_frame: float) -> None:
    table = blinking_localizations(filaments_and_rings_nm(8000), 1000, per_frame, precision_nm)
    table["precision_nm"] = 1  # what a fit believes is not asked
    found = nena_precision(table)
    assert isinstance(found, Nena)
    assert found.precision_nm == pytest.approx(precision_nm, rel=0.1)
    assert found.uncertainty_nm < 0.1 * precision_nm
    assert found.fit.sum() == pytest.approx(found.count.sum(), rel=0.1)


def test_it_cannot_be_told_where_no_emitter_shines_in_two_frames() -> None:
    """Even on dense structure, whose neighbours lie near by themselves."""
    random = np.random.default_rng(1)
    table = blinking_localizations(filaments_and_rings_nm(8000), 5000, 15, 20)
    table["frame"] = random.integers(0, 5000, len(table))
    found = nena_precision(table)
    assert isinstance(found, Unknown)
    assert "adjacent frames" in found.reason


def test_few_neighbours_are_too_few() -> None:
    table = blinking_localizations(filaments_and_rings_nm(500), 100, 3, 20)
    for few in (empty(), table[:200]):
        found = nena_precision(few)
        assert isinstance(found, Unknown)
        assert "needs 300" in found.reason
