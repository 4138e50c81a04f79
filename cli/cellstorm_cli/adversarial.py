"""`train --generator pix2pix|enhance` and `export` of such a run: the paper's own generators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cellstorm.errors import InvalidSetting
from cellstorm.generator import GeneratorSpec

if TYPE_CHECKING:
    from cellstorm_models.adversarial.config import Kind
    from cellstorm_models.adversarial.progress import Evaluation

_LEAST_SIDE_PX = 32
_console = Console(stderr=True)


def train(
    generator: str,
    out: Path,
    settings: Mapping[str, Any],
    *,
    processes: int,
    pause_after: float | None,
    resume: bool,
) -> None:
    """Train one of the paper's generators, on a GPU where there is one, with the paper's figures but for the `settings`."""
    from cellstorm_models.adversarial import run
    from cellstorm_models.adversarial.config import AdversarialConfig
    from cellstorm_models.devices import default_device

    device = default_device()
    if resume:
        trainer = run.resume(out, device)
    else:
        config = replace(AdversarialConfig.of(_kind(generator)), **settings)
        if config.generator == "enhance" and config.side_px < _LEAST_SIDE_PX:
            raise InvalidSetting(
                f"side {config.side_px}: the discriminator sees windows of {_LEAST_SIDE_PX} pixels and more"
            )
        trainer = run.begin(out, config, device)
    trainer.run(out, _report, processes=processes, minutes=pause_after)
    if trainer.step < trainer.config.steps:
        _console.print(f"paused at step {trainer.step} of {trainer.config.steps}; go on with --resume")


def _kind(generator: str) -> Kind:
    from cellstorm_models.adversarial.config import KINDS

    for kind in KINDS:
        if kind == generator:
            return kind
    raise InvalidSetting(f"there is no generator {generator!r}; choose one of default, {', '.join(KINDS)}")


def export(run: Path, out: Path, *, version: str) -> GeneratorSpec:
    """Write the package of such a run."""
    from cellstorm_models.adversarial.package import write_package

    return write_package(run, out, version=version)


def _report(evaluation: Evaluation) -> None:
    _console.print(
        f"step {evaluation.step}  {evaluation.minutes:.1f} minutes  validation {evaluation.validation:.3f}  "
        f"Jaccard {evaluation.jaccard:.3f}  discriminator {evaluation.discriminator:.3f}"
    )
