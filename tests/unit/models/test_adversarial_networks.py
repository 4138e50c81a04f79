"""The paper's U-Net and its discriminator."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")

from torch import Tensor  # noqa: E402  # after the check for what it needs

from cellstorm_models.adversarial.config import KINDS, Kind  # noqa: E402
from cellstorm_models.adversarial.discriminator import PatchGan  # noqa: E402
from cellstorm_models.adversarial.unet import SIZE_MULTIPLE, Frame, FrameNet  # noqa: E402


def _net(kind: Kind, filters: int = 4) -> FrameNet:
    """Untrained, but with an output layer that says something of every frame."""
    torch.manual_seed(3)
    net = FrameNet(kind, filters).eval()
    with torch.no_grad():
        net.unet.last.weight.mul_(100)
    return net


def _counts(batch: int, height: int = 48, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    counts: Tensor = torch.poisson(torch.full((batch, 1, height, width), 25.0), generator)
    return counts


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 1), (3, 4), (8, 8)])
@pytest.mark.parametrize(("kind", "upsampling"), [("pix2pix", 5), ("enhance", 1)])
def test_every_multiple_of_the_declared_size_is_accepted(kind: Kind, upsampling: int, rows: int, columns: int) -> None:
    height, width = rows * SIZE_MULTIPLE, columns * SIZE_MULTIPLE
    with torch.no_grad():
        output = _net(kind)(_counts(2, height, width))
    assert output.shape == (2, 1, upsampling * height, upsampling * width)
    assert torch.isfinite(output).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_frames_result_does_not_depend_on_its_neighbours_in_the_batch(kind: Kind) -> None:
    net, counts = _net(kind), _counts(3)
    counts[1] *= 50  # a neighbour that would spoil any statistics of the batch
    with torch.no_grad():
        together = net(counts)
        alone = torch.cat([net(frame[None]) for frame in counts])
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()
    assert together.std() > 0.1


@pytest.mark.parametrize("seed", range(4))
def test_a_map_begins_a_little_bright_for_below_zero_it_would_hardly_learn(seed: int) -> None:
    torch.manual_seed(seed)
    net = FrameNet("pix2pix").eval()
    with torch.no_grad():
        picture = net.picture(net.seen(Frame.of(_counts(2))))
    assert (picture > 0).float().mean() > 0.95
    assert 0.3 < picture.median() < 3.0  # of noise


@pytest.mark.parametrize("kind", KINDS)
def test_another_cameras_gain_and_offset_change_the_light_and_nothing_else(kind: Kind) -> None:
    net, counts = _net(kind), _counts(2)
    with torch.no_grad():
        picture, other = net(counts), net(3.0 * counts + 100.0)
    offset = 100.0 if kind == "enhance" else 0.0
    torch.testing.assert_close(other, 3.0 * picture + offset, rtol=1e-3, atol=0.05)


def test_a_map_holds_no_negative_light() -> None:
    with torch.no_grad():
        output = _net("pix2pix")(_counts(2))
    assert output.min() == 0.0
    assert output.max() > 0.0


def test_the_finer_grid_is_interpolated_between_pixel_centres() -> None:
    ramp = (torch.arange(16.0) + 2 * torch.arange(16.0)[:, None])[None, None]
    frame = Frame(ramp, torch.zeros_like(ramp), torch.ones(1, 1, 1, 1))
    seen = FrameNet("pix2pix", 2).seen(frame)[0, 0]
    places = ((torch.arange(80) + 0.5) / 5 - 0.5).clamp(0, 15)
    torch.testing.assert_close(seen, places + 2 * places[:, None])


def test_a_frame_is_its_background_its_scale_and_its_contrast() -> None:
    counts = _counts(2)
    frame = Frame.of(counts)
    torch.testing.assert_close(frame.background + frame.scale * frame.contrast, counts)
    assert frame.background.std() < 0.2 * counts.std()


def test_the_discriminator_judges_patches_each_for_itself() -> None:
    torch.manual_seed(0)
    discriminator = PatchGan(4)
    seen = torch.zeros(1, 1, 320, 320)
    picture = torch.zeros(1, 1, 320, 320, requires_grad=True)
    logit = discriminator(seen, picture)
    assert logit.shape == (1, 1, 38, 38)
    strides = [layer.stride[0] for layer in discriminator.layers if isinstance(layer, torch.nn.Conv2d)]
    field = 1
    for stride in reversed(strides):
        field = (field - 1) * stride + 4
    assert field == 70


def test_the_discriminator_judges_a_picture_by_the_frame_that_it_belongs_to() -> None:
    torch.manual_seed(0)
    discriminator = PatchGan(4)
    picture, seen, other = torch.randn(3, 1, 1, 64, 64)
    assert not torch.allclose(discriminator(seen, picture), discriminator(other, picture))
