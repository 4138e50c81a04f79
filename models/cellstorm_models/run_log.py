"""What a training run tells of itself: a table, curves as an image, and TensorBoard's files where that is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

TABLE: Final = "log.csv"
CURVES: Final = "curves.png"
_TENSORBOARD: Final = "tensorboard"
_STEP: Final = "step"


@dataclass(frozen=True, slots=True)
class RunLog:
    """Of a kind of run: its columns, the first of them the step, and which are drawn together."""

    columns: tuple[str, ...]
    panels: tuple[tuple[str, ...], ...]  # four

    def begin(self, run: Path) -> None:
        """The head of the table."""
        (run / TABLE).write_text(",".join(self.columns) + "\n", encoding="utf-8")

    def write(self, run: Path, values: Sequence[float]) -> None:
        """A line of the table, and all curves anew."""
        with (run / TABLE).open("a", encoding="utf-8") as table:
            print(*(f"{value:.6g}" for value in values), sep=",", file=table)
        self._draw(run)
        self._tell_tensorboard(run, values)

    def _draw(self, run: Path) -> None:
        from matplotlib.figure import Figure  # slow to import, and serving needs nothing of this package

        rows = np.genfromtxt(run / TABLE, delimiter=",", names=True, ndmin=1)
        figure = Figure(figsize=(10, 6), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True)
        for panel, names in zip(panels.flat, self.panels, strict=True):
            for name in names:
                panel.plot(rows[_STEP], rows[name], label=name)
            panel.legend()
            panel.grid(alpha=0.3)
        for panel in panels[1]:
            panel.set_xlabel(_STEP)
        figure.savefig(run / CURVES, dpi=100)

    def _tell_tensorboard(self, run: Path, values: Sequence[float]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        with SummaryWriter(str(run / _TENSORBOARD)) as writer:
            for name, value in zip(self.columns[1:], values[1:], strict=True):
                writer.add_scalar(name, value, int(values[0]))
