"""A training run of generator against discriminator: stopped at any moment, resumed, repeated.

It loses at most the steps since its last evaluation. On a processor the same seed gives the same network to the bit, however
often the run was interrupted; on a GPU sums are added in any order. bfloat16 is used for all but the light itself: processors
that know it train 1.7 times as fast.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from cellstorm.errors import InvalidSetting
from cellstorm_models.adversarial.config import AdversarialConfig
from cellstorm_models.adversarial.discriminator import PatchGan
from cellstorm_models.adversarial.objectives import (
    GeneratorLosses,
    adversarial_value,
    blurred,
    fooling_loss,
    likeness_loss,
    sparsity_loss,
)
from cellstorm_models.adversarial.progress import LOG, Evaluation
from cellstorm_models.adversarial.reading import measure
from cellstorm_models.adversarial.targets import Scene, target
from cellstorm_models.adversarial.unet import Frame, FrameNet
from cellstorm_models.browser_encoder import openh264_version
from cellstorm_models.clips import WindowBatch, sample_windows
from cellstorm_models.devices import machine_name
from cellstorm_models.run_settings import check_clips, write_settings
from cellstorm_models.window_source import MakeClip, WindowSource

LAST: Final = "last.pt"
BEST: Final = "best.pt"
_VALIDATION_SEED: Final = 1_000_003  # the same clips for every run, so that runs compare
_NAMES: Final = ("likeness", "sparsity", "fooling", "discriminator")


class Trainer:
    """One run: both networks, their optimizers, and how far it has come."""

    def __init__(self, config: AdversarialConfig, device: torch.device, make: MakeClip | None) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config = config
        self.step = 0
        self.best = -math.inf
        self._device = device
        self._make = make or config.make_clip
        self._seconds = 0.0
        self.net = FrameNet(config.generator, config.filters)
        self._discriminator = PatchGan(config.filters)
        for network in (self.net, self._discriminator):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self._optimizers = {
            name: torch.optim.Adam(network.parameters(), config.learning_rate, betas=(config.beta, 0.999))
            for name, network in (("generator", self.net), ("discriminator", self._discriminator))
        }
        self._validation = _validation_batches(config, self._make)

    def run(
        self, folder: Path, report: Callable[[Evaluation], None], *, processes: int, minutes: float | None = None
    ) -> None:
        """Train to the last step, or for so many minutes of this call; a checkpoint at each evaluation."""
        began, before = time.monotonic(), self._seconds
        recent: list[dict[str, Tensor]] = []
        with WindowSource(self.config, self.step, processes, self._make) as source:
            while self.step < self.config.steps:
                recent.append(self._train(source.take()))
                self.step += 1
                self._seconds = before + time.monotonic() - began
                time_is_up = minutes is not None and time.monotonic() - began > 60.0 * minutes
                if self.step % self.config.evaluate_every == 0 or self.step == self.config.steps or time_is_up:
                    report(self._evaluate(folder, recent))
                    recent.clear()
                if time_is_up:
                    return

    def _train(self, batch: WindowBatch) -> dict[str, Tensor]:
        """One step of each player; the discriminator rests where the adversarial term is off, as equation 5 has it."""
        seen, truth, picture = self._pictures(batch)
        true_view, view = self._view(truth), self._view(picture)
        fooling, judged = None, None
        if self.config.adversarial(self.step):
            judged = -self._value(seen, true_view, view.detach())
            _descend(self._optimizers["discriminator"], judged)
            fooling = self._fooling(seen, view)
        losses = GeneratorLosses(likeness_loss(true_view, view), sparsity_loss(picture), fooling)
        _descend(self._optimizers["generator"], losses.total(self.config.weights))
        values = (losses.likeness, losses.sparsity, fooling, judged)
        # not yet numbers: to fetch them, the processor would have to wait for the GPU
        return {name: value.detach() for name, value in zip(_NAMES, values, strict=True) if value is not None}

    def _pictures(self, batch: WindowBatch) -> tuple[Tensor, Tensor, Tensor]:
        """The paper's x, y and G(x)."""
        scene = Scene.of(batch, self._device)
        frame = Frame.of(scene.counts)
        seen = self.net.seen(frame)
        with self._autocast():
            picture = self.net.picture(seen)
        return seen, target(self.net, scene, frame), picture

    def _view(self, picture: Tensor) -> Tensor:
        """What is compared and judged: of a map, its blurred self, as in equation 3 and in the authors' code."""
        return blurred(picture) if self.net.output == "map" else picture

    def _fooling(self, seen: Tensor, picture: Tensor) -> Tensor:
        """The discriminator judges, and learns nothing from it."""
        weights = {name: weight.detach() for name, weight in self._discriminator.named_parameters()}
        with self._autocast():
            return fooling_loss(functional_call(self._discriminator, weights, (seen, picture)))

    def _value(self, seen: Tensor, truth: Tensor, picture: Tensor) -> Tensor:
        with self._autocast():
            return adversarial_value(self._discriminator(seen, truth), self._discriminator(seen, picture))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16)

    def _evaluate(self, folder: Path, recent: list[dict[str, Tensor]]) -> Evaluation:
        means = {name: _mean([values[name] for values in recent if name in values]) for name in _NAMES}
        with torch.no_grad():
            parts = [self._validation_loss(batch) for batch in self._validation]
        reading = measure(self.net, self._validation)
        evaluation = Evaluation(
            step=self.step,
            minutes=self._seconds / 60.0,
            **means,
            validation=float(np.mean(parts)),
            jaccard=reading.jaccard,
            detection_precision=reading.detection_precision,
            recall=reading.recall,
            precision_px=reading.precision_px,
        )
        improved = reading.efficiency > self.best
        self.best = max(self.best, reading.efficiency)
        LOG.write(folder, astuple(evaluation))
        if improved:
            _save(folder / BEST, {"generator": self.net.state_dict(), **self._progress()})
        _save(folder / LAST, self._state())
        return evaluation

    def _validation_loss(self, batch: WindowBatch) -> float:
        _, truth, picture = self._pictures(batch)
        losses = GeneratorLosses(likeness_loss(self._view(truth), self._view(picture)), sparsity_loss(picture), None)
        return losses.total(self.config.weights).item()

    def _progress(self) -> dict[str, Any]:
        machine = machine_name(self._device)
        return {"step": self.step, "seconds": self._seconds, "best": self.best, "machine": machine}

    def _state(self) -> dict[str, Any]:
        return {
            "generator": self.net.state_dict(),
            "discriminator": self._discriminator.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()},
            **self._progress(),
        }

    def restore(self, folder: Path) -> None:
        """Go on from the last checkpoint."""
        state = _load(folder / LAST, self._device)
        self.net.load_state_dict(state["generator"])
        self._discriminator.load_state_dict(state["discriminator"])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step, self._seconds, self.best = state["step"], state["seconds"], state["best"]


