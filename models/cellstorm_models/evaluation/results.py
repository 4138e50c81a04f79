"""What an evaluation found, and how it is written: CSV for a spreadsheet, JSON with everything."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cellstorm_models.evaluation.comparison import Comparison, pool
from cellstorm_models.evaluation.metrics import Metrics, by_density, by_photons, isolated, measure
from cellstorm_models.evaluation.peers import PeerRow, Peers, bar

CSV_NAME: Final = "evaluation.csv"
JSON_NAME: Final = "evaluation.json"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A generator and its cost."""

    name: str
    version: str
    sha256: str | None  # None where there is no network
    output: str
    threshold: float | None  # None: the choice with the highest expected efficiency
    operations_per_frame: int | None  # floating-point, at 128x128 pixels; None where there is no network


@dataclass(frozen=True, slots=True)
class VideoResult:
    """One generator on one video."""

    model: str
    video: str
    photons: float  # of an emitter that is on throughout a frame
    compression: str
    bits_per_pixel: float
    frames: int
    width_px: int
    height_px: int
    localization_s: float  # without decoding, by the clock
    processor_s: float  # likewise, of all cores together: what else runs on the machine hardly changes it
    comparison: Comparison = field(repr=False)

    @property
    def frames_per_s(self) -> float:
        return self.frames / max(self.localization_s, 1e-9)


@dataclass(frozen=True, slots=True)
class Speed:
    """Of localization without decoding."""

    frames_per_s: float
    processor_ms_per_frame: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured, and under which circumstances.

    Attributes
    ----------
    command
        That measures it again.
    settings
        What it was measured with.
    results
        By model, then by video.
    """

    made_at: datetime
    command: str
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    models: Sequence[ModelFacts]
    results: Sequence[VideoResult]
    peers: Peers

    @property
    def videos(self) -> list[str]:
        """From mildly to hard compressed, bright before dim."""
        rate: dict[str, list[float]] = {}
        for result in self.results:
            rate.setdefault(result.compression, []).append(result.bits_per_pixel)
        known = {result.video: result for result in self.results}
        mean = {name: sum(values) / len(values) for name, values in rate.items()}
        ordered = sorted(known.values(), key=lambda one: (-mean[one.compression], one.compression, -one.photons))
        return [result.video for result in ordered]

    def of(self, model: str, video: str) -> VideoResult:
        """What a model reached on a video."""
        return next(result for result in self.results if (result.model, result.video) == (model, video))

    def peers_on(self, video: str) -> list[PeerRow]:
        """Each other program's best row."""
        return list(self.peers.get(video, {}).values())

    def pooled(self, model: str) -> Comparison:
        """All videos of a model as one."""
        return pool(result.comparison for result in self.results if result.model == model)

    @property
    def commonest_size(self) -> tuple[int, int]:
        """(width, height) of most videos, in pixels."""
        return Counter((result.width_px, result.height_px) for result in self.results).most_common(1)[0][0]

    def speed(self, model: str) -> Speed:
        """Over all videos of the commonest size."""
        size = self.commonest_size
        mine = [one for one in self.results if one.model == model and (one.width_px, one.height_px) == size]
        frames = sum(one.frames for one in mine)
        return Speed(
            frames_per_s=frames / max(sum(one.localization_s for one in mine), 1e-9),
            processor_ms_per_frame=1e3 * sum(one.processor_s for one in mine) / frames,
        )


def write_results(folder: Path, evaluation: Evaluation) -> list[Path]:
    """evaluation.csv, with one row per model and video, and evaluation.json."""
    files = [folder / CSV_NAME, folder / JSON_NAME]
    rows = [
        _flat(evaluation, evaluation.of(model.name, video))
        for model in evaluation.models
        for video in evaluation.videos
    ]
    with files[0].open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    files[1].write_text(json.dumps(as_object(evaluation), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return files


def as_object(evaluation: Evaluation) -> dict[str, Any]:
    """For JSON."""
    return {
        "made_at": evaluation.made_at.isoformat(timespec="seconds"),
        "command": evaluation.command,
        "machine": dict(evaluation.machine),
        "settings": dict(evaluation.settings),
        "models": {model.name: _model_object(evaluation, model) for model in evaluation.models},
        "peers": {
            video: {program: asdict(row) for program, row in evaluation.peers[video].items()}
            for video in evaluation.videos
            if video in evaluation.peers
        },
    }


def _model_object(evaluation: Evaluation, model: ModelFacts) -> dict[str, Any]:
    results = [evaluation.of(model.name, video) for video in evaluation.videos]
    return {
        **asdict(model),
        "speed": {name: _rounded(value) for name, value in asdict(evaluation.speed(model.name)).items()},
        "all_videos": _grouped(evaluation.pooled(model.name)),
        "by_nominal_photons": _pooled_by(results, lambda result: f"{result.photons:g}"),
        "by_compression": _pooled_by(results, lambda result: result.compression),
        "videos": {
            result.video: {
                **_circumstances(result),
                **_grouped(result.comparison),
                "to_beat": _to_beat(evaluation, result),
            }
            for result in results
        },
    }


def _pooled_by(results: Sequence[VideoResult], key: Callable[[VideoResult], str]) -> dict[str, Any]:
    groups: dict[str, list[Comparison]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result.comparison)
    return {name: _metrics_object(measure(pool(parts))) for name, parts in groups.items()}


def _grouped(comparison: Comparison) -> dict[str, Any]:
    return {
        "overall": _metrics_object(measure(comparison)),
        "isolated": _metrics_object(isolated(comparison)),
        "by_photons": {name: _metrics_object(group) for name, group in by_photons(comparison).items()},
        "by_density": {name: _metrics_object(group) for name, group in by_density(comparison).items()},
    }


def _metrics_object(metrics: Metrics) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in asdict(metrics).items()}


def _circumstances(result: VideoResult) -> dict[str, Any]:
    left_out = ("model", "video", "comparison")
    told = {one.name: _rounded(getattr(result, one.name)) for one in fields(result) if one.name not in left_out}
    return {**told, "frames_per_s": _rounded(result.frames_per_s)}


def _to_beat(evaluation: Evaluation, result: VideoResult) -> dict[str, Any] | None:
    beaten = bar(evaluation.peers_on(result.video))
    return None if beaten is None else asdict(beaten)


def _flat(evaluation: Evaluation, result: VideoResult) -> dict[str, Any]:
    alone = isolated(result.comparison)
    row = {
        "model": result.model,
        "video": result.video,
        **_circumstances(result),
        **_metrics_object(measure(result.comparison)),
        "isolated_rmse_lateral_nm": _rounded(alone.rmse_lateral_nm),
        "isolated_limit_rms_nm": _rounded(alone.limit_rms_nm),
    }
    for peer in evaluation.peers_on(result.video):
        name = peer.program.lower()
        row |= {
            f"{name}_jaccard": peer.jaccard,
            f"{name}_rmse_lateral_nm": peer.rmse_lateral_nm,
            f"{name}_near": peer.near,
            f"{name}_near_mean_distance_nm": peer.near_mean_distance_nm,
        }
    return row


def _rounded(value: object) -> object:
    """To five figures: more would be noise."""
    return float(f"{value:.5g}") if isinstance(value, float) else value
