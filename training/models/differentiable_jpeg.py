"""JPEG as a differentiable module: (N, 3, H, W) images in [0, 1] -> what a JPEG decoder would give back.

Every step of libjpeg but the lossless coding: YCbCr, halving of the colour planes, DCT of 8 x 8 blocks, quantisation.
Rounding has no gradient, so there are two forms of it: the cubic one of Shin and Song ("JPEG-resistant adversarial
images", NIPS 2017 workshop on machine learning and computer security), and straight-through.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Rounding = Literal["cubic", "straight_through"]

# Tables K.1 and K.2 of ITU-T T.81, row by row.
LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip
BLOCK = 8


class DifferentiableJpeg(nn.Module):
    """JPEG of one quality. Images of any size; the result has the same size and lies in [0, 1]."""

    def __init__(self, quality: int, *, subsampling: str = "4:2:0", rounding: Rounding = "cubic") -> None:
        """Args: quality: 1 to 100, of libjpeg's scale. subsampling: "4:2:0" or "4:4:4".

        Raises: ValueError for anything else.
        """
        super().__init__()
        if subsampling not in ("4:2:0", "4:4:4"):
            raise ValueError(f"subsampling: expected 4:2:0 or 4:4:4, got {subsampling!r}")
        if rounding not in _ROUNDINGS:
            raise ValueError(f"rounding: expected one of {', '.join(_ROUNDINGS)}, got {rounding!r}")
        self.halves_colour = subsampling == "4:2:0"
        self.round = _ROUNDINGS[rounding]
        for name, table in (("luma", LUMA), ("chroma", CHROMA)):
            self.register_buffer(name, quantisation_table(table, quality), persistent=False)
        self.register_buffer("basis", dct_basis(), persistent=False)
        self.register_buffer("to_ycc", torch.tensor(RGB_TO_YCC), persistent=False)
        self.register_buffer("to_rgb", torch.linalg.inv(torch.tensor(RGB_TO_YCC, dtype=torch.float64)).float(), False)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        unit = BLOCK * (2 if self.halves_colour else 1)
        padded = F.pad(image, (0, -width % unit, 0, -height % unit), mode="replicate")
        luma, colour = torch.einsum("cd,ndhw->nchw", self.to_ycc, padded * 255).split([1, 2], dim=1)
        if self.halves_colour:
            colour = F.avg_pool2d(colour, 2)
        luma, colour = self._coded(luma - 128, self.luma) + 128, self._coded(colour, self.chroma)
        if self.halves_colour:  # libjpeg's "fancy" upsampling, weights 3/4 and 1/4, is bilinear interpolation
            colour = F.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
        rgb = torch.einsum("cd,ndhw->nchw", self.to_rgb, torch.cat([luma, colour], dim=1))
        return (rgb[..., :height, :width] / 255).clamp(0, 1)

    def _coded(self, plane: Tensor, table: Tensor) -> Tensor:
        """(N, C, H, W) in levels around 0 -> the same, each block's DCT rounded to multiples of `table`."""
        coefficients = blocks_dct(plane, self.basis)
        return blocks_idct(self.round(coefficients / table) * table, self.basis)


def quantisation_table(table: tuple[int, ...], quality: int) -> Tensor:
    """(8, 8) steps of libjpeg for a quality: at 50 the table itself, at 100 all ones. Raises: ValueError."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality: expected 1 to 100, got {quality}")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((value * percent + 50) // 100, 1), 255) for value in table]
    return torch.tensor(steps, dtype=torch.float32).view(BLOCK, BLOCK)


def dct_basis() -> Tensor:
    """(8, 8) orthonormal DCT-II: row u is sqrt((2 - [u = 0]) / 8) cos((2 x + 1) u pi / 16)."""
    u, x = torch.arange(BLOCK, dtype=torch.float64)[:, None], torch.arange(BLOCK, dtype=torch.float64)[None]
    basis = torch.cos((2 * x + 1) * u * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis.float()


def blocks_dct(plane: Tensor, basis: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, H / 8, W / 8, 8, 8): coefficient (v, u) of each block, v the vertical frequency."""
    blocks = plane.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    return basis @ blocks @ basis.T


def blocks_idct(coefficients: Tensor, basis: Tensor) -> Tensor:
    """The inverse of `blocks_dct`."""
    return (basis.T @ coefficients @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3)


def round_cubic(x: Tensor) -> Tensor:
    """round(x) + (x - round(x))^3: near the whole numbers flat, with a slope of 3/4 half way (Shin and Song 2017)."""
    whole = x.detach().round()
    return whole + (x - whole) ** 3


def round_straight_through(x: Tensor) -> Tensor:
    """round(x), with the gradient of x."""
    return x + (x.round() - x).detach()


_ROUNDINGS = {"cubic": round_cubic, "straight_through": round_straight_through}
RGB_TO_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)  # JFIF 1.02; the colours around 0
