"""The part of a Markdown page that an evaluation writes, so that no figure in it is copied by hand.

It lies between two markers; what people wrote around them stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cellstorm.errors import InvalidInput
from cellstorm_models.evaluation.metrics import Metrics, by_density, by_photons, isolated, measure
from cellstorm_models.evaluation.peers import Bar, PeerRow, bar
from cellstorm_models.evaluation.results import Evaluation, ModelFacts

BEGIN: Final = "<!-- written by `cellstorm evaluate --readme`: begin -->"
END: Final = "<!-- written by `cellstorm evaluate --readme`: end -->"


def check_page(path: Path) -> None:
    """Nothing, if the page has a place for the tables.

    Raises
    ------
    InvalidInput
        If it is not there, or lacks the markers.
    """
    _split(path)


def rewrite(path: Path, evaluation: Evaluation) -> None:
    """Put the evaluation's tables in place of those before; raises as `check_page` does."""
    before, after = _split(path)
    path.write_text(f"{before}{BEGIN}\n{render(evaluation)}{END}{after}", encoding="utf-8")


def render(evaluation: Evaluation) -> str:
    """All tables, as Markdown."""
    parts = [_circumstances(evaluation), _models(evaluation), _beside_peers(evaluation)]
    for model in evaluation.models:
        parts += [_details(evaluation, model), _groups(evaluation, model)]
    return "\n".join(parts)


def _split(path: Path) -> tuple[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read ({error.strerror}); name a page that is there") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InvalidInput(f"{path.name} has no place for tables; add the lines {BEGIN} and {END}")
    return before, after


def _circumstances(evaluation: Evaluation) -> str:
    machine = ", ".join(str(value) for value in evaluation.machine.values())
    return f"Measured on {evaluation.made_at:%Y-%m-%d} ({machine}) by\n\n```sh\n{evaluation.command}\n```\n"


def _models(evaluation: Evaluation) -> str:
    rows = []
    for model in evaluation.models:
        work = "-" if model.operations_per_frame is None else f"{model.operations_per_frame / 1e9:.2f}"
        digest = "no network" if model.sha256 is None else f"`{model.sha256[:12]}`"
        reached = evaluation.speed(model.name)
        speed = f"{reached.frames_per_s:.0f}", f"{reached.processor_ms_per_frame:.1f}"
        rows.append(
            [
                f"`{model.name}`",
                model.version,
                digest,
                "expected efficiency" if model.threshold is None else f"{model.threshold:g}",
                work,
                *speed,
            ]
        )
    width, height = evaluation.commonest_size
    head = ["model", "version", "SHA-256", "threshold", "GFLOP a frame, 128x128"]
    head += [f"frames/s, {width}x{height}, without decoding", "processor ms a frame"]
    return _table(head, rows)


def _beside_peers(evaluation: Evaluation) -> str:
    programs = sorted(
        {program for video in evaluation.videos for program in evaluation.peers.get(video, {})}, reverse=True
    )
    head = ["video", *(f"`{model.name}`" for model in evaluation.models)]
    head += [f"{program}, best threshold" for program in programs] + (["to beat"] if programs else [])
    rows = []
    for video in evaluation.videos:
        peers = evaluation.peers.get(video, {})
        beaten = bar(peers.values())
        mine = (measure(evaluation.of(model.name, video).comparison) for model in evaluation.models)
        row = [video, *(_beside(one, beaten) for one in mine)]
        row += [_peer(peers.get(program)) for program in programs]
        if programs:
            row.append("-" if beaten is None else _pair(beaten.jaccard, beaten.rmse_lateral_nm))
        rows.append(row)
    return "### Jaccard and RMSE (nm); bold is better than the row to beat\n\n" + _table(head, rows)


def _details(evaluation: Evaluation, model: ModelFacts) -> str:
    head = [
        "video",
        "emitters",
        "detection precision",
        "recall",
        "efficiency",
        "bias x, y, nm",
        "photons, median ratio",
    ]
    head += [
        "errors within one sigma",
        "phantoms",
        "within 200 nm",
        "their mean distance, nm",
        "isolated RMSE / CRLB, nm",
    ]
    rows = []
    for video in evaluation.videos:
        result = evaluation.of(model.name, video)
        one, alone = measure(result.comparison), isolated(result.comparison)
        rows.append(
            [
                video,
                str(one.emitters),
                f"{one.detection_precision:.3f}",
                f"{one.recall:.3f}",
                _number(one.efficiency, 1),
                f"{_number(one.bias_x_nm, 1)}, {_number(one.bias_y_nm, 1)}",
                _number(one.photon_ratio_median, 2),
                _number(one.within_one_sigma, 2),
                "-" if one.phantom_share is None else f"{one.phantoms} ({one.phantom_share:.1%})",
                str(one.near),
                _number(one.near_mean_distance_nm, 1),
                f"{_number(alone.rmse_lateral_nm, 1)} / {_number(alone.limit_rms_nm, 1)}",
            ]
        )
    return f"### `{model.name}`, video by video\n\n" + _table(head, rows)


def _groups(evaluation: Evaluation, model: ModelFacts) -> str:
    everything = evaluation.pooled(model.name)
    head = ["recall", "Jaccard, without phantoms", "RMSE, nm", "errors within one sigma", "photons, median ratio"]
    parts = [f"### `{model.name}`, all videos together\n"]
    for title, groups in (
        ("nearest other emitter", by_density(everything)),
        ("photons in the frame", by_photons(everything)),
    ):
        rows = [[name, str(group.emitters), *_of_group(group)] for name, group in groups.items() if group.emitters]
        parts.append(_table([title, "emitters", *head], rows))
    return "\n".join(parts)


def _of_group(group: Metrics) -> Iterable[str]:
    return (
        f"{group.recall:.3f}",
        f"{group.jaccard:.3f}",
        _number(group.rmse_lateral_nm, 1),
        _number(group.within_one_sigma, 2),
        _number(group.photon_ratio_median, 2),
    )


def _peer(row: PeerRow | None) -> str:
    return "-" if row is None else _pair(row.jaccard, row.rmse_lateral_nm)


def _beside(one: Metrics, beaten: Bar | None) -> str:
    """A lower RMSE of fewer, brighter finds is no gain: it is bold only beside a Jaccard that is."""
    jaccard, rmse = f"{one.jaccard:.3f}", _number(one.rmse_lateral_nm, 1)
    if beaten is None or one.jaccard <= beaten.jaccard:
        return f"{jaccard}, {rmse}"
    sharper = (one.rmse_lateral_nm or np.inf) < (beaten.rmse_lateral_nm or 0.0)
    return f"**{jaccard}**, **{rmse}**" if sharper else f"**{jaccard}**, {rmse}"


def _pair(jaccard: float, rmse_nm: float | None) -> str:
    return f"{jaccard:.3f}, {_number(rmse_nm, 1)}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
