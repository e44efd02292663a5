"""ComReAdv: the rules by hand, budgets and levels, and an attack that survives because it knew what would come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.preprocess import to_uint8
from training.attacks.comreadv import (
    StraightThrough,
    base_attack,
    comreadv,
    recompressed,
    sum_of_gradients,
    whole_levels,
)
from training.data.codecs import parse_codec

IMAGES = torch.randint(0, 256, (2, 3, 16, 16), generator=torch.Generator().manual_seed(0)) / 255
LABELS = torch.tensor([0, 1])


class Linear(nn.Module):
    """Two logits: the sum of pixels times weights, and 0."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, image: Tensor) -> Tensor:
        first = (image * self.weights).sum((1, 2, 3))
        return torch.stack([first, torch.zeros_like(first)], 1)


class Square(nn.Module):
    """A stand-in for compression whose gradient, 2 x, is not that of doing nothing."""

    def forward(self, image: Tensor) -> Tensor:
        return image**2


class Mean(nn.Module):
    """A compression that leaves nothing but the mean."""

    def forward(self, image: Tensor) -> Tensor:
        return image.mean((2, 3), keepdim=True).expand_as(image)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 49, 4)).eval()


def test_two_steps_of_mi_fgsm_by_hand() -> None:
    """Through x^2 with weights (3, -1, 0.5) on three pixels; the second velocity adds the gradient over its L1 norm."""
    weights = torch.tensor([3.0, -1.0, 0.5]).view(1, 3, 1, 1)
    image = torch.tensor([100.0, 200.0, 50.0]).view(1, 3, 1, 1) / 255
    config = base_attack("mi_fgsm", budget_levels=8, steps=2, stride=0.25)  # 2 levels a step
    # dJ/dx = -(1 - p) * w * 2 x for label 0: the factor 1 - p > 0 is the same for all pixels, and L1 takes it away.
    first = -weights * image / (weights * image).abs().sum()
    x = image + 2 / 255 * first.sign()
    second = first - weights * x / (weights * x).abs().sum()
    wanted = x + 2 / 255 * second.sign()
    assert (wanted * 255).round().flatten().tolist() == [96, 204, 46]
    found = comreadv(Linear(weights), [Square()], image, torch.tensor([0]), config)
    torch.testing.assert_close(found, wanted)


def test_momentum_counts_each_gradient_by_its_l1_norm_and_not_by_its_size_or_sign() -> None:
    """Pixel 1's gradient turns round after the first step. By hand, velocities: first (1/2, 1/2), then + (3/4, -1/4)
    over the L1 norm: (5/4, 1/4), so pixel 1 still goes up; accumulated signs would give it 0, raw gradients -8."""

    class Turning(nn.Module):
        calls = 0

        def forward(self, image: Tensor) -> Tensor:
            type(self).calls += 1
            weights = [(1.0, 1.0, 0.0), (30.0, -10.0, 0.0)][self.calls - 1]
            return Linear(-torch.tensor(weights).view(1, 3, 1, 1))(image) * 1e-3

    image = torch.full((1, 3, 1, 1), 100 / 255)
    config = base_attack("mi_fgsm", budget_levels=8, steps=2, stride=0.25)
    found = comreadv(Turning(), [nn.Identity()], image, torch.tensor([0]), config)
    assert (found * 255).round().flatten().tolist() == [104, 104, 100]


def test_fgsm_is_one_step_of_the_whole_budget(network: nn.Module) -> None:
    found = comreadv(network, [nn.Identity()], IMAGES, LABELS, base_attack("fgsm", budget_levels=4, steps=7))
    gradient = sum_of_gradients(network, [nn.Identity()], IMAGES, LABELS)
    torch.testing.assert_close(found, (IMAGES + 4 / 255 * gradient.sign()).clamp(0, 1))


def test_the_gradient_goes_through_the_compression(network: nn.Module) -> None:
    leaf = IMAGES.clone().requires_grad_()
    loss = F.cross_entropy(network(leaf**2), LABELS, reduction="sum") + F.cross_entropy(
        network(leaf), LABELS, reduction="sum"
    )
    (wanted,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(sum_of_gradients(network, [Square(), nn.Identity()], IMAGES, LABELS), wanted)


@pytest.mark.parametrize("attack", ["fgsm", "bim", "mi_fgsm"])
@pytest.mark.parametrize("budget", [1, 3, 8])
def test_what_comes_out_is_whole_levels_inside_the_budget(attack, budget: int, network: nn.Module) -> None:
    config = base_attack(attack, budget_levels=budget)
    found = comreadv(network, [Square()], IMAGES, LABELS, config)
    levels, before = (found * 255, IMAGES * 255)
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)
    assert (levels.round() - before.round()).abs().max() == budget
    assert 0 <= found.min() <= found.max() <= 1


def test_a_fraction_of_a_level_is_given_up_and_a_whole_one_kept() -> None:
    image = torch.tensor([10.0, 10, 10, 10, 0, 255]).view(1, 1, 1, 6) / 255
    delta = torch.tensor([0.9, -0.9, 8.0, -3.5, 0.0, 0.0]).view(1, 1, 1, 6) / 255
    assert (whole_levels(image, delta) * 255).flatten().tolist() == pytest.approx([10, 10, 18, 7, 0, 255])


