"""A generator's card: what it was trained on, what it reaches, where it ends."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cellstorm.generator import GeneratorSpec
from cellstorm.scoring import DEFAULT_TOLERANCE_NM, Score
from cellstorm.zoo import CARD, WEIGHTS
from cellstorm_models.compression import Compression
from cellstorm_models.evaluation.exported import (
    ExportedGenerator,
    milliseconds_per_frame,
    phantoms,
    score_bench,
    score_simulated,
)
from cellstorm_models.evaluation.pairs import Pair
from cellstorm_models.judges import KINDS
from cellstorm_models.simulation import SimulationConfig
from cellstorm_models.training import TrainConfig
from cellstorm_models.variety import Variety

_EMPTY: Final = (*(Compression(crf=crf) for crf in (18, 23, 28, 33)), Compression(bits_per_pixel=0.1))
_PSF_SIGMAS_PX: Final = (1.0, 1.2, 1.4, 1.6, 1.8)

_IN_WORDS: Final = {3: "three", 5: "five", 17: "seventeen"}
_TEXT: Final = """\
# cellSTORM generator `{name}`

Version {version}. A U-Net of three levels at camera resolution ({channels} channels in the first) that sees {context} consecutive
frames in counts and predicts, for each pixel of the middle one, an emitter's probability, position, signal, background,
uncertainties and spot width. Normalisation is inside the graph. Threshold of the probability: {threshold}.

## Training
{recordings}, {plain:.0%} of them plain: round spots of {psf} pixels, {photons} photons, {background}
background photons per pixel, {emitters} emitters in 128x128 pixels, 8-bit cameras of many gains and offsets and some of
16 bits, through x264 (constant rate factors {crf}, average bitrates of {rates} bits per pixel, {pressed:.0%} of
them pressed hard; key frames {keys} frames apart, or wherever x264 takes noise for a cut). The others have, each with its own
chance: astigmatism, halos, emitters in depth and far out of focus; drift, changing light, black level and background, periodic
drops; structure in the background, fixed pattern,
hot pixels; a phone's scaling, denoising, sharpening, tone curve, clipped blacks, repeated and dropped frames; live
streams (constant bitrate, a key frame a second; {browser}) and encoding twice. {empty:.0%} are empty or nearly so. Every
clip is fresh; `cellstorm_models/variety.py` holds every range. The loss is the likelihood of the truth (after DECODE,
Speiser et al. 2021).
Afterwards a judge (`cellstorm/judging.py`) was fitted on {clips} clips that training never saw: by what 32 frames show together
it revises each candidate's probability, so that it is how often such candidates are right, and its precision, so that 68 % of errors
are below it; a tenth larger than that, for caution.

{minutes:.1f} {kind} minutes, {step} steps of {batch} windows, on {machine}; seed {seed}; {beginning};
validation loss {best:.3f}. To repeat: `cellstorm train --out RUN --seed {seed}{options}`.

## Measured
Optimal matching within {tolerance:.0f} nm; each video as one chunk. At the edges of chunks (a second apart in a live stream,
some two seconds in a file) context is repeated, which costs the faintest a hundredth or two (`docs/evaluation`).
{milliseconds:.1f} ms of processor time for a frame of 128x128 pixels, on one core.

