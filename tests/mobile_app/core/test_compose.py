"""The budget map, and a change laid over a photo inside it."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core import compose as module
from mobile_app.core.compose import PLAIN_LEVELS, TEXTURE_LEVELS, budget_map, compose


def grey(height: int, width: int, level: int = 128) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def whole(shape: tuple[int, ...], levels: float) -> np.ndarray:
    return np.full((3, *shape[:2]), levels, np.float32)


def change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return after.astype(int) - before


def test_a_plain_photo_bears_what_a_plain_area_bears_up_to_the_budget():
    np.testing.assert_allclose(budget_map(grey(64, 64), 8.0), PLAIN_LEVELS, rtol=1e-6)
    np.testing.assert_allclose(budget_map(grey(64, 64), 4.0), PLAIN_LEVELS, rtol=1e-6)
    np.testing.assert_allclose(budget_map(grey(64, 64), 1.0), 1, rtol=1e-6)
    np.testing.assert_allclose(budget_map(grey(64, 64), 12.0), PLAIN_LEVELS * 1.5, rtol=1e-6)


def test_texture_bears_more_than_a_plain_area_and_never_more_than_the_budget(rng):
    photo = grey(64, 128)
    photo[:, 64:] = rng.integers(0, 256, (64, 64, 3))
    bound = budget_map(photo, 8.0)
    assert bound[..., :50].max() < 3
    assert bound[..., 78:].min() == 8
    assert bound.max() == 8


def test_even_texture_bears_more_by_its_variance():
    # Columns of 126, 128, 126, ...: the 7 around a pixel hold 3 of one and 4 of the other, whose variance is
    # 2^2 * (3/7) * (4/7) = 48 / 49, in every window; 2 * 48 / 49 over C2 = 7.65^2 times TEXTURE_LEVELS is added.
    photo = grey(40, 40, 126)
    photo[:, ::2] = 128
    wanted = PLAIN_LEVELS + TEXTURE_LEVELS * 2 * (48 / 49) / 7.65**2
    np.testing.assert_allclose(budget_map(photo, 8.0)[:, 10:30, 10:30], wanted, rtol=1e-4)
    np.testing.assert_allclose(budget_map(photo, 12.0)[:, 10:30, 10:30], wanted * 1.5, rtol=1e-4)
    assert budget_map(photo, 1.0).max() <= 1


def test_texture_of_one_channel_lets_that_channel_change_and_no_other(rng):
    photo = grey(64, 64)
    photo[..., 0] = rng.integers(0, 256, (64, 64))
    red, green, blue = budget_map(photo, 8.0)
    assert red.min() == 8
    np.testing.assert_allclose([green, blue], PLAIN_LEVELS, rtol=1e-6)


def test_half_the_budget_is_reached_in_a_quarter_of_the_texture():
    photo = grey(40, 40, 126)
    photo[:, ::2] = 128
    wanted = PLAIN_LEVELS + 4 * TEXTURE_LEVELS * 2 * (48 / 49) / 7.65**2  # see the test before
    np.testing.assert_allclose(budget_map(photo, 4.0)[:, 10:30, 10:30], wanted, rtol=1e-3)


def test_the_map_does_not_jump_where_a_budget_goes_under_that_of_the_map(rng):
    photo = grey(64, 128)
    photo[:, 64:] = rng.integers(120, 136, (64, 64, 3))
    below, above = budget_map(photo, 7.999), budget_map(photo, 8.001)
    np.testing.assert_allclose(below, above, rtol=1e-3)


def test_on_the_plain_side_of_an_edge_the_plain_windows_count():
    photo = grey(64, 64, 20)
    photo[:, 32:] = 230
    bound = budget_map(photo, 8.0)[0, 20]
    # Of the 7 windows along the row that hold column 31 one is plain, of those that hold column 28 four: their costs
    # are (1/7)^(1/4) and (4/7)^(1/4) of a plain area's, what the others add is next to nothing.
    assert bound[31] == pytest.approx(PLAIN_LEVELS + TEXTURE_LEVELS * (7 ** (1 / 4) - 1), rel=0.01)
    assert bound[28] == pytest.approx(PLAIN_LEVELS + TEXTURE_LEVELS * ((7 / 4) ** (1 / 4) - 1), rel=0.01)
    assert bound[25] == bound[38] == pytest.approx(PLAIN_LEVELS)
    np.testing.assert_allclose(bound[:32], bound[:31:-1], rtol=1e-5)


@pytest.mark.parametrize("shape", [(3000, 4000), (16, 5000), (300, 451), (769, 16)])
def test_the_map_keeps_the_proportions_and_ends_at_768(shape):
    channels, height, width = budget_map(grey(*shape), 8.0).shape
    assert channels == 3
    assert max(height, width) <= 768
    factor = max(shape) / max(height, width)
    assert abs(height - shape[0] / factor) <= 1
    assert abs(width - shape[1] / factor) <= 1


@pytest.mark.parametrize(
    ("budget_levels", "expected"), [(7.6, 7), (8.0, 8), (7.999, 7), (1.0, 1), (0.9, 0), (12.0, 12), (255.0, 127)]
)
def test_a_budget_between_levels_is_rounded_down(budget_levels, expected):
    photo = grey(50, 60)
    up = compose(photo, np.ones((1, 10, 12), np.float32), whole(photo.shape, budget_levels), budget_levels)
    assert change(photo, up).max() == change(photo, up).min() == expected
    down = compose(photo, -np.ones((3, 10, 12), np.float32), whole(photo.shape, budget_levels), budget_levels)
    assert change(photo, down).min() == -min(int(budget_levels), 128)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("budget_levels", [1.0, 3.3, 8.0, 12.0, 64.0])
def test_no_pixel_leaves_the_budget(rng, channels, budget_levels):
    photo = rng.integers(0, 256, (301, 217, 3), dtype=np.uint8)
    unit = rng.uniform(-3, 3, (channels, 31, 22)).astype(np.float32)  # out of range on purpose
    after = compose(photo, unit, whole((77, 55), budget_levels), budget_levels)
    assert np.abs(change(photo, after)).max() <= int(budget_levels)


def test_a_pixel_changes_by_its_own_bound():
    photo = grey(40, 40)
    bound = whole((40, 40), 8)
    bound[..., :20] = 2
    after = compose(photo, np.ones((1, 40, 40), np.float32), bound, 8.0)
    assert set(change(photo, after)[:, :18].ravel()) == {2}
    assert set(change(photo, after)[:, 22:].ravel()) == {8}


def test_a_channel_changes_by_its_own_bound():
    bound = np.float32([8, 3, 2])[:, None, None] * np.ones((40, 40), np.float32)
    laid = change(grey(40, 40), compose(grey(40, 40), np.full((1, 40, 40), -1, np.float32), bound, 8.0))
    np.testing.assert_array_equal(laid, np.broadcast_to([-8, -3, -2], laid.shape))


def test_a_fine_change_is_laid_over_a_larger_photo_nearly_whole():
    wave = np.broadcast_to(np.sin(np.pi / 2 * (np.arange(60) + 0.3)), (1, 60, 60)).astype(np.float32)  # 4 px a period
    laid = change(grey(80, 80), compose(grey(80, 80), wave, whole((80, 80), 100), 100.0))
    assert laid.std() > 0.92 * 100 * wave.std()  # bilinear: 0.82


@pytest.mark.parametrize(("budget_levels", "share"), [(8.0, 0.5), (12.0, 0.5), (4.0, 0.75), (2.0, 0.875)])
def test_with_less_than_8_levels_more_pixels_spend_all_of_theirs(budget_levels, share):
    half = np.full((1, 40, 40), 0.5, np.float32)
    bound = whole((40, 40), budget_levels)
    laid = change(grey(40, 40), compose(grey(40, 40), half, bound, budget_levels))
    assert set(laid.ravel()) == {round(share * budget_levels)}


def test_a_raised_change_stays_inside_the_bound_of_its_pixel():
    laid = change(grey(40, 40), compose(grey(40, 40), np.ones((1, 40, 40), np.float32), whole((40, 40), 1.4), 4.0))
    assert set(laid.ravel()) == {1}


def test_no_change_is_no_change(photo):
    after = compose(photo, np.zeros((3, 20, 30), np.float32), whole((30, 45), 8), 8.0)
    np.testing.assert_array_equal(after, photo)
    assert after is not photo


def test_black_and_white_are_the_ends():
    photo = grey(16, 16, 0)
    photo[8:] = 255
    unit = np.ones((1, 16, 16), np.float32)
    assert compose(photo, unit, whole(photo.shape, 8), 8.0)[8:].min() == 255
    assert compose(photo, -unit, whole(photo.shape, 8), 8.0)[:8].max() == 0


def test_one_channel_changes_all_alike(rng):
    photo = grey(90, 120)
    after = compose(photo, rng.uniform(-1, 1, (1, 30, 40)).astype(np.float32), whole((90, 120), 8), 8.0)
    assert np.ptp(change(photo, after), axis=2).max() == 0
    assert np.abs(change(photo, after)).max() > 2


@pytest.mark.parametrize("shape", [(301, 217), (64, 999), (997, 16)])
def test_strips_give_what_the_whole_gives(rng, monkeypatch, shape):
    photo = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    unit = rng.uniform(-1, 1, (3, 30, 30)).astype(np.float32)
    at_once = compose(photo, unit, whole((50, 50), 8), 8.0)
    monkeypatch.setattr(module, "_PIXELS_A_STRIP", 5000)
    in_strips = compose(photo, unit, whole((50, 50), 8), 8.0)
    np.testing.assert_allclose(change(at_once, in_strips), 0, atol=1)  # the resize rounds its own way in each strip
    assert (at_once != in_strips).mean() < 0.03


def test_the_photo_of_the_caller_stays_as_it_was(photo):
    copy = photo.copy()
    compose(photo, np.ones((3, 20, 30), np.float32), whole((30, 45), 8), 8.0)
    np.testing.assert_array_equal(photo, copy)
