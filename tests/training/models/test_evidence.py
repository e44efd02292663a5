"""Class activation maps: they add up to the logits, and a bright spot is where it is."""

from __future__ import annotations

import pytest
import torch

from training.models.efficientnet_lite import EfficientNetLite, efficientnet_lite
from training.models.evidence import WithEvidence


@pytest.fixture(scope="module")
def network() -> EfficientNetLite:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return efficientnet_lite(0, pretrained=False, classes=5)


def test_logits_are_those_of_the_network(network: EfficientNetLite) -> None:
    image = torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits, evidence = WithEvidence(network)(image)
        torch.testing.assert_close(logits, network(image), rtol=1e-5, atol=1e-7)
    assert evidence.shape == (2, 5, 3, 2)


def test_maps_and_bias_add_up_to_the_logits(network: EfficientNetLite) -> None:
    with torch.no_grad():
        logits, evidence = WithEvidence(network)(torch.rand(1, 3, 64, 64))
        torch.testing.assert_close(evidence.mean((2, 3)) + network.fc.bias, logits)


def test_map_is_the_weighted_sum_of_the_features_by_hand(network: EfficientNetLite) -> None:
    # A head that looks at feature 7 alone, twice for class 2: its map is 2 f_7, the others' are zero.
    model = WithEvidence(network)
    seen: list[torch.Tensor] = []
    handle = network.bn1.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    kept = network.fc.weight.detach().clone()
    with torch.no_grad():
        network.fc.weight.zero_()
        network.fc.weight[2, 7] = 2.0
        _, evidence = model(torch.rand(1, 3, 64, 64))
        network.fc.weight.copy_(kept)
    handle.remove()
    torch.testing.assert_close(evidence[0, 2], 2 * seen[0][0, 7].clamp(0, 6))
    assert evidence[0, [0, 1, 3, 4]].abs().max() == 0
