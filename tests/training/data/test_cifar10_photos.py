"""A part of CIFAR-10 as a set of photos, from a small file made here."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.cifar10 import Cifar10
from training.data.cifar10_photos import load_cifar10
from training.errors import TrainingError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Twelve pictures to learn from, five for tests, each of another grey."""
    arrays: dict[str, np.ndarray] = {"classes": np.array(["dark", "light"])}
    for part, greys in (("train", range(0, 240, 20)), ("test", range(5, 255, 50))):
        files = [_jpeg(grey) for grey in greys]
        arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, files)])
        arrays[f"{part}_labels"] = np.array([grey >= 128 for grey in greys], np.uint8)
    np.savez(tmp_path / "cifar10.npz", **arrays)
    return tmp_path / "cifar10.npz"


def test_pictures_are_chosen_by_hash_and_the_test_part_is_whole(path: Path) -> None:
    photos = load_cifar10(path, 4)
    assert photos.splits == ("train",) * 4 + ("val",) * 2 + ("test",) * 5
    train = Cifar10(path, "train")
    assert list(photos.sha256[:6]) == sorted(train.content_hash(index) for index in range(12))[:6]
    assert photos.classes == ("dark", "light")
    for image, label in zip(photos.images, photos.labels, strict=True):
        assert image.shape == (32, 32, 3)
        assert (image.mean() >= 127) == label


def test_no_picture_is_on_two_sides(path: Path) -> None:
    photos = load_cifar10(path, 6)
    assert len(set(photos.sha256)) == len(photos.sha256) == 6 + 3 + 5


@pytest.mark.parametrize("pictures", [0, 7])
def test_too_few_or_too_many_pictures_are_refused_with_the_bounds(path: Path, pictures: int) -> None:
    with pytest.raises(TrainingError, match=rf"--pictures {pictures}: expected 1 to 6, .*cifar10\.npz"):
        load_cifar10(path, pictures)


def _jpeg(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (grey, grey, grey)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
