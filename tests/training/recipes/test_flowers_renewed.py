"""Points of the model in training: when they are found, on what, and how they outlive a stop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training.data.flowers import PhotoSet
from training.data.views import TrainingViews, ViewConfig
from training.recipes.flowers_renewed import RenewedPoints

SPLITS = ("train", "val", "train")
FIRST = np.full((1, 2), 0.5, np.float32)
NOWHERE = np.zeros((0, 2), np.float32)


class LooksAtTheLeft(nn.Module):
    """Two logits that depend on the left half of a picture alone."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        left = images[..., : images.shape[-1] // 2].flatten(1).mean(1) * self.scale
        return torch.stack([left, -left], 1)


@pytest.fixture
def photos() -> PhotoSet:
    rng = np.random.default_rng(0)
    return PhotoSet(
        images=tuple(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8) for _ in SPLITS),
        labels=np.array([0, 1, 1]),
        splits=SPLITS,
        sha256=("a", "b", "c"),
        files=("a", "b", "c"),
        classes=("iris", "poppy"),
    )


@pytest.fixture
def views(photos: PhotoSet) -> TrainingViews:
    """Of the two training photos and of one photo of other things."""
    return TrainingViews(list(photos.images), [0, 1, 2], ViewConfig(size_px=16), seed=0, points=[FIRST, FIRST, NOWHERE])


def test_points_are_found_before_every_second_epoch_but_not_before_the_first(photos, views):
    renewed = RenewedPoints(views, photos, 16)
    found = []
    for epoch in range(4):
        renewed.begin_epoch(epoch, LooksAtTheLeft())
        found.append([len(points) for points in views.points])
    assert found == [[1, 1, 0], [1, 1, 0], [64, 64, 0], [64, 64, 0]]


def test_points_lie_where_the_model_looks_and_photos_of_other_things_get_none(photos, views):
    RenewedPoints(views, photos, 16).begin_epoch(2, LooksAtTheLeft())
    for points in views.points[:2]:
        assert (points[:, 1] < 0.5).all()
        assert len(np.unique(points, axis=0)) == 64
    assert views.points[2] is NOWHERE


def test_the_state_brings_the_points_back_without_a_look_at_the_photos(photos, views):
    renewed = RenewedPoints(views, photos, 16)
    renewed.begin_epoch(2, LooksAtTheLeft())
    before, state = views.points, renewed.state_dict()
    views.points = [FIRST, FIRST, NOWHERE]
    RenewedPoints(views, photos, 16).load_state_dict(state)
    for one, other in zip(views.points, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_without_points_to_begin_with_is_refused(photos, views):
    views.points = None
    with pytest.raises(ValueError, match="points"):
        RenewedPoints(views, photos, 16).state_dict()
