"""The base model of AdvMask, trained unless it is there, and the sensitive points of photos on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from training.data.flowers import PhotoSet
from training.recipes.flowers import MODEL, FlowersConfig, TrainingSet, train_flowers
from training.recipes.flowers_points import BASE_SIZE_PX, PhotoPoints, PointsConfig

__all__ = ["BASE_SIZE_PX", "PointsConfig", "base_model", "points_of_photos"]

BASE_EPOCHS = 10  # of fine-tuning; a network that begins at random learns as long as the run itself


def points_of_photos(
    photos: PhotoSet,
    base: Path,
    cache: Path,
    config: PointsConfig,
    *,
    report: Callable[[str], None] = lambda _line: None,
) -> PhotoPoints:
    """Find, or read from the cache, the points of every photo of the train split.

    Args:
        base: checkpoint of the base model.
        cache: folder; stopped work goes on from it.
    Returns: AutoAdversary's points, and on request those of other attacks.
    Raises: TrainingError if the base is no checkpoint or knows other classes.
    """
    return PhotoPoints(photos, base, cache, config, report)


def base_model(
    config: FlowersConfig,
    photos: PhotoSet,
    out: Path,
    *,
    kind: str = "photo",
    report: Callable[[str], None] = lambda _line: None,
) -> Path:
    """Train the base model of a run, unless `out` has it: the same run, small, without augmentation.

    Args:
        kind: of the photos, as in TrainingSet.
    Returns: its checkpoint.
    """
    path = out / MODEL
    if not path.exists():
        report("training the base model whose sensitive points are masked")
        side = min(BASE_SIZE_PX, config.size_px)
        epochs = config.epochs if config.weights == "random" else BASE_EPOCHS
        small = replace(config, augmentation="none", size_px=side, test_size_px=side, crop=1.0, epochs=epochs)
        train_flowers(small, TrainingSet(photos=photos, kind=kind), out, report=report)
    return path
