"""Points out of an attack's masks, and the file that keeps them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.augment.points import PointCache, content_key, file_sha256, points_of, sensitive_points
from training.errors import TrainingError

CHECKPOINT = "ab" * 32
ATTACK = {"name": "auto_adversary", "budget": 8}


class BrightestPixel:
    """An "attack" that changes the brightest pixel of the second channel; counts its images, can be stopped."""

    def __init__(self, stop_after: int = 10**9) -> None:
        self.images, self.stop_after = 0, stop_after

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.images + len(images) > self.stop_after:
            raise KeyboardInterrupt
        self.images += len(images)
        mask = torch.zeros_like(images, dtype=torch.bool)
        brightest = images[:, 1].flatten(1).argmax(1)
        mask[:, 1].view(len(images), -1)[torch.arange(len(images)), brightest] = True
        return mask


@pytest.fixture
def photos() -> torch.Tensor:
    return torch.rand((6, 3, 8, 10), generator=torch.Generator().manual_seed(0))


LABELS = torch.arange(6)


def find_all(find, photos, folder, **options):
    return sensitive_points(find, photos, LABELS, PointCache(folder, CHECKPOINT, ATTACK), batch=2, **options)


def test_points_are_the_centres_of_changed_pixels():
    mask = np.zeros((3, 4, 8), bool)
    mask[0, 1, 2] = mask[2, 1, 2] = mask[1, 3, 7] = True
    found = points_of(mask, 64, np.random.default_rng(0))
    np.testing.assert_allclose(found, [[1.5 / 4, 2.5 / 8], [3.5 / 4, 7.5 / 8]])
    assert found.dtype == np.float32


def test_of_too_many_points_different_ones_are_kept():
    mask = np.ones((3, 16, 16), bool)
    mask[:, 0] = False
    found = points_of(mask, 64, np.random.default_rng(0))
    assert len(np.unique(found, axis=0)) == 64
    assert (found[:, 0] > 1 / 16).all()


@pytest.mark.parametrize("value", [False, True])
def test_a_mask_of_no_pixel_or_of_all_has_no_points(value):
    found = points_of(np.full((3, 16, 16), value), 64, np.random.default_rng(0))
    assert found.shape == (0, 2)  # all: the attack did not succeed and gave its dense start back


def test_each_image_gets_its_own_points(photos, tmp_path):
    for image, points in zip(photos, find_all(BrightestPixel(), photos, tmp_path), strict=True):
        row, column = (points[0] * (8, 10)).astype(int)
        assert image[1, row, column] == image[1].max()


def test_what_is_cached_is_not_attacked_again(photos, tmp_path):
    first, second = BrightestPixel(), BrightestPixel()
    found = find_all(first, photos, tmp_path)
    again = find_all(second, photos, tmp_path)
    assert (first.images, second.images) == (6, 0)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_stopped_work_goes_on_where_it_was(photos, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        find_all(BrightestPixel(stop_after=4), photos, tmp_path)
    rest = BrightestPixel()
    find_all(rest, photos, tmp_path)
    assert rest.images == 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_the_same_picture_is_attacked_once(photos, tmp_path):
    find = BrightestPixel()
    twice = torch.cat([photos[:1], photos[:1]])
    found = sensitive_points(find, twice, torch.tensor([3, 3]), PointCache(tmp_path, CHECKPOINT, ATTACK))
    assert find.images == 1
    np.testing.assert_array_equal(found[0], found[1])


def test_another_checkpoint_attack_or_number_has_another_file(tmp_path):
    paths = {
        PointCache(tmp_path, CHECKPOINT, ATTACK).path,
        PointCache(tmp_path, "cd" * 32, ATTACK).path,
        PointCache(tmp_path, CHECKPOINT, {**ATTACK, "budget": 4}).path,
        PointCache(tmp_path, CHECKPOINT, ATTACK, most=8).path,
    }
    assert len(paths) == 4


def test_images_without_points_are_kept_too(photos, tmp_path):
    def nothing(images, labels):
        return torch.zeros((len(images), 1, 8, 10), dtype=torch.bool)

    find_all(nothing, photos, tmp_path)
    assert [len(points) for points in find_all(BrightestPixel(), photos, tmp_path)] == [0] * 6


def test_the_key_tells_content_shape_and_label(photos):
    keys = {
        content_key(photos[0], 0),
        content_key(photos[0], 1),
        content_key(photos[1], 0),
        content_key(photos[0].reshape(3, 10, 8), 0),
    }
    assert len(keys) == 4
    assert content_key(photos[0] + 0.0001 / 255, 0) == content_key(photos[0], 0)


def test_a_damaged_file_is_refused_by_name(photos, tmp_path):
    find_all(BrightestPixel(), photos, tmp_path)
    path = PointCache(tmp_path, CHECKPOINT, ATTACK).path
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TrainingError, match=r"points-.*delete it"):
        PointCache(tmp_path, CHECKPOINT, ATTACK)


def test_a_mask_of_another_shape_is_refused(photos, tmp_path):
    with pytest.raises(TrainingError, match="sparse attack"):
        find_all(lambda images, labels: torch.zeros(len(images), 3, 4, 4), photos, tmp_path)


def test_progress_is_reported_with_each_write(photos, tmp_path):
    lines: list[str] = []
    find_all(BrightestPixel(), photos, tmp_path, save_every=2, report=lines.append)
    assert lines == ["points of 4 of 6 images found"]


def test_a_missing_checkpoint_is_named(tmp_path):
    (tmp_path / "base.pt").write_bytes(b"abc")
    assert file_sha256(tmp_path / "base.pt").startswith("ba7816bf")
    with pytest.raises(TrainingError, match=r"other\.pt"):
        file_sha256(tmp_path / "other.pt")
