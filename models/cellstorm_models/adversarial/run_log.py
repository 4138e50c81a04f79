"""What a run tells of itself: a table, curves as an image, and TensorBoard's files where that is installed."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

TABLE: Final = "log.csv"
CURVES: Final = "curves.png"
_TENSORBOARD: Final = "tensorboard"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One line: means since the line before of what training saw, and the fixed validation windows."""

    step: int
    minutes: float  # that the run has taken, of every session
    likeness: float  # equation 3 (pix2pix) or 2 (enhance), unweighted
    sparsity: float  # equation 4
    fooling: float  # the generator's side of equation 1; nan while it is off
    discriminator: float  # minus equation 1
    validation: float  # equations 3 and 4 as equation 5 weights them
    jaccard: float  # of the validation windows, as are the others
    detection_precision: float
    recall: float
    precision_px: float


def begin(run: Path) -> None:
    """The head of the table."""
    (run / TABLE).write_text(",".join(field.name for field in fields(Evaluation)) + "\n", encoding="utf-8")


def write(run: Path, evaluation: Evaluation) -> None:
    """A line of the table, and all curves anew."""
    with (run / TABLE).open("a", encoding="utf-8") as table:
        print(*(f"{value:.6g}" for value in astuple(evaluation)), sep=",", file=table)
    _draw(run)
    _tell_tensorboard(run, evaluation)


def _draw(run: Path) -> None:
    from matplotlib.figure import Figure  # slow to import, and serving needs nothing of this package

    rows = np.genfromtxt(run / TABLE, delimiter=",", names=True, ndmin=1)
    figure = Figure(figsize=(10, 6), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    groups = (("validation",), ("likeness", "sparsity"), ("fooling", "discriminator"), ("jaccard", "recall"))
    for panel, names in zip(panels.flat, groups, strict=True):
        for name in names:
            panel.plot(rows["step"], rows[name], label=name)
        panel.legend()
        panel.grid(alpha=0.3)
    for panel in panels[1]:
        panel.set_xlabel("step")
    figure.savefig(run / CURVES, dpi=100)


def _tell_tensorboard(run: Path, evaluation: Evaluation) -> None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return
    with SummaryWriter(str(run / _TENSORBOARD)) as writer:
        for field in fields(Evaluation)[1:]:
            value = getattr(evaluation, field.name)
            writer.add_scalar(field.name, value, evaluation.step)
