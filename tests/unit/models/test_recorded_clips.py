"""A recording and its localizations as training data."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cellstorm.errors import InvalidSetting
from cellstorm.results.imported import ImportedTable
from cellstorm.results.tables import read_table
from cellstorm_models import recorded_clips
from cellstorm_models.clips import CLIP_SIDE_PX, make_clip
from cellstorm_models.compression import Compression, write_mp4
from cellstorm_models.recorded_clips import MixedClips, Stretch, recorded_clip, stretches
from cellstorm_models.simulation import Recording, SimulationConfig, simulate

_FRAMES = 60


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording]:
    """A result folder with its video, and what was there."""
    folder = tmp_path_factory.mktemp("filmed")
    config = SimulationConfig(frames=_FRAMES, width=104, height=112, emitters_per_frame=12.0, photons=2000.0)
    recording = simulate(config, np.random.default_rng(4))
    write_mp4(folder / "source.mp4", recording.counts.astype(np.uint8), Compression(crf=15))
    command = (sys.executable, "-m", "cellstorm_cli.main", "reconstruct", "source.mp4")
    subprocess.run([*command, "--out", "results", "--model", "classical"], cwd=folder, check=True, capture_output=True)
    (folder / "source.mp4").rename(folder / "results" / "video.mp4")
    return folder / "results", recording


def test_labels_are_where_the_molecules_were(filmed: tuple[Path, Recording]) -> None:
    folder, recording = filmed
    whole = stretches(folder, None)
    assert sum(len(stretch.counts) for stretch in whole) == _FRAMES
    first = whole[0]
    true = recording.truth[recording.truth["frame"] == 5]
    labels = first.emitters[first.emitters[:, 0] == 5]
    distance = np.hypot(labels[:, 1, None] - true["x_nm"] / 100, labels[:, 2, None] - true["y_nm"] / 100)
    assert len(labels) >= 0.5 * len(true)
    assert np.median(distance.min(axis=1)) < 0.15


def test_half_of_the_clips_are_simulated_and_half_are_of_the_recording(filmed: tuple[Path, Recording]) -> None:
    make = MixedClips(filmed[0])
    np.testing.assert_array_equal(make(3, 1).counts, make_clip(3, 1).counts)
    clip = make(3, 2)
    assert clip.counts.shape[1:] == (CLIP_SIDE_PX, CLIP_SIDE_PX)
    assert abs(np.median(clip.counts) - np.median(filmed[1].counts)) < 4
    assert clip.emitters[:, 1:3].min() >= -0.5
    assert clip.emitters[:, 1:3].max() < CLIP_SIDE_PX


def test_labels_are_moved_by_as_much_as_they_are_said_to_err() -> None:
    rng = np.random.default_rng(1)
    emitters = np.zeros((4000, 6), np.float32)
    emitters[:, 1:3] = rng.uniform(20, CLIP_SIDE_PX - 20, (len(emitters), 2))
    precision = np.where(np.arange(len(emitters)) < 2000, 0.05, 0.5).astype(np.float32)
    counts = np.zeros((8, CLIP_SIDE_PX, CLIP_SIDE_PX), np.uint8)
    clip = recorded_clip((Stretch(counts, emitters, precision),), seed=1, number=2)
    moved = (clip.emitters[:, 1:3] - emitters[:, 1:3]).std(axis=1).reshape(2, 2000)
    spread = np.sqrt(2 * (moved**2).mean(axis=1))  # of two values about their own mean
    assert spread == pytest.approx([0.05, 0.5], rel=0.05)


def test_a_clip_of_a_recording_is_the_same_in_another_process(filmed: tuple[Path, Recording]) -> None:
    make = MixedClips(filmed[0])
    again = pickle.loads(pickle.dumps(make))
    np.testing.assert_array_equal(make(5, 4).counts, again(5, 4).counts)


def _with_settings(filmed: Path, folder: Path, **settings: object) -> Path:
    """The result folder, its report telling other settings."""
    for name in ("localizations.smlm", "video.mp4"):
        (folder / name).write_bytes((filmed / name).read_bytes())
    report = json.loads((filmed / "report.json").read_text())
    report["settings"].update(settings)
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_frames_that_were_left_out_are_not_taken_for_empty(filmed: tuple[Path, Recording], tmp_path: Path) -> None:
    whole = stretches(_with_settings(filmed[0], tmp_path, frames="5:25"), None)
    assert sum(len(stretch.counts) for stretch in whole) == 20
    everything = stretches(filmed[0], None)
    np.testing.assert_array_equal(whole[0].counts[0], everything[0].counts[5])
    labels, all_labels = whole[0].emitters, everything[0].emitters
    first, fifth = labels[labels[:, 0] == 0], all_labels[all_labels[:, 0] == 5]
    np.testing.assert_array_equal(first[:, 1:], fifth[:, 1:])


def test_labels_from_which_much_was_left_out_are_refused(filmed: tuple[Path, Recording], tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="without --threshold"):
        stretches(_with_settings(filmed[0], tmp_path, threshold=0.95), None)


def test_labels_without_a_width_are_refused(
    filmed: tuple[Path, Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_width(path: Path, pixel_size_nm: float) -> ImportedTable:
        table = read_table(path, pixel_size_nm)
        table.localizations["psf_sigma_nm"] = 0.0
        return table

    monkeypatch.setattr(recorded_clips, "read_table", without_width)
    with pytest.raises(InvalidSetting, match="no width"):
        stretches(_with_settings(filmed[0], tmp_path), None)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="holds no results"):
        MixedClips(tmp_path)


def test_a_folder_without_its_recording_is_refused(filmed: tuple[Path, Recording], tmp_path: Path) -> None:
    for name in ("report.json", "localizations.smlm"):
        (tmp_path / name).write_bytes((filmed[0] / name).read_bytes())
    with pytest.raises(InvalidSetting, match="--video"):
        MixedClips(tmp_path)
