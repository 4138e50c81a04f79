"""Training clips from a real recording that was localized well: its localizations are the labels.

After the paper (A.3, D.2): frames filmed under good conditions are localized, and a generator learns from them what no
simulation knows of this phone, its image processor and this sample; half of all clips stay simulated, so that it does not
merely learn to agree with whoever made the labels. Two clips in three are compressed once more, harder than they
came: their labels are better than what one sees in them. And each label is moved at random by as much as it is said to err, for
to a network that made the labels itself they would seem to have no error, nor it any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from cellstorm.acquisitions import STORED, AcquisitionSettings
from cellstorm.camera import Camera
from cellstorm.chunks import MIN_CHUNK_FRAMES, Counts
from cellstorm.decoding import decode
from cellstorm.errors import InvalidInput, InvalidSetting
from cellstorm.localizations import Localizations
from cellstorm.pipeline import select_frames
from cellstorm.results.report import Report
from cellstorm.results.tables import read_table
from cellstorm.roi import RegionOfInterest
from cellstorm.sources import open_source
from cellstorm_models.browser_encoder import compress_by
from cellstorm_models.clips import CLIP_FRAMES, CLIP_SIDE_PX, Clip, make_clip
from cellstorm_models.variety import Variety, draw_recipe

_VIDEO: Final = "video.mp4"
_REPORT: Final = "report.json"
_TABLE: Final = "localizations.smlm"  # the one that holds probabilities
_KEPT_BYTES: Final = 256 * 2**20
"""Of frames in memory, for each process that makes clips; of a longer recording evenly spaced parts are taken."""
_SURE: Final = 0.9
"""Least probability of a label: a less likely localization is neither learned nor held against the network."""
_USUAL_THRESHOLD: Final = 0.5
"""Hardly any generator leaves more out by itself, only what is vague or next to alone (cellstorm/presence.py)."""
_BACKGROUND_SIGMA_PX: Final = 4.0  # wider than any spot
_RECOMPRESSED: Final = 0.75


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames of the region of interest, CLIP_FRAMES at most, and what was found in them."""

    counts: Counts  # (frames, height, width)
    emitters: NDArray[np.float32]  # (n, 6) as Clip.emitters, in pixels of the region
    precision_px: NDArray[np.float32]  # (n,) of their positions


@dataclass(frozen=True, slots=True)
class MixedClips:
    """Every other clip from the recording of a result folder, the others simulated; can be sent to other processes.

    `video` is the recording where it does not lie in the folder, as after `reconstruct`.
    """

    folder: Path
    video: Path | None = None

    def __post_init__(self) -> None:
        stretches(self.folder, self.video)  # what cannot be learned from is refused before the run begins

    def __call__(self, seed: int, number: int) -> Clip:
        """The clip of that number, of the run with that seed."""
        if number % 2:
            return make_clip(seed, number)
        return recorded_clip(stretches(self.folder, self.video), seed, number)