def begin(folder: Path, config: AdversarialConfig, device: torch.device, make: MakeClip | None = None) -> Trainer:
    """A new run in `folder`; on clips that `make` makes, in place of those that the settings name.

    Raises
    ------
    InvalidSetting
        If a run has been begun there.
    """
    if (folder / LAST).exists():
        raise InvalidSetting(
            f"{folder} already holds a training run; add --resume to go on with it, or choose another folder"
        )
    config = replace(config, openh264=openh264_version())
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, asdict(config), config.variety)
    LOG.begin(folder)
    return Trainer(config, device, make)


def resume(folder: Path, device: torch.device, make: MakeClip | None = None) -> Trainer:
    """The run in `folder`, where it last saved itself.

    Raises
    ------
    InvalidSetting
        If there is none, or its clips were others than would be drawn here and now.
    """
    config = AdversarialConfig.read(folder)
    check_clips(folder, config.variety, instead="begin a new run in another folder")
    trainer = Trainer(config, device, make)
    if (folder / LAST).exists():
        trainer.restore(folder)
    return trainer


def best_network(folder: Path) -> tuple[FrameNet, dict[str, Any]]:
    """The network of a run that did best in validation, and its checkpoint's `step`, `seconds`, `best` and `machine`."""
    config = AdversarialConfig.read(folder)
    state = _load(folder / BEST, torch.device("cpu"))
    net = FrameNet(config.generator, config.filters)
    net.load_state_dict(state["generator"])
    return net.eval(), {key: state[key] for key in ("step", "seconds", "best", "machine")}


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs leave it untyped
    optimizer.step()


def _mean(values: list[Tensor]) -> float:
    return torch.stack(values).mean().item() if values else math.nan


def _validation_batches(config: AdversarialConfig, make: MakeClip) -> list[WindowBatch]:
    clips = [make(_VALIDATION_SEED, number) for number in range(config.validation_clips)]
    rng = np.random.default_rng(_VALIDATION_SEED)
    count = max(1, config.validation_windows // config.batch)
    context = config.context_frames
    return [sample_windows(clips, config.batch, config.side_px, rng, context_frames=context) for _ in range(count)]


def _save(path: Path, state: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)  # a run killed while it writes keeps its last checkpoint


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InvalidSetting(f"{path} is missing; train until the first evaluation at least") from error
    return state
