from __future__ import annotations

from dataclasses import replace

import pytest

from cellstorm.analysis.blinking import Blinking
from cellstorm.analysis.compression import KeyFrameEffect, QuantiserTrace
from cellstorm.analysis.grid import Grid, GridTrace
from cellstorm.analysis.over_time import OverTime
from cellstorm.analysis.recording import RecordingQuality
from cellstorm.analysis.verdict import Evidence, verdict
from cellstorm.comparison import Comparison, Side

GOOD = Evidence(
    localizations=100_000,
    precision_nm=15.0,
    resolution_nm=50.0,
    is_finer=False,
    drift_total_nm=10.0,
    drift_uncertainty_nm=3.0,
    crowded=0.05,
    lost=0.0,
    damaged=0.0,
    camera_calibrated=True,
    over_time=None,
    blinking=None,
    grid=None,
    recording=None,
)
QUIET = RecordingQuality(
    quantiser=None,
    key_frames=None,
    frames_sampled=100,
    clipped=0.0,
    black=0.0,
    frames_compared=99,
    repeated=0.0,
    agreement=None,
)


def words(evidence: Evidence) -> list[str]:
    return [finding.about for finding in verdict(evidence)]


def recorded(**seen: object) -> Evidence:
    return replace(GOOD, recording=QUIET.model_copy(update=seen))


def traced(mean: float) -> QuantiserTrace:
    return QuantiserTrace(
        frames=100,
        mean=mean,
        of_key_frames=None,
        lowest=mean,
        highest=mean,
        key_frames=4,
        key_interval_frames=30,
        bits_per_pixel=0.1,
        frames_each=1,
        by_frame=(mean,),
    )


def gridded(period_px: int, strength: float, probability: float) -> Grid:
    trace = GridTrace(period_px=period_px, strength=strength, probability=probability)
    return Grid(traces=(trace,), folded_x=(1.0,), folded_y=(1.0,))


def compared(matched: int, network: int, fit: int) -> Comparison:
    sides = [
        Side(
            localizations=count,
            frames=1,
            photons_median=None,
            precision_nm_median=None,
            resolution_nm=None,
            matched_share=None,
        )
        for count in (fit, network)
    ]
    return Comparison(
        first=sides[0],
        second=sides[1],
        tolerance_nm=200,
        matched=matched,
        jaccard=matched / (network + fit - matched),
        offset_x_nm=None,
        offset_y_nm=None,
        distance_nm_rms=None,
        photon_ratio_median=None,
        identical=False,
    )


def lasting(last_over_first: float, background: tuple[float, ...] = ()) -> OverTime:
    return OverTime(
        frames_each=1,
        localizations_per_frame=(1.0,),
        photons_median=(None,),
        precision_nm_median=(None,),
        background_photons_median=background,
        last_over_first=last_over_first,
    )


def blinking(on_frames_mean: float) -> Blinking:
    return Blinking(
        blinks=5000, on_frames_mean=on_frames_mean, localizations_mean=1, by_on_frames=(5000,), photons_median=None
    )


def keyed(first: float, uncertainty: float) -> KeyFrameEffect:
    return KeyFrameEffect(
        localizations=(first, 1.0),
        photons=(1.0, 1.0),
        uncertainty=uncertainty,
        strongest_after_frames=0,
        recovered_after_frames=1,
    )


def test_a_good_image_is_limited_by_photons_or_by_molecules_and_by_nothing_else() -> None:
    assert words(GOOD) == ["photons"]
    assert words(replace(GOOD, resolution_nm=91.0)) == ["molecules"]
    assert words(replace(GOOD, resolution_nm=None)) == ["structure"]
    assert words(replace(GOOD, resolution_nm=None, is_finer=True)) == ["detail"]
    assert words(replace(GOOD, resolution_nm=50.0, precision_nm=None)) == []


