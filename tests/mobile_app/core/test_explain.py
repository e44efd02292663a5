"""Heat maps: strength, colour and place by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.explain import CELLS, HEAT_SHARE, explain, gradient_evidence, heated, strength
from mobile_app.core.runtime import Port

GREY = np.full((80, 80, 3), 100, np.uint8)


def spot(row: int, column: int) -> np.ndarray:
    """(4, 4): zeros and one 3."""
    evidence = np.zeros((4, 4), np.float32)
    evidence[row, column] = 3
    return evidence


def test_strength_is_relative_to_the_largest_value_and_nothing_below_zero():
    found = strength(np.float32([[-5, 4], [2, 0]]), (2, 2))
    np.testing.assert_allclose(found, [[0, 1], [0.5, 0]])


def test_strength_of_what_speaks_against_alone_is_zero():
    assert strength(np.float32([[-5, -4], [-2, 0]]), (8, 8)).max() == 0


def test_strength_grows_smoothly_and_stays_in_its_place():
    found = strength(spot(1, 2), (80, 80))
    assert found.shape == (80, 80)
    assert 0 <= found.min() <= found.max() <= 1
    peak = np.unravel_index(found.argmax(), found.shape)
    assert 20 <= peak[0] < 40 <= peak[1] < 60
    assert np.abs(np.diff(found, axis=1)).max() < 0.1


@pytest.mark.parametrize(
    "evidence", [np.zeros(4), np.zeros((1, 2, 2)), np.zeros((0, 2)), np.float32([[np.nan, 0]]), np.float32([[np.inf]])]
)
def test_what_is_no_map_is_refused(evidence):
    with pytest.raises(ValueError, match="evidence: expected finite values"):
        strength(evidence, (8, 8))


def test_heat_by_hand():
    # grey 100 darkened to 80; the strongest colour is (255, 255, 210)
    found = heated(np.full((1, 2, 3), 100, np.uint8), np.float32([[0, 1]]))
    np.testing.assert_allclose(found[0, 0], [80, 80, 80], atol=0.01)
    np.testing.assert_allclose(found[0, 1], 80 * (1 - HEAT_SHARE) + HEAT_SHARE * np.float32([255, 255, 210]), rtol=1e-5)


def test_picture_holds_the_photo_and_the_heat_in_its_place():
    picture = explain(GREY, spot(3, 0), "daisy, 98.0%", "Bellis perennis", crop=1.0)
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 2 * 520
    left, right = picture[24:544, 24:544], picture[24:544, 560:1080]
    assert (left == 100).all()
    warm = right.astype(int).max(2) - right.astype(int).min(2)
    rows, columns = np.nonzero(warm > 40)
    assert rows.min() > 260
    assert columns.max() < 260
    assert (picture[550:] < 100).any()  # words


def test_what_the_network_does_not_see_is_pale():
    picture = explain(np.zeros((80, 160, 3), np.uint8), spot(0, 0), "daisy", crop=0.5)
    right = picture[24 : 24 + 260, 560:1080]  # 260 px high, so that the middle 130 x 130 px are seen
    assert right[130, 260].max() < 10
    assert right[5, 5].min() > 150
    assert right[130, 190].min() > 150
    assert right[60, 260].min() > 150


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (3000, 10), (16, 16)])
def test_photos_of_odd_shapes_are_drawn(shape):
    assert explain(np.full((*shape, 3), 9, np.uint8), spot(0, 0), "daisy").ndim == 3


class Gradient:
    """Gives the same gradient for every image, and remembers the label."""

    name = "gradient"
    outputs = {"grad": Port((1, 3, 28, 28), "float32")}  # noqa: RUF012
    inputs = {"image": Port((1, 3, 28, 28), "float32"), "label": Port((1,), "int64")}  # noqa: RUF012

    def __init__(self) -> None:
        self.label: list[int] = []

    def run(self, inputs):
        self.label = inputs["label"].tolist()
        grad = np.zeros((1, 3, 28, 28), np.float32)
        grad[0, 0, 0:2, 2:4] = [[1, -1], [2, -2]]  # the whole second cell of 2 x 2 px
        return {"grad": grad}


def test_gradient_evidence_is_the_size_of_gradient_times_image_by_hand():
    graph = Gradient()
    found = gradient_evidence(np.full((28, 28, 3), 51, np.uint8), graph, 7, crop=1.0)
    assert graph.label == [7]
    assert found.shape == (CELLS, CELLS)
    assert found[0, 1] == pytest.approx(0.2 * (1 + 1 + 2 + 2))
    assert np.count_nonzero(found) == 1
