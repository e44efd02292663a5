"""Random weights made to behave: logits that differ, statistics that fit, the same every time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.models.calibrate import calibrate, smooth_images


def _network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(10)
    )


@pytest.fixture
def network() -> nn.Module:
    network = _network()
    with torch.no_grad():
        network(torch.zeros(2, 3, 32, 32))
    return calibrate(network, size_px=32)


def test_network_comes_back_in_eval_mode(network: nn.Module) -> None:
    assert not any(part.training for part in network.modules())


def test_logits_of_different_images_deviate_by_three(network: nn.Module) -> None:
    with torch.no_grad():
        logits = network(smooth_images(8, 32, seed=0))
    assert (logits - logits.mean(0)).std().item() == pytest.approx(3, rel=1e-3)
    assert logits.mean(0).abs().max() < 1e-4


def test_batch_norm_has_the_statistics_of_what_it_was_shown(network: nn.Module) -> None:
    with torch.no_grad():
        normalised = network[:2](smooth_images(8, 32, seed=0))  # pyright: ignore[reportIndexIssue]
    assert normalised.mean((0, 2, 3)).abs().max() < 1e-4
    assert (normalised.std((0, 2, 3)) - 1).abs().max() < 1e-2


def test_calibration_is_the_same_every_time(network: nn.Module) -> None:
    again = _network()
    with torch.no_grad():
        again(torch.zeros(2, 3, 32, 32))
    for first, second in zip(network.parameters(), calibrate(again, size_px=32).parameters(), strict=True):
        assert torch.equal(first, second)


def test_layers_that_drop_at_random_stay_in_eval_mode() -> None:
    class DropsInTrainMode(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            assert not self.training
            return image

    head = [nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 32 * 32, 5)]
    calibrate(nn.Sequential(DropsInTrainMode(), *head), size_px=32)


def test_network_without_batch_norm_is_scaled_too() -> None:
    network = calibrate(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)), size_px=16)
    with torch.no_grad():
        logits = network(smooth_images(8, 16, seed=0))
    assert (logits - logits.mean(0)).std().item() == pytest.approx(3, rel=1e-3)


def test_smooth_images_are_smooth_and_in_range() -> None:
    images = smooth_images(2, 64, seed=3)
    assert images.shape == (2, 3, 64, 64)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.std() > 0.1
    assert images.diff(dim=3).std() < 0.5 * images.std()


def test_another_seed_gives_other_images() -> None:
    assert not torch.equal(smooth_images(1, 16, seed=0), smooth_images(1, 16, seed=1))
