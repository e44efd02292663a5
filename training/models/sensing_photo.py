"""The codec for photos: (N, 3, H, W) in [0, 1] -> measurements of blocks of 32 x 32 -> (N, 3, H, W).

CSNet's parts, shaped for a phone. Brightness is measured at the rate, the two colours together at half their size with
a sixth as many numbers. Measurements are in order of worth, so the lower rates are the first numbers of the highest and
one model serves all; those that a file leaves out are zeros. The deep part works on half as many rows and columns, with
the four phases of brightness as channels, at a quarter of the products: 31 k a pixel.

A pixel hangs on measurements of its own block and of pixels at most REACH_PX away, so tiles that overlap by twice that
join without a seam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.sensing_format import BLOCK_PX, LUMA, MEASUREMENTS, RATES
from training.models.sensing import blocks_of, principal_components
from training.models.stored import load_model, save_model

_HALF = BLOCK_PX // 2
_WIDTH = 64
_CONVOLUTIONS = 5
REACH_PX = 2 * _CONVOLUTIONS  # a 3 x 3 convolution on halved rows reaches 2 px
RING_PX = 16
assert RING_PX >= REACH_PX

# ITU-R BT.601, full range, as JPEG has it: rows are Y, Cb, Cr of R, G, B
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


class SensingEncoder(nn.Module):
    """S: one matrix for brightness, one for both colours."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("to_ycc", torch.tensor(_TO_YCC).view(3, 3, 1, 1), persistent=False)
        self.luma = nn.Conv2d(1, LUMA, BLOCK_PX, stride=BLOCK_PX, bias=False)
        self.chroma = nn.Conv2d(2, MEASUREMENTS - LUMA, _HALF, stride=_HALF, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1], sides multiples of 32 -> (N, MEASUREMENTS, H / 32, W / 32), brightness first."""
        luma, chroma = self.planes(image)
        return torch.cat([self.luma(luma), self.chroma(chroma)], 1)

    def planes(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1, H, W) brightness less a half, and (N, 2, H / 2, W / 2) colours, both around 0."""
        ycc = F.conv2d(image, self.to_ycc)
        return ycc[:, :1] - 0.5, F.avg_pool2d(ycc[:, 1:], 2)

    @torch.no_grad()
    def start_at_principal_components(self, images: Tensor) -> None:
        """Sample what explains most of the images' blocks; see CSNet."""
        luma, chroma = self.planes(images)
        for layer, planes, side in ((self.luma, luma, BLOCK_PX), (self.chroma, chroma, _HALF)):
            basis = principal_components(blocks_of(planes, side), len(layer.weight))
            layer.weight.copy_(basis.view_as(layer.weight))


class SensingDecoder(nn.Module):
    """G: blocks from measurements, then five convolutions over the edges of blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.luma = nn.Conv2d(LUMA, 4 * _HALF**2, 1, bias=False)
        self.chroma = nn.Conv2d(MEASUREMENTS - LUMA, 2 * _HALF**2, 1, bias=False)
        self.skip = nn.Conv2d(6, 12, 1)
        inputs = [6, *[_WIDTH] * (_CONVOLUTIONS - 1)]
        outputs = [*[_WIDTH] * (_CONVOLUTIONS - 1), 12]
        layers = [nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inputs, outputs, strict=True)]
        self.deep = nn.ModuleList(layers)
        self._begin_as_plain_colours()

    def forward(self, measurements: Tensor) -> Tensor:
        """(N, MEASUREMENTS, h, w) -> (N, 3, 32 h, 32 w) in [0, 1]. Its outermost REACH_PX are those of an edge."""
        return self.finished(self.first(measurements)).clamp(0, 1)

    def first(self, measurements: Tensor) -> Tensor:
        """The linear part: (N, 6, 16 h, 16 w), four phases of brightness and two colours."""
        luma, chroma = measurements[:, :LUMA], measurements[:, LUMA:]
        return F.pixel_shuffle(torch.cat([self.luma(luma), self.chroma(chroma)], 1), _HALF)

    def finished(self, first: Tensor) -> Tensor:
        """(N, 6, h, w) -> (N, 3, 2 h, 2 w), not clipped."""
        return F.pixel_shuffle(self.skip(first) + self.correction(first), 2)

    def correction(self, first: Tensor) -> Tensor:
        """The deep part."""
        hidden = first
        for layer in self.deep[:-1]:
            hidden = F.relu(layer(hidden))
        return self.deep[-1](hidden)

    @torch.no_grad()
    def start_at(self, encoder: SensingEncoder) -> None:
        """Turn the encoder's measurements back by the transposed matrices."""
        luma = encoder.luma.weight.view(LUMA, _HALF, 2, _HALF, 2)  # rows and columns, each by place and phase
        phases = luma.permute(2, 4, 1, 3, 0).reshape(4 * _HALF**2, LUMA)
        self.luma.weight.copy_(phases[..., None, None])
        self.chroma.weight.copy_(encoder.chroma.weight.reshape(MEASUREMENTS - LUMA, -1).T[..., None, None])

    @torch.no_grad()
    def _begin_as_plain_colours(self) -> None:
        assert self.skip.bias is not None
        self.skip.weight.zero_()
        to_rgb = torch.tensor(_TO_RGB)
        for colour in range(3):
            for phase in range(4):
                self.skip.weight[4 * colour + phase, phase] = to_rgb[colour, 0]
                self.skip.weight[4 * colour + phase, 4:] = to_rgb[colour, 1:, None, None]
        self.skip.bias.fill_(0.5)
        last = self.deep[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)


