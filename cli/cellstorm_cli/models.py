"""`train` and `export`: how a generator is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cellstorm.acquisitions import LEAST_THRESHOLD, MOST_THRESHOLD
from cellstorm.errors import InvalidSetting, RuntimeUnavailable
from cellstorm.writing import check_writable

if TYPE_CHECKING:
    from cellstorm.generator import GeneratorSpec
    from cellstorm_models.training import Evaluation

_BENCH_PIXEL_SIZE_NM = 100.0
_console = Console(stderr=True)


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log and settings.")],
    generator: Annotated[
        str, typer.Option(help="default, or the paper's own: pix2pix, enhance; a resumed run's is known.")
    ] = "default",
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Processor minutes, of all processes together; on a GPU by the clock; 38 where not given."
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="In place of minutes; repeatable to the bit.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and steps, same generator.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Of the network; clips are made in processes besides.")] = 1,
    channels: Annotated[
        int | None, typer.Option(min=4, max=128, help="Of the default's first level: its width; 16 where not given.")
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(min=1, max=33, help="Frames that the default sees at a time, an odd number; 3 where not given."),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Checkpoint (best.pt) of a network as large, or smaller, to begin with; a new schedule."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-6, max=0.1, help="Highest; 0.003 where not given, 0.001 with --start-from.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Windows of a step; 32 where not given, of pix2pix and enhance 4.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=96,
            help="Of a window, camera pixels; 64 where not given. A multiple of 16, of enhance 32 at least.",
        ),
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
    check_writable(out)
    _check_window(side, context)
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
    from cellstorm_models.adversarial.config import is_adversarial

    if generator != "default" or (resume and is_adversarial(out)):
        _refuse(of_default, f"it is of the default alone, and {generator} is trained as the paper says")
        size = {"steps": steps, "batch": batch, "side_px": side}
        settings = {"seed": seed, "threads": threads, **_given(size)}
        adversarial.train(generator, out, settings, processes=processes, pause_after=pause_after, resume=resume)
        return
    _refuse(
        {"--pause-after": pause_after}, "it is of pix2pix and enhance; stop this run whenever you like, and --resume it"
    )
    optional = {
        "minutes": minutes,
        "steps": steps,
        "channels": channels,
        "context_frames": context,
        "batch": batch,
        "side_px": side,
        "start_from": start_from and str(start_from),
        "learning_rate": learning_rate,
        "from_acquisition": from_acquisition and str(from_acquisition),
        "video": video and str(video),
    }
    _train_default(out, {"seed": seed, "threads": threads, **_given(optional)}, processes=processes, resume=resume)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _check_window(side_px: int | None, context_frames: int | None) -> None:
    if side_px is not None and side_px % 16:
        raise InvalidSetting(f"side {side_px}: windows are halved four times; choose a multiple of 16, for example 48")
    if context_frames is not None and context_frames % 2 == 0:
        raise InvalidSetting(f"context {context_frames}: the frame in the middle is localized; choose an odd number")


def _train_default(out: Path, settings: Mapping[str, Any], *, processes: int, resume: bool) -> None:
    from cellstorm_models import training
    from cellstorm_models.devices import default_device

    if resume:
        trainer = training.resume(out, default_device())
    else:
        trainer = training.begin(out, training.TrainConfig.of(settings), default_device())
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
            help="Least probability that is reported; else by the expected efficiency.",
        ),
    ] = None,
    bench: Annotated[
        Path | None, typer.Option(help="Folder of videos with known truth, measured for the card.")
    ] = None,
) -> None:
    """Write a run's best generator as a bioimage.io package with weights.onnx and a card."""
    _needs_torch()
    check_writable(out)
    from cellstorm_cli import adversarial
    from cellstorm_models.adversarial.config import is_adversarial
    from cellstorm_models.card import write_card
    from cellstorm_models.evaluation.pairs import bench_pairs
    from cellstorm_models.export import write_package
    from cellstorm_models.run_settings import read_variety
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
    write_card(out, spec, TrainConfig.read(run), read_variety(run), reached, pairs)
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
        raise RuntimeUnavailable("training and export need torch: pip install '.[train]' in the clone") from error
