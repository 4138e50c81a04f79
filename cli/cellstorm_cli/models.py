"""`simulate`, `train` and `export`: the model's side of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from cellstorm.acquisitions import LEAST_THRESHOLD, MOST_THRESHOLD
from cellstorm.errors import InvalidSetting, RuntimeUnavailable
from cellstorm.scoring import write_truth
from cellstorm_models.optics import STRAY_SIGMA_PX
from cellstorm_models.structures import STRUCTURES, Structure

if TYPE_CHECKING:
    from cellstorm.generator import GeneratorSpec
    from cellstorm_models.training import Evaluation

_BENCH_PIXEL_SIZE_NM = 100.0
_console = Console(stderr=True)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for video.mp4 (or .tif), truth.csv and config.json.")],
    structure: Annotated[str, typer.Option(help=f"What is imaged: {', '.join(STRUCTURES)}.")] = "mixed",
    image: Annotated[Path | None, typer.Option(help="A picture, a logo: molecules where it is bright instead.")] = None,
    frames: Annotated[int, typer.Option(min=1)] = 500,
    size: Annotated[str, typer.Option(help="Width and height in pixels, even.")] = "128,128",
    photons: Annotated[float, typer.Option(min=1.0, help="Of an emitter that is on throughout a frame.")] = 1000.0,
    sigma_px: Annotated[
        float, typer.Option(min=0.5, max=STRAY_SIGMA_PX, help="Width of a spot, one sigma, in pixels.")
    ] = 1.4,
    pixel_size: Annotated[float, typer.Option(min=1.0, help="Camera pixel in the sample, nm.")] = 100.0,
    emitters: Annotated[float, typer.Option(min=0.0, help="That shine in a frame, on average.")] = 17.0,
    bleaching: Annotated[
        float | None,
        typer.Option(min=1.0, help="Frames after which a molecule is gone for good, on average; else never."),
    ] = None,
    background: Annotated[float, typer.Option(min=0.0, help="Photons per pixel.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same recording.")] = 0,
    crf: Annotated[int, typer.Option(min=0, max=51, help="x264's constant rate factor; higher is worse.")] = 18,
    bits_per_pixel: Annotated[float | None, typer.Option(min=0.001, help="Average bitrate, in place of crf.")] = None,
    scene_cuts: Annotated[
        bool, typer.Option(help="x264 may begin anew where it takes blinks for a cut, as it does unless told not to.")
    ] = False,
    uncompressed: Annotated[
        bool, typer.Option(help="The camera's own frames, as video.tif, in place of H.264.")
    ] = False,
) -> None:
    """Simulate a recording of blinking molecules, compressed as a phone does, with its truth."""
    import tifffile

    from cellstorm_models import simulation
    from cellstorm_models.compression import Compression, write_mp4

    width, height = _even_size(size)
    config = simulation.SimulationConfig(
        frames=frames,
        width=width,
        height=height,
        pixel_size_nm=pixel_size,
        structure=_structure(structure),
        emitters_per_frame=emitters,
        bleaching_frames=bleaching,
        photons=photons,
        psf_sigma_px=sigma_px,
        background_photons=background,
    )
    compression = None if uncompressed else Compression(crf=crf, bits_per_pixel=bits_per_pixel, scene_cuts=scene_cuts)
    picture = None if image is None else _picture(image)
    recording = simulation.simulate(config, np.random.default_rng(seed), picture)
    out.mkdir(parents=True, exist_ok=True)
    counts = recording.counts.astype(np.uint8)
    if compression is None:
        tifffile.imwrite(out / "video.tif", counts, photometric="minisblack")
    else:
        write_mp4(out / "video.mp4", counts, compression)
    write_truth(out / "truth.csv", recording.truth)
    settings = {
        "seed": seed,
        "image": image and image.name,
        "simulation": asdict(config),
        "compression": compression and asdict(compression),
    }
    (out / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _picture(path: Path) -> NDArray[np.float64]:
    """(rows, columns) brightness; what is transparent is dark."""
    try:
        with Image.open(path) as picture:
            on_black = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture.convert("RGBA"))
    except OSError as error:
        raise InvalidSetting(f"{path.name} is no picture that can be read; give a PNG or JPEG") from error
    brightness = np.asarray(on_black.convert("L"), np.float64)
    if not brightness.any():
        raise InvalidSetting(f"{path.name} is all black; molecules are put where a picture is bright: invert it")
    return brightness


def _even_size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidSetting(f"size {text!r} must be W,H in pixels, for example 128,128") from error
    if min(width, height) < 16 or width % 2 or height % 2:
        raise InvalidSetting(f"size {text!r}: H.264 needs an even width and height, at least 16 here")
    return width, height


def _structure(name: str) -> Structure:
    for structure in STRUCTURES:
        if structure == name:
            return structure
    raise InvalidSetting(f"there is no structure {name!r}; choose one of {', '.join(STRUCTURES)}")


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log and settings.")],
    generator: Annotated[
        str, typer.Option(help="default, or the paper's own: pix2pix, enhance; a resumed run's is known.")
    ] = "default",
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="Processor minutes, of all processes together; on a GPU by the clock; 38."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="In place of minutes; repeatable to the bit.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and steps, same generator.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Of the network; clips are made in processes besides.")] = 1,
    channels: Annotated[
        int | None, typer.Option(min=4, max=128, help="Of the default's first level: its width; 16.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, max=33, help="Frames that the default sees at a time; odd; 3.")
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Checkpoint (best.pt) of a network as large, or smaller, to begin with; a new schedule."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-6, max=0.1, help="Highest; 0.003, or 0.001 with --start-from.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Windows of a step; 32, of pix2pix and enhance 4.")] = None,
    side: Annotated[
        int | None,
        typer.Option(min=16, max=96, help="Of a window, camera pixels; 64. A multiple of 16, of enhance 32 at least."),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="That make clips.")] = 1,
    from_acquisition: Annotated[
        Path | None, typer.Option(help="Result folder of a good recording: every other clip is of it.")
    ] = None,
    video: Annotated[Path | None, typer.Option(help="That recording, where it is not video.mp4 in the folder.")] = None,
    pause_after: Annotated[
        float | None, typer.Option(min=0.0, help="Minutes after which pix2pix and enhance stop, to be resumed.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in the folder, with its own settings.")] = False,
) -> None:
    """Train a generator on simulated, compressed recordings, and on one of your own."""
    _needs_torch()
    if side is not None and side % 16:
        raise InvalidSetting(f"side {side}: windows are halved four times; choose a multiple of 16, for example 48")
    if context is not None and context % 2 == 0:
        raise InvalidSetting(f"context {context}: the frame in the middle is localized; choose an odd number")
    of_all: dict[str, object] = {"--steps": steps, "--batch": batch, "--side": side}
    of_default: dict[str, object] = {
        "--minutes": minutes,
        "--channels": channels,
        "--context": context,
        "--start-from": start_from,
        "--learning-rate": learning_rate,
        "--from-acquisition": from_acquisition,
        "--video": video,
    }
    if resume:
        _refuse(of_all | of_default, "a resumed run goes on with its own settings")
    from cellstorm_cli import adversarial
    from cellstorm_models import training
    from cellstorm_models.adversarial.config import is_adversarial
    from cellstorm_models.devices import default_device

    if generator != "default" or (resume and is_adversarial(out)):
        _refuse(of_default, f"it is of the default alone, and {generator} is trained as the paper says")
        adversarial.train(
            generator,
            out,
            steps=steps,
            batch=batch,
            side_px=side,
            seed=seed,
            threads=threads,
            processes=processes,
            pause_after=pause_after,
            resume=resume,
        )
        return
    _refuse(
        {"--pause-after": pause_after}, "it is of pix2pix and enhance; stop this run whenever you like, and --resume it"
    )
    if resume:
        trainer = training.resume(out, default_device())
    else:
        usual = training.TrainConfig()
        windows = batch or usual.batch
        config = training.TrainConfig(
            seed=seed,
            minutes=minutes or usual.minutes,
            steps=steps,
            channels=channels or usual.channels,
            context_frames=context or usual.context_frames,
            threads=threads,
            batch=windows,
            side_px=side or usual.side_px,
            pool_clips=max(usual.pool_clips, 2 * windows),
            learning_rate=learning_rate or (3e-3 if start_from is None else 1e-3),
            start_from=None if start_from is None else str(start_from),
            from_acquisition=None if from_acquisition is None else str(from_acquisition),
            video=None if video is None else str(video),
        )
        trainer = training.begin(out, config, default_device())
    trainer.run(out, _report, processes=processes)


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Options that would be ignored, where they were given.

    Raises
    ------
    InvalidSetting
        If one was.
    """
    for name, value in options.items():
        if value is not None:
            raise InvalidSetting(f"leave {name} out: {why}")


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    out: Annotated[Path, typer.Option(help="Folder of the package; the generator is named as it.")],
    version: Annotated[str, typer.Option(help="Of the generator, for example 0.1.0.")] = "0.1.0",
    threshold: Annotated[
        float | None,
        typer.Option(
            min=LEAST_THRESHOLD,
            max=MOST_THRESHOLD,
            help="Least probability that is reported; else the expected Jaccard's best.",
        ),
    ] = None,
    bench: Annotated[
        Path | None, typer.Option(help="Folder of videos with known truth, measured for the card.")
    ] = None,
) -> None:
    """Write a run's best generator as a bioimage.io package with weights.onnx and a card."""
    _needs_torch()
    from cellstorm_cli import adversarial
    from cellstorm_models.adversarial.config import is_adversarial
    from cellstorm_models.card import write_card
    from cellstorm_models.evaluation.pairs import bench_pairs
    from cellstorm_models.export import write_package
    from cellstorm_models.training import TrainConfig, best_network

    if is_adversarial(run):
        _refuse(
            {"--threshold": threshold, "--bench": bench},
            "pix2pix and enhance are read and measured on clips of their own",
        )
        _say_exported(out, adversarial.export(run, out, version=version))
        return
    pairs = (
        [] if bench is None else bench_pairs(bench, _BENCH_PIXEL_SIZE_NM)
    )  # what is missing is missed before the long part
    network, reached = best_network(run)
    spec = write_package(network, out, version=version, threshold=threshold)
    write_card(out, spec, TrainConfig.read(run), reached, pairs)
    _say_exported(out, spec)


def _say_exported(out: Path, spec: GeneratorSpec) -> None:
    _console.print(f"{out}: generator {spec.name} {spec.version}, SHA-256 {(spec.sha256 or '')[:12]}")


def _report(evaluation: Evaluation) -> None:
    _console.print(
        f"{evaluation.progress:4.0%}  step {evaluation.step}  {evaluation.minutes:.1f} minutes  "
        f"training {evaluation.train:.3f}  validation {evaluation.validation:.3f}"
    )


def _needs_torch() -> None:
    try:
        import torch  # noqa: F401  # whether it is there is the question
    except ImportError as error:
        raise RuntimeUnavailable("training and export need torch: pip install 'cellstorm[train]'") from error
