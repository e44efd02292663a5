"""What the app shows of a recognised flower: sizes, crops, the heat map, thumbnails."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.classify import Classification, Guess
from mobile_app.core.flowers import SHOWN_PX, THUMBNAIL_PX, as_recognition, cropped, looked_at, pixels_of, thumbnail


def answer(evidence: np.ndarray | None) -> Classification:
    top = (Guess("rose", 0.6, 3), Guess("tulip", 0.3, 5))
    return Classification(top=top, unsure=True, none_of_them=0.1, evidence=evidence)


def test_a_recognition_says_what_the_network_said(chelsea: np.ndarray) -> None:
    found = as_recognition(chelsea, answer(None), 0.875)
    assert found.guesses == (("rose", 0.6), ("tulip", 0.3))
    assert found.best == ("rose", 0.6)
    assert (found.is_unsure, found.none_of_them, found.heat) == (True, 0.1, None)
    np.testing.assert_array_equal(found.shown, chelsea)  # small enough as it is


def test_a_large_photo_is_shown_smaller_and_its_heat_map_with_it() -> None:
    photo = np.zeros((3000, 1500, 3), np.uint8)
    found = as_recognition(photo, answer(np.ones((7, 7), np.float32)), 0.875)
    assert found.shown.shape == (SHOWN_PX, SHOWN_PX // 2, 3)
    assert found.heat is not None
    assert found.heat.shape == found.shown.shape


def test_only_what_the_network_saw_can_glow() -> None:
    photo = np.full((200, 400, 3), 100, np.uint8)
    evidence = np.zeros((2, 2), np.float32)
    evidence[:, 0] = 1  # the left half of the square that it saw, which is columns 120 to 279
    heat = looked_at(photo, evidence, 0.8).astype(int)
    assert heat[100, 130].sum() > heat[100, 270].sum() + 200
    assert np.ptp(heat[100, 270]) == 0  # grey: no evidence there
    assert (heat[:, :120] == heat[0, 0]).all()  # outside: pale, and the same everywhere
    assert heat[0, 0].min() > photo[0, 0].max()


@pytest.mark.parametrize(
    ("shape", "ratio", "expected"),
    [
        ((100, 200), 1.0, (100, 100)),
        ((100, 200), 0.25, (50, 200)),
        ((200, 100), 1.1, (110, 100)),
        ((7, 7), 1.0, (7, 7)),
    ],
)
def test_a_crop_is_the_largest_middle_part_of_its_ratio(
    shape: tuple[int, int], ratio: float, expected: tuple[int, int]
) -> None:
    photo = np.zeros((*shape, 3), np.uint8)
    photo[shape[0] // 2, shape[1] // 2] = 255
    part = cropped(photo, ratio)
    assert part.shape[:2] == expected
    assert part[expected[0] // 2, expected[1] // 2].tolist() == [255, 255, 255]


def test_a_ratio_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="ratio"):
        cropped(np.zeros((4, 4, 3), np.uint8), 0)


def test_a_thumbnail_is_a_small_square_jpeg_of_the_middle(coffee: np.ndarray) -> None:
    data = thumbnail(coffee)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (THUMBNAIL_PX, THUMBNAIL_PX))
    assert len(data) < 30_000
    pixels = pixels_of(data, 0.5)
    assert pixels is not None
    assert pixels.shape == (THUMBNAIL_PX // 2, THUMBNAIL_PX, 3)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"GIF89a"])
def test_a_damaged_thumbnail_is_none(data: bytes) -> None:
    assert pixels_of(data) is None
