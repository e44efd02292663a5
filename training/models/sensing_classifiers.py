"""Classifiers of grey pictures, (N, 1, S, S) in [0, 1] -> (N, classes), and the two-headed critic.

The paper retrained VGG-16 and ResNet-110; these are small enough to be trained on one core: six convolutions in the
manner of VGG, and the ResNet-20 of `cifar_resnet`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.models.cifar_resnet import cifar_resnet

CLASSIFIERS = ("vgg", "resnet")
_SLOPE = 0.2


class GreyResNet(nn.Module):
    """ResNet-20, which sees the grey picture as three equal channels."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.network = cifar_resnet(20, classes=classes)

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image.expand(-1, 3, -1, -1))


class SmallVgg(nn.Module):
    """Pairs of 3 x 3 convolutions with BatchNorm, each pair before a pooling; the mean over the picture; one layer."""

    def __init__(self, classes: int = 10, widths: tuple[int, ...] = (32, 64, 128)) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        before = 1
        for width in widths:
            for inputs in (before, width):
                parts += [nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            parts.append(nn.MaxPool2d(2))
            before = width
        self.features = nn.Sequential(*parts)
        self.linear = nn.Linear(before, classes)

    def forward(self, image: Tensor) -> Tensor:
        return self.linear(self.features((image - 0.5) * 4).mean((2, 3)))


class Critic(nn.Module):
    """D_rf and D_rec: four convolutions of 5 x 5 each, the first two of them shared. Strides and widths are ours."""

    def __init__(self, classes: int = 10, width: int = 32) -> None:
        super().__init__()
        self.trunk = nn.Sequential(_down(1, width), _down(width, 2 * width))
        self.real_or_fake = nn.Sequential(_down(2 * width, 4 * width), nn.Conv2d(4 * width, 1, 5, padding=2))
        self.recognised = nn.Sequential(_down(2 * width, 4 * width), nn.Conv2d(4 * width, classes, 5, padding=2))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Returns: (N,) logits of D_rf, that a picture is real; (N, classes) logits of D_rec."""
        seen = self.trunk((image - 0.5) * 4)
        return self.real_or_fake(seen).mean((1, 2, 3)), self.recognised(seen).mean((2, 3))


class Recognising(nn.Module):
    """The head D_rec alone, so that the critic can be trained and asked as a classifier."""

    def __init__(self, critic: Critic) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, image: Tensor) -> Tensor:
        return self.critic(image)[1]


def build_classifier(name: str, *, classes: int = 10, seed: int = 0) -> nn.Module:
    """A new one of CLASSIFIERS, or "critic", random by `seed`. Raises: ValueError for another name."""
    kinds = {"vgg": SmallVgg, "resnet": GreyResNet, "critic": lambda count: Recognising(Critic(count))}
    if name not in kinds:
        raise ValueError(f"classifier: expected one of {', '.join(kinds)}, got {name!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kinds[name](classes).eval()


def _down(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 5, stride=2, padding=2), _Leaky())


class _Leaky(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return F.leaky_relu(image, _SLOPE)
