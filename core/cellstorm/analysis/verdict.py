"""What limits an image and what to change next time: rules, each with a threshold and the reason for it.

A rule speaks where the figures show something, and keeps silent where they do not or are not known. `limit` is what costs
the image most, `warning` what makes its figures less sure, `note` what is worth knowing for the next recording.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cellstorm.analysis.blinking import Blinking
from cellstorm.analysis.exposure import TOLERATED
from cellstorm.analysis.grid import Grid
from cellstorm.analysis.over_time import OverTime
from cellstorm.analysis.recording import RecordingQuality

Weight = Literal["limit", "warning", "note"]
_ORDER: Final[tuple[Weight, ...]] = ("limit", "warning", "note")

MIN_LOCALIZATIONS: Final = 1000
"""Below, medians are still known to some per cent, but neither resolution nor structure."""
SPARSE_OVER_PRECISION: Final = 6.0
"""Resolution over precision: 2 pi / sqrt(ln 6n) is 6 for n = 0.5, one localization of a place in the whole recording."""
DRIFT_AS_BLUR: Final = math.sqrt(12)
"""An even motion over a length L blurs as a normal distribution of sigma L / sqrt(12) does."""
COARSE_QUANTISER: Final = 30.0
"""On the benchmark videos, x264 at CRF 23 (a mean quantiser of 27) costs the classical programs 2 to 11 % of their Jaccard index
at 500 photons, and CRF 28 (32) 10 to 22 %."""
STRONG_GRID: Final = 0.1
"""Of the density: a tenth more molecules here than there is what an eye sees in an even area."""
CROWDED: Final = 0.2
"""Share of localizations with a neighbour within three sigma of the spot: their fits disturb each other."""
CLIPPED: Final = 0.001
"""Of pixels: molecules cover a few per cent of a frame, so that it is the brightest of them that are cut."""
BLACK: Final = 0.05
"""Of pixels: more than a camera's noise takes to zero where its offset is whole."""
LOST: Final = 0.02
REPEATED: Final = 0.02
DAMAGED: Final = 0.05
KEY_CHANGE: Final = 0.15
KEY_SIGMAS: Final = 4.0
"""The strongest of up to 30 frames: three sigma would be chance too often."""
BLEACHED: Final = 0.3
LASTING: Final = 0.7
LONG_ON_FRAMES: Final = 4.0
"""Photons of one blink are dealt out over so many localizations, each less precise by its square root."""
SHORT_ON_FRAMES: Final = 1.25
DISAGREEING: Final = 0.5
MIN_GROUPS: Final = 20
"""Of a curve over time, so that either end has two."""
MIN_COMPARED: Final = 200
_SIGMAS: Final = 3.0


class Finding(BaseModel):
    """One sentence on what the figures show, and one on what to do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str = Field(description="A word for programs; the same rule has always the same.")
    weight: Weight
    says: str
    advice: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at; None where it is not known."""

    localizations: int
    precision_nm: float | None
    """By neighbours where known and not below what the fits say, else what the fits say: the more careful one."""
    resolution_nm: float | None
    is_finer: bool
    """Where there is no figure: whether that is because it would be too good to be told."""
    drift_total_nm: float | None
    drift_uncertainty_nm: float | None
    crowded: float | None
    lost: float
    damaged: float
    camera_calibrated: bool
    over_time: OverTime | None
    blinking: Blinking | None
    grid: Grid | None
    recording: RecordingQuality | None


