"""Squares of a longer image: they cover it, the middle comes first, and what they bring is joined without seams."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.squares import Square, laid_over, spread, square_views, visiting_order

SIDE_PX = 32
SIZES = [(32, 32), (32, 33), (32, 64), (64, 32), (32, 65), (96, 32), (97, 32), (32, 500), (1280, 32)]


def times_covered(size: tuple[int, int], squares: list[Square]) -> np.ndarray:
    covered = np.zeros((1, 1, *size), int)
    for square in squares:
        assert covered[square.view].shape == (1, 1, SIDE_PX, SIDE_PX)
        covered[square.view] += 1
    return covered


@pytest.mark.parametrize("choose", [square_views, spread])
@pytest.mark.parametrize("size", SIZES)
def test_squares_cover_the_image_in_an_odd_number_with_one_in_the_middle(choose, size):
    squares = choose(size, SIDE_PX)
    assert times_covered(size, squares).min() >= 1
    assert len(squares) % 2 == 1
    middle = squares[len(squares) // 2]
    np.testing.assert_allclose(middle.centre, (size[0] / 2, size[1] / 2), atol=0.5)
    starts = [square.top + square.left for square in squares]
    assert starts == sorted(starts)


@pytest.mark.parametrize("size", SIZES)
def test_views_overlap_by_half_and_spread_squares_are_few(size):
    views, few = square_views(size, SIDE_PX), spread(size, SIDE_PX)
    steps = np.diff([square.top + square.left for square in views])
    assert (steps <= SIDE_PX / 2 + 0.5).all()  # a start is a whole pixel
    assert len(few) <= max(size) / SIDE_PX + 2
    assert len(few) <= len(views)


@pytest.mark.parametrize(
    ("size", "starts"),
    [((4, 4), [0]), ((4, 8), [0, 2, 4]), ((8, 4), [0, 2, 4]), ((4, 12), [0, 2, 4, 6, 8]), ((4, 10), [0, 2, 3, 4, 6])],
)
def test_views_lie_where_they_should(size, starts):
    squares = square_views(size, 4)
    assert [square.top + square.left for square in squares] == starts
    assert all((square.left if size[0] > size[1] else square.top) == 0 for square in squares)


@pytest.mark.parametrize(
    ("size", "starts"), [((4, 4), [0]), ((4, 5), [0, 0, 1]), ((4, 8), [0, 2, 4]), ((12, 4), [0, 4, 8])]
)
def test_spread_squares_lie_where_they_should(size, starts):
    assert [square.top + square.left for square in spread(size, 4)] == starts


def test_a_square_knows_its_pixels_and_its_middle():
    square = Square(top=2, left=5, side_px=4)
    image = np.arange(200).reshape(1, 1, 10, 20)
    np.testing.assert_array_equal(image[square.view][0, 0], image[0, 0, 2:6, 5:9])
    assert square.centre == (4.0, 7.0)


@pytest.mark.parametrize(
    ("count", "order"), [(1, [0]), (3, [1, 2, 0]), (5, [2, 3, 1, 4, 0]), (7, [3, 4, 2, 5, 1, 6, 0])]
)
def test_the_middle_is_visited_first_and_every_square_once_a_round(count, order):
    assert [visiting_order(step, count) for step in range(2 * count)] == order * 2


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("choose", [square_views, spread])
def test_the_shares_of_the_squares_add_up_to_one(choose, size):
    squares = choose(size, SIDE_PX)
    zeros, ones = (np.full((1, 1, SIDE_PX, SIDE_PX), value, np.float32) for value in (0, 1))
    shares = [laid_over(size, squares, [ones if other is square else zeros for other in squares]) for square in squares]
    assert min(share.min() for share in shares) >= 0
    np.testing.assert_allclose(sum(shares), 1, atol=1e-5)
    np.testing.assert_allclose(laid_over(size, squares, [ones * 0.25] * len(squares)), 0.25, atol=1e-6)


def test_squares_fade_into_each_other_as_by_hand():
    # Squares of 2 px at 0 and 1 weigh each of their pixels 1/2, so that where both lie their mean comes out.
    squares = [Square(top=0, left=start, side_px=2) for start in (0, 1)]
    parts = [np.full((1, 1, 2, 2), value, np.float32) for value in (0, 1)]
    np.testing.assert_allclose(laid_over((2, 3), squares, parts)[0, 0], [[0, 0.5, 1]] * 2)
    # Of 4 px they weigh 1/4, 3/4, 3/4, 1/4: two that share 3 px fade as 0, 1/4, 1/2, 3/4, 1.
    squares = [Square(top=start, left=0, side_px=4) for start in (0, 1)]
    parts = [np.full((1, 1, 4, 4), value, np.float32) for value in (0, 1)]
    faded = laid_over((5, 4), squares, parts)[0, 0, :, 0]
    np.testing.assert_allclose(faded, [0, 0.25, 0.5, 0.75, 1])


def test_one_square_is_what_it_brings(rng):
    part = rng.normal(size=(1, 3, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(laid_over((16, 16), spread((16, 16), 16), [part]), part, rtol=1e-6)


def test_parts_of_another_number_than_the_squares_are_refused():
    with pytest.raises(ValueError, match="zip"):
        laid_over((4, 8), spread((4, 8), 4), [np.zeros((1, 1, 4, 4), np.float32)])
