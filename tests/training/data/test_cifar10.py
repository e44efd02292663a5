"""CIFAR-10 from JPEG files in an .npz, on a small one made here."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.cifar10 import Cifar10
from training.errors import TrainingError

GREYS = (10, 120, 250)


def jpeg(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (grey, grey, grey)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    files = [jpeg(grey) for grey in GREYS]
    return {
        "test_jpeg": np.frombuffer(b"".join(files), np.uint8),
        "test_offsets": np.cumsum([0, *map(len, files)]),
        "test_labels": np.array([3, 1, 2], np.uint8),
        "classes": np.array(["aeroplane", "car", "bird", "cat"]),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cifar10.npz"


def test_pictures_come_in_the_order_that_was_asked_for(path, arrays):
    np.savez(path, **arrays)
    data = Cifar10(path, "test")
    images = data.images([2, 0])
    assert len(data) == 3
    assert images.shape == (2, 32, 32, 3)
    assert images.dtype == np.uint8
    assert abs(int(images[0, 0, 0, 0]) - 250) <= 2
    assert abs(int(images[1, 0, 0, 0]) - 10) <= 2
    assert data.labels.tolist() == [3, 1, 2]
    assert data.classes[3] == "cat"


def test_the_content_hash_is_that_of_the_pictures_file(path, arrays):
    np.savez(path, **arrays)
    assert Cifar10(path, "test").content_hash(1) == hashlib.sha256(jpeg(120)).hexdigest()


def test_a_part_that_is_not_there_is_named(path, arrays):
    np.savez(path, **arrays)
    with pytest.raises(TrainingError, match="train_jpeg, train_offsets, train_labels missing"):
        Cifar10(path, "train")


def test_offsets_that_do_not_fit_are_refused(path, arrays):
    np.savez(path, **(arrays | {"test_offsets": arrays["test_offsets"][:-1]}))
    with pytest.raises(TrainingError, match="test_offsets"):
        Cifar10(path, "test")


def test_a_damaged_picture_is_refused_by_number(path, arrays):
    damaged = arrays["test_jpeg"].copy()
    damaged[arrays["test_offsets"][1] :][:20] = 0
    np.savez(path, **(arrays | {"test_jpeg": damaged}))
    data = Cifar10(path, "test")
    assert data.images([0]).shape == (1, 32, 32, 3)
    with pytest.raises(TrainingError, match="picture 1 is damaged"):
        data.images([1])


def test_a_missing_file_and_one_that_is_no_archive_are_refused(path):
    with pytest.raises(TrainingError, match="no such file"):
        Cifar10(path)
    path.write_bytes(b"text")
    with pytest.raises(TrainingError, match=r"expected an \.npz"):
        Cifar10(path)


def test_an_unknown_part_is_refused(path):
    with pytest.raises(ValueError, match="train or test"):
        Cifar10(path, "val")  # type: ignore[arg-type]
