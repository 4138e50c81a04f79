"""The last step before export: a judge for a generator, fitted on recordings that its training never saw.

A network that is trained for minutes on windows says too little of itself where molecules are faint and many, and too much where
they are few; its uncertainties are too small where video is pressed hard. What a group of frames shows tells which it is, and
the judge learns to tell (cellstorm/judging.py): probabilities by their likelihood, one sigma as the distance
below which 68 % of errors lie, as of a Gaussian. Recordings count less than in proportion to their candidates: else
the densest alone would be heard.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cellstorm.camera import Camera
from cellstorm.judging import CANDIDATE_FEATURES, FARTHEST, FEATURES, GROUP_FEATURES, Judge, features, overlaps
from cellstorm.scoring import CARE_ON, DEFAULT_TOLERANCE_NM, TRUTH, Truth, matches
from cellstorm_models.clips import Clip, make_clip
from cellstorm_models.evaluation.exported import ExportedGenerator
from cellstorm_models.variety import EVERYTHING, Chances, Variety

JUDGE_SEED: Final = 1_000_033


@dataclass(frozen=True, slots=True)
class Kind:
    """Clips that a judge is fitted on: how many, and how much each counts."""

    variety: Variety
    clips: int
    weight: float = 1.0


_EMPTY: Final = Variety(
    chance_of=Chances(empty=1.0, deep=0.0, uncompressed=0.0, scene_cuts=0.2, live=0.2),
    empty_crf=(24, 31),
    empty_bits_per_pixel=(0.06, 0.2),
)
"""Noise alone, at the qualities at which x264 carries bumps of it along for a second as if they were molecules. Among clips of all
sorts so few are such that a judge sees none of it."""
_FAINT: Final = Variety(
    chance_of=Chances(empty=0.0, sparse=0.0, deep=0.0, uncompressed=0.03), photons=(40, 160), emitters=(4, 40)
)
"""Molecules that a network gives small odds each: that they are many tells them from noise. Without these clips a judge that has seen
so much noise takes them for it (Jaccard .21, with them .25, on `p50_crf18`)."""
_DENSE: Final = Variety(
    chance_of=Chances(empty=0.0, sparse=0.0), emitters=(100, 900), photons=(100, 3000), fluorophores=(1000, 20_000)
)
"""Up to five in a square micrometre, more than training has: of a crowd a judge that never saw one reports a fourth, with 1 % phantoms.
With these at full weight, .007 of Jaccard is lost on `chromium`."""
KINDS: Final = (Kind(EVERYTHING, 800), Kind(_EMPTY, 440, 2.0), Kind(_FAINT, 300, 2.0), Kind(_DENSE, 160, 0.1))
"""The first are some 2100 groups of frames: with 160 recordings in place of 560 the faintest lost a tenth of what a judge gains."""

_HIDDEN: Final = 16
_EPOCHS: Final = 60
_GROUPS_OF_A_STEP: Final = 16
_RATE: Final = 0.02
_DECAY: Final = 0.05
_GAUSSIAN_SHARE: Final = 0.6827
_CAUTION: Final = 1.1
"""On every sigma: on recordings that others simulated (the reference videos) the shares came out some hundredths lower than on
our own, and an uncertainty that is stated too small misleads more than one that is stated too large."""
_SPARSE: Final = 2.0 / 128**2  # emitters per frame and pixel
_SPARSE_WEIGHT: Final = 6.0
"""A phantom is worse where there is nothing else: at 1, 3 phantoms in 100 empty frames for 1, at 20 a quarter fewer of the faintest."""
_LENGTHS: Final = ((32, 8), (32, 7, 1), (32, 6, 2), (32, 5, 3))
"""Frames of a clip's groups, by turns: what is left of a chunk after its last full group may be of any length. Not to a
clip's end: far from key frames ghosts are so many that a judge distrusts what a browser sends, with a key frame a second (Jaccard .752
for .767 on `chromium`)."""
_DAMPING: Final = (10.0, 0.7)  # a group counts in proportion to its candidates over (that many + candidates) ** power
_LEAST_SPREAD: Final = 0.05  # of any input: where all were the same, a little more or less tells nothing
_LEAST_ERROR_PX: Final = 1e-3
_DIGITS: Final = 6
_PIXEL_SIZE_NM: Final = 100.0
_COUNTS: Final = Camera(gain=1.0, offset=0.0, read_noise=0.0)


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """Candidates of a group of frames, and what they are; n of them."""

    inputs: NDArray[np.float64]  # (n, len(FEATURES))
    overlap: NDArray[np.float64]  # (n,)
    counted: NDArray[np.bool_]  # (n,) False where one found an emitter not to care for
    right: NDArray[np.bool_]  # (n,)
    error_px: NDArray[np.float64]  # (n, 2) absolute, in x and y; of those that are right
    weight: float


def fit_judge(generator: ExportedGenerator, clips: Iterable[Clip] | None = None) -> Judge | None:
    """For that generator; None where it finds nothing that could be judged."""
    weighted = _usual_clips() if clips is None else ((clip, 1.0) for clip in clips)
    groups = [
        group
        for (clip, weight), lengths in zip(weighted, itertools.cycle(_LENGTHS), strict=False)
        for group in _groups(generator, clip, weight, lengths)
    ]
    return fit(groups) if any(group.right.any() for group in groups) else None


def _usual_clips() -> Iterator[tuple[Clip, float]]:
    """With their weights."""
    for place, kind in enumerate(KINDS):
        yield from ((make_clip(JUDGE_SEED + place, number, kind.variety), kind.weight) for number in range(kind.clips))


def fit(groups: Sequence[JudgedGroup]) -> Judge:
    """The judge that makes probabilities and precisions of those groups true; always the same."""
    own = len(GROUP_FEATURES)
    of_groups = np.stack([group.inputs[0, :own] for group in groups])
    of_candidates = np.concatenate([group.inputs[:, own:] for group in groups])
    centre = np.concatenate([of_groups.mean(axis=0), of_candidates.mean(axis=0)])
    spread = np.maximum(np.concatenate([of_groups.std(axis=0), of_candidates.std(axis=0)]), _LEAST_SPREAD)
    with _one_thread():
        net = _trained([_Tensors.of(group, centre, spread) for group in groups])
    with torch.no_grad():
        net.output.bias[1] += float(np.log(_CAUTION))
    of_logit, of_sigma = _rows(net.output)
    (overlap,) = _rounded(net.overlap.detach().numpy())
    return Judge(
        centre=_rounded(centre),
        spread=_rounded(spread),
        hidden=tuple(_rows(net.hidden)),
        output=(of_logit, of_sigma),
        overlap=overlap,
    )


@dataclass(frozen=True, slots=True)
class _Tensors:
    """A JudgedGroup for torch, inputs standardised, with the generator's own logit and log sigma."""

    inputs: Tensor
    overlap: Tensor
    logit: Tensor
    log_sigma: Tensor
    counted: Tensor
    right: Tensor
    error_px: Tensor
    weight: Tensor  # (n,)

    @classmethod
    def of(cls, group: JudgedGroup, centre: NDArray[np.float64], spread: NDArray[np.float64]) -> _Tensors:
        standard = np.clip((group.inputs - centre) / spread, -FARTHEST, FARTHEST)
        own = {name: group.inputs[:, len(GROUP_FEATURES) + at] for at, name in enumerate(CANDIDATE_FEATURES)}
        return cls(
            *_floats(standard, group.overlap, own["logit"], own["precision"]),
            *_floats(group.counted, group.right, group.error_px, np.full(len(group.right), group.weight)),
        )

    @classmethod
    def joined(cls, parts: Sequence[_Tensors]) -> _Tensors:
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__slots__))