class SensingCodec(nn.Module):
    """Encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SensingEncoder()
        self.decoder = SensingDecoder()

    def forward(self, image: Tensor) -> Tensor:
        """At the highest rate and without rounding."""
        return with_edges(self.decoder, self.encoder(image)).clamp(0, 1)


def kept(measurements: Tensor, rate: float) -> Tensor:
    """The measurements of a rate; the others become zeros. Raises: ValueError for a rate that is none of RATES."""
    if rate not in RATES:
        raise ValueError(f"rate: expected one of {', '.join(map(str, RATES))}, got {rate}")
    luma, chroma = RATES[rate]
    mask = torch.zeros(MEASUREMENTS, device=measurements.device)
    mask[:luma] = 1
    mask[LUMA : LUMA + chroma] = 1
    return measurements * mask[:, None, None]


def with_edges(decoder: SensingDecoder, measurements: Tensor, correct: Any = None) -> Tensor:
    """A whole photo from its measurements, not clipped: beyond its edge stand copies of the blocks there, as on the
    phone, of which the deep part needs only a ring."""
    wide = F.pad(measurements, (1, 1, 1, 1), mode="replicate")
    cut = (BLOCK_PX - RING_PX) // 2  # in halved pixels
    first = decoder.first(wide)[..., cut:-cut, cut:-cut]
    correction = (correct or decoder.correction)(first)
    whole = F.pixel_shuffle(decoder.skip(first) + correction, 2)
    return whole[..., RING_PX:-RING_PX, RING_PX:-RING_PX]


def save_sensing(path: Path, codec: SensingCodec, facts: Mapping[str, Any]) -> None:
    """Write a model whole or not at all, with what is known about it: plain numbers, text, lists and dicts."""
    save_model(path, "sensing", codec, config={}, facts=facts)


def load_sensing(path: Path) -> tuple[SensingCodec, dict[str, Any]]:
    """The model in eval mode, and the facts that were saved with it.

    Raises: TrainingError if the file is missing or holds something else.
    """
    name, command = "a codec for photos", "python -m training sensing-photos"
    return load_model(path, "sensing", lambda _config: SensingCodec(), name=name, command=command)


def measurement_noise(measurements: Tensor, step: float, generator: torch.Generator) -> Tensor:
    """As if rounded to multiples of `step`, with a gradient: uniform noise of that width."""
    noise = torch.rand(measurements.shape, generator=generator) - 0.5
    return measurements + step * noise.to(measurements.device)


def rounding_error_db(step: float, rate: float) -> float:
    """PSNR at which rounding orthonormal measurements alone would end: each adds step^2 / 12 to a block's error."""
    return -10 * math.log10(RATES[rate][0] / BLOCK_PX**2 * step**2 / 12)