def verdict(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings, the heaviest first."""
    found = [finding for rule in _RULES for finding in rule(evidence)]
    if evidence.localizations >= MIN_LOCALIZATIONS and not any(one.weight == "limit" for one in found):
        found += _photons_or_molecules(evidence)
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.weight)))


def _too_few(evidence: Evidence) -> Iterator[Finding]:
    if not evidence.localizations:
        yield Finding(
            about="nothing",
            weight="limit",
            says="No molecule was found.",
            advice="Check focus, exposure and laser, and that the region of interest lies on the sample.",
        )
    elif evidence.localizations < MIN_LOCALIZATIONS:
        yield Finding(
            about="few",
            weight="limit",
            says=f"There are only {evidence.localizations} localizations, too few to show a structure or to judge the image.",
            advice="Record longer, or make more molecules blink.",
        )


def _drift(evidence: Evidence) -> Iterator[Finding]:
    total, sigma, precision = evidence.drift_total_nm, evidence.drift_uncertainty_nm, evidence.precision_nm
    if total is None or sigma is None or precision is None or total < _SIGMAS * sigma:
        return
    if total > DRIFT_AS_BLUR * precision:
        yield Finding(
            about="drift",
            weight="limit",
            says=f"The sample drifted by {total:.0f} nm, which blurs the image more than the localizations' own precision "
            f"of {precision:.0f} nm.",
            advice="Look at the image with drift corrected; next time let the stage settle and the lamp and laser warm up first.",
        )


def _grid(evidence: Evidence) -> Iterator[Finding]:
    if evidence.grid is None:
        return
    strong = [trace for trace in evidence.grid.traces if trace.is_there and trace.strength >= STRONG_GRID]
    blocks = [trace for trace in strong if trace.period_px > 1]
    if blocks:
        worst = max(blocks, key=lambda trace: trace.strength)
        blocks_are = "half the codec's 4\u00d74 blocks" if worst.period_px == 2 else "the codec's blocks"
        yield Finding(
            about="grid",
            weight="limit",
            says=f"Localizations keep to a grid of {worst.period_px}\u00d7{worst.period_px} pixels, {blocks_are}: their "
            f"density varies by {100 * worst.strength:.0f} % with it. Some of them are no molecules.",
            advice="Raise the video's bitrate, or the threshold; filter dim localizations and single ones.",
        )
    if any(trace.period_px == 1 for trace in strong):
        yield Finding(
            about="pixels",
            weight="warning",
            says="Positions keep to the camera's pixels: the localizer, not the codec, draws them to their centres or borders.",
            advice="Reconstruct with another generator, or check that the pixel size and the focus fit this one.",
        )


def _quantiser(evidence: Evidence) -> Iterator[Finding]:
    trace = evidence.recording.quantiser if evidence.recording else None
    if trace is not None and trace.mean >= COARSE_QUANTISER:
        yield Finding(
            about="compression",
            weight="limit",
            says=f"The video is compressed hard (mean quantiser {trace.mean:.0f}, {trace.bits_per_pixel:.2g} bits per pixel): "
            "dim molecules are wiped out and the others displaced.",
            advice="Raise the bitrate, film a smaller region, or fewer frames per second; a steady, even background needs fewer bits.",
        )


def _crowd(evidence: Evidence) -> Iterator[Finding]:
    if evidence.crowded is not None and evidence.crowded > CROWDED:
        yield Finding(
            about="crowd",
            weight="limit",
            says=f"{100 * evidence.crowded:.0f} % of the localizations have a neighbour in the same frame that overlaps with them.",
            advice="Make fewer molecules shine at once: more laser power, fresher buffer, or wait until more have gone dark.",
        )


def _frames(evidence: Evidence) -> Iterator[Finding]:
    if evidence.damaged > DAMAGED:
        yield Finding(
            about="damaged",
            weight="warning",
            says=f"{100 * evidence.damaged:.0f} % of the frames came damaged, since they refer to lost ones; nothing was "
            "localized in them.",
            advice="Bring the phone nearer to the access point, or record on it and upload the video.",
        )
    if evidence.lost > LOST:
        yield Finding(
            about="lost",
            weight="warning",
            says=f"{100 * evidence.lost:.0f} % of the frames were lost on the way.",
            advice="Bring the phone nearer to the access point, or lower the bitrate.",
        )
    repeated = evidence.recording.repeated if evidence.recording else None
    if repeated is not None and repeated > REPEATED:
        yield Finding(
            about="repeated",
            weight="warning",
            says=f"{100 * repeated:.0f} % of the frames repeat the one before, pixel by pixel: their molecules count twice.",
            advice="Film at the rate that the camera's exposure allows; automatic exposure lengthens it in the dark.",
        )


def _counts(evidence: Evidence) -> Iterator[Finding]:
    recording = evidence.recording
    if recording is not None and recording.clipped is not None and recording.clipped > CLIPPED:
        yield Finding(
            about="clipped",
            weight="warning",
            says=f"{100 * recording.clipped:.2g} % of the pixels are at the camera's highest count: the brightest molecules are cut.",
            advice="Lower ISO or exposure until the brightest spots are below it.",
        )
    if recording is not None and recording.black is not None and recording.black > BLACK:
        yield Finding(
            about="black",
            weight="warning",
            says=f"{100 * recording.black:.0f} % of the pixels are black: the phone cuts off the dark part of the "
            "picture, and dim molecules with it.",
            advice="Raise exposure or ISO until the background is above black.",
        )
    if not evidence.camera_calibrated:
        yield Finding(
            about="camera",
            weight="warning",
            says="The camera is not calibrated: its gain and offset are those of a preset, so photons, background and the "
            "precision that follows from them are rough.",
            advice="Measure gain, offset and read noise once, and give them as --camera.",
        )


def _key_frames(evidence: Evidence) -> Iterator[Finding]:
    effect = evidence.recording.key_frames if evidence.recording else None
    if effect is None:
        return
    change = effect.strongest - 1
    if abs(change) > max(KEY_CHANGE, KEY_SIGMAS * effect.uncertainty):
        where = (
            f"{effect.strongest_after_frames} frames after key frames"
            if effect.strongest_after_frames
            else "In key frames"
        )
        recovered = effect.recovered_after_frames
        until = (
            f"after {len(effect.localizations)} frames it is still so"
            if recovered is None
            else f"after {recovered} frames they are as usual"
        )
        yield Finding(
            about="key frames",
            weight="note",
            says=f"{where[:1].upper() + where[1:]} there are {100 * abs(change):.0f} % {'fewer' if change < 0 else 'more'} "
            f"localizations than later on; {until}.",
            advice="Counts over time are to be read with that in mind; a higher bitrate evens it out.",
        )


def _agreement(evidence: Evidence) -> Iterator[Finding]:
    found = evidence.recording.agreement if evidence.recording else None
    if found is None or found.jaccard is None:
        return
    either = found.first.localizations + found.second.localizations - found.matched
    if either >= MIN_COMPARED and found.jaccard < DISAGREEING:
        yield Finding(
            about="agreement",
            weight="warning",
            says=f"Network and classical fit agree on {100 * found.jaccard:.0f} % of what either sees: one of them is wrong about "
            "much of it.",
            advice="Reconstruct a part with --model classical and compare; dim or crowded spots and spots of another width than "
            "the network has learned are where they part.",
        )


def _time(evidence: Evidence) -> Iterator[Finding]:
    left = evidence.over_time.last_over_first if evidence.over_time else None
    if left is not None and left < BLEACHED:
        yield Finding(
            about="bleached",
            weight="note",
            says=f"At the end only {100 * left:.0f} % as many molecules were seen as at the beginning.",
            advice="A longer recording of this place would add little; choose another one.",
        )


def _exposure(evidence: Evidence) -> Iterator[Finding]:
    time = evidence.over_time
    known = [value for value in time.background_photons_median if value is not None] if time else []
    ends = max(1, len(known) // 10)
    if len(known) < MIN_GROUPS or not median(known[:ends]) > 0:
        return
    ratio = median(known[-ends:]) / median(known[:ends])
    if not TOLERATED[0] <= ratio <= TOLERATED[1]:
        yield Finding(
            about="exposure",
            weight="warning",
            says=f"The background at the end is {100 * ratio:.0f} % of that at the beginning, which bleaching does not explain: "
            "the camera's exposure, the lamp or the focus has changed, and photons mean something else since.",
            advice="Lock exposure, ISO and focus before filming, or film with an app that can.",
        )


def _on_times(evidence: Evidence) -> Iterator[Finding]:
    blinking = evidence.blinking
    if blinking is None or blinking.blinks < MIN_LOCALIZATIONS:
        return
    if blinking.on_frames_mean > LONG_ON_FRAMES:
        yield Finding(
            about="long blinks",
            weight="note",
            says=f"Molecules stay on for {blinking.on_frames_mean:.1f} frames, which deals their photons out over as many "
            "localizations.",
            advice="Expose longer (fewer frames per second), or link localizations of one blink into one.",
        )
    elif (
        blinking.on_frames_mean < SHORT_ON_FRAMES and evidence.recording is not None
    ):  # other tables may be linked already
        yield Finding(
            about="short blinks",
            weight="note",
            says=f"Nearly all molecules are seen in one frame only ({blinking.on_frames_mean:.2f} on average).",
            advice="A shorter exposure would bring less background for the same photons, where the phone allows it.",
        )


def _photons_or_molecules(evidence: Evidence) -> Iterator[Finding]:
    """Where nothing else stands out, it is one of these two: how well places are known, or how many are."""
    resolution, precision = evidence.resolution_nm, evidence.precision_nm
    left = evidence.over_time.last_over_first if evidence.over_time else None
    lasting = " Molecules were as many at the end as at the beginning." if left is not None and left > LASTING else ""
    if resolution is None and evidence.is_finer:
        yield Finding(
            about="detail",
            weight="note",
            says="Different times of the recording show the same structure to the finest detail that was looked at.",
            advice="Look whether the same frames come again and again, as in a film that is played twice: what agrees then is "
            "one recording with itself.",
        )
    elif resolution is None:
        yield Finding(
            about="structure",
            weight="limit",
            says="Different times of the recording show too little of the same structure to tell a resolution."
            + lasting,
            advice="Record longer; if the structure is there to the eye, look at drift first.",
        )
    elif precision is not None and resolution > SPARSE_OVER_PRECISION * precision:
        yield Finding(
            about="molecules",
            weight="limit",
            says=f"The resolution of {resolution:.0f} nm is limited by how many localizations there are rather than by their "
            f"precision of {precision:.0f} nm: most places were seen once or never." + lasting,
            advice="Record longer, or label more densely.",
        )
    elif precision is not None:
        yield Finding(
            about="photons",
            weight="limit",
            says=f"The resolution of {resolution:.0f} nm is what the localizations' precision of {precision:.0f} nm allows: photons "
            "limit this image.",
            advice="Collect more photons per molecule: expose for as long as a blink lasts, keep out background, use brighter dyes.",
        )


_RULES: Final[tuple[Callable[[Evidence], Iterator[Finding]], ...]] = (
    _too_few,
    _grid,
    _quantiser,
    _drift,
    _crowd,
    _counts,
    _frames,
    _agreement,
    _key_frames,
    _time,
    _exposure,
    _on_times,
)
