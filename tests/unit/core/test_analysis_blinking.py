from __future__ import annotations

import numpy as np
import pytest

from cellstorm.analysis.blinking import Blinking, DarkTime, dark_time
from cellstorm.analysis.linking import link
from cellstorm.analysis.unknown import Unknown
from cellstorm.localizations import LOCALIZATION, Localizations, empty
from tests.fakes import blinking_localizations, filaments_and_rings_nm


def returning_molecules(
    molecules: int, frame_count: int, *, on: float, dark: float, returning: float, seed: int = 1
) -> Localizations:
    """Molecules on filaments that shine for a geometric number of frames, and return after another one or never."""
    random = np.random.default_rng(seed)
    places = filaments_and_rings_nm(molecules, seed=seed)
    rows: list[tuple[int, int]] = []
    for molecule in range(molecules):
        frame = int(random.integers(0, frame_count))
        while frame < frame_count:
            last = min(frame_count, frame + int(random.geometric(1 / on)))
            rows += [(shone, molecule) for shone in range(frame, last)]
            frame = last + int(random.geometric(1 / dark))
            if random.random() > returning:
                break
    frames, molecule = np.array(sorted(rows)).T
    table = np.zeros(len(frames), LOCALIZATION)
    table["frame"] = frames
    table["x_nm"], table["y_nm"] = (places[molecule] + random.normal(0, 15, (len(frames), 2))).T
    table["photons"], table["precision_nm"] = 500, 15
    return table


@pytest.mark.parametrize(("dark", "returning"), [(5, 0.5), (20, 0.7), (60, 0.5)])
def test_dark_times_and_returns_come_back_within_ten_per_cent(dark: float, returning: float) -> None:
    table = returning_molecules(6000, 5000, on=3, dark=dark, returning=returning)
    found = Blinking.of(link(table, 64, 1), 64, 1)
    assert found is not None
    assert found.dark is not None, found.dark_reason
    assert found.dark.frames == pytest.approx(dark, rel=0.1)
    assert abs(found.dark.frames - dark) < 4 * found.dark.uncertainty_frames
    bridged = 1 / dark if dark > 5 else 0.2  # of the returns, those after one dark frame, were joined
    assert found.dark.returning == pytest.approx(returning * (1 - bridged) / (1 - returning * bridged), abs=0.06)
    assert found.on_frames_mean == pytest.approx(3, rel=0.15)


def test_dark_times_are_the_same_wherever_frames_begin_to_count() -> None:
    table = returning_molecules(3000, 2000, on=3, dark=20, returning=0.7)
    late = table.copy()
    late["frame"] += 50_000
    usual, then = (Blinking.of(link(each, 64, 1), 64, 1) for each in (table, late))
    assert usual is not None
    assert usual.dark is not None
    assert then is not None
    assert then.dark is not None
    assert then.dark.frames == pytest.approx(usual.dark.frames, rel=1e-3)
    short = returning_molecules(3000, 45, on=3, dark=20, returning=0.7)
    short["frame"] += 50_000
    told = Blinking.of(link(short, 64, 1), 64, 1)
    assert told is not None
    assert told.dark_reason == "the recording is too short to tell dark times"


def test_molecules_that_never_return_have_no_dark_time_even_on_crowded_lines() -> None:
    table = blinking_localizations(filaments_and_rings_nm(3000), 2000, 20, precision_nm=20)
    linked = link(table, 85, 1)
    found = dark_time(linked.table, linked.on_frames, 85, 1)
    assert isinstance(found, Unknown), found
    assert "by chance" in found.reason or "too rarely" in found.reason


def test_blinks_are_counted_by_how_long_they_were_on() -> None:
    table = np.zeros(6, LOCALIZATION)
    table["frame"] = [0, 1, 2, 50, 60, 62]  # three frames; one; and one that is bridged over a dark frame
    table["photons"] = 100
    found = Blinking.of(link(table, 50, 1), 50, 1)
    assert found is not None
    assert found.by_on_frames[:4] == (1, 0, 2, 0)
    assert found.localizations_mean == 2
    assert found.photons_median == 200
    assert found.dark is None
    assert found.dark_reason


def test_without_localizations_there_is_nothing() -> None:
    assert Blinking.of(link(empty(), 50), 50, 1) is None
    table = returning_molecules(400, 1000, on=3, dark=20, returning=0.5)
    linked = link(table, 64, 1)
    assert not isinstance(dark_time(linked.table[:999], linked.on_frames[:999], 64, 1), DarkTime)
