"""Looks at a photo: plain ones are crops, drawn ones are linear, and what comes back is their adjoint."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.looks import Look, draw_look, plain_look

SIDE_PX = 8
SIZES = [(8, 8), (8, 30), (21, 8)]


class Fixed:
    """Chance that gives what a test wants: zoom, shift down, shift right (as shares of their ranges), mirrored."""

    def __init__(self, zoom: float, down: float = 0.5, right: float = 0.5, mirrored: bool = False) -> None:
        self._shares = iter((zoom, down, right))
        self._mirrored = mirrored

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * next(self._shares)

    def random(self) -> float:
        return 0.0 if self._mirrored else 0.99


def drawn(size: tuple[int, int], centre: tuple[float, float], zoom: float, **shares) -> Look:
    """A look of a known zoom, whatever the range that looks are drawn from: 0.7 to 1.2."""
    return draw_look(size, SIDE_PX, centre, Fixed((zoom - 0.7) / 0.5, **shares))  # pyright: ignore[reportArgumentType]


def ramp(size: tuple[int, int]) -> np.ndarray:
    """(1, 3, H, W): the column's number, the row's number, and one everywhere."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    return np.stack([columns, rows, np.ones(size)])[None].astype(np.float32)


@pytest.mark.parametrize(("size", "top", "left"), [((8, 8), 0, 0), ((8, 20), 0, 6), ((30, 8), 11, 0)])
def test_a_plain_look_is_the_middle_square_exactly(rng, size, top, left):
    image = rng.random((1, 3, *size), np.float32)
    shown = plain_look(size, SIDE_PX).at(image)
    np.testing.assert_array_equal(shown, image[:, :, top : top + SIDE_PX, left : left + SIDE_PX])
    assert shown.flags.c_contiguous
    assert shown.dtype == np.float32


def test_where_no_square_is_in_the_middle_a_plain_look_is_the_mean_of_both(rng):
    image = rng.random((1, 3, 8, 11), np.float32)  # three columns to spare: the middle is between 1 and 2
    wanted = (image[..., 1:9] + image[..., 2:10]) / 2
    np.testing.assert_allclose(plain_look((8, 11), SIDE_PX).at(image), wanted, atol=1e-6)


def test_the_gradient_of_a_plain_look_lands_in_the_middle(rng):
    grad = rng.normal(size=(1, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
    back = plain_look((8, 20), SIDE_PX).back(grad)
    np.testing.assert_array_equal(back[..., 6:14], grad)
    assert not back[..., :6].any()
    assert not back[..., 14:].any()


@pytest.mark.parametrize("size", SIZES)
def test_back_is_the_adjoint_of_at(size):
    rng = np.random.default_rng(5)
    for _ in range(20):
        look = draw_look(size, SIDE_PX, (rng.uniform(0, size[0]), rng.uniform(0, size[1])), rng)
        image = rng.normal(size=(1, 3, *size)).astype(np.float32)
        grad = rng.normal(size=(1, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
        shown, back = look.at(image), look.back(grad)
        assert shown.shape == grad.shape
        assert back.shape == image.shape
        assert shown.dtype == back.dtype == np.float32
        assert np.vdot(shown, grad) == pytest.approx(np.vdot(image, back), abs=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_that_is_shown_is_a_mean_of_pixels_that_are_there(size):
    rng = np.random.default_rng(6)
    for _ in range(20):
        look = draw_look(size, SIDE_PX, (rng.uniform(0, size[0]), rng.uniform(0, size[1])), rng)
        for matrix, length in ((look.rows, size[0]), (look.columns, size[1])):
            assert matrix.shape == (SIDE_PX, length)
            assert matrix.dtype == np.float32
            assert matrix.min() >= 0
            np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)


def test_a_look_of_half_the_size_reads_every_second_place():
    # Eight pixels of zoom 1/2 around (10, 10) stand at 10 + 2 (i - 3.5) - 0.5 = 2.5, 4.5, ..., 16.5.
    shown = drawn((20, 20), (10, 10), 0.5).at(ramp((20, 20)))
    np.testing.assert_allclose(shown[0, 0, 0], np.arange(2.5, 17, 2), atol=1e-5)
    np.testing.assert_allclose(shown[0, 1, :, 0], np.arange(2.5, 17, 2), atol=1e-5)
    np.testing.assert_allclose(shown[0, 2], 1, atol=1e-6)


def test_beyond_the_rim_the_rim_is_repeated():
    # As above in an image of 8 x 8 around (4, 4): -3.5, -1.5, 0.5, 2.5, 4.5, 6.5, 8.5, 10.5, held to 0 and 7.
    shown = drawn((8, 8), (4, 4), 0.5).at(ramp((8, 8)))
    np.testing.assert_allclose(shown[0, 0, 0], [0, 0, 0.5, 2.5, 4.5, 6.5, 7, 7], atol=1e-5)


def test_a_shift_is_a_twentieth_of_the_side_at_most():
    # Of 8 px: 0.4 px. Down and right are the two ends of it.
    shown = drawn((20, 20), (10, 10), 1.0, down=0.0, right=1.0).at(ramp((20, 20)))
    np.testing.assert_allclose(shown[0, 0, 0], np.arange(6, 14) + 0.4, atol=1e-5)
    np.testing.assert_allclose(shown[0, 1, :, 0], np.arange(6, 14) - 0.4, atol=1e-5)


@pytest.mark.parametrize("zoom", [0.5, 0.83, 1.0, 1.1])
def test_a_mirrored_look_is_the_same_look_from_the_other_side(rng, zoom):
    image = rng.random((1, 3, 12, 17), np.float32)
    plain, mirrored = (drawn((12, 17), (5, 9), zoom, mirrored=side) for side in (False, True))
    np.testing.assert_allclose(mirrored.at(image), plain.at(image)[..., ::-1], atol=1e-6)
    grad = rng.normal(size=(1, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
    np.testing.assert_allclose(mirrored.back(grad), plain.back(grad[..., ::-1]), atol=1e-5)


def test_looks_differ_in_size_and_side_and_the_same_chance_gives_the_same_look():
    rng = np.random.default_rng(0)
    looks = [draw_look((40, 40), SIDE_PX, (20, 20), rng) for _ in range(200)]
    across = np.stack([look.at(ramp((40, 40)))[0, 0, 0] for look in looks])  # the columns that are read
    pixels_a_pixel = np.abs(np.diff(across, axis=1)).mean(1)
    assert 1 / 1.2 - 1e-4 <= pixels_a_pixel.min() < 0.9
    assert 1.35 < pixels_a_pixel.max() <= 1 / 0.7 + 1e-4
    assert 70 < (across[:, 0] > across[:, -1]).sum() < 130  # about half are mirrored
    again = draw_look((40, 40), SIDE_PX, (20, 20), np.random.default_rng(0))
    np.testing.assert_array_equal(again.columns, looks[0].columns)
