"""Encoders of AutoAdversary: a change of the picture in, a score of each element out, one encoder for each image.

An encoder shared by a batch would couple its images: what an image is given would depend on its neighbours. So each
image has weights of its own, in one module that runs them side by side, by batched products or grouped convolutions.
All start from one draw, so an image gets the same result alone and in any batch. The network under attack, by far the
larger, still sees the batch at once.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EncoderKind = Literal["linear", "unet", "none"]
KINDS: tuple[EncoderKind, ...] = ("linear", "unet", "none")
FIRST_SCORE = 1.0  # of each element before training: sigmoid(1) = 0.73, so the attack begins with most of its strength


def build_encoder(
    kind: EncoderKind, images: int, shape: tuple[int, int, int], *, width: int, generator: torch.Generator
) -> nn.Module:
    """A module (N, 3, H, W) -> (N, 3, H, W) for a batch of `images` and pictures of `shape` (3, H, W).

    "linear" is two fully connected layers with `width` hidden units, "unet" a U-Net of two scales with `width`
    channels at the first, "none" one free score for each element, whatever the change is.
    """
    if kind == "linear":
        return LinearEncoders(images, shape, width, generator)
    if kind == "unet":
        return UNetEncoders(images, shape[0], width, generator)
    if kind == "none":
        return FreeScores(images, shape)
    raise ValueError(f"encoder: expected one of {', '.join(KINDS)}, got {kind!r}")


def parameter_groups(encoder: nn.Module, learning_rate: float) -> list[dict[str, Any]]:
    """The encoder's parameters for Adam, each at learning_rate / (its inputs).

    Adam moves every weight by about the learning rate. Undivided, thousands of them would swing all scores up and down
    together; divided by the inputs of a unit, a layer's output moves about as much as a bias does.
    """
    return [{"params": [values], "lr": learning_rate / getattr(values, "inputs", 1)} for values in encoder.parameters()]


class LinearEncoders(nn.Module):
    """For small pictures: scores = W2 relu(W1 delta + b1) + b2, W1 and W2 of their own for each image."""

    def __init__(self, images: int, shape: tuple[int, int, int], hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        size = shape[0] * shape[1] * shape[2]
        self.first = _repeated(torch.randn(size, hidden, generator=generator) / size**0.5, images, size)
        self.first_bias = _repeated(torch.zeros(1, hidden), images)
        self.second = _repeated(torch.randn(hidden, size, generator=generator) * (0.1 / hidden**0.5), images, hidden)
        self.second_bias = _repeated(torch.full((1, size), FIRST_SCORE), images)

    def forward(self, delta: Tensor) -> Tensor:
        x = delta.reshape(len(delta), 1, -1)
        hidden = F.relu(torch.baddbmm(self.first_bias, x, self.first))
        return torch.baddbmm(self.second_bias, hidden, self.second).view(delta.shape)


class UNetEncoders(nn.Module):
    """For large pictures: down once, across, up, beside the full scale; grouped convolutions keep the images apart."""

    def __init__(self, images: int, channels: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.groups = images
        self.enter = _conv(images, channels, width, generator)
        self.down = _conv(images, width, 2 * width, generator)
        self.across = _conv(images, 2 * width, 2 * width, generator)
        self.up = _conv(images, 3 * width, width, generator)
        self.leave = _conv(images, width, channels, generator, gain=0.1)
        self.leave_bias = _repeated(torch.full((channels,), FIRST_SCORE), images)

    def forward(self, delta: Tensor) -> Tensor:
        images, channels, height, rest = delta.shape
        x = delta.reshape(1, images * channels, height, rest)
        wide = F.relu(self._convolve(x, self.enter))
        low = F.relu(self._convolve(wide, self.down, stride=2))
        low = F.relu(self._convolve(low, self.across))
        low = F.interpolate(low, size=wide.shape[-2:], mode="nearest")
        both = torch.cat([wide.view(images, -1, height, rest), low.view(images, -1, height, rest)], 1)
        x = F.relu(self._convolve(both.view(1, -1, height, rest), self.up))
        scores = self._convolve(x, self.leave).view(delta.shape)
        return scores + self.leave_bias.view(images, channels, 1, 1)

    def _convolve(self, x: Tensor, weights: Tensor, stride: int = 1) -> Tensor:
        return F.conv2d(x, weights.flatten(0, 1), stride=stride, padding=1, groups=self.groups)


class FreeScores(nn.Module):
    """No encoder: a score to learn for each element (the ablation of table 3-7)."""

    def __init__(self, images: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.full((images, *shape), FIRST_SCORE))

    def forward(self, delta: Tensor) -> Tensor:
        return self.scores


def _repeated(values: Tensor, images: int, inputs: int = 1) -> nn.Parameter:
    parameter = nn.Parameter(values.unsqueeze(0).repeat(images, *[1] * values.dim()))
    parameter.inputs = inputs  # type: ignore[attr-defined]  # for parameter_groups
    return parameter


def _conv(images: int, inputs: int, outputs: int, generator: torch.Generator, gain: float = 1.0) -> nn.Parameter:
    """(images, outputs, inputs, 3, 3), He et al.'s spread (arXiv:1502.01852) times `gain`."""
    deviation = gain * (2 / (inputs * 9)) ** 0.5
    return _repeated(torch.randn(outputs, inputs, 3, 3, generator=generator) * deviation, images, inputs * 9)