{tables}
## Limits
What it finds of faint molecules at which quality, the tables above tell; two spots
within about two pixels are often taken for one. What is reported depends on what 32 frames show together
(`docs/decisions/0015-a-judge-learned-what-a-chunk-tells.md`): a faint molecule is left out where hardly another one shines,
and kept in a crowd. At 50 photons the photons of those it does find are too many. The share of errors within the stated sigma
(0.68 would be true) is lowest where spots overlap and are hard-compressed, or come from an encoder that it does not know.
Spots narrower than 0.95 or wider than 2.6 pixels, a phone's temporal denoising, and anything that is not a spot (fiducials
that never blink, dust, a barcode), are outside its training.
"""


def write_card(
    folder: Path,
    spec: GeneratorSpec,
    config: TrainConfig,
    variety: Variety,
    reached: Mapping[str, Any],
    bench: Sequence[Pair],
) -> None:
    """Measure the package in `folder` and write its README.md; `variety` is what its training drew from."""
    generator = ExportedGenerator(folder / WEIGHTS)
    tables = [_psf_table(generator, spec), _empty_table(generator, spec)]
    if bench:
        figures = score_bench(generator, spec, bench)
        tables.insert(0, _table("benchmark video", ((figure.video, figure.score) for figure in figures)))
    chances = variety.chance_of
    least_rate = variety.pressed_bits_per_pixel[0] if chances.pressed else variety.bits_per_pixel[0]
    text = _TEXT.format(
        recordings="Simulated recordings"
        if config.from_acquisition is None
        else "A recording and, half of all, simulated ones",
        plain=chances.plain,
        pressed=chances.pressed,
        empty=chances.empty + chances.sparse,
        psf=_span(variety.psf_sigma_px),
        photons=_span(variety.photons),
        background=_span(variety.background_photons),
        emitters=_span(variety.emitters),
        crf=_span(variety.crf),
        rates=_span((least_rate, variety.bits_per_pixel[1])),
        keys=_span(variety.key_interval),
        name=spec.name,
        version=spec.version,
        threshold=spec.threshold_in_words,
        channels=config.channels,
        context=_IN_WORDS.get(config.context_frames, str(config.context_frames)),
        batch=config.batch,
        seed=config.seed,
        browser="x264, baseline" if config.openh264 is None else f"OpenH264 {config.openh264}, as Chromium drives it",
        beginning="from random weights" if config.start_from is None else "from another run's weights",
        options=_options(config),
        minutes=reached["spent_s"] / 60,
        kind="processor" if reached["machine"] == platform.machine() else "clock",
        step=reached["step"],
        best=reached["best"],
        machine=reached["machine"],
        clips=sum(kind.clips for kind in KINDS),
        tolerance=DEFAULT_TOLERANCE_NM,
        milliseconds=milliseconds_per_frame(generator),
        tables="\n".join(tables),
    )
    (folder / CARD).write_text(text, encoding="utf-8")


def _span(between: tuple[float, float]) -> str:
    return f"{between[0]:g} to {between[1]:g}"


def _options(config: TrainConfig) -> str:
    """Those of `train` that were not the defaults."""
    usual = TrainConfig()
    options = {
        "steps": config.steps,
        "minutes": None if config.steps else f"{config.minutes:g}",
        "threads": _unless(usual.threads, config.threads),
        "channels": _unless(usual.channels, config.channels),
        "context": _unless(usual.context_frames, config.context_frames),
        "learning-rate": f"{config.learning_rate:g}",
        "batch": _unless(usual.batch, config.batch),
        "side": _unless(usual.side_px, config.side_px),
        "start-from": config.start_from and "CHECKPOINT",
        "from-acquisition": config.from_acquisition and "FOLDER",
        "video": config.video and "VIDEO",
    }
    return "".join(f" --{name} {value}" for name, value in options.items() if value is not None)


def _unless(usual: int, value: int) -> int | None:
    return None if value == usual else value


def _psf_table(generator: ExportedGenerator, spec: GeneratorSpec) -> str:
    base = SimulationConfig(frames=200, photons=1000.0)
    rows = (
        (
            f"sigma {sigma:.1f} pixels",
            score_simulated(generator, spec, replace(base, psf_sigma_px=sigma), Compression(crf=18), seed=5),
        )
        for sigma in _PSF_SIGMAS_PX
    )
    return _table("`cellstorm simulate`, 1000 photons, CRF 18", rows)


def _empty_table(generator: ExportedGenerator, spec: GeneratorSpec) -> str:
    lines = ["| 200 frames without emitters | phantoms |", "|---|---|"]
    for compression in _EMPTY:
        rate = compression.bits_per_pixel
        name = f"CRF {compression.crf}" if rate is None else f"{rate} bits per pixel"
        lines.append(f"| {name} | {phantoms(generator, spec, compression)} |")
    return "\n".join(lines) + "\n"


def _table(title: str, rows: Iterable[tuple[str, Score]]) -> str:
    lines = [
        f"| {title} | Jaccard | detection precision | recall | RMSE, nm | errors within one sigma | photons, median ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, score in rows:
        cells = (score.rmse_lateral_nm, score.within_one_sigma, score.photon_ratio_median)
        rmse, within, photons = (
            "-" if value is None else f"{value:.{digits}f}" for value, digits in zip(cells, (1, 2, 2), strict=True)
        )
        lines.append(
            f"| {name} | {score.jaccard:.3f} | {score.detection_precision:.3f} | {score.recall:.3f} | {rmse} | {within} | {photons} |"
        )
    return "\n".join(lines) + "\n"