def test_a_dithered_fraction_is_a_level_at_that_share_of_the_places() -> None:
    image = torch.full((1, 1, 1, 4), 10 / 255)
    dither = torch.tensor([0.0, 0.4, 0.6, 0.9]).view(1, 1, 1, 4)
    levels = [
        (whole_levels(image, torch.full_like(image, change / 255), dither=dither) * 255).flatten().tolist()
        for change in (0.5, -1.5, 2.0)
    ]
    wanted = [[10, 10, 11, 11], [9, 9, 8, 8], [12, 12, 12, 12]]
    assert [[round(value) for value in row] for row in levels] == wanted


def test_an_image_is_left_alone_as_soon_as_the_answer_is_wrong() -> None:
    """Logit 0 is the pixel minus 99.5 levels: from 101 two steps of a level do it, from 110 none of four does."""

    class Darker(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            first = 255 * image.mean((1, 2, 3)) - 99.5
            return torch.stack([first, torch.zeros_like(first)], 1)

    images = torch.tensor([101.0, 110.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4) / 255
    config, labels = base_attack("bim", budget_levels=4, steps=6), torch.tensor([0, 0])
    found, whole = (
        comreadv(Darker(), [nn.Identity()], images, labels, config, until_reached=stops) for stops in (True, False)
    )
    assert (found * 255).mean((1, 2, 3)).tolist() == pytest.approx([99, 106])
    assert (whole * 255).mean((1, 2, 3)).tolist() == pytest.approx([97, 106])


def test_in_turn_each_step_goes_through_one_compression() -> None:
    calls: list[str] = []

    class Noting(nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, image: Tensor) -> Tensor:
            calls.append(self.name)
            return image

    network = Linear(torch.full((1, 3, 1, 1), -1e-3))
    config = base_attack("bim", budget_levels=4, steps=3)
    comreadv(network, [Noting("a"), Noting("b")], IMAGES, LABELS, config, in_turn=True)
    assert calls == ["a", "b", "a"]


def test_an_untargeted_attack_leads_away_and_a_targeted_one_there(network: nn.Module) -> None:
    config = base_attack("mi_fgsm", budget_levels=8)

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            return F.cross_entropy(network(images), labels, reduction="none")

    away = comreadv(network, [nn.Identity()], IMAGES, LABELS, config)
    there = comreadv(network, [nn.Identity()], IMAGES, torch.tensor([3, 2]), config, targeted=True)
    assert (loss(away, LABELS) > loss(IMAGES, LABELS) + 0.05).all()
    assert (loss(there, torch.tensor([3, 2])) < loss(IMAGES, torch.tensor([3, 2])) - 0.05).all()


def test_straight_through_goes_forwards_as_the_codec_and_backwards_as_the_identity() -> None:
    module = StraightThrough(parse_codec("jpeg:50"))
    leaf = IMAGES.clone().requires_grad_()
    returned = module(leaf)
    torch.testing.assert_close(returned, recompressed(IMAGES, parse_codec("jpeg:50")))
    (gradient,) = torch.autograd.grad((returned * IMAGES).sum(), leaf)
    torch.testing.assert_close(gradient, IMAGES)


def test_recompression_is_that_of_the_saved_file_at_the_old_size() -> None:
    codec = parse_codec("16+jpeg:75")
    large = IMAGES.repeat(1, 1, 2, 2)
    assert recompressed(large, codec).shape == large.shape
    plain = recompressed(IMAGES, parse_codec("jpeg:75"))
    one = parse_codec("jpeg:75")(to_uint8(IMAGES[1:].numpy()))
    assert np.array_equal(to_uint8(plain[1:].numpy()), one)


def test_an_attack_that_knows_the_blur_survives_it_and_a_plain_one_does_not() -> None:
    """The network reads fine stripes strongly and the mean weakly; the stand-in and the codec leave the mean alone."""
    stripes = torch.tensor([1.0, -1.0]).repeat(8).view(1, 1, 1, 16)
    weights = (
        5 * stripes.expand(1, 3, 16, 16) + 1
    ) / 1000  # so small that the network is not certain, with no gradient
    image = torch.full((1, 3, 16, 16), 100 / 255)
    config, label = base_attack("bim", budget_levels=4), torch.tensor([0])
    plain = comreadv(Linear(weights), [nn.Identity()], image, label, config)
    knowing = comreadv(Linear(weights), [Mean()], image, label, config)
    drops = [(image - found).mean().item() * 255 for found in (plain, knowing)]
    assert drops == pytest.approx([0, 4], abs=1e-3)


def test_what_cannot_be_is_refused(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="attack: expected one of fgsm, bim, mi_fgsm, got 'pgd'"):
        base_attack("pgd", budget_levels=8)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="compressions: expected one or more"):
        comreadv(network, [], IMAGES, LABELS, base_attack("bim", budget_levels=8))
    with pytest.raises(ValueError, match="budget_levels"):
        base_attack("bim", budget_levels=0)
