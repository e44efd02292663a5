"""A network that writes a cloak in one pass: (N, 3, S, S) photos in [0, 1] -> (N, 1, S, S) changes in [-1, 1].

Adversarial transformation networks: Baluja and Fischer, AAAI 2018, arXiv:1703.09387, in the residual form. What comes
out is a share of each pixel's budget, the same for the three channels.

The encoder is the first eleven blocks of EfficientNet-Lite0 with its ImageNet weights, frozen: on the phone they are
there already, and a decoder that starts from what they see learns from thousands of photos, not from millions. To the
decoder's output a pattern is added that is the same for all photos: a universal perturbation to start from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.models.efficientnet_lite import EfficientNetLite, efficientnet_lite

SIZE_PX = 224
_TAPS = {0: 16, 2: 24, 4: 40, 10: 112}  # block of Lite0 -> channels; at 1/2, 1/4, 1/8 and 1/16 of the photo's size
# What a tap's values deviate by on photos, so that the decoder starts from numbers near one.
_DEVIATIONS = {0: 6.8, 2: 8.9, 4: 7.6, 10: 6.2}
_PLAIN_PX = 16  # what the decoder adds is free of shades larger than this: recognisers do not mind them, people do
_STEEP = 1.2


class Universal(nn.Module):
    """One pattern for all photos: universal adversarial perturbations, Moosavi-Dezfooli et al., arXiv:1610.08401."""

    def __init__(self) -> None:
        super().__init__()
        self.pattern = nn.Parameter(torch.zeros(1, 1, SIZE_PX, SIZE_PX))

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 1, S, S) in [-1, 1]."""
        return self.pattern.expand(len(image), -1, -1, -1)


class CloakGenerator(nn.Module):
    """Encoder, decoder and pattern; see the top of this module.

    Args:
        encoder: EfficientNet-Lite0; None for the one with its ImageNet weights.
    """

    size_px = SIZE_PX

    def __init__(self, encoder: EfficientNetLite | None = None) -> None:
        super().__init__()
        lite0 = encoder or efficientnet_lite(0)
        self.conv_stem, self.bn0 = lite0.conv_stem, lite0.bn0
        self.blocks = nn.ModuleList(lite0.blocks[: max(_TAPS) + 1])
        for part in (self.conv_stem, self.bn0, self.blocks):
            part.requires_grad_(False)
        self.whole = nn.Linear(112, 96)
        self.inner = _conv(112, 96, 1)
        self.at_16 = _conv(96, 96)
        self.at_8 = _conv(96 + 40, 64)
        self.at_4 = _conv(64 + 24, 40)
        self.at_2 = _conv(40 + 16, 32)
        self.last = nn.Conv2d(32, 4, 3, padding=1)
        with torch.no_grad():
            self.last.weight *= 0.3  # begin close to the pattern alone
        self.pattern = nn.Parameter(torch.zeros(1, 1, SIZE_PX, SIZE_PX))

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) in [0, 1] -> (N, 1, S, S) in (-1, 1)."""
        at_2, at_4, at_8, at_16 = self._seen(image)
        x = self.at_16(self.inner(at_16) + self.whole(at_16.mean((2, 3)))[:, :, None, None])
        x = self.at_8(torch.cat([_doubled(x), at_8], 1))
        x = self.at_4(torch.cat([_doubled(x), at_4], 1))
        x = self.at_2(torch.cat([_doubled(x), at_2], 1))
        drawn = F.pixel_shuffle(self.last(x), 2)
        shades = F.interpolate(F.avg_pool2d(drawn, _PLAIN_PX), scale_factor=_PLAIN_PX, mode="nearest")
        return torch.tanh(_STEEP * (self.pattern + drawn - shades))

    def train(self, mode: bool = True) -> CloakGenerator:
        """The encoder stays in eval mode: its statistics are those of ImageNet."""
        super().train(mode)
        for part in (self.bn0, self.blocks):
            part.eval()
        return self

    def _seen(self, image: Tensor) -> list[Tensor]:
        found = []
        x = image * (255 / 128) - 127 / 128
        x = F.relu6(self.bn0(self.conv_stem(x)))
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _TAPS:
                found.append(x / _DEVIATIONS[number])
        return found


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU())


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
