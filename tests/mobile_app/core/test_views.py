"""Photos as a screen shows them: sizes, parts and differences, with values done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.views import amplified, part_of, shrunk


def test_a_photo_is_shrunk_to_its_longer_side_and_never_enlarged(photo: np.ndarray) -> None:
    assert shrunk(photo, 100).shape == (67, 100, 3)  # of 300 x 451
    assert shrunk(photo.transpose(1, 0, 2), 100).shape == (100, 67, 3)
    assert shrunk(photo, 451) is photo


def test_a_shrunk_photo_looks_like_itself(photo: np.ndarray) -> None:
    small = shrunk(photo, 45)
    assert small.mean() == pytest.approx(photo.mean(), abs=1)


def test_a_part_is_the_whole_pixels_that_it_touches() -> None:
    photo = np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3)
    pixels, part = part_of(photo, (0.26, 0.0, 0.5, 0.55))
    assert part == (0.25, 0.0, 0.5, 0.6)
    assert np.array_equal(pixels, photo[0:6, 5:10])


def test_a_part_smaller_than_a_pixel_is_that_pixel() -> None:
    photo = np.zeros((4, 4, 3), np.uint8)
    assert part_of(photo, (0.999, 0.999, 1.0, 1.0))[0].shape == (1, 1, 3)


@pytest.mark.parametrize("part", [(0.5, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.1), (float("nan"), 0, 1, 1)])
def test_a_part_outside_is_refused(part: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="part: expected"):
        part_of(np.zeros((4, 4, 3), np.uint8), part)


def test_a_difference_is_ten_times_as_strong_around_grey_and_clipped() -> None:
    before = np.full((1, 4, 3), 100, np.uint8)
    after = np.array([[[100] * 3, [103] * 3, [98] * 3, [200] * 3]], np.uint8)
    assert amplified(before, after)[0, :, 0].tolist() == [128, 158, 108, 255]


def test_photos_of_two_sizes_have_no_difference() -> None:
    with pytest.raises(ValueError, match="one shape"):
        amplified(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8))


def test_a_length_below_one_pixel_is_refused(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="longest_px: expected 1"):
        shrunk(photo, 0)