@pytest.mark.parametrize(
    ("evidence", "about"),
    [
        (replace(GOOD, localizations=0), "nothing"),
        (replace(GOOD, localizations=999), "few"),
        (replace(GOOD, drift_total_nm=60.0), "drift"),
        (replace(GOOD, grid=gridded(4, 0.2, 1e-5)), "grid"),
        (recorded(quantiser=traced(32)), "compression"),
        (replace(GOOD, crowded=0.3), "crowd"),
    ],
)
def test_what_costs_most_stands_first_and_takes_the_place_of_the_usual_limit(evidence: Evidence, about: str) -> None:
    found = verdict(evidence)
    assert found[0].about == about
    assert found[0].weight == "limit"
    assert not {"photons", "molecules", "structure"} & set(words(evidence))


@pytest.mark.parametrize(
    ("evidence", "about"),
    [
        (replace(GOOD, camera_calibrated=False), "camera"),
        (replace(GOOD, lost=0.03), "lost"),
        (replace(GOOD, damaged=0.06), "damaged"),
        (replace(GOOD, grid=gridded(1, 0.2, 1e-5)), "pixels"),
        (replace(GOOD, over_time=lasting(0.2)), "bleached"),
        (replace(GOOD, blinking=blinking(5.0)), "long blinks"),
        (replace(GOOD, blinking=blinking(1.1), recording=QUIET), "short blinks"),
        (replace(GOOD, over_time=lasting(0.5, (10.0,) * 15 + (14.0,) * 15)), "exposure"),
        (recorded(repeated=0.05), "repeated"),
        (recorded(clipped=0.002), "clipped"),
        (recorded(black=0.1), "black"),
        (recorded(agreement=compared(100, 300, 300)), "agreement"),
        (recorded(key_frames=keyed(0.5, 0.05)), "key frames"),
    ],
)
def test_a_rule_speaks_beside_the_limit_where_the_figures_show_it(evidence: Evidence, about: str) -> None:
    assert words(evidence) == ["photons", about]


@pytest.mark.parametrize(
    "evidence",
    [
        replace(GOOD, drift_total_nm=60.0, drift_uncertainty_nm=25.0),
        replace(GOOD, drift_total_nm=None, drift_uncertainty_nm=None),
        replace(GOOD, grid=gridded(4, 0.2, 0.01)),
        replace(GOOD, grid=gridded(4, 0.05, 1e-9)),
        replace(GOOD, over_time=lasting(0.8), blinking=blinking(2.0)),
        recorded(quantiser=traced(27), clipped=None, black=None, repeated=None),
        recorded(agreement=compared(20, 60, 60)),
        recorded(agreement=compared(250, 300, 300)),
        recorded(key_frames=keyed(0.5, 0.2)),
        recorded(key_frames=keyed(0.9, 0.01)),
        replace(GOOD, blinking=blinking(1.0)),
        replace(GOOD, over_time=lasting(0.5, (10.0,) * 15 + (8.0,) * 15)),
    ],
    ids=[
        "drift within its error",
        "drift not known",
        "a grid by chance",
        "a faint grid",
        "as many at the end",
        "moderate compression, the rest not known",
        "too few to compare",
        "agreement",
        "a drop within its error",
        "a slight drop",
        "a table that may have been linked before",
        "a background that bleaches",
    ],
)
def test_what_the_figures_do_not_show_is_not_said(evidence: Evidence) -> None:
    assert words(evidence) == ["photons"]


def test_too_few_localizations_are_not_judged_further() -> None:
    assert words(replace(GOOD, localizations=500, resolution_nm=300.0)) == ["few"]


def test_every_finding_says_what_to_do_and_has_its_figure() -> None:
    (finding,) = verdict(replace(GOOD, drift_total_nm=87.0))
    assert "87 nm" in finding.says
    assert "15 nm" in finding.says
    assert "drift corrected" in finding.advice


def test_the_heaviest_stand_first() -> None:
    evidence = replace(
        GOOD, drift_total_nm=90.0, camera_calibrated=False, over_time=lasting(0.1), crowded=0.5, lost=0.1
    )
    weights = [finding.weight for finding in verdict(evidence)]
    assert weights == ["limit", "limit", "warning", "warning", "note"]
