"""Oxford Flowers102 through torchvision, with its official split; downloaded on first use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np

from mobile_app.core.photo import decode
from mobile_app.core.preprocess import fit_short_side
from training.data.flowers import PhotoSet
from training.errors import TrainingError
from training.progress import track
from training.torchvision_shim import ensure_torchvision

# The thesis's figures fit the official test part as training data (recipes: 6149 photos), which `swapped` stands for.
PARTS = {
    "official": {"train": "train", "val": "val", "test": "test"},
    "swapped": {"test": "train", "val": "val", "train": "test"},
}


def load_flowers102(root: Path, short_side_px: int, *, parts: str = "official", download: bool = True) -> PhotoSet:
    """8189 photos of 102 species (Nilsback and Zisserman 2008): 1020 / 1020 / 6149 for train / val / test.

    Args:
        root: where torchvision keeps the data.
        parts: "official", or "swapped": the large part for training, the two small ones for val and test.
    Raises: TrainingError if the data is not there and cannot be had.
    """
    if parts not in PARTS:
        raise ValueError(f"parts: expected one of {', '.join(PARTS)}, got {parts!r}")
    images, labels, splits, hashes, files = [], [], [], [], []
    for part, split in PARTS[parts].items():
        dataset = _open(root, part, download)
        for path, label in track(list(zip(dataset._image_files, dataset._labels, strict=True)), f"reading {part}"):
            content = Path(path).read_bytes()
            images.append(fit_short_side(decode(content, name=str(path)).rgb_hwc, short_side_px))
            labels.append(int(label))
            splits.append(split)
            hashes.append(hashlib.sha256(content).hexdigest())
            files.append(Path(path).name)
    return PhotoSet(
        images=tuple(images),
        labels=np.array(labels),
        splits=tuple(splits),
        sha256=tuple(hashes),
        files=tuple(files),
        classes=tuple(f"flower {number:03}" for number in range(1, max(labels) + 2)),
    )


def _open(root: Path, part: str, download: bool) -> Any:
    ensure_torchvision()
    from torchvision.datasets import Flowers102

    try:
        return Flowers102(str(root), split=part, download=download)
    except (URLError, RuntimeError, OSError) as error:
        raise TrainingError(f"{root}: Flowers102 is not there and could not be downloaded ({error})") from error
