"""Rows of a comparison: cosines and errors by hand, and NaN, which fails."""

from __future__ import annotations

import math

import numpy as np
import pytest

from export.parity import ParityRow, compare, cosine, relative_error


def _row(value: float) -> ParityRow:
    return ParityRow(output="grad", against="torch", images=1, cosine=value, relative=0.0, lowest_cosine=0.999)


def test_cosine_by_hand() -> None:
    assert cosine(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(24 / 25)
    assert cosine(np.array([1.0, 0.0]), np.array([-2.0, 0.0])) == -1


def test_relative_error_by_hand() -> None:
    assert relative_error(np.array([3.0, 5.0]), np.array([3.0, 4.0])) == pytest.approx(1 / 5)


def test_float32_arrays_are_compared_in_float64() -> None:
    large = np.full(4, 1e30, np.float32)
    assert cosine(large, large) == pytest.approx(1)
    assert relative_error(large, large) == 0


def test_row_passes_at_the_limit_and_fails_below() -> None:
    assert _row(0.999).ok
    assert not _row(0.9989).ok


def test_nan_fails() -> None:
    assert not _row(math.nan).ok


def test_worst_image_decides_the_cosine_and_the_middle_one_the_error() -> None:
    wanted = np.array([1.0, 0.0])
    found = iter([np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.1, 0.0])])
    (row,) = compare(
        lambda _: {"grad": next(found)},
        lambda _: {"grad": wanted},
        [{}, {}, {}],
        against="hand",
        lowest_cosine={"grad": 0.5},
    )
    assert row.cosine == 0
    assert row.relative == pytest.approx(0.1)  # of 0, sqrt(2) and 0.1
    assert (row.images, row.output, row.against) == (3, "grad", "hand")
    assert not row.ok


def test_only_the_named_outputs_are_compared() -> None:
    outputs = {"grad": np.ones(2), "loss": np.ones(1)}
    rows = compare(lambda _: outputs, lambda _: outputs, [{}], against="itself", lowest_cosine={"grad": 0.9})
    assert [row.output for row in rows] == ["grad"]


def test_row_can_be_saved() -> None:
    assert _row(1.0).as_dict() == {
        "output": "grad",
        "against": "torch",
        "images": 1,
        "cosine": 1.0,
        "relative": 0.0,
        "lowest_cosine": 0.999,
    }
