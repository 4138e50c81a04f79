"""Everything that a run depends on, in one printable value. Defaults are the paper's where it gives a figure."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, Literal, get_args

from cellstorm.errors import InvalidSetting
from cellstorm_models.adversarial.objectives import Weights
from cellstorm_models.clips import Clip, make_clip
from cellstorm_models.run_settings import is_run, read_settings
from cellstorm_models.variety import EVERYTHING, VISIBLE, Variety

Kind = Literal["pix2pix", "enhance"]
"""pix2pix: from a frame to a localization map on the upsampled grid. enhance: from a frame to a clean frame."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Drawn = Literal["everything", "visible"]
"""What a run draws its clips from: all that a generator may meet, as `default` does, or molecules that can be seen."""
_GENERATOR: Final = "generator"  # the setting that only these runs have
_VARIETIES: Final[dict[Drawn, Variety]] = {"everything": EVERYTHING, "visible": VISIBLE}


@dataclass(frozen=True, slots=True)
class AdversarialConfig:
    """One run. "Paper" is Diederich et al., PLoS ONE 14, e0209827, with its earlier version on bioRxiv."""

    generator: Kind
    seed: int = 2
    steps: int = 40_000  # the paper: 15,000 samples, 10 epochs, 4 at a time: 37,500
    batch: int = 4  # as the paper
    context_frames: int = 1  # both see a frame alone
    side_px: int = 64  # of a training window; 5x upsampled 320 pixels, the paper's are 256
    filters: int = 32  # of the first layer, of generator and discriminator, as the paper
    learning_rate: float = 1e-4  # as the paper; at 3e-4 and above, small trial runs never left the black picture
    beta: float = 0.25  # Adam's momentum, as the paper
    weights: Weights = field(default_factory=Weights)
    silent_steps: int = 1000  # first steps without the adversarial term, as the paper
    silent_every: int = 3  # afterwards it is left out of each so many, as the paper
    threads: int = 1  # of the networks, where they train on a processor; part of what makes a run repeatable
    drawn: Drawn = "everything"
    openh264: str | None = None  # the version that `begin` found; without it x264 makes the browser's clips, too
    pool_clips: int = 48  # windows of a batch come from these
    windows_per_clip: int = 40
    evaluate_every: int = 1000
    validation_clips: int = 32
    validation_windows: int = 128

    @classmethod
    def of(cls, generator: Kind) -> AdversarialConfig:
        """The paper's settings for that generator."""
        is_sparse = generator == "pix2pix"
        return cls(generator, weights=Weights.of(sparse=is_sparse), drawn="visible" if is_sparse else "everything")

    @property
    def variety(self) -> Variety:
        """What this run's clips are drawn from."""
        return _VARIETIES[self.drawn]

    def make_clip(self, seed: int, number: int) -> Clip:
        """The clip of that number, as this run draws them."""
        return make_clip(seed, number, self.variety)

    def adversarial(self, step: int) -> bool:
        """Whether the adversarial term counts in that step (from 0).

        The paper: "we kept lambda_cGAN = 0 for the first 1000 and then every third iterations".
        """
        return step >= self.silent_steps and (step - self.silent_steps) % self.silent_every != 0

    @classmethod
    def read(cls, run: Path) -> AdversarialConfig:
        """Of a run that was begun.

        Raises
        ------
        InvalidSetting
            If there is none in that folder, or it trains another kind of generator.
        """
        values = read_settings(run)
        if values.get(_GENERATOR) not in KINDS:
            raise InvalidSetting(f"{run} trains another kind of generator; name it with --generator")
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        return cls(**{**known, "weights": Weights(**values["weights"])})


def is_adversarial(run: Path) -> bool:
    """Whether the run in that folder, if any, is one of these."""
    return is_run(run) and read_settings(run).get(_GENERATOR) in KINDS
