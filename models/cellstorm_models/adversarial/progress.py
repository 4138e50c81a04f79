"""What a run of generator against discriminator reports as it goes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from cellstorm_models.run_log import RunLog


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


LOG: Final = RunLog(
    tuple(field.name for field in fields(Evaluation)),
    (("validation",), ("likeness", "sparsity"), ("fooling", "discriminator"), ("jaccard", "recall")),
)