def recorded_clip(recorded: tuple[Stretch, ...], seed: int, number: int) -> Clip:
    """A random part of a random stretch, as the camera's file holds it or compressed once more."""
    rng = np.random.default_rng([seed, number])
    stretch = recorded[rng.integers(len(recorded))]
    frames, height, width = stretch.counts.shape
    side_rows, side_columns = min(CLIP_SIDE_PX, height // 2 * 2), min(CLIP_SIDE_PX, width // 2 * 2)
    top, left = int(rng.integers(height - side_rows + 1)), int(rng.integers(width - side_columns + 1))
    counts = stretch.counts[:, top : top + side_rows, left : left + side_columns]
    emitters = stretch.emitters.copy()
    emitters[:, 1:3] += stretch.precision_px[:, np.newaxis] * rng.standard_normal((len(emitters), 2), np.float32)
    emitters[:, 1:3] -= (left, top)
    inside = (emitters[:, 1:3] >= -0.5).all(axis=1)
    inside &= (emitters[:, 1] < side_columns - 0.5) & (emitters[:, 2] < side_rows - 0.5)
    background = gaussian_filter(np.median(counts, axis=0).astype(np.float32), _BACKGROUND_SIGMA_PX)
    if counts.dtype == np.uint8 and rng.random() < _RECOMPRESSED:
        for encoder in draw_recipe(Variety(), frames, CLIP_SIDE_PX, rng).encoders:
            counts = compress_by(encoder, counts.astype(np.uint8, copy=False))
    return Clip(counts, background[np.newaxis], emitters[inside])


@lru_cache(maxsize=1)
def stretches(folder: Path, video: Path | None) -> tuple[Stretch, ...]:
    """Of the recording that a result folder tells of.

    Raises
    ------
    InvalidSetting
        If the folder is none of results, the recording is missing or another one, or too small or short to learn from.
    """
    report = _report(folder / _REPORT)
    roi, pixel_size_nm = report.roi, report.pixel_size_nm
    settings = report.settings or AcquisitionSettings()
    if settings.threshold is not None and settings.threshold > _USUAL_THRESHOLD:
        raise InvalidSetting(
            f"{folder} leaves out what is less likely than {settings.threshold:g}, and a network would learn that nothing is "
            "there; reconstruct the recording again without --threshold"
        )
    table = _table(folder / _TABLE, pixel_size_nm)
    if not (table["psf_sigma_nm"] > 0).all():
        raise InvalidSetting(
            f"{folder} was localized by {report.generator.name}, which tells no width of a spot; reconstruct the recording "
            "again with another --model"
        )
    video = video or folder / _VIDEO
    if not video.is_file():
        raise InvalidSetting(f"{video} is missing; name the recording that {folder} was made from with --video")
    if min(roi.width, roi.height) < CLIP_SIDE_PX:
        raise InvalidSetting(f"the region of {folder} is smaller than {CLIP_SIDE_PX} pixels; record a larger one")
    whole = tuple(
        _labelled(first, counts, table, report.camera, pixel_size_nm) for first, counts in _evenly(video, roi, settings)
    )
    if not any(len(stretch.emitters) for stretch in whole):
        raise InvalidSetting(f"{folder} and {video} share no frames with molecules; are they of the same recording?")
    return whole


def _report(path: Path) -> Report:
    try:
        return Report.model_validate_json(path.read_bytes(), context=STORED)
    except (OSError, ValidationError) as error:
        raise InvalidSetting(f"{path.parent} holds no results of cellSTORM; give it a folder with {_REPORT}") from error


def _table(path: Path, pixel_size_nm: float) -> Localizations:
    try:
        return read_table(path, pixel_size_nm).localizations
    except InvalidInput as error:
        raise InvalidSetting(f"{path.parent} has no readable {_TABLE}; reconstruct the recording again") from error


def _evenly(video: Path, roi: RegionOfInterest, settings: AcquisitionSettings) -> Iterator[tuple[int, Counts]]:
    """Stretches of consecutive frames that were localized, with the first one's index: all, or evenly spaced ones of a long one."""
    source = open_source(video)
    estimate = source.frame_count_estimate or CLIP_FRAMES
    room = max(1, _KEPT_BYTES // (CLIP_FRAMES * roi.width * roi.height))
    every = max(1, -(-estimate // (CLIP_FRAMES * room)))
    number = 0
    for chunk in source.chunks():
        places = select_frames(chunk.header, settings)
        if not len(places):
            continue
        counts = decode(chunk, roi)
        for start in range(places[0], places[-1] + 1, CLIP_FRAMES):
            stretch = counts[start : min(start + CLIP_FRAMES, places[-1] + 1)]
            if len(stretch) < MIN_CHUNK_FRAMES:
                continue
            if number % every == 0:
                yield chunk.header.first_frame + int(start), stretch.copy()
            number += 1


def _labelled(first_frame: int, counts: Counts, table: Localizations, camera: Camera, pixel_size_nm: float) -> Stretch:
    here = table[(table["frame"] >= first_frame) & (table["frame"] < first_frame + len(counts))]
    here = here[np.argsort(here["frame"], kind="stable")]
    columns = (
        here["frame"].astype(np.float64) - first_frame,
        here["x_nm"] / pixel_size_nm,
        here["y_nm"] / pixel_size_nm,
        np.maximum(here["photons"] / camera.gain, 1.0),
        here["probability"] >= _SURE,
        here["psf_sigma_nm"] / pixel_size_nm,
    )
    precision_px = (here["precision_nm"] / pixel_size_nm).astype(np.float32)
    return Stretch(counts, np.stack(columns, axis=1).astype(np.float32), precision_px)
