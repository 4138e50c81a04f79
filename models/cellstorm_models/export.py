"""From a training run of `default` to a bioimage.io package; what all generators' packages share is in packaging.py."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from cellstorm.generator import GeneratorSpec
from cellstorm.zoo import CARD, WEIGHTS
from cellstorm_models.clips import Clip, make_clip, sample_windows
from cellstorm_models.evaluation.exported import ExportedGenerator
from cellstorm_models.judges import fit_judge
from cellstorm_models.networks import SIZE_MULTIPLE, EmitterNet
from cellstorm_models.packaging import check_graph, sha256, write_description, write_graph, write_test_tensors

_CHECKED_SIZES: Final = ((1, 64, 64), (5, 64, 64), (2, 128, 96), (1, 8, 8), (1, 256, 256))  # batch, height, width
_SUMMARY: Final = "Localizes blinking molecules in a phone's H.264 video, with uncertainties."


def write_package(
    net: EmitterNet, folder: Path, *, version: str, threshold: float | None, judging: Iterable[Clip] | None = None
) -> GeneratorSpec:
    """All files of a package; it is named as its folder. Its card holds a title only: see cellstorm_models.card.

    `judging` are the clips that its judge is fitted on, in place of the usual ones.

    Raises
    ------
    ModelUnavailable
        If the exported graph differs from the network, or the package breaks one of bioimage.io's rules.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    write_graph(net, weights, context_frames=net.context_frames, size_multiple=SIZE_MULTIPLE, output="emitters")
    check_package(net, folder)
    clips = [make_clip(7, number) for number in range(2)]
    batch = sample_windows(clips, 2, 64, np.random.default_rng(7), context_frames=net.context_frames)
    write_test_tensors(folder, batch.windows)
    judge = fit_judge(ExportedGenerator(weights), judging)
    spec = GeneratorSpec(
        name=folder.name,
        version=version,
        sha256=sha256(weights),
        output="emitters",
        context_frames=net.context_frames,
        size_multiple=SIZE_MULTIPLE,
        threshold=threshold,
        judge=judge,
    )
    (folder / CARD).write_text(f"# cellSTORM generator `{folder.name}`\n", encoding="utf-8")
    write_description(folder, spec, _SUMMARY)
    return spec


def check_package(net: EmitterNet, folder: Path) -> None:
    """Compare a package's graph with the network, at several sizes.

    Raises
    ------
    ModelUnavailable
        If they differ by more than a ten-thousandth.
    """
    shapes = [(batch, net.context_frames, height, width) for batch, height, width in _CHECKED_SIZES]
    check_graph(net.eval(), folder / WEIGHTS, shapes)
