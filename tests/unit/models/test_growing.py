"""What was learned is kept when a network grows."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the network needs torch: pip install '.[train]'")

from cellstorm_models.growing import take_over  # noqa: E402  # after the check for torch
from cellstorm_models.networks import EmitterNet  # noqa: E402


def _speaking(channels: int, context_frames: int) -> EmitterNet:
    torch.manual_seed(channels)
    net = EmitterNet(channels, context_frames).eval()
    with torch.no_grad():  # an untrained network says the same everywhere
        net.read.weight.mul_(10.0)
    return net


def test_a_network_that_grows_says_what_it_said_and_goes_on_learning_with_all_of_it() -> None:
    small, large = _speaking(4, 3), EmitterNet(12, 5).eval()
    take_over(large, small.state_dict())
    still = torch.rand(2, 1, 32, 32) * 40  # nothing moves, so that more frames tell nothing more
    torch.testing.assert_close(large(still.repeat(1, 5, 1, 1)), small(still.repeat(1, 3, 1, 1)), rtol=1e-3, atol=1e-3)
    large(torch.rand(2, 5, 32, 32) * 40).square().mean().backward()
    assert large.read.weight.grad is not None
    assert torch.all(large.read.weight.grad[:, 4:].abs().sum(dim=0) > 0)  # new channels are heard at once


def test_old_frames_stay_in_the_middle() -> None:
    small, large = EmitterNet(4, 3), EmitterNet(4, 5)
    take_over(large, small.state_dict())
    old, new = (net.state_dict()["encode_1.0.weight"] for net in (small, large))
    torch.testing.assert_close(new[:, [1, 2, 3, 5]], old)
    assert torch.all(new[:, [0, 4]] == 0)


@pytest.mark.parametrize(("channels", "context_frames"), [(8, 3), (4, 5)])
def test_a_larger_network_does_not_fit(channels: int, context_frames: int) -> None:
    with pytest.raises(ValueError, match="not a smaller network"):
        take_over(EmitterNet(4, 3), EmitterNet(channels, context_frames).state_dict())
