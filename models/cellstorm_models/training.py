"""Training that can be stopped at any moment, resumed, and repeated.

Clips come from other processes, fresh all along, and each serves a few windows only: seeing the same data again makes
a network overconfident. Which clips a step sees follows from the seed and the step's number. On a processor a run with
`steps` is repeatable to the bit; one with `minutes` ends when they are spent: processor time, of all processes together,
or on a GPU time by the clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from cellstorm.errors import InvalidSetting
from cellstorm_models.browser_encoder import openh264_version
from cellstorm_models.clips import WindowBatch, make_clip, sample_windows
from cellstorm_models.devices import machine_name
from cellstorm_models.growing import take_over
from cellstorm_models.losses import Losses, emitter_losses, to_targets
from cellstorm_models.networks import EmitterNet
from cellstorm_models.recorded_clips import MixedClips
from cellstorm_models.run_log import RunLog
from cellstorm_models.run_settings import check_clips, read_settings, write_settings
from cellstorm_models.variety import EVERYTHING
from cellstorm_models.window_source import MakeClip, WindowSource

_VALIDATION_SEED: Final = 1_000_003  # the same clips for every run, so that runs compare
_RATE_OF_A_TRAINED_NETWORK: Final = 1e-3
_PROCESSOR: Final = torch.device("cpu")
_LAST, _BEST = "last.pt", "best.pt"
_LOG: Final = RunLog(
    ("step", "minutes", "learning_rate", "train", "validation", *(field.name for field in fields(Losses))),
    (("train", "validation"), ("count", "position"), ("pixel", "background", "psf"), ("learning_rate",)),
)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Defaults are the first released generator's; each checkpoint has its own beside it."""

    seed: int = 2
    minutes: float = 38.0  # processor time of all processes; on a GPU time by the clock
    steps: int | None = None  # in place of `minutes`
    channels: int = 16
    context_frames: int = 3
    threads: int = 1
    batch: int = 32
    side_px: int = 64
    pool_clips: int = 64  # windows of a batch come from these
    windows_per_clip: int = 60
    learning_rate: float = 3e-3
    start_from: str | None = None  # a checkpoint whose weights the run begins with, in place of random ones
    from_acquisition: str | None = None  # a result folder: every other clip is of its recording
    video: str | None = None  # that recording, where it is not video.mp4 in the folder
    warmup: float = 0.03  # share of the run
    exact_from: float = 0.9  # share of the run after which bfloat16 gives way to float32
    gradient_norm: float = 50.0
    pixel_weight: tuple[float, float] = (1.0, 0.2)  # of the per-pixel term, at the start and at the end
    openh264: str | None = None  # the version that `begin` found; without it x264 makes the browser's clips, too
    evaluate_every: int = 250
    validation_clips: int = 64
    validation_windows: int = 512

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TrainConfig:
        """These, and defaults: a trained network learns in smaller steps, and a wide batch draws on more clips."""
        usual = cls()
        rate = usual.learning_rate if settings.get("start_from") is None else _RATE_OF_A_TRAINED_NETWORK
        clips = max(usual.pool_clips, 2 * settings.get("batch", usual.batch))
        return replace(usual, **{"learning_rate": rate, "pool_clips": clips, **settings})

    @classmethod
    def read(cls, run: Path) -> TrainConfig:
        """Of a run that was begun.

        Raises
        ------
        InvalidSetting
            If there is none in that folder.
        """
        values = read_settings(run)
        values["pixel_weight"] = tuple(values["pixel_weight"])
        return cls(**{field.name: values[field.name] for field in fields(cls) if field.name in values})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a run reports each time it looks at the validation clips."""

    step: int
    progress: float
    minutes: float
    train: float
    validation: float


class Trainer:
    """One run: network, optimizer and how far it has come."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config = config
        self.step = 0
        self.spent_s = 0.0
        self.best = math.inf
        self._device = device
        self._make = _maker(config)
        self.net = EmitterNet(config.channels, config.context_frames)
        self.net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self._optimizer = torch.optim.AdamW(self.net.parameters(), config.learning_rate, weight_decay=1e-4)
        self._validation = _validation_batches(config)

    @property
    def progress(self) -> float:
        """0 at the start, 1 when the run is complete."""
        if self.config.steps is not None:
            return self.step / self.config.steps
        return self.spent_s / (60.0 * self.config.minutes)

    def run(self, folder: Path, report: Callable[[Evaluation], None], *, processes: int = 1) -> None:
        """Train until complete; a checkpoint and a line of the log at each evaluation. So many processes make clips."""
        recent: list[Tensor] = []
        with WindowSource(self.config, self.step, processes, self._make) as source:
            before_s = self.spent_s - self._spent_s(source)
            while self.progress < 1.0:
                recent.append(self._train(source.take()))
                self.step += 1
                self.spent_s = before_s + self._spent_s(source)
                if self.step % self.config.evaluate_every == 0 or self.progress >= 1.0:
                    report(self._evaluate(folder, torch.stack(recent).mean().item()))
                    recent.clear()

    def _spent_s(self, source: WindowSource) -> float:
        """Since some moment."""
        if self._device.type == "cuda":
            return time.monotonic()
        return time.process_time() + source.processor_s

    def _train(self, batch: WindowBatch) -> Tensor:
        """The loss; not yet a number, which the processor would have to wait for."""
        rate = self.config.learning_rate * _rate_share(self.progress, self.config.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        exact = self.progress >= self.config.exact_from
        loss = self._losses(batch, exact=exact).total(self._pixel_weight)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs leave it untyped
        clip_grad_norm_(self.net.parameters(), self.config.gradient_norm)
        self._optimizer.step()
        return loss.detach()

    @property
    def _pixel_weight(self) -> float:
        first, last = self.config.pixel_weight
        return first + (last - first) * min(1.0, self.progress)

    def _losses(self, batch: WindowBatch, *, exact: bool) -> Losses:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=not exact):
            output = self.net.emitters(torch.from_numpy(batch.windows).to(self._device))
        return emitter_losses(output, to_targets(batch, self._device))

    def _evaluate(self, folder: Path, train: float) -> Evaluation:
        with torch.no_grad():
            parts = [self._losses(batch, exact=True) for batch in self._validation]
        means = {
            field.name: float(np.mean([getattr(part, field.name).item() for part in parts])) for field in fields(Losses)
        }
        # weighted as at the run's end, whenever it is taken, so that one minimum can be told from another
        validation = float(np.mean([part.total(self.config.pixel_weight[1]).item() for part in parts]))
        rate = self.config.learning_rate * _rate_share(self.progress, self.config.warmup)
        row = (self.step, self.spent_s / 60, rate, train, validation, *means.values())
        _LOG.write(folder, row)
        improved = validation < self.best
        self.best = min(self.best, validation)
        if improved:
            self._save(folder / _BEST)
        self._save(folder / _LAST)  # after the best: whoever finds this one finds the best that it speaks of
        return Evaluation(self.step, self.progress, self.spent_s / 60, train, validation)

    def _save(self, path: Path) -> None:
        state = {
            "net": self.net.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": self.step,
            "spent_s": self.spent_s,
            "best": self.best,
            "machine": machine_name(self._device),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)  # a run killed while it writes keeps its last checkpoint

    def start_from(self, checkpoint: Path) -> None:
        """Take over another run's weights, of a network as large as this one or smaller, and nothing else.

        Raises
        ------
        InvalidSetting
            If they are of a larger one.
        """
        weights = _load(checkpoint, self._device)["net"]
        try:
            take_over(self.net, weights)
        except ValueError as error:
            raise InvalidSetting(
                f"{checkpoint} does not fit into a network of {self.config.channels} channels and "
                f"{self.config.context_frames} frames; give --channels and --context that it fits into"
            ) from error

    def restore(self, folder: Path) -> None:
        """Go on from the last checkpoint."""
        state = _load(folder / _LAST, self._device)
        self.net.load_state_dict(state["net"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self.spent_s, self.best = state["step"], state["spent_s"], state["best"]


def begin(folder: Path, config: TrainConfig, device: torch.device = _PROCESSOR) -> Trainer:
    """A new run in `folder`.

    Raises
    ------
    InvalidSetting
        If a run has been begun there, the checkpoint to start from does not fit, or the recording cannot be learned from.
    """
    if (folder / _LAST).exists():
        raise InvalidSetting(
            f"{folder} already holds a training run; add --resume to go on with it, or choose another folder"
        )
    config = replace(config, openh264=openh264_version())
    trainer = _at_its_start(config, device)
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(folder, asdict(config), EVERYTHING)
    _LOG.begin(folder)
    return trainer


def resume(folder: Path, device: torch.device = _PROCESSOR) -> Trainer:
    """The run in `folder`, where it last saved itself; at its start, where it was stopped before that.

    Raises
    ------
    InvalidSetting
        If there is none, or its clips were others than would be drawn here and now.
    """
    config = TrainConfig.read(folder)
    check_clips(folder, EVERYTHING, instead=f"begin a new run with --start-from {folder / _BEST}")
    if not (folder / _LAST).exists():
        return _at_its_start(config, device)
    trainer = Trainer(config, device)
    trainer.restore(folder)
    return trainer


def _at_its_start(config: TrainConfig, device: torch.device) -> Trainer:
    trainer = Trainer(config, device)
    if config.start_from is not None:
        trainer.start_from(Path(config.start_from))
    return trainer


def best_network(folder: Path) -> tuple[EmitterNet, dict[str, Any]]:
    """The network of a run that did best in validation, and its checkpoint's `step`, `spent_s`, `best` and `machine`."""
    config = TrainConfig.read(folder)
    state = _load(folder / _BEST, _PROCESSOR)
    net = EmitterNet(config.channels, config.context_frames)
    net.load_state_dict(state["net"])
    return net.eval(), {key: state[key] for key in ("step", "spent_s", "best", "machine")}


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InvalidSetting(f"{path} is missing; train until the first evaluation at least") from error
    return state


def _rate_share(progress: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine to zero: the end at small steps is what makes positions precise."""
    if progress < warmup:
        return progress / warmup + 1e-3
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (progress - warmup) / (1.0 - warmup))))


def _maker(config: TrainConfig) -> MakeClip:
    if config.from_acquisition is None:
        return make_clip
    video = None if config.video is None else Path(config.video)
    return MixedClips(Path(config.from_acquisition), video)


def _validation_batches(config: TrainConfig) -> list[WindowBatch]:
    clips = [make_clip(_VALIDATION_SEED, number) for number in range(config.validation_clips)]
    rng = np.random.default_rng(_VALIDATION_SEED)
    count = max(1, config.validation_windows // config.batch)
    context = config.context_frames
    return [sample_windows(clips, config.batch, config.side_px, rng, context_frames=context) for _ in range(count)]
