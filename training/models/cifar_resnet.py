"""ResNet-20, 32, 44 and 56 for CIFAR-10: (N, 3, 32, 32) images in [0, 1] -> (N, 10) logits.

The small ResNets of He et al. (arXiv:1512.03385, section 4.2): three stages of 16, 32 and 64 channels, each with
(depth - 2) / 6 blocks. Where a stage begins, the shortcut is their option A: every second pixel, and zeros for the new
channels, so it has no weights. Module names are those of Yerlan Idelbayev's public weights, whose networks were
trained with the mean and deviation of ImageNet; both are part of the graph here.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.errors import TrainingError

DEPTHS = (20, 32, 44, 56)


def cifar_resnet(depth: int = 20, *, weights: Path | None = None, classes: int = 10) -> CifarResNet:
    """Build the network of that depth in eval mode, with the weights of a .th or .pt file if one is given.

    Raises:
        ValueError: for a depth that is none of 20, 32, 44 and 56.
        TrainingError: if the file is missing, is no file of weights, or its weights are those of another network.
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth: expected one of {', '.join(map(str, DEPTHS))}, got {depth}")
    network = CifarResNet((depth - 2) // 6, classes)
    if weights is not None:
        _load(network, weights, depth)
    return network.eval()


class CifarResNet(nn.Module):
    """A stem of 16 channels, three stages, the mean over the picture, one linear layer."""

    size_px = 32

    def __init__(self, blocks: int, classes: int = 10) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks, stride=1)
        self.layer2 = _stage(16, 32, blocks, stride=2)
        self.layer3 = _stage(32, 64, blocks, stride=2)
        self.linear = nn.Linear(64, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = (image - self.mean) / self.deviation
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class _Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.new_channels = outputs - inputs
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        if self.new_channels:
            before = self.new_channels // 2
            x = F.pad(x, (0, 0, 0, 0, before, self.new_channels - before))
        return x


def _stage(inputs: int, outputs: int, blocks: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(_Block(inputs, outputs, stride), *(_Block(outputs, outputs, 1) for _ in range(blocks - 1)))


def _load(network: CifarResNet, path: Path, depth: int) -> None:
    if not path.is_file():
        raise TrainingError(f"{path}: no such file of weights; check the path")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state = content.get("state_dict", content)
        # the public files were saved from a network spread over several GPUs, which prefixes each name
        network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    except (pickle.UnpicklingError, AttributeError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"{path}: expected the weights of a CIFAR ResNet-{depth}, but they do not load ({reason})"
        ) from error
