"""The network: what it promises whatever its weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the network needs torch: pip install '.[train]'")

from cellstorm.generator import EMITTER_CHANNELS  # noqa: E402  # after the check for torch
from cellstorm_models.networks import SIZE_MULTIPLE, EmitterNet  # noqa: E402

_WINDOWS = torch.poisson(torch.full((3, 3, 32, 48), 30.0), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def net() -> EmitterNet:
    torch.manual_seed(0)
    net = EmitterNet(8).eval()
    with torch.no_grad():  # an untrained network says the same everywhere; make it speak up
        net.read.weight.mul_(10.0)
    return net


def test_output_has_a_channel_for_each_name_at_camera_resolution(net: EmitterNet) -> None:
    with torch.no_grad():
        output = net(_WINDOWS)
    assert output.shape == (3, len(EMITTER_CHANNELS), 32, 48)
    named = dict(zip(EMITTER_CHANNELS, output.unbind(1), strict=True))
    assert 0 <= named["probability"].min() <= named["probability"].max() <= 1
    for name in ("signal", "sigma_x", "sigma_y", "psf_sigma"):
        assert named[name].min() > 0


def test_a_frame_does_not_depend_on_its_neighbours_in_the_batch(net: EmitterNet) -> None:
    with torch.no_grad():
        together, alone = net(_WINDOWS), net(_WINDOWS[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_another_gain_and_offset_change_counts_and_nothing_else(net: EmitterNet) -> None:
    first = net.encode_1[0]
    assert isinstance(first, torch.nn.Conv2d)
    with torch.no_grad():
        first.weight[:, 3] = 0.0  # the channel that tells the scale may tell cameras apart, on purpose
        plain, deep = net(_WINDOWS), net(_WINDOWS * 40 + 300)
    counts = [EMITTER_CHANNELS.index(name) for name in ("signal", "background")]
    others = [index for index in range(len(EMITTER_CHANNELS)) if index not in counts]
    torch.testing.assert_close(deep[:, others], plain[:, others], rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(deep[:, counts[0]], plain[:, counts[0]] * 40, rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(deep[:, counts[1]], plain[:, counts[1]] * 40 + 300, rtol=1e-3, atol=1e-1)


def test_frames_without_any_noise_give_finite_numbers(net: EmitterNet) -> None:
    with torch.no_grad():
        output = net(torch.full((1, 3, SIZE_MULTIPLE, SIZE_MULTIPLE), 255.0))
    assert torch.isfinite(output).all()
