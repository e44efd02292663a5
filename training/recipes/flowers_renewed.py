"""Sensitive points of the model in training, found anew as it learns; AdvMask's own are those of a base model.

One gradient a photo: the pixels to which the loss of the averaged weights answers most. That is a saliency map, not a
sparse attack, at about half of the price of an epoch; AutoAdversary takes 35 gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.attacks.sparse.dense import DenseConfig, strongest_pixels
from training.augment.points import points_of
from training.data.flowers import PhotoSet
from training.data.views import TrainingViews
from training.recipes.flowers_points import squeezed

EVERY_EPOCHS = 2
POINTS, BATCH = 64, 32


class RenewedPoints:
    """Puts new points into the views of a run before every second epoch; until the first time, those given stay.

    Part of the run's state, so that a run that was stopped goes on with the points that it had.

    Args:
        views: those of the photos of the train split come first, in the order of the split.
        size_px: of the whole photo, squeezed to a square, while it is looked at.
    """

    def __init__(self, views: TrainingViews, photos: PhotoSet, size_px: int) -> None:
        self._views, self._photos, self._size_px = views, photos, size_px
        self._rows = photos.rows("train")

    def begin_epoch(self, epoch: int, network: nn.Module) -> None:
        """Find the points on `network` if it is time; the first epoch is 0, in which no network knows anything."""
        if epoch == 0 or epoch % EVERY_EPOCHS:
            return
        network.eval()
        device = next(network.parameters()).device
        found = []
        for start in range(0, len(self._rows), BATCH):
            rows = self._rows[start : start + BATCH]
            images = squeezed(self._photos, rows, self._size_px).to(device, memory_format=torch.channels_last)
            labels = torch.from_numpy(self._photos.labels[rows]).to(device)
            masks = strongest_pixels(network, images, labels, POINTS, DenseConfig(steps=1)).cpu().numpy()
            found += [points_of(mask, POINTS, np.random.default_rng(0)) for mask in masks]
        self._put(found)

    def state_dict(self) -> dict[str, Tensor]:
        points = self._points()[: len(self._rows)]
        return {
            "counts": torch.tensor([len(each) for each in points]),
            "points": torch.from_numpy(np.concatenate(points).astype(np.float32)),
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._put([part.numpy() for part in state["points"].split(state["counts"].tolist())])

    def _points(self) -> list[Any]:
        if self._views.points is None:
            raise ValueError("points: expected those of a base model to begin with, got None")
        return list(self._views.points)

    def _put(self, found: list[Any]) -> None:
        self._views.points = found + self._points()[len(found) :]
