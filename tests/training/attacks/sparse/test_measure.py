"""The tables' columns by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from training.attacks.sparse.measure import measure, summarise


def test_the_columns_are_means_over_the_successes():
    images = torch.zeros(3, 3, 2, 2)
    adversarial = images.clone()
    adversarial[0, 0, 0, 0], adversarial[0, 1, 0, 0] = 0.3, 0.4  # two values of one pixel
    adversarial[1, 2, 1, 1], adversarial[1, 2, 0, 0] = 0.5, 0.5  # two pixels
    adversarial[2] = 0.9  # no success: counts for nothing but the rate
    row = summarise(images, adversarial, torch.tensor([True, True, False]))
    assert row.images == 3
    assert row.elements == 12
    assert row.asr_percent == pytest.approx(200 / 3)
    assert row.l0 == 2
    assert row.pixels == 1.5
    assert row.l1 == pytest.approx((0.7 + 1.0) / 2)
    assert row.l2 == pytest.approx((0.5 + math.sqrt(0.5)) / 2)
    assert row.linf == pytest.approx(0.45)


def test_a_success_is_another_answer_than_the_label():
    network = nn.Flatten()
    images = torch.tensor([[0.6, 0.5, 0.0], [0.6, 0.5, 0.0]]).view(2, 3, 1, 1)
    adversarial = torch.tensor([[0.6, 0.7, 0.0], [0.6, 0.55, 0.0]]).view(2, 3, 1, 1)
    row = measure(network, images, adversarial, torch.tensor([0, 0]))
    assert row.asr_percent == 50
    assert row.l1 == pytest.approx(0.2)


def test_without_a_success_there_is_nothing_to_average():
    row = summarise(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1), torch.tensor([False]))
    assert row.asr_percent == 0
    assert all(math.isnan(value) for value in (row.l0, row.pixels, row.l1, row.l2, row.linf))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        summarise(torch.zeros(1, 3, 1, 1), torch.zeros(1, 3, 2, 1), torch.tensor([True]))
