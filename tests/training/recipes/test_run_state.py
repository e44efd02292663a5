"""What recipes share: the loader of an epoch, and views that are new in each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, Dataset

from training.data.flowers import load_flowers
from training.data.views import TrainingViews
from training.recipes.flowers import FlowersConfig, TrainingSet, train_flowers
from training.recipes.run_state import prepared


class Epochs(Dataset[int]):
    """Four examples that are the number of the epoch."""

    def __init__(self) -> None:
        self.epoch = -1

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return self.epoch


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_made_anew_shows_the_epoch_that_it_is_for(workers: int) -> None:
    data = Epochs()
    for epoch in (0, 1, 5):
        loader = prepared(Accelerator(), DataLoader(data, 2, num_workers=workers), epoch)
        assert torch.cat(list(loader)).tolist() == [epoch] * 4


def test_flowers_are_shown_in_new_views_in_each_epoch(flower_folder: Path, tmp_path: Path, epochs_seen) -> None:
    seen = epochs_seen(TrainingViews)
    config = FlowersConfig(augmentation="none", size_px=32, test_size_px=32, epochs=3, batch=16)
    data = TrainingSet(photos=load_flowers([flower_folder], 40))
    train_flowers(config, data, tmp_path)
    photos = len(data.photos.rows("train"))
    assert sorted(seen) == sorted([0, 1, 2] * photos)
