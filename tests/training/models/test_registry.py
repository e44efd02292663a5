"""Networks by name: normalisation inside, random weights by seed, names that are not there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.models.registry import NETWORKS, Normalised, build_network


def test_normalisation_takes_the_mean_off_and_divides_by_the_deviation_by_hand() -> None:
    image = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) + torch.tensor([0.229, 0.448, 0.0]).view(1, 3, 1, 1)
    assert torch.allclose(Normalised(nn.Identity())(image).flatten(), torch.tensor([1.0, 2.0, 0.0]), atol=1e-6)


def test_network_says_its_size_and_is_in_eval_mode() -> None:
    network = build_network("mobilenet_v3_small", weights="calibrated")
    assert network.size_px == 224
    assert not any(part.training for part in network.modules())


def test_network_takes_images_of_other_sizes_and_gives_a_row_an_image() -> None:
    network = build_network("squeezenet1_1", weights="calibrated")
    with torch.no_grad():
        assert network(torch.rand(2, 3, 65, 80)).shape == (2, 1000)


def test_random_weights_follow_the_seed_and_leave_the_global_one_alone() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, again, other = (build_network("mobilenet_v3_small", weights="calibrated", seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [next(network.parameters()) for network in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"network: expected one of efficientnet_lite0, .*resnet50, got 'alexnet'"):
        build_network("alexnet")


def test_names_are_unique() -> None:
    assert len(set(NETWORKS)) == len(NETWORKS)
