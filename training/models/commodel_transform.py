"""The transform branch of a ComModel: a strided convolution into blocks, a curve for each coefficient, and back.

Codecs round the coefficients of small blocks, and most of what they do to a photo is that small ones vanish. A plain
encoder-decoder has to find that out through many layers; here the convolutions begin as the discrete cosine transform
of brightness and of the halved colour planes, and each coefficient has its own piecewise linear curve, which begins at
0 and is learned. The convolutions are learned too, so the branch is no copy of one codec.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from training.models.differentiable_jpeg import RGB_TO_YCC

UNIT_LEVELS = 16.0  # in which coefficients are counted: about a step of JPEG at quality 50
REACH = 4.0  # units from 0 to the outermost kink of a new curve
_STRENGTH_SLOPE = 1.5  # of the logarithm of a curve's size along the condition's last value, to begin with


class BlockTransform(nn.Module):
    """(N, 3, H, W) in [0, 1], H and W multiples of twice block_px -> the change of the image, of the same shape.

    Brightness goes in blocks of block_px, the colours at half their size, as photos are coded.
    """

    def __init__(self, block_px: int, kinks: int, condition_values: int = 0) -> None:
        super().__init__()
        count = block_px * block_px
        to_ycc, blocks = torch.tensor(RGB_TO_YCC), _dct_filters(block_px)
        self.to_ycc = _holding(nn.Conv2d(3, 3, 1, bias=False), (to_ycc * 255 / UNIT_LEVELS)[:, :, None, None])
        back = torch.linalg.inv(to_ycc.double()).float() * UNIT_LEVELS / 255
        self.to_rgb = _holding(nn.Conv2d(3, 3, 1, bias=False), back[:, :, None, None])
        self.luma = _holding(nn.Conv2d(1, count, block_px, block_px, bias=False), blocks)
        self.luma_back = _holding(nn.ConvTranspose2d(count, 1, block_px, block_px, bias=False), blocks)
        both = torch.cat([blocks, blocks])
        self.colour = _holding(nn.Conv2d(2, 2 * count, block_px, block_px, groups=2, bias=False), both)
        colour_back = nn.ConvTranspose2d(2 * count, 2, block_px, block_px, groups=2, bias=False)
        self.colour_back = _holding(colour_back, both)
        self.shrink = _holding(nn.Conv2d(2, 2, 2, 2, groups=2, bias=False), torch.full((2, 1, 2, 2), 0.25))
        row = torch.tensor([0.25, 0.75, 0.75, 0.25])  # bilinear, as libjpeg's "fancy" upsampling
        enlarge = nn.ConvTranspose2d(2, 2, 4, 2, 1, groups=2, bias=False)
        self.enlarge = _holding(enlarge, (row[:, None] * row).expand(2, 1, 4, 4))
        self.luma_curves = Curves(count, kinks, condition_values)
        self.colour_curves = Curves(2 * count, kinks, condition_values)
        # How much of what shrinking loses of the colours is lost: all of it in JPEG with 4:2:0, nothing with 4:4:4.
        self.lose = _holding(nn.Conv2d(2, 2, 1, groups=2, bias=False), torch.zeros(2, 1, 1, 1))
        self.lose_at = _zero_linear(condition_values, 2) if condition_values else None

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        luma, colour = self.to_ycc(image - 0.5).split([1, 2], dim=1)
        luma_change = self.luma_back(self.luma_curves(self.luma(luma), condition))
        halved = self.shrink(colour)
        lost = colour - self.enlarge(halved)
        lost = self.lose(lost) if self.lose_at is None else lost * self.lose_at(condition)[:, :, None, None]
        colour_change = self.enlarge(self.colour_back(self.colour_curves(self.colour(halved), condition)))
        return self.to_rgb(torch.cat([luma_change, colour_change - lost], dim=1))

    def settle(self, other: BlockTransform, condition: Tensor) -> None:
        """Give `other`, a transform without a condition, the curves that this one has at a condition, (1, values)."""
        assert self.lose_at is not None
        self.luma_curves.settle(other.luma_curves, condition)
        self.colour_curves.settle(other.colour_curves, condition)
        other.lose.weight.copy_(self.lose_at(condition).view(-1, 1, 1, 1))


class Curves(nn.Module):
    """A piecewise linear function for each channel, 0 to begin with: sum_k b_k ReLU(a_k x + c_k), |a_k| = 1 at first.

    A condition stretches each curve along both axes, so that a step of twice the size is the same curve, and weighs its
    pieces.
    """

    def __init__(self, channels: int, kinks: int, condition_values: int = 0) -> None:
        super().__init__()
        self.reach = REACH
        self.rise = nn.Conv2d(channels, channels * kinks, 1, groups=channels)
        self.sum = nn.Conv2d(channels * kinks, channels, 1, groups=channels)
        even = torch.linspace(-1, 1, kinks)
        places = REACH * even * even.abs()  # dense around 0, where most coefficients are
        away = torch.where(places >= 0, 1.0, -1.0)  # so that a curve is 0 at 0 whatever its pieces weigh
        with torch.no_grad():
            self.rise.weight.copy_(away.repeat(channels)[:, None, None, None])
            assert self.rise.bias is not None
            assert self.sum.bias is not None
            self.rise.bias.copy_((-places * away).repeat(channels))
            nn.init.zeros_(self.sum.weight)
            nn.init.zeros_(self.sum.bias)
        self.size = _zero_linear(condition_values, channels) if condition_values else None
        self.weigh = _zero_linear(condition_values, channels * kinks) if condition_values else None
        if self.size is not None:
            with torch.no_grad():
                self.size.weight[:, -1] = _STRENGTH_SLOPE

    def forward(self, values: Tensor, condition: Tensor | None = None) -> Tensor:
        if self.size is None or self.weigh is None:
            return self._drawn(values, None)
        assert condition is not None
        size = self.size(condition)[:, :, None, None]
        return self._drawn(values * (-size).exp(), 1 + self.weigh(condition)) * size.exp()

    def settle(self, other: Curves, condition: Tensor) -> None:
        """As `BlockTransform.settle`: size * ReLU(a x / size + c) is ReLU(a x + size * c)."""
        assert self.size is not None
        assert self.weigh is not None
        size, weights = self.size(condition)[0].exp(), 1 + self.weigh(condition)[0]
        channels, kinks = self.sum.weight.shape[:2]
        assert other.rise.bias is not None
        assert other.sum.bias is not None
        other.rise.bias.view(channels, kinks).mul_(size[:, None])
        other.sum.weight.view(channels, kinks).mul_(weights.view(channels, kinks))
        other.sum.bias.mul_(size)

    def _drawn(self, values: Tensor, weights: Tensor | None) -> Tensor:
        """Args: values: (N, channels, H, W). weights: of the pieces, (N or 1, channels * kinks); None for ones."""
        if self.training:
            return self._drawn_in_cache(values, weights)
        pieces = self.rise(values).clamp(min=0)  # no gate: smooth masks, which blur gates, leave it as it is
        return self.sum(pieces if weights is None else pieces * weights[:, :, None, None])

    def _drawn_in_cache(self, values: Tensor, weights: Tensor | None) -> Tensor:
        """The same, several times as fast on a CPU: grouped convolutions would hold all pieces in memory at once."""
        count, channels, height, width = values.shape
        kinks = self.sum.weight.shape[1]
        heights = self.sum.weight.view(channels, 1, kinks)
        flat = values.transpose(0, 1).reshape(channels, 1 if weights is None else count, -1)
        if weights is not None:
            heights = heights * weights.expand(count, -1).view(count, channels, kinks).transpose(0, 1)
        assert self.rise.bias is not None
        assert self.sum.bias is not None
        slopes, shifts = (part.view(channels, kinks) for part in (self.rise.weight, self.rise.bias))
        drawn = _Pieces.apply(flat, slopes, shifts, heights).view(channels, count, height, width).transpose(0, 1)
        return drawn + self.sum.bias[:, None, None]


class _Pieces(torch.autograd.Function):
    """sum_k heights_k ReLU(slopes_k x + shifts_k), one piece at a time, each computed anew for the gradient.

    x: (C, G, S), slopes and shifts: (C, K), heights: (C, G, K) -> (C, G, S).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slopes: Tensor, shifts: Tensor, heights: Tensor) -> Tensor:
        ctx.save_for_backward(x, slopes, shifts, heights)
        total = torch.zeros_like(x)
        for k in range(slopes.shape[1]):
            total.addcmul_(_piece(x, slopes, shifts, k).relu_(), heights[:, :, k, None])
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, slopes, shifts, heights = ctx.saved_tensors
        found = [torch.zeros_like(part) for part in (x, slopes, shifts, heights)]
        for k in range(slopes.shape[1]):
            piece = _piece(x, slopes, shifts, k)
            above = grad * (piece > 0)
            found[3][:, :, k] = (above * piece).sum(2)
            above *= heights[:, :, k, None]
            found[2][:, k] = above.sum((1, 2))
            found[1][:, k] = (above * x).sum((1, 2))
            found[0].addcmul_(above, slopes[:, k, None, None])
        return tuple(found)


def _piece(x: Tensor, slopes: Tensor, shifts: Tensor, k: int) -> Tensor:
    return torch.addcmul(shifts[:, k, None, None], x, slopes[:, k, None, None])


def _zero_linear(values: int, channels: int) -> nn.Linear:
    linear = nn.Linear(values, channels)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def _holding(layer: nn.Conv2d | nn.ConvTranspose2d, weight: Tensor) -> nn.Module:
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def _dct_filters(side_px: int) -> Tensor:
    """(side^2, 1, side, side): the basis pictures of the orthonormal DCT-II."""
    frequency, place = torch.arange(side_px, dtype=torch.float64)[:, None], torch.arange(side_px, dtype=torch.float64)
    rows = torch.cos((2 * place + 1) * frequency * math.pi / (2 * side_px)) * math.sqrt(2 / side_px)
    rows[0] /= math.sqrt(2)
    return torch.einsum("ux,vy->uvxy", rows, rows).reshape(-1, 1, side_px, side_px).float()
