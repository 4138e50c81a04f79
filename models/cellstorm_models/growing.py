"""A wider network, or one that sees more frames, that begins as a smaller one which has been trained.

The smaller one's weights are kept. Nothing that is new speaks to what is old: the output is the same at first, to rounding, and
what is new is heard as soon as training gives it a weight. Random weights lead from the old to the new, so that new channels
differ from each other and have something to say from the first step on (after Chen et al., Net2Net, ICLR 2016, whose copies
of channels would need noise to part).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cellstorm_models.networks import EmitterNet

_FIRST = "encode_1.0.weight"  # the one layer whose inputs are frames


def take_over(net: EmitterNet, weights: Mapping[str, Tensor]) -> None:
    """Set `net`'s weights so that it gives what the network with these weights gives.

    Raises
    ------
    ValueError
        If that one is wider, sees more frames, or is another kind of network.
    """
    own = net.state_dict()
    if own.keys() != weights.keys() or any(_exceeds(weights[name], own[name]) for name in own):
        raise ValueError("not a smaller network of the same kind")
    with torch.no_grad():
        for name, target in own.items():
            old = weights[name]
            if target.ndim == 1:
                target[: len(old)] = old
                continue
            inputs = _frames_within(old, target) if name == _FIRST else range(old.shape[1])
            target[: len(old)] = 0.0
            target[: len(old), list(inputs)] = old
    net.load_state_dict(own)


def _exceeds(old: Tensor, new: Tensor) -> bool:
    return old.ndim != new.ndim or any(a > b for a, b in zip(old.shape, new.shape, strict=True))


def _frames_within(old: Tensor, new: Tensor) -> list[int]:
    """Inputs are frames and, last, the scale: the old window's frames are the middle of the new one's."""
    frames, wanted = old.shape[1] - 1, new.shape[1] - 1
    before = (wanted - frames) // 2
    return [*range(before, before + frames), wanted]
