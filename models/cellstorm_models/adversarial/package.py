"""From a run to a package of the zoo: graph, declared reading, test tensors, card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cellstorm.generator import GeneratorSpec
from cellstorm.zoo import CARD, WEIGHTS
from cellstorm_models import packaging
from cellstorm_models.adversarial.config import AdversarialConfig, Drawn, Kind
from cellstorm_models.adversarial.reading import Reading, describe, measure
from cellstorm_models.adversarial.run import best_network
from cellstorm_models.adversarial.unet import SIZE_MULTIPLE
from cellstorm_models.clips import WindowBatch, sample_windows

_READING_SEED: Final = 1_000_033  # clips that neither training nor validation sees
_TEST_SEED: Final = 7
_READING_CLIPS: Final = 48
_READING_WINDOWS: Final = 384
_BATCH: Final = 16
_SIDE_PX: Final = 64
_CHECKED_SHAPES: Final = ((1, 1, 64, 64), (5, 1, 64, 64), (2, 1, 128, 96), (1, 1, 16, 16), (1, 1, 256, 256))
_SUMMARIES: Final[Mapping[Kind, str]] = {
    "pix2pix": "The paper's own generator: from a frame of a phone's H.264 video to a localization map.",
    "enhance": "The earlier version's generator: from a frame of a phone's H.264 video to a clean frame, for a fit.",
}

_CARD: Final = """\
# cellSTORM generator `{name}`

Version {version}. {summary} A U-Net ({filters} filters in the first layer, nearest-neighbour resizing and convolution upwards)
that was trained against a PatchGAN, after Diederich et al. (PLoS ONE 14, e0209827), {equations} with the weights
{weights}; adversarial term off for the first {silent_steps} steps and in one of {silent_every} after them; Adam, learning
rate {learning_rate:g}, beta {beta:g}. It sees one frame, and normalises it by itself. {threshold}

## Training
Simulated recordings alone, most of them through H.264, {clips}; every clip is fresh. {step} steps of
{batch} windows of {side_px}x{side_px} pixels, {minutes:.0f} minutes on {machine}; seed {seed}. To repeat:
`cellstorm train --generator {generator} --out RUN --steps {steps} --batch {batch} --side {side_px} --seed {seed} --threads {threads}`.

## Measured
On {windows} windows of clips that it never saw, drawn as those it was trained on, matched within 200 nm:

| Jaccard | detection precision | recall | error in x or y, 68th percentile, pixels |
|---|---|---|---|
| {jaccard:.3f} | {detection_precision:.3f} | {recall:.3f} | {precision_px:.2f} |

The last is declared as every localization's precision. What has less light than {least_signal:.0f} counts is not reported.

## Limits
One precision for all: a bright molecule's is better, a faint one's worse. {limit} Trained on simulations alone; beside
`default` it shows what the paper's way reaches on the same data.
"""
_EQUATIONS: Final[Mapping[Kind, str]] = {"pix2pix": "equations 1 to 5", "enhance": "equations 1, 2 and 5"}
_CLIPS: Final[Mapping[Drawn, str]] = {
    "everything": "drawn as those of `default` are, hard ones among them",
    "visible": "of molecules that an eye sees (`VISIBLE` in `cellstorm_models/variety.py`), as the paper's",
}
_THRESHOLDS: Final[Mapping[Kind, str]] = {
    "pix2pix": "Localizations are spots over {threshold:g} of the frame's maximum, at their centroid.",
    "enhance": "Localizations are fitted to the clean frame by the classical localizer.",
}
_LIMITS: Final[Mapping[Kind, str]] = {
    "pix2pix": "A faint molecule beside a bright one is lost: the threshold is a share of the frame's maximum.",
    "enhance": "Spots are drawn as Gaussians; what is not one is drawn as one, or left out.",
}


def write_package(run: Path, folder: Path, *, version: str, reading_windows: int = _READING_WINDOWS) -> GeneratorSpec:
    """All files of a package from the best network of `run`; it is named as its folder.

    Raises
    ------
    ModelUnavailable
        If the graph differs from the network, or the package is not valid.
    """
    config = AdversarialConfig.read(run)
    net, reached = best_network(run)
    folder.mkdir(parents=True, exist_ok=True)
    packaging.write_graph(net, folder / WEIGHTS, context_frames=1, size_multiple=SIZE_MULTIPLE, output=net.output)
    packaging.check_graph(net, folder / WEIGHTS, _CHECKED_SHAPES)
    packaging.write_test_tensors(folder, _test_windows(config))
    batches = _reading_batches(config, reading_windows)
    reading = measure(net, batches)
    spec = describe(net, reading, name=folder.name, version=version, sha256=packaging.sha256(folder / WEIGHTS))
    _write_card(folder, spec, config, reached, reading, sum(len(batch.windows) for batch in batches))
    packaging.write_description(folder, spec, _SUMMARIES[config.generator])
    return spec


def _reading_batches(config: AdversarialConfig, windows: int) -> list[WindowBatch]:
    count = max(1, _READING_CLIPS * windows // _READING_WINDOWS)
    clips = [config.make_clip(_READING_SEED, number) for number in range(count)]
    rng = np.random.default_rng(_READING_SEED)
    batches = max(1, windows // _BATCH)
    return [sample_windows(clips, _BATCH, _SIDE_PX, rng, context_frames=1) for _ in range(batches)]


def _test_windows(config: AdversarialConfig) -> NDArray[np.float32]:
    """Of clips as it was trained on: a test tensor of molecules that it leaves dark would test nothing."""
    clips = [config.make_clip(_TEST_SEED, number) for number in range(2)]
    return sample_windows(clips, 2, _SIDE_PX, np.random.default_rng(_TEST_SEED), context_frames=1).windows


def _write_card(
    folder: Path,
    spec: GeneratorSpec,
    config: AdversarialConfig,
    reached: Mapping[str, Any],
    reading: Reading,
    windows: int,
) -> None:
    weights = config.weights
    text = _CARD.format(
        name=spec.name,
        version=spec.version,
        summary=_SUMMARIES[config.generator],
        filters=config.filters,
        equations=_EQUATIONS[config.generator],
        weights=f"({weights.adversarial:g}, {weights.likeness:g}, {weights.sparsity:g})",
        silent_steps=config.silent_steps,
        silent_every=config.silent_every,
        learning_rate=config.learning_rate,
        beta=config.beta,
        clips=_CLIPS[config.drawn],
        threshold=_THRESHOLDS[config.generator].format(threshold=spec.threshold),
        step=reached["step"],
        steps=config.steps,
        batch=config.batch,
        side_px=config.side_px,
        minutes=reached["seconds"] / 60,
        machine=reached["machine"],
        seed=config.seed,
        threads=config.threads,
        generator=config.generator,
        windows=windows,
        jaccard=reading.jaccard,
        detection_precision=reading.detection_precision,
        recall=reading.recall,
        precision_px=reading.precision_px,
        least_signal=spec.least_signal,
        limit=_LIMITS[config.generator],
    )
    (folder / CARD).write_text(text, encoding="utf-8")
