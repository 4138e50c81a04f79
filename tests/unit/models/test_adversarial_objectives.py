"""The paper's equations 1 to 5, on pictures small enough to reckon by hand."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install '.[train]'")

from torch import Tensor  # noqa: E402  # after the check for what it needs

from cellstorm_models.adversarial.objectives import (  # noqa: E402
    GeneratorLosses,
    Weights,
    adversarial_value,
    blurred,
    fooling_loss,
    likeness_loss,
    sparsity_loss,
)


def _logit(probability: float) -> Tensor:
    logit: Tensor = torch.tensor([[math.log(probability / (1 - probability))]])
    return logit


def test_equation_1_is_what_the_discriminator_gains_by_telling_truth_from_picture() -> None:
    value = adversarial_value(_logit(0.8), _logit(0.3))
    assert value.item() == pytest.approx(math.log(0.8) + math.log(0.7))
    undecided = adversarial_value(_logit(0.5), _logit(0.5))
    assert undecided.item() == pytest.approx(-2 * math.log(2))
    assert value > undecided


def test_the_generator_gains_by_fooling_the_discriminator() -> None:
    assert fooling_loss(_logit(0.3)).item() == pytest.approx(-math.log(0.3))
    assert fooling_loss(_logit(0.9)) < fooling_loss(_logit(0.3))


def test_equations_2_and_4_are_means_over_pixels() -> None:
    truth = torch.tensor([[[[0.0, 4.0], [0.0, 0.0]]]])
    picture = torch.tensor([[[[1.0, 2.0], [0.0, -1.0]]]])
    assert likeness_loss(truth, picture).item() == pytest.approx((1 + 2 + 0 + 1) / 4)
    assert sparsity_loss(picture).item() == pytest.approx((1 + 2 + 0 + 1) / 4)


def test_equation_3_spreads_a_pixel_over_a_gaussian_of_twice_its_light() -> None:
    maps = torch.zeros(1, 1, 64, 64)
    maps[0, 0, 30, 20] = 3.0
    spread = blurred(maps)
    assert spread.sum().item() == pytest.approx(2 * 3.0, rel=1e-4)
    steps = torch.arange(64.0)
    x, y = ((spread[0, 0].sum(dim=axis) * steps).sum() / spread.sum() for axis in (0, 1))
    assert (x.item(), y.item()) == (pytest.approx(20, abs=1e-3), pytest.approx(30, abs=1e-3))
    assert spread[0, 0, 30, 24].item() == pytest.approx(spread[0, 0, 30, 20].item() * math.exp(-0.5), rel=1e-4)


def test_light_in_its_right_place_pays_although_it_is_charged_for() -> None:
    truth = torch.zeros(1, 1, 64, 64)
    truth[0, 0, 30, 20] = 3.0
    elsewhere = torch.roll(truth, 30, dims=3)

    def cost(picture: Tensor) -> float:
        losses = GeneratorLosses(likeness_loss(blurred(truth), blurred(picture)), sparsity_loss(picture), None)
        return losses.total(Weights()).item()

    assert cost(truth) < cost(0.5 * truth) < cost(0 * truth) < cost(elsewhere)


def test_equation_5_weighs_its_terms_as_the_paper_does() -> None:
    likeness, sparsity, fooling = torch.tensor(0.5), torch.tensor(0.25), torch.tensor(2.0)
    assert GeneratorLosses(likeness, sparsity, fooling).total(Weights()).item() == 3 * 2.0 + 100 * 0.5 + 100 * 0.25
    assert GeneratorLosses(likeness, sparsity, None).total(Weights()).item() == 100 * 0.5 + 100 * 0.25


def test_a_clean_frame_is_not_asked_to_be_sparse() -> None:
    assert Weights.of(sparse=False) == Weights(adversarial=3.0, likeness=100.0, sparsity=0.0)
    assert Weights.of(sparse=True) == Weights()
