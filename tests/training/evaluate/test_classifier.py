"""Accuracy, calibration and refusal on values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from training.evaluate.classifier import (
    accuracy,
    auroc,
    calibrate_answers,
    confidences,
    expected_calibration_error,
    fit_temperature,
    predict,
)


def test_accuracy_leaves_the_output_for_other_things_out() -> None:
    logits = torch.tensor([[1.0, 0.0, 9.0], [0.0, 1.0, 9.0], [3.0, 1.0, 0.0]])
    assert accuracy(logits, torch.tensor([0, 1, 1]), classes=2) == pytest.approx(2 / 3)


def test_the_calibration_error_of_two_bins_by_hand() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    # bin of 0.9: half right, gap 0.4; bin of 0.6: all right, gap 0.4
    assert expected_calibration_error(probabilities, torch.tensor([0, 1, 1, 1])) == pytest.approx(0.4)
    assert expected_calibration_error(torch.tensor([[1.0, 0.0]]), torch.tensor([0])) == 0


def test_the_temperature_of_overconfident_logits_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn(4000, 3, generator=generator)
    labels = torch.multinomial(honest.softmax(1), 1, generator=generator).flatten()
    assert fit_temperature(honest * 4, labels, 3) == pytest.approx(4, rel=0.15)
    assert fit_temperature(honest, labels, 3) == pytest.approx(1, rel=0.15)


def test_the_threshold_keeps_nineteen_of_twenty() -> None:
    logits = torch.randn(400, 5, generator=torch.Generator().manual_seed(1))
    labels = logits[:, :4].argmax(1)
    answers = calibrate_answers(logits, labels, classes=4)
    kept = confidences(logits / answers.temperature, classes=4) >= answers.unsure_below
    assert float(kept.double().mean()) == pytest.approx(0.95, abs=0.005)


def test_other_things_take_their_part_of_the_probability() -> None:
    assert float(confidences(torch.tensor([[0.0, 0.0, 0.0]]), classes=2)[0]) == pytest.approx(1 / 3)


def test_auroc_counts_ties_half() -> None:
    assert auroc(torch.tensor([0.9, 0.5]), torch.tensor([0.5, 0.1])) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_photos_are_seen_through_the_phone_s_own_resize() -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.mean((2, 3)) * self.scale

    photos = [np.full((50, 70, 3), level, np.uint8) for level in (0, 51, 255)]
    logits = predict(Mean().eval(), photos, 32, batch=2)
    np.testing.assert_allclose(logits[:, 0].numpy(), [0, 0.2, 1], atol=1e-6)
