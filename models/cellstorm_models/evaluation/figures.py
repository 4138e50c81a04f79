"""Figures of an evaluation, after the paper's: Agg alone, colours that colour-blind people tell apart (Okabe and Ito)."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from cellstorm.scoring import DEFAULT_TOLERANCE_NM
from cellstorm_models.evaluation.limit import Optics, position_limit_nm
from cellstorm_models.evaluation.metrics import ISOLATED_NM, Metrics, isolated, measure
from cellstorm_models.evaluation.peers import PeerRow
from cellstorm_models.evaluation.results import Evaluation, VideoResult

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS: Final = ("o", "D", "v", "P", "X", "<")
_PEER_STYLES: Final = ({"color": "#444444", "marker": "s"}, {"color": "#999999", "marker": "^"})
_WIDTH_IN: Final = 10.0
_DPI: Final = 130
_TRUE_SHARE: Final = (0.60, 0.75)
_GAUSSIAN_SHARE: Final = 0.683
_COLOURS_KEPT: Final = 64  # of a PNG: a third of its bytes, and nobody sees it
_FEWEST: Final = 20
"""An error or a share that fewer localizations tell is chance, and is not drawn."""
_DISTANCES_NM: Final = (1.0, 20_000.0)
_BINS_PER_DECADE: Final = 10

Series = Mapping[float, float | None]
"""A value by photons."""


def write_figures(folder: Path, evaluation: Evaluation, histogram_video: str, optics: Optics | None) -> list[Path]:
    """All figures of an evaluation, as PNG; `histogram_video` is the one whose nearest distances are shown."""
    figures = {
        "figure4.png": figure4(evaluation),
        "figure7.png": figure7(evaluation, histogram_video),
        "rmse_over_photons.png": rmse_over_photons(evaluation, optics),
        "calibration.png": calibration(evaluation),
    }
    for name, figure in figures.items():
        _save(figure, folder / name)
    return [folder / name for name in figures]


def figure4(evaluation: Evaluation) -> Figure:
    """The paper's figure 4: how many were detected within 200 nm, and their mean distance, over photons."""
    figure, axes = _grid(evaluation, 2)
    for column, compression in enumerate(_compressions(evaluation)):
        upper, lower = axes[0][column], axes[1][column]
        to_find = {one.photons: len(one.comparison.emitters) for one in _in(evaluation, compression)}
        upper.plot(
            list(to_find), list(to_find.values()), color="black", linewidth=0.8, linestyle=":", label="to be found"
        )
        _draw(upper, evaluation, compression, lambda one: one.near, lambda peer: peer.near)
        _draw(
            lower,
            evaluation,
            compression,
            lambda one: one.near_mean_distance_nm if one.near >= _FEWEST else None,
            lambda peer: peer.near_mean_distance_nm if (peer.near or 0) >= _FEWEST else None,
        )
    axes[0][0].set_ylabel("localizations with an\nemitter within 200 nm")
    axes[1][0].set_ylabel("their mean distance\nto it, nm")
    return _finished(figure, axes)


def rmse_over_photons(evaluation: Evaluation, optics: Optics | None) -> Figure:
    """RMSE of all that was found, and of isolated emitters beside the bound."""
    figure, axes = _grid(evaluation, 2)
    for column, compression in enumerate(_compressions(evaluation)):
        upper, lower = axes[0][column], axes[1][column]
        _draw(
            upper,
            evaluation,
            compression,
            _rmse,
            lambda peer: peer.rmse_lateral_nm if (peer.near or 0) >= _FEWEST else None,
        )
        _draw(lower, evaluation, compression, _rmse, None, of=isolated)
        photons = [one.photons for one in _in(evaluation, compression) if one.photons > 0]
        if optics is not None and photons:
            grid = np.geomspace(min(photons), max(photons), 50)
            for axis in (upper, lower):
                limit = np.sqrt(2.0) * position_limit_nm(grid, optics)
                axis.plot(
                    grid, limit, color="black", linewidth=1.2, linestyle="--", label="CRLB, one uncompressed frame"
                )
    for axis in axes[:, :].ravel():
        axis.set_yscale("log")
        axis.set_yticks([10, 20, 50, 100], ["10", "20", "50", "100"])
        axis.set_ylim(8, 170)
        axis.minorticks_off()
    axes[0][0].set_ylabel("RMSE of all, nm")
    axes[1][0].set_ylabel(f"RMSE of isolated ones, nm\n(no other within {ISOLATED_NM / 1000:g} µm)")
    return _finished(figure, axes)


def calibration(evaluation: Evaluation) -> Figure:
    """Whether the stated precision is true."""
    figure, axes = _grid(evaluation, 1)
    for column, compression in enumerate(_compressions(evaluation)):
        axis = axes[0][column]
        axis.axhspan(*_TRUE_SHARE, color="#009E73", alpha=0.15, linewidth=0, label="60 to 75 %")
        axis.axhline(_GAUSSIAN_SHARE, color="black", linewidth=0.8, linestyle=":", label="a Gaussian's 68 %")
        _draw(axis, evaluation, compression, lambda one: one.within_one_sigma if one.matched >= _FEWEST else None, None)
        axis.set_ylim(0, 1)
    axes[0][0].set_ylabel("share of errors in x\nwithin the stated sigma")
    return _finished(figure, axes)


