"""Mask geometry against squares worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.augment import masks
from training.augment.masks import advmask, cutout, grid_mask, hide_and_seek, point_mask, random_erasing
from training.augment.settings import CIFAR10_ADVMASK, CIFAR100_ADVMASK, PHOTO_ADVMASK, AdvMaskConfig, GridMaskConfig

CIFAR = (32, 32)


def rule(length_px: int, **changes: object) -> AdvMaskConfig:
    """Squares of one length in 32 px, no shift, never replaced by GridMask."""
    options = {"shortest": length_px / 32, "longest": length_px / 32, "farthest_shift": 0.0, "least": 0.0}
    return replace(CIFAR10_ADVMASK, **{**options, **changes})


def centres(*pixels: tuple[int, int]) -> NDArray[np.float64]:
    return (np.array(pixels, np.float64).reshape(-1, 2) + 0.5) / 32


def cleared(keep: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    return np.flatnonzero(~keep.all(1)).tolist(), np.flatnonzero(~keep.all(0)).tolist()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(
    ("length_px", "first", "last"),
    [(5, 8, 11), (6, 8, 11), (7, 7, 12), (11, 5, 14), (21, 0, 19)],  # 10 - (L-1)//2 up to 10 + (L-1)//2 - 1
)
def test_the_published_square_ends_before_its_last_row(rng, length_px, first, last):
    keep = advmask(CIFAR, centres((10, 10)), rule(length_px), rng)
    assert cleared(keep) == (list(range(first, last + 1)), list(range(first, last + 1)))
    assert (~keep).sum() == (2 * ((length_px - 1) // 2)) ** 2


@pytest.mark.parametrize(("length_px", "first", "last"), [(5, 8, 12), (6, 8, 13)])
def test_an_exact_square_is_as_long_as_it_says(rng, length_px, first, last):
    keep = advmask(CIFAR, centres((10, 20)), rule(length_px, is_narrowed=False), rng)
    assert cleared(keep) == (list(range(first, last + 1)), list(range(first + 10, last + 11)))


def test_rows_and_columns_are_not_swapped_in_a_picture_that_is_not_square(rng):
    config = rule(16, is_narrowed=False, enough=0.5)  # 16 of 32 is half the short side: 5 of 10 px
    keep = advmask((10, 40), np.array([[0.25, 0.75]]), config, rng)  # row 2, column 30
    assert cleared(keep) == ([0, 1, 2, 3, 4], [28, 29, 30, 31, 32])


def test_squares_scale_with_the_picture(rng):
    keep = advmask((224, 224), centres((16, 16)), rule(8, is_narrowed=False), rng)
    assert (~keep).sum() == 56 * 56


def test_lengths_are_those_of_the_public_code(rng):
    for config, sides in ((CIFAR10_ADVMASK, range(4, 21, 2)), (CIFAR100_ADVMASK, range(2, 15, 2))):
        still = replace(config, farthest_shift=0.0, least=0.0)
        found = {int(np.sqrt((~advmask(CIFAR, centres((16, 16)), still, rng)).sum())) for _ in range(300)}
        assert found == set(sides)


def test_a_picture_with_enough_cleared_gets_no_further_square(rng):
    points = centres((4, 4), (4, 20), (20, 4), (20, 20))
    assert (~advmask(CIFAR, points, rule(7), rng)).sum() == 36  # 3 % are 30.72 px: one square of 6 x 6 is enough
    assert (~advmask(CIFAR, points, rule(5), rng)).sum() == 32  # and two of 4 x 4 are
    assert (~advmask(CIFAR, points, rule(7, enough=0.5), rng)).sum() == 144


def test_a_further_point_follows_with_the_given_probability(rng):
    points = centres((4, 4), (4, 20), (20, 4), (20, 20))
    counts = [int((~advmask(CIFAR, points, rule(7, go_on=0.47), rng)).sum()) // 36 for _ in range(2000)]
    # 0.53 stop after one square, 0.47 * 0.53 after two, 0.47^2 * 0.53 after three, the rest have all four
    shares = np.bincount(counts, minlength=5)[1:] / 2000
    np.testing.assert_allclose(shares, (0.53, 0.2491, 0.1171, 0.1038), atol=0.04)


def test_no_square_follows_once_half_is_cleared(rng):
    everywhere = rng.random((500, 2))
    keep = advmask(CIFAR, everywhere, rule(5, enough=0.5, go_on=1.0, most_overlap=1.0), rng)
    assert 0.5 <= (~keep).mean() <= 0.5 + 16 / 1024


def test_a_point_beside_a_cleared_square_is_passed_over(rng):
    # L = 7, half 3: the square of (10, 10) clears rows and columns 7..12. Around (10, c) rows 6..14, columns
    # c-4..c+4 count, of which column 12 holds 6 cleared pixels: int(49 * 0.1) = 4 allow none, c = 17 has none.
    config = rule(7, enough=0.5)
    assert (~advmask(CIFAR, centres((10, 10), (10, 17)), config, rng)).sum() == 72
    for seed in range(20):
        keep = advmask(CIFAR, centres((10, 10), (10, 16)), config, np.random.default_rng(seed))
        assert (~keep).sum() == 36
    assert (~advmask(CIFAR, centres((10, 10), (10, 16)), replace(config, most_overlap=0.15), rng)).sum() == 72


def test_the_shift_stays_within_nine_pixels_each_way(rng):
    config = replace(rule(7), farthest_shift=9 / 32)
    firsts = [[line[0] for line in cleared(advmask(CIFAR, centres((16, 16)), config, rng))] for _ in range(1500)]
    shifts = 13 - np.array(firsts)
    for axis in range(2):
        assert set(shifts[:, axis].tolist()) == set(range(-9, 10))
    assert len({tuple(shift) for shift in shifts.tolist()}) > 300  # the axes are drawn on their own
    assert abs((shifts == 0).mean() - 0.1) < 0.03  # the public code draws size and direction: 0 twice as often


def test_a_shift_brings_in_what_reached_over_the_edge(rng):
    config = replace(rule(21), farthest_shift=9 / 32)
    areas = {int((~advmask(CIFAR, centres((0, 0)), config, rng)).sum()) for _ in range(4000)}
    assert min(areas) == 1  # a square of 20 around row 0 clears rows 0..9, and row 0 alone once it is shifted out
    assert max(areas) == 19 * 19


def test_without_points_the_mask_is_a_grid(monkeypatch, rng):
    sentinel = np.zeros(CIFAR, bool)
    monkeypatch.setattr(masks, "grid_mask", lambda *_: sentinel)
    assert advmask(CIFAR, np.zeros((0, 2)), CIFAR10_ADVMASK, rng) is sentinel


@pytest.mark.parametrize(("length_px", "is_grid"), [(9, True), (10, True), (11, False), (12, False)])
def test_fewer_than_a_hundred_pixels_of_1024_are_replaced_by_a_grid(monkeypatch, rng, length_px, is_grid):
    sentinel = np.zeros(CIFAR, bool)
    monkeypatch.setattr(masks, "grid_mask", lambda *_: sentinel)
    keep = advmask(CIFAR, centres((16, 16)), rule(length_px, least=100 / 1024), rng)  # 8 x 8 = 64, 10 x 10 = 100
    assert (keep is sentinel) == is_grid


def test_every_point_has_its_turn_however_often_masks_are_drawn():
    """The public code shuffles a 2-D array with `random.shuffle`, which loses points for good."""
    points = centres(*[(row, column) for row in range(2, 32, 6) for column in range(2, 32, 6)])
    before = points.copy()
    config = rule(5, is_narrowed=False, enough=1.0, most=1.0)
    for seed in range(30):
        keep = advmask(CIFAR, points, config, np.random.default_rng(seed))
        assert (~keep).sum() == 25 * 25  # squares of 5 px in steps of 6: none overlaps, none is missing
    np.testing.assert_array_equal(points, before)


def test_the_order_of_the_points_is_drawn():
    points = centres((8, 8), (24, 24))
    firsts = {cleared(advmask(CIFAR, points, rule(7), np.random.default_rng(seed)))[0][0] for seed in range(20)}
    assert firsts == {5, 21}


def test_the_photo_rule_clears_about_a_fifth_and_rarely_needs_the_grid(monkeypatch, rng):
    monkeypatch.setattr(masks, "grid_mask", lambda size_hw, *_: np.ones(size_hw, bool))
    shares = [(~advmask((96, 96), rng.random((64, 2)), PHOTO_ADVMASK, rng)).mean() for _ in range(200)]
    assert np.mean(np.equal(shares, 0)) < 0.05
    assert 0.15 < np.mean(shares) < 0.3


def test_the_grid_clears_squares_and_keeps_whole_bars(rng):
    keep = grid_mask((100, 60), GridMaskConfig(shortest_period=10 / 60, longest_period=10 / 60, bar=0.4), rng)
    is_bar_row, is_bar_column = keep.all(1), keep.all(0)
    assert (is_bar_row.sum(), is_bar_column.sum()) == (40, 24)  # 4 of every 10 px
    np.testing.assert_array_equal(keep, is_bar_row[:, None] | is_bar_column[None, :])


def test_a_grid_of_period_24_keeps_ten_rows_between_squares_of_14():
    config = GridMaskConfig(shortest_period=24 / 32, longest_period=24 / 32)
    whole = grid_mask((32, 32 * 24), config, np.random.default_rng(3))
    assert whole.all(0).sum() == 32 * 10  # ceil(0.4 * 24) of every 24 columns, whatever the phase
    line = ~whole[np.flatnonzero(~whole.all(1))[0]]
    edges = np.flatnonzero(np.diff(line.astype(int)) == 1)
    assert set(np.diff(edges).tolist()) == {24}


def test_the_grids_share_lies_where_its_periods_put_it(rng):
    shares = [(~grid_mask(CIFAR, GridMaskConfig(), rng)).mean() for _ in range(500)]
    assert 0.33 < np.mean(shares) < 0.38  # (1 - 0.4)^2 = 0.36, less for the rounded bar
    assert max(shares) < 0.5


def test_cutout_is_one_square_cut_at_the_border(rng):
    areas = {int((~cutout(CIFAR, 16 / 32, rng)).sum()) for _ in range(2000)}
    assert max(areas) == 256
    assert min(areas) == 64  # the centre in the first row and column leaves 8 x 8
    rows, columns = cleared(cutout(CIFAR, 16 / 32, rng))
    assert (np.diff(rows) == 1).all()
    assert (np.diff(columns) == 1).all()


def test_hide_and_seek_hides_whole_cells_and_never_the_whole_small_picture(rng):
    found = [hide_and_seek(CIFAR, rng) for _ in range(1000)]
    assert all(keep.any() for keep in found)  # sizes of 32 to 56 px, as published for 224, would hide all of it
    assert 0.35 < np.mean([~keep for keep in found]) < 0.45  # half of it in four of five draws
    cell = hide_and_seek((64, 64), rng, hidden=1.0)
    assert cell.all() or not cell.any()


def test_random_erasing_clears_one_rectangle_within_its_bounds(rng):
    for _ in range(500):
        keep = random_erasing((64, 64), rng)
        rows, columns = cleared(keep)
        assert (~keep).sum() == len(rows) * len(columns)
        assert 0.015 < (~keep).mean() < 0.42
        assert 0.25 < len(rows) / len(columns) < 4


def test_random_erasing_gives_up_where_nothing_fits(rng):
    assert random_erasing((1, 64), rng).all()


def test_point_mask_clears_each_points_pixel():
    keep = point_mask(CIFAR, np.array([[0, 0], [0.999, 0.5], [1.0, 0.5]]))
    assert np.argwhere(~keep).tolist() == [[0, 0], [31, 16]]


@pytest.mark.parametrize("draw", [
    lambda rng: advmask(CIFAR, np.random.default_rng(0).random((20, 2)), CIFAR100_ADVMASK, rng),
    lambda rng: grid_mask(CIFAR, GridMaskConfig(), rng),
    lambda rng: cutout(CIFAR, 0.5, rng),
    lambda rng: hide_and_seek(CIFAR, rng),
    lambda rng: random_erasing(CIFAR, rng),
])  # fmt: skip
def test_the_generator_alone_decides(draw):
    first, second = ([draw(rng) for _ in range(5)] for rng in (np.random.default_rng(4), np.random.default_rng(4)))
    np.testing.assert_array_equal(first, second)
    assert any((mask != first[0]).any() for mask in first[1:])


@pytest.mark.parametrize(
    "points",
    [np.zeros((3,)), np.zeros((2, 3)), np.array([[0.5, 1.01]]), np.array([[-0.1, 0.5]]), np.array([[np.nan, 0]])],
)
def test_points_out_of_bounds_are_refused(rng, points):
    with pytest.raises(ValueError, match="points_rc"):
        advmask(CIFAR, points, CIFAR10_ADVMASK, rng)


@pytest.mark.parametrize(
    ("field", "value"),
    [("shortest", 0), ("longest", 1.1), ("margin", -1), ("most_overlap", 2), ("enough", 0.6), ("go_on", float("nan"))],
)
def test_a_rule_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        AdvMaskConfig(**{field: value})
