"""Grey pictures with labels: CIFAR-10 from its .npz, or MNIST by torchvision where that can be downloaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.data.cifar10 import Cifar10, Part
from training.data.splits import split_by_content
from training.errors import TrainingError
from training.torchvision_shim import ensure_torchvision

MNIST = "mnist"


@dataclass(frozen=True, kw_only=True, eq=False)
class Greys:
    """Pictures of one split."""

    pixels: NDArray[np.uint8]  # (N, S, S)
    labels: NDArray[np.int64]  # (N,)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.pixels.tobytes() + self.labels.tobytes()).hexdigest()

    @property
    def images(self) -> Tensor:
        """(N, 1, S, S) float32 in [0, 1]."""
        return torch.from_numpy(self.pixels[:, None].astype(np.float32) / 255)

    @property
    def answers(self) -> Tensor:
        return torch.from_numpy(self.labels)


@dataclass(frozen=True, kw_only=True)
class GreySplits:
    """What is trained on, what is looked at on the way, and what tables are made of."""

    train: Greys
    val: Greys
    test: Greys

    @property
    def classes(self) -> int:
        return int(self.train.labels.max()) + 1

    @property
    def sha256(self) -> str:
        return hashlib.sha256("".join((self.train.sha256, self.val.sha256, self.test.sha256)).encode()).hexdigest()


def read_greys(data: str, *, train: int, val: int = 500, test: int = 1000) -> GreySplits:
    """At most so many pictures of each split; train and val are told apart by content, test is the set's own.

    Args: data: an .npz as training.data.cifar10 reads it, or "mnist", or "mnist:FOLDER" to say where it is kept.
    Raises: TrainingError if there is no such file, or MNIST can neither be found nor downloaded.
    """
    if data.partition(":")[0] == MNIST:
        pixels, labels = _mnist(data.partition(":")[2] or "runs/mnist", "train")
        digests = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in pixels]
        found = {name: Greys(pixels=pixels[rows], labels=labels[rows]) for name, rows in _rows(digests, train, val)}
        pixels, labels = _mnist(data.partition(":")[2] or "runs/mnist", "test")
        return GreySplits(**found, test=Greys(pixels=pixels[:test], labels=labels[:test]))
    cifar, held_out = Cifar10(Path(data), "train"), Cifar10(Path(data), "test")
    order = _mixed(len(cifar))[: 2 * (train + 8 * val) + 100]
    digests = [cifar.content_hash(int(index)) for index in order]
    found = {name: _of_cifar(cifar, order[rows]) for name, rows in _rows(digests, train, val)}
    return GreySplits(**found, test=_of_cifar(held_out, _mixed(len(held_out))[:test]))


def _mixed(count: int) -> NDArray[np.int64]:
    """An order that is the same each time: the file's own is by class."""
    return np.random.default_rng(0).permutation(count)


def _rows(digests: list[str], train: int, val: int) -> list[tuple[str, NDArray[np.int64]]]:
    splits = np.array(split_by_content(digests))
    found = [("train", np.flatnonzero(splits == "train")[:train]), ("val", np.flatnonzero(splits == "val")[:val])]
    for name, rows in found:
        if not len(rows):
            raise TrainingError(f"data: expected pictures to {name}, found none among {len(digests)}; use a larger set")
    return found


def _of_cifar(cifar: Cifar10, rows: NDArray[np.int64]) -> Greys:
    return Greys(pixels=_grey(cifar.images(rows)), labels=cifar.labels[rows])


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, S, S, 3) -> (N, S, S), brightness by ITU-R BT.601."""
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def _mnist(folder: str, part: Part) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    ensure_torchvision()
    from torchvision.datasets import MNIST as Mnist

    try:
        found = Mnist(folder, train=part == "train", download=True)
    except (OSError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise TrainingError(
            f"{folder}: MNIST is neither there nor can it be downloaded ({reason}); use CIFAR-10"
        ) from error
    return found.data.numpy(), found.targets.numpy().astype(np.int64)