def _floats(*arrays: NDArray[np.generic]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    first, second, third, fourth = (torch.from_numpy(array.astype(np.float32)) for array in arrays)
    return first, second, third, fourth


class _JudgeNet(nn.Module):
    """What `Judge.revise` computes, from standardised inputs; at first, everything stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.hidden = nn.Linear(len(FEATURES), _HIDDEN)
            self.output = nn.Linear(_HIDDEN, 2)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        self.overlap = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor, overlap: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) What is added to the logit, and to the logarithm of sigma."""
        of_logit, of_sigma = self.output(torch.tanh(self.hidden(inputs))).unbind(dim=1)
        return of_logit, of_sigma + self.overlap * overlap


@contextmanager
def _one_thread() -> Iterator[None]:
    """So small a network takes several times as long on several, where other work keeps one of them waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _trained(groups: Sequence[_Tensors]) -> _JudgeNet:
    net = _JudgeNet()
    steps = -(-len(groups) // _GROUPS_OF_A_STEP)
    optimizer = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_EPOCHS * steps)
    rng = np.random.default_rng(0)
    for _ in range(_EPOCHS):
        for chosen in np.array_split(rng.permutation(len(groups)), steps):
            optimizer.zero_grad()
            loss = _loss(net, _Tensors.joined([groups[index] for index in chosen])) / len(chosen)
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own stubs leave it untyped
            optimizer.step()
            schedule.step()
    return net


def _loss(net: _JudgeNet, group: _Tensors) -> Tensor:
    of_logit, of_sigma = net(group.inputs, group.overlap)
    logit = group.logit + of_logit
    entropy = functional.binary_cross_entropy_with_logits(logit, group.right, reduction="none")
    over = torch.log(torch.clamp(group.error_px, min=_LEAST_ERROR_PX)) - (group.log_sigma + of_sigma)[:, None]
    # the quantile of a distribution is where this is least (Koenker & Bassett, Econometrica 1978)
    quantile = torch.maximum(_GAUSSIAN_SHARE * over, (_GAUSSIAN_SHARE - 1.0) * over).mean(dim=1)
    reported = torch.sigmoid(logit).detach()  # errors of what is not reported are nobody's concern
    return (group.weight * group.counted * (entropy + group.right * reported * quantile)).sum()


def _groups(
    generator: ExportedGenerator, clip: Clip, clip_weight: float, lengths: Sequence[int]
) -> Iterator[JudgedGroup]:
    """Of the clip, as long as these; those that hold candidates."""
    clip = _beginning(clip, sum(lengths))
    table, truth = generator.candidates(clip.counts, camera=_COUNTS, pixel_size_nm=_PIXEL_SIZE_NM), _truth(clip)
    found, true = matches(table, truth, DEFAULT_TOLERANCE_NM)
    care = truth["on"][true] >= CARE_ON
    right, counted = np.zeros(len(table), np.bool_), np.ones(len(table), np.bool_)
    right[found], counted[found[~care]] = care, False
    error_px = np.ones((len(table), 2))
    for axis, name in enumerate(("x_nm", "y_nm")):
        error_px[found, axis] = np.abs(table[name][found] - truth[name][true]) / _PIXEL_SIZE_NM
    density = (truth["on"] >= CARE_ON).sum() / clip.counts.size
    for first, last in itertools.pairwise(itertools.accumulate(lengths, initial=0)):
        place = slice(*np.searchsorted(table["frame"], [first, last]))
        if place.start == place.stop:
            continue
        inputs = features(
            table[place],
            frame_count=last - first,
            frame_pixels=clip.counts[0].size,
            pixel_size_nm=_PIXEL_SIZE_NM,
        )
        usual, power = _DAMPING
        weight = clip_weight * (usual + right[place].sum() + table["probability"][place].sum()) ** -power
        yield JudgedGroup(
            inputs,
            overlaps(table[place], pixel_size_nm=_PIXEL_SIZE_NM),
            counted[place],
            right[place],
            error_px[place],
            float(weight * (_SPARSE_WEIGHT if density < _SPARSE else 1.0)),
        )


def _beginning(clip: Clip, frames: int) -> Clip:
    return replace(clip, counts=clip.counts[:frames], emitters=clip.emitters[clip.emitters[:, 0] < frames])


def _truth(clip: Clip) -> Truth:
    truth = np.zeros(len(clip.emitters), TRUTH)
    truth["frame"], truth["on"] = clip.emitters[:, 0], clip.emitters[:, 4]
    truth["x_nm"], truth["y_nm"] = clip.emitters[:, 1] * _PIXEL_SIZE_NM, clip.emitters[:, 2] * _PIXEL_SIZE_NM
    return truth


def _rows(layer: nn.Linear) -> Iterator[tuple[float, ...]]:
    """Of each output, its weights and, last, its bias."""
    weights = torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().numpy()
    return (_rounded(row) for row in weights)


def _rounded(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)
