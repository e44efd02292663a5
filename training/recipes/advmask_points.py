"""Photos and a base model in, the sensitive points of each photo out: what AdvMask masks are grown from.

AutoAdversary (arXiv:2203.09756) attacks the base model on each training photo; the points are the pixels that it had to
change (AdvMask, arXiv:2211.16040, step 2). They are shares of the picture's sides, so they serve at any size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mobile_app.core.preprocess import from_uint8
from training.attacks.sparse.auto_adversary import AutoAdversaryConfig, auto_adversary
from training.attacks.sparse.dense import DenseConfig
from training.augment.points import PointCache, file_sha256, sensitive_points
from training.data.flowers import PhotoSet
from training.data.views import Box, resized_crop
from training.errors import TrainingError
from training.models.checkpoint import build, load_checkpoint
from training.progress import counting
from training.recipes.flowers import MODEL, FlowersConfig, TrainingSet, train_flowers

BASE_SIZE_PX, BASE_EPOCHS = 64, 10


@dataclass(frozen=True, kw_only=True)
class PointsConfig:
    """How the points are found."""

    size_px: int = BASE_SIZE_PX  # of the whole photo, squeezed to a square, while it is attacked
    points: int = 64  # kept of a photo
    batch: int = 32
    attack: AutoAdversaryConfig = field(
        default_factory=lambda: AutoAdversaryConfig(base=DenseConfig(steps=5, budget_levels=16.0), steps=30)
    )

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 512:
            raise ValueError(f"size_px: expected 16 to 512, got {self.size_px}")
        if self.points < 1 or self.batch < 1:
            raise ValueError(f"points, batch: expected 1 or more, got {self.points}, {self.batch}")


def points_of_photos(
    photos: PhotoSet,
    base: Path,
    cache: Path,
    config: PointsConfig,
    *,
    report: Callable[[str], None] = lambda _line: None,
) -> tuple[NDArray[np.float32] | None, ...]:
    """Find, or read from the cache, the points of every photo of the train split.

    Args:
        base: checkpoint of the base model.
        cache: folder; stopped work goes on from it.
    Returns: (K, 2) (row, column) for a photo of the train split, None for the others.
    Raises: TrainingError if the base is no checkpoint or knows other classes.
    """
    checkpoint = load_checkpoint(base)
    if checkpoint.classes != photos.classes:
        raise TrainingError(f"{base}: expected the classes of the photos, found others; train a base model on them")
    network = build(checkpoint).to(memory_format=torch.channels_last).requires_grad_(False)
    rows = photos.rows("train")
    whole = Box(0, 0, 1, 1)
    images = np.concatenate([from_uint8(resized_crop(photos.images[row], whole, config.size_px)) for row in rows])
    store = PointCache(cache, file_sha256(base), asdict(config), most=config.points)
    with counting(len(rows), "finding sensitive points") as advance:

        def find(batch: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            generator = torch.Generator().manual_seed(0)
            mask = auto_adversary(network, batch, labels, config.attack, generator=generator).mask
            advance(len(batch))
            return mask

        labels = torch.from_numpy(photos.labels[rows])
        keys = [photo_key(photos, row) for row in rows]
        found = sensitive_points(
            find, torch.from_numpy(images), labels, store, keys=keys, batch=config.batch, save_every=4
        )
    report(f"{len(rows)} photos, {np.mean([len(points) for points in found]):.0f} points each, in {store.path}")
    by_row = dict(zip(rows, found, strict=True))
    return tuple(by_row.get(row) for row in range(len(photos.images)))


def photo_key(photos: PhotoSet, row: int) -> str:
    """Of a photo's file and label: the points hold at whatever size the photo is in memory."""
    return hashlib.sha256(f"{photos.sha256[row]} {photos.labels[row]}".encode()).hexdigest()


def base_model(
    config: FlowersConfig, photos: PhotoSet, out: Path, *, report: Callable[[str], None] = lambda _line: None
) -> Path:
    """Train the base model of a run, unless `out` has it: the same run, small, without augmentation.

    Returns: its checkpoint.
    """
    path = out / MODEL
    if not path.exists():
        report("training the base model whose sensitive points are masked")
        small = replace(
            config, augmentation="none", size_px=BASE_SIZE_PX, test_size_px=BASE_SIZE_PX, crop=1.0, epochs=BASE_EPOCHS
        )
        train_flowers(small, TrainingSet(photos=photos), out, report=report)
    return path
