"""Polish on a linear network, where the smallest number of elements is known by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.attacks.sparse.polish import PolishConfig, full_strength, keep_largest, polish
from training.attacks.sparse.result import SparseResult


def linear(weights: Tensor, bias: float) -> nn.Module:
    """Logits (0, weights . image - bias): class 1 where the sum is above the bias."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(weights.numel(), 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.stack([torch.zeros_like(weights), weights]))
        network[1].bias.copy_(torch.tensor([0.0, -bias]))
    return network.requires_grad_(False)


WEIGHTS = torch.tensor([4.0, -3.0, 2.0, 1.0, -1.0, 0.5, 0.5, 0.25, 0.0, 0.1, 0.1, 0.1])
IMAGE = torch.full((1, 3, 2, 2), 0.5)
DENSE = IMAGE + (0.2 * WEIGHTS.sign()).view(1, 3, 2, 2)
LABEL = torch.tensor([0])


def bias_for(gain: float) -> float:
    """What lets a change succeed once it adds more than `gain`."""
    return (WEIGHTS * 0.5).sum().item() + gain


@pytest.mark.parametrize(("gain", "fewest"), [(0.79, 1), (0.81, 2), (1.39, 2), (1.41, 3), (1.81, 4)])
def test_the_fewest_elements_of_a_linear_network_are_found(gain, fewest):
    # at 0.2 (51 levels) the elements add 0.8, 0.6, 0.4, 0.2, 0.2, ...: sums 0.8, 1.4, 1.8, 2.0
    start = SparseResult(adversarial=DENSE, mask=DENSE != IMAGE)
    network = linear(WEIGHTS, bias_for(gain))
    result = polish(network, IMAGE, LABEL, start, PolishConfig(budget_levels=51, steps=60))
    assert int(result.mask.sum()) == fewest
    assert network(result.adversarial).argmax(1).item() == 1
    torch.testing.assert_close((result.adversarial - IMAGE)[result.mask].abs(), torch.full((fewest,), 0.2))


def test_elements_that_were_not_changed_are_bit_for_bit_the_same():
    start = SparseResult(adversarial=DENSE, mask=DENSE != IMAGE)
    result = polish(linear(WEIGHTS, bias_for(1.0)), IMAGE, LABEL, start, PolishConfig(budget_levels=51))
    assert torch.equal(result.adversarial[~result.mask], IMAGE[~result.mask])
    assert (result.adversarial != IMAGE).equal(result.mask)


def test_confidence_asks_for_a_margin():
    start = SparseResult(adversarial=DENSE, mask=DENSE != IMAGE)
    config = PolishConfig(budget_levels=51, steps=60, confidence=0.5)
    assert int(polish(linear(WEIGHTS, bias_for(1.0)), IMAGE, LABEL, start, config).mask.sum()) == 3  # 1.8 > 1.5


def test_a_start_that_fools_nobody_comes_back_where_nothing_can():
    start = SparseResult(adversarial=DENSE, mask=DENSE != IMAGE)
    result = polish(linear(WEIGHTS, bias_for(100.0)), IMAGE, LABEL, start, PolishConfig(budget_levels=51, steps=5))
    assert torch.equal(result.adversarial, DENSE)


def test_full_strength_stops_at_black_and_white():
    found = full_strength(torch.tensor([[0.95, 0.5, 0.1]]), torch.tensor([[1.0, 1.0, -1.0]]), 0.2)
    torch.testing.assert_close(found, torch.tensor([[0.05, 0.2, -0.1]]))


def test_of_equal_scores_the_first_is_kept():
    values = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    score = torch.tensor([[5.0, 5.0, 1.0], [0.0, 1.0, 2.0]])
    found = keep_largest(values, score, torch.tensor([1, 2]))
    assert found.tolist() == [[1, 0, 0], [0, 2, 3]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("budget_levels", 0),
        ("shrink", 1),
        ("decays", ()),
        ("decays", (1.0,)),
        ("creep", 0.9),
        ("confidence", -1),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        PolishConfig(**{field: value})
