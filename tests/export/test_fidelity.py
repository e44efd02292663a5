"""The comparison of two float32 gradients with the exact one: means by hand, and what must fail."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.fidelity import FidelityRow, gradient_fidelity

ROW = FidelityRow(
    name="hand",
    graph_errors=(1e-6, 1e-2, 1e-6, 1e-2),
    torch_errors=(1e-2, 1e-6, 1e-2, 1e-6),
    cosines=(1.0, 0.9995, 1.0, 1.0),
    logit_deviation=1.0,
)


def test_errors_are_averaged_as_logarithms_by_hand() -> None:
    assert ROW.graph_error == pytest.approx(1e-4)
    assert ROW.ratio == pytest.approx(1)


def test_flips_of_masks_in_either_are_no_fault() -> None:
    assert ROW.ok


def test_two_standard_errors_are_taken_off_by_hand() -> None:
    row = replace(ROW, graph_errors=(1.0, math.e**2), torch_errors=(1.0, 1.0))
    # logarithms 0 and 2: mean 1, deviation sqrt(2), standard error 1
    assert row.ratio_at_least == pytest.approx(math.exp(1 - 2))


def test_graph_that_is_farther_in_every_image_fails() -> None:
    assert not replace(ROW, graph_errors=(2e-2, 2e-6, 2e-2, 2e-6)).ok
    assert replace(ROW, graph_errors=(1.4e-2, 1.4e-6, 1.4e-2, 1.4e-6)).ok


def test_one_turned_gradient_fails() -> None:
    assert not replace(ROW, cosines=(1.0, 0.9, 1.0, 1.0)).ok


def test_vanishing_logits_fail() -> None:
    assert not replace(ROW, logit_deviation=1e-9).ok


@pytest.mark.parametrize("field", ["graph_errors", "torch_errors", "cosines"])
def test_nan_fails(field: str) -> None:
    assert not replace(ROW, **{field: (math.nan, 1e-6, 1.0, 1.0)}).ok


def test_gradient_is_compared_with_the_one_in_float64() -> None:
    class Cube(nn.Module):
        def forward(self, image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
            logits = image.flatten(1) ** 3
            return logits.sum(), logits

    image = np.array([[[[1.0, 2.0]]]], np.float32)
    inputs = [{"image": image * scale, "label": np.array([0])} for scale in (1, 2)]
    module = Cube().eval()
    row = gradient_fidelity("cube", lambda arrays: {"grad": 3.3 * arrays["image"] ** 2}, module, inputs)
    assert row.graph_errors == pytest.approx((0.1, 0.1))  # 3.3 x^2 in place of 3 x^2
    assert row.cosines == pytest.approx((1, 1))
    assert row.logit_deviation == pytest.approx(np.std([1, 8, 8, 64]))
    assert torch.get_default_dtype() == torch.float32
