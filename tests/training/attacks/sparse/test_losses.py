"""Attack losses by hand."""

from __future__ import annotations

import math

import pytest
import torch

from training.attacks.sparse.losses import balanced, margin, towards

LOGITS = torch.tensor([[0.0, math.log(3), math.log(4)]])  # probabilities 1/8, 3/8, 4/8


def test_the_papers_loss_is_the_cross_entropy_with_the_wanted_label():
    assert towards(LOGITS, torch.tensor([0])).item() == pytest.approx(math.log(8))


def test_the_balanced_loss_is_zero_where_the_dense_attack_first_succeeded():
    loss = balanced(LOGITS, torch.tensor([2]), torch.tensor([math.log(2)]), eta=0.1)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_the_balanced_loss_is_near_one_for_a_sure_right_answer():
    loss = balanced(torch.tensor([[20.0, 0.0]]), torch.tensor([0]), torch.tensor([0.7]), eta=0.1)
    assert loss.item() == pytest.approx(1, abs=1e-6)


def test_eta_damps_the_balanced_loss_below_zero():
    # cross-entropy ln 8 is three times L_init = ln 2: 1 - 3 = -2, damped to -0.2
    loss = balanced(LOGITS, torch.tensor([0]), torch.tensor([math.log(2)]), eta=0.1)
    assert loss.item() == pytest.approx(-0.2)
    # cross-entropy ln 2 is half of ln 4: 1 - 1/2 stays as it is
    loss = balanced(LOGITS, torch.tensor([2]), torch.tensor([math.log(4)]), eta=0.1)
    assert loss.item() == pytest.approx(0.5)


def test_the_margin_is_above_zero_once_the_network_is_fooled():
    assert margin(LOGITS, torch.tensor([2])).item() == pytest.approx(math.log(3 / 4), rel=1e-5)
    assert margin(LOGITS, torch.tensor([1])).item() == pytest.approx(math.log(4 / 3), rel=1e-5)
