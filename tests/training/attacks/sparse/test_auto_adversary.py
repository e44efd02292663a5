"""AutoAdversary: its schedule by hand, its promises on a tiny network."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.auto_adversary import AutoAdversaryConfig, alpha_at, attack_loss, auto_adversary
from training.attacks.sparse.dense import DenseConfig, DenseResult, dense_attack
from training.attacks.sparse.encoder import KINDS

BASE = DenseConfig(budget_levels=51, steps=5)
CONFIG = AutoAdversaryConfig(base=BASE, steps=60, width=4, weight=3.0, learning_rate=0.1)


@pytest.fixture
def network() -> nn.Module:
    """Class 1 where a weighted sum is above a bound; of 48 elements a few weigh much more than the rest."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    weights = torch.linspace(0.01, 0.1, 48)
    weights[5], weights[20] = 6.0, -5.0
    with torch.no_grad():
        network[1].weight.copy_(torch.stack([torch.zeros(48), weights]))
        network[1].bias.copy_(torch.tensor([0.0, -(weights.sum() * 0.5).item() - 1.5]))
    return network.requires_grad_(False)


IMAGES = torch.full((2, 3, 4, 4), 0.5)
LABELS = torch.tensor([0, 0])


def run(network: nn.Module, config: AutoAdversaryConfig = CONFIG, images: Tensor = IMAGES):
    return auto_adversary(network, images, LABELS[: len(images)], config, generator=torch.Generator().manual_seed(0))


def test_alpha_grows_by_a_constant_factor_from_its_first_value_to_its_last():
    config = AutoAdversaryConfig(steps=3, alpha_first=1, alpha_last=100)
    assert [alpha_at(step, config) for step in range(3)] == pytest.approx([1, 10, 100])
    assert alpha_at(0, AutoAdversaryConfig(steps=1, alpha_first=2, alpha_last=7)) == pytest.approx(7)


def test_a_growing_alpha_makes_the_mask_binary():
    scores = torch.tensor([-0.2, 0.2])
    config = AutoAdversaryConfig()
    soft, sharp = (torch.sigmoid(alpha_at(step, config) * scores) for step in (0, config.steps - 1))
    assert soft.tolist() == pytest.approx([0.4502, 0.5498], abs=1e-4)
    assert sharp.tolist() == pytest.approx([0, 1], abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_leaves_what_weighs_and_little_else(network, kind):
    # at 0.2 the two heavy elements add 1.2 and 1.0, the 46 others 0.5 together: 1.5 needs both
    result = run(network, AutoAdversaryConfig(**{**vars(CONFIG), "encoder": kind}))
    assert (network(result.adversarial).argmax(1) == 1).all()
    flat = result.mask.flatten(1)
    assert flat[:, [5, 20]].all()
    dense = dense_attack(network, IMAGES, LABELS, BASE, generator=torch.Generator()).delta
    assert (flat.sum(1) < (dense != 0).flatten(1).sum(1) / 2).all()


def test_the_change_keeps_its_bound_and_the_picture_its_range(network):
    images = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(3))
    result = run(network, images=images)
    assert (result.adversarial - images).abs().max() <= 0.2 + 1e-6
    assert 0 <= result.adversarial.min()
    assert result.adversarial.max() <= 1


def test_elements_outside_the_mask_are_bit_for_bit_the_same(network):
    result = run(network)
    assert torch.equal(result.adversarial[~result.mask], IMAGES[~result.mask])


def test_an_image_gets_the_same_result_alone_and_in_a_batch(network):
    images = torch.cat([IMAGES[:1], IMAGES[:1] + 0.01])
    together, alone = run(network, images=images), run(network, images=images[1:])
    assert torch.equal(together.mask[1:], alone.mask)
    torch.testing.assert_close(together.adversarial[1:], alone.adversarial)


def test_an_image_that_cannot_be_fooled_keeps_the_dense_attack(network):
    with torch.no_grad():
        network[1].bias.copy_(torch.tensor([1e6, 0.0]))
    result = run(network)
    dense = dense_attack(network, IMAGES, LABELS, BASE, generator=torch.Generator()).delta
    torch.testing.assert_close(result.adversarial, IMAGES + dense)


def test_each_loss_of_the_config_is_the_one_that_is_lowered():
    logits = torch.tensor([[0.0, math.log(3), math.log(4)]])
    base = DenseResult(delta=torch.zeros(1), first_loss=torch.tensor([math.log(4)]), answer=torch.tensor([0]))
    label = torch.tensor([2])
    found = {
        loss: attack_loss(logits, label, base, AutoAdversaryConfig(loss=loss)).item()  # type: ignore[arg-type]
        for loss in ("target", "balanced", "margin")
    }
    expected = {"target": math.log(8), "balanced": 0.5, "margin": math.log(4 / 3)}
    assert found == pytest.approx(expected, rel=1e-5)


def test_every_step_is_reported(network):
    steps: list[int] = []
    config = AutoAdversaryConfig(base=BASE, steps=3, width=2)
    auto_adversary(network, IMAGES, LABELS, config, generator=torch.Generator(), on_step=steps.append)
    assert steps == [1, 2, 3]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("stride", -0.1),
        ("encoder", "vit"),
        ("width", 0),
        ("learning_rate", 0),
        ("weight", -1),
        ("adapt", 0.5),
        ("alpha_first", 0),
        ("alpha_first", 1000),
        ("loss", "hinge"),
        ("eta", 2),
        ("check_every", 0),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        AutoAdversaryConfig(**{field: value})
