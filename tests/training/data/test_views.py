"""Views depend on seed, epoch and photo alone, and points follow the crop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.data.views import Box, TrainingViews, ViewConfig, crop_box, jittered, moved, points_in, resized_crop

PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)


def views(**changed) -> TrainingViews:
    return TrainingViews([PHOTO] * 4, [0, 1, 2, 3], ViewConfig(size_px=24), **{"seed": 3, **changed})


def test_a_view_is_the_same_whatever_was_asked_for_before() -> None:
    first, second = views(), views()
    _ = [second[index] for index in (3, 0, 2)]
    assert torch.equal(first[1][0], second[1][0])
    assert first[1][1] == 1


def test_photos_epochs_and_seeds_give_different_views() -> None:
    shown = views()
    base = shown[0][0]
    assert not torch.equal(base, shown[1][0])
    assert not torch.equal(base, views(seed=4)[0][0])
    shown.set_epoch(1)
    assert not torch.equal(base, shown[0][0])


def test_a_view_is_a_tensor_in_the_unit_range() -> None:
    image, _ = views()[0]
    assert image.shape == (3, 24, 24)
    assert image.dtype == torch.float32
    assert 0 <= float(image.min()) < float(image.max()) <= 1


def test_crops_keep_to_the_photo_and_their_area() -> None:
    config, rng = ViewConfig(smallest_area=0.3), np.random.default_rng(1)
    for _ in range(200):
        box = crop_box(40, 60, config, rng)
        assert box.top >= 0
        assert box.left >= 0
        assert box.top + box.height <= 1 + 1e-9
        assert box.left + box.width <= 1 + 1e-9
        assert 0.2 < box.height * box.width <= 1


def test_the_whole_photo_as_crop_is_the_photo() -> None:
    assert np.array_equal(resized_crop(PHOTO[:, :40], Box(0, 0, 1, 1), 40), PHOTO[:, :40])


def test_points_move_with_the_crop_and_those_outside_go() -> None:
    points = np.array([[0.5, 0.5], [0.1, 0.5], [0.75, 0.25]])
    np.testing.assert_allclose(points_in(points, Box(0.5, 0.25, 0.5, 0.5)), [[0.0, 0.5], [0.5, 0.0]])


def test_points_are_mirrored_with_the_view() -> None:
    seen = []
    augment = lambda image, points, rng: seen.append((image, points)) or image  # noqa: E731
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[18:22, 5:9] = 255
    shown = TrainingViews(
        [photo] * 20, [0] * 20, ViewConfig(size_px=40, smallest_area=1.0, largest_aspect=1.0, jitter=0.0),
        seed=0, augment=augment, points=[np.array([[0.5, 7 / 40]])] * 20,
    )  # fmt: skip
    columns = set()
    for index in range(20):
        _ = shown[index]
        image, points = seen[-1]
        row, column = (points[0] * 40).astype(int)
        columns.add(int(column))
        assert float(image[0, row, min(column, 39)]) > 0.9
    assert len(columns) == 2


def test_a_small_picture_is_moved_by_whole_pixels_and_its_points_with_it() -> None:
    square, config = PHOTO[:16, :16], ViewConfig(size_px=16, shift=0.25)
    seen = set()
    for seed in range(40):
        view, box = moved(square, config, np.random.default_rng(seed))
        down, right = round(-box.top * 16), round(-box.left * 16)
        seen.update((down, right))
        assert (view[max(0, down) : 16 + down, max(0, right) : 16 + right] ==
                square[max(0, -down) : 16 - down, max(0, -right) : 16 - right]).all()  # fmt: skip
        assert not view[: max(0, down)].any()
        point = points_in(np.array([[8.5 / 16, 5.5 / 16]]), box)[0] * 16
        assert point == pytest.approx([8.5 + down, 5.5 + right])
    assert seen == set(range(-4, 5))


def test_a_picture_that_is_not_of_the_views_size_cannot_be_moved() -> None:
    with pytest.raises(ValueError, match="size_px: expected 40, the side of the pictures, got 24"):
        moved(PHOTO, ViewConfig(size_px=24, shift=0.1), np.random.default_rng(0))


def test_jitter_of_nothing_changes_nothing() -> None:
    pixels = np.random.default_rng(0).uniform(size=(4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(jittered(pixels, 0.0, np.random.default_rng(0)), pixels, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"), [("size_px", 4), ("smallest_area", 0.0), ("largest_aspect", 0.5), ("jitter", 1.0)]
)
def test_a_bound_is_told_by_its_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        ViewConfig(**{field: value})