def figure7(evaluation: Evaluation, video: str) -> Figure:
    """The paper's figure 7: distances from each localization to the nearest emitter in its frame."""
    figure = Figure(figsize=(_WIDTH_IN * 0.75, 3.4), layout="constrained")
    axis = figure.add_subplot()
    nearest_nm, farthest_nm = _DISTANCES_NM
    edges = np.geomspace(nearest_nm, farthest_nm, 1 + round(_BINS_PER_DECADE * np.log10(farthest_nm / nearest_nm)))
    for index, model in enumerate(evaluation.models):
        distance = evaluation.of(model.name, video).comparison.reports["nearest_nm"]
        far = int((distance >= DEFAULT_TOLERANCE_NM).sum())
        label = f"{model.name}: {len(distance)} localizations, {far} farther than {DEFAULT_TOLERANCE_NM:g} nm"
        # what lies outside is shown at the ends
        counts = np.histogram(np.clip(distance, *_DISTANCES_NM), edges)[0]
        # zeros have no place on a logarithmic axis; half a count is below its foot
        axis.stairs(np.maximum(counts, 0.5), edges, color=_COLOURS[index % len(_COLOURS)], linewidth=1.5, label=label)
    axis.axvline(DEFAULT_TOLERANCE_NM, color="black", linewidth=0.8, linestyle=":")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(bottom=0.7)
    axis.set_xlim(*_DISTANCES_NM)
    axis.set_xticks([1, 10, 100, 200, 1000, 10_000], ["1", "10", "100", "200", "1000", "10000"])
    axis.minorticks_off()
    axis.set_xlabel("distance to the nearest true emitter in the frame, nm")
    axis.set_ylabel("localizations in a bin\n(ten to a decade)")
    result = evaluation.of(evaluation.models[0].name, video)
    axis.set_title(f"{video}: {len(result.comparison.emitters)} emitters to be found", fontsize=10)
    figure.legend(loc="outside upper center", frameon=False, fontsize=9)
    _bare(axis)
    return figure


def _grid(evaluation: Evaluation, rows: int) -> tuple[Figure, np.ndarray]:
    """Axes of (rows, compressions), photons along x."""
    columns = _compressions(evaluation)
    figure = Figure(figsize=(_WIDTH_IN, 0.9 + 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, len(columns), squeeze=False, sharex=True, sharey="row")
    for axis, compression in zip(axes[0], columns, strict=True):
        rates = [one.bits_per_pixel for one in _in(evaluation, compression)]
        axis.set_title(f"{compression}\n{np.mean(rates):.2g} bits per pixel", fontsize=10)
    ticks = sorted({one.photons for compression in columns for one in _in(evaluation, compression) if one.photons > 0})
    for axis in axes.ravel():
        axis.set_xscale("log")
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        _bare(axis)
    figure.supxlabel("photons of an emitter in a frame", fontsize=10)
    return figure, axes


def _draw(
    axis: Axes,
    evaluation: Evaluation,
    compression: str,
    value: Callable[[Metrics], float | None],
    peer_value: Callable[[PeerRow], float | None] | None,
    of: Callable[..., Metrics] = measure,
) -> None:
    """A line for each other program, then for each model."""
    if peer_value is not None:
        for style, program in zip(_PEER_STYLES, _programs(evaluation), strict=False):
            peers = {
                one.photons: peer_value(peer)
                for one in _in(evaluation, compression)
                for peer in evaluation.peers_on(one.video)
                if peer.program == program
            }
            _line(axis, peers, f"{program}, best threshold", linewidth=1.0, markersize=4, **style)
    for index, model in enumerate(evaluation.models):
        mine = {one.photons: value(of(one.comparison)) for one in _in(evaluation, compression, model.name)}
        style = {"color": _COLOURS[index % len(_COLOURS)], "marker": _MARKERS[index % len(_MARKERS)]}
        _line(axis, mine, model.name, linewidth=1.8, markersize=5, **style)


def _line(
    axis: Axes, series: Series, label: str, *, color: str, marker: str, linewidth: float, markersize: float
) -> None:
    known = sorted((photons, value) for photons, value in series.items() if value is not None)
    if known:
        axis.plot(
            *zip(*known, strict=True), label=label, color=color, marker=marker, linewidth=linewidth, ms=markersize
        )


def _compressions(evaluation: Evaluation) -> list[str]:
    """Those with several brightnesses, mild ones first; all, where none has."""
    photons: dict[str, set[float]] = {}
    for video in evaluation.videos:
        result = evaluation.of(evaluation.models[0].name, video)
        photons.setdefault(result.compression, set()).add(result.photons)
    return [name for name, levels in photons.items() if len(levels) > 1] or list(photons)


def _in(evaluation: Evaluation, compression: str, model: str | None = None) -> list[VideoResult]:
    """A model's (else the first one's) results at a compression, dim ones first."""
    model = evaluation.models[0].name if model is None else model
    mine = [one for one in evaluation.results if (one.model, one.compression) == (model, compression)]
    return sorted(mine, key=lambda one: one.photons)


def _programs(evaluation: Evaluation) -> Sequence[str]:
    return sorted({program for rows in evaluation.peers.values() for program in rows}, reverse=True)


def _finished(figure: Figure, axes: np.ndarray) -> Figure:
    handles: dict[str, Artist] = {}
    for axis in axes.ravel():
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=min(6, len(handles)),
        frameon=False,
        fontsize=9,
    )
    return figure


def _rmse(metrics: Metrics) -> float | None:
    return metrics.rmse_lateral_nm if metrics.matched >= _FEWEST else None


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(_COLOURS_KEPT, dither=Image.Dither.NONE).save(path, optimize=True)


def _bare(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(labelsize=8)
