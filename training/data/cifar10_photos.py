"""A part of CIFAR-10 as a set of photos, so that what compares augmentations on flowers does so on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.data.cifar10 import Cifar10
from training.data.flowers import PhotoSet
from training.errors import TrainingError

PICTURES = 2000  # few enough that a network learns them by heart, which is what augmentation is against


def load_cifar10(path: Path, pictures: int = PICTURES) -> PhotoSet:
    """`pictures` of the train part to learn from, half as many others for validation, and the whole test part.

    Of the train part those with the smallest content hashes are taken, the same on every machine. All are 32 x 32.

    Args:
        path: an .npz as training.data.cifar10 reads it.
    Raises: TrainingError if the file is missing or damaged, or the train part is too small.
    """
    train, test = Cifar10(path, "train"), Cifar10(path, "test")
    if not 1 <= pictures <= len(train) // 2:
        raise TrainingError(
            f"--pictures {pictures}: expected 1 to {len(train) // 2}, half of the train part of {path.name}"
        )
    validation = max(1, pictures // 2)
    hashes = [train.content_hash(index) for index in range(len(train))]
    chosen = sorted(range(len(train)), key=hashes.__getitem__)[: pictures + validation]
    return PhotoSet(
        images=(*train.images(chosen), *test.images(range(len(test)))),
        labels=np.concatenate([train.labels[chosen], test.labels]),
        splits=("train",) * pictures + ("val",) * validation + ("test",) * len(test),
        sha256=(*(hashes[index] for index in chosen), *(test.content_hash(index) for index in range(len(test)))),
        files=(*(f"train/{index}" for index in chosen), *(f"test/{index}" for index in range(len(test)))),
        classes=train.classes,
    )
