"""`simulate`, `train` and `export`: the model's side of the command line."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from cellstorm.errors import InvalidSetting, RuntimeUnavailable
from cellstorm.scoring import write_truth

if TYPE_CHECKING:
    from cellstorm_models.training import Evaluation

_console = Console(stderr=True)


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log and settings.")],
    minutes: Annotated[float, typer.Option(min=0.01, help="Processor minutes, of all processes together.")] = 38.0,
    steps: Annotated[int | None, typer.Option(min=1, help="In place of minutes; repeatable to the bit.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed and steps, same generator.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Of the network; clips are made in a process besides.")] = 1,
    resume: Annotated[bool, typer.Option(help="Go on with the run in the folder, with its own settings.")] = False,
) -> None:
    """Train a generator on simulated, compressed recordings."""
    _needs_torch()
    from cellstorm_models import training

    if resume:
        trainer = training.resume(out)
    else:
        config = training.TrainConfig(seed=seed, minutes=minutes, steps=steps, threads=threads)
        trainer = training.begin(out, config)
    trainer.run(out, _report)


def _report(evaluation: Evaluation) -> None:
    _console.print(
        f"{evaluation.progress:4.0%}  step {evaluation.step}  {evaluation.cpu_minutes:.1f} processor minutes  "
        f"training {evaluation.train:.3f}  validation {evaluation.validation:.3f}"
    )


def _needs_torch() -> None:
    try:
        import torch  # noqa: F401  # whether it is there is the question
    except ImportError as error:
        raise RuntimeUnavailable("training and export need torch: pip install 'cellstorm[train]'") from error
