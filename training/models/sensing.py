"""CSNet: block compressed sensing by a network. (N, C, H, W) images in [0, 1] -> measurements -> images.

Shi, Jiang, Zhang and Zhao, "Deep networks for compressed image sensing", ICME 2017. Sampling is one convolution whose
kernel and stride are a block, so each block of 32 x 32 gives n = floor(rate * 1024 * C) numbers; the initial
reconstruction is a matrix that turns these back into a block; the deep reconstruction, five 3 x 3 convolutions beside
a skip, goes over the whole picture and so over the edges of the blocks.

On pictures of one block, CIFAR's, "block-wise" sampling is one dense projection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.models.stored import load_model, save_model

BLOCK_PX = 32


@dataclass(frozen=True, kw_only=True)
class CSNetConfig:
    """The shape of a CSNet."""

    rate: float = 0.1  # measurements by pixels
    channels: int = 1
    block_px: int = BLOCK_PX
    width: int = 64  # of the deep reconstruction

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate: expected 0 < rate <= 1, got {self.rate}")
        for name, low, high in (("channels", 1, 4), ("block_px", 4, 64), ("width", 1, 1024)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, got {getattr(self, name)}")
        if self.measurements < 1:
            raise ValueError(f"rate: expected enough for one measurement a block, got {self.rate}")

    @property
    def values(self) -> int:
        """Numbers in a block of the image."""
        return self.channels * self.block_px**2

    @property
    def measurements(self) -> int:
        """Of a block: floor(rate * values); the least is added so that 0.3 * 1000 is 300 in binary, too."""
        return math.floor(self.rate * self.values + 1e-9)


class CSNet(nn.Module):
    """Sampling S, and the reconstruction G of an initial and a deep part."""

    def __init__(self, config: CSNetConfig) -> None:
        super().__init__()
        self.config = config
        block, width = config.block_px, config.width
        self.sampling = nn.Conv2d(config.channels, config.measurements, block, stride=block, bias=False)
        self.initial = nn.Conv2d(config.measurements, config.values, 1, bias=False)
        self.deep = nn.Sequential(
            nn.Conv2d(config.channels, width, 3, padding=1),
            nn.ReLU(),
            *(part for _ in range(3) for part in (nn.Conv2d(width, width, 3, padding=1), nn.ReLU())),
            nn.Conv2d(width, config.channels, 3, padding=1),
        )
        last = self.deep[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)  # the deep part begins by adding nothing
        nn.init.zeros_(last.bias)

    def forward(self, image: Tensor) -> Tensor:
        """G(S(x)), not clipped: (N, C, H, W) with sides that are multiples of block_px -> the same shape."""
        return self.reconstruct(self.sample(image))

    def sample(self, image: Tensor) -> Tensor:
        """s = S(x), equation 1: (N, measurements, H / block_px, W / block_px).

        Raises: ValueError if a side is no multiple of block_px.
        """
        block = self.config.block_px
        if image.shape[-2] % block or image.shape[-1] % block:
            raise ValueError(f"image: expected sides that are multiples of {block}, got {tuple(image.shape[-2:])}")
        return self.sampling(image)

    def first_reconstruction(self, measurements: Tensor) -> Tensor:
        """The linear part alone, block by block."""
        return F.pixel_shuffle(self.initial(measurements), self.config.block_px)

    def reconstruct(self, measurements: Tensor) -> Tensor:
        """x' = G(s), equation 2."""
        first = self.first_reconstruction(measurements)
        return first + self.deep(first)

    @torch.no_grad()
    def start_at_principal_components(self, images: Tensor) -> None:
        """Sample what explains most of the images: S = the first eigenvectors of E[b b^T] over blocks b, initial = S^T.

        Where a linear reconstruction under squared error would end up by training; this spares the epochs.

        Args: images: (N, C, H, W) in [0, 1].
        """
        basis = principal_components(blocks_of(images, self.config.block_px), self.config.measurements)
        self.sampling.weight.copy_(basis.view_as(self.sampling.weight))
        self.initial.weight.copy_(basis.T[..., None, None])


def blocks_of(images: Tensor, block_px: int) -> Tensor:
    """(N, C, H, W) -> (blocks, C * block_px^2), in the order of a convolution's weights."""
    unfolded = F.unfold(images, block_px, stride=block_px)
    return unfolded.transpose(1, 2).reshape(-1, unfolded.shape[1])


def principal_components(rows: Tensor, count: int) -> Tensor:
    """(count, D): orthonormal eigenvectors of rows^T rows / N, largest eigenvalue first; each sums to 0 or more."""
    moment = rows.double().T @ rows.double() / len(rows)
    _, vectors = torch.linalg.eigh(moment)
    chosen = vectors.flip(1)[:, :count].T
    signs = torch.where(chosen.sum(1, keepdim=True) < 0, -1.0, 1.0).double()
    return (chosen * signs).to(rows.dtype)


def build_csnet(config: CSNetConfig, *, seed: int = 0) -> CSNet:
    """A new one, random by `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CSNet(config)


def save_csnet(path: Path, model: CSNet, facts: Mapping[str, Any]) -> None:
    """Write a model whole or not at all, with what is known about it: plain numbers, text, lists and dicts."""
    save_model(path, "csnet", model, config=asdict(model.config), facts=facts)


def load_csnet(path: Path) -> tuple[CSNet, dict[str, Any]]:
    """The model in eval mode, and the facts that were saved with it.

    Raises: TrainingError if the file is missing or holds something else.
    """

    def build(config: dict[str, Any]) -> CSNet:
        return CSNet(CSNetConfig(**config))

    return load_model(path, "csnet", build, name="a CSNet", command="python -m training sensing --against none")
