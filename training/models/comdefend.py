"""ComDefend: a photo goes through a code of few bits a pixel and comes back, and small perturbations stay behind.

(N, 3, H, W) images in [0, 1] -> the same, rebuilt. Jia, Wei, Cao, Foroosh: "ComDefend: An Efficient Image Compression
Model to Defend Adversarial Examples", CVPR 2019, arXiv:1811.12673. A network Com, Gaussian noise, a sigmoid, a network
Rec: y = Rec(sigmoid(Com(x) - n)), n ~ N(0, s^2), in training; y = Rec(Com(x) > 0) afterwards, since sigmoid(v) > 0.5
where v > 0. The noise makes Com say each bit loudly, and 12 bits a pixel are half of the 24 that come in.

Two shapes: `published`, and `phone`, which works at half resolution with depthwise-separable blocks and carries the
code of a pixel's square of four in four times as many channels. Both take sides of any length, even ones for `phone`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.models.commodel import multiply_accumulates
from training.models.stored import load_model, save_model

NETS = ("published", "phone")
_COM_WIDTHS = (16, 32, 64, 128, 256, 128, 64, 32)
_REC_WIDTHS = (32, 64, 128, 256, 128, 64, 32, 16)


@dataclass(frozen=True, kw_only=True)
class ComDefendConfig:
    """The shape of a ComDefend and the noise that it is trained with."""

    net: Literal["published", "phone"] = "phone"
    code_bits: int = 12  # a pixel
    noise: float = 20.0  # s, the deviation of n in training; 0 for none
    width: int = 64  # of `phone`
    blocks: int = 2  # of `phone`, in each half

    def __post_init__(self) -> None:
        if self.net not in NETS:
            raise ValueError(f"net: expected {' or '.join(NETS)}, got {self.net!r}")
        for name, (low, high) in {
            "code_bits": (1, 64),
            "noise": (0, 1000),
            "width": (4, 1024),
            "blocks": (1, 32),
        }.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, got {getattr(self, name)}")

    @property
    def unit_px(self) -> int:
        """Sides have to be multiples of it."""
        return 1 if self.net == "published" else 2


class ComDefend(nn.Module):
    """See the module. In train mode with noise and soft codes, in eval mode with bits."""

    def __init__(self, config: ComDefendConfig) -> None:
        super().__init__()
        self.config = config
        made = _published(config) if config.net == "published" else _phone(config)
        self.com, self.rec = made

    def forward(self, image: Tensor, noise: Tensor | None = None) -> Tensor:
        """Args: noise: standard normal, of the code's shape, for train mode; drawn anew by default."""
        if self.training:
            return self.decode(self.noisy_code(image, noise))
        return self.decode(self.bits(image))

    def loudness(self, image: Tensor) -> Tensor:
        """Com(x): (N, bits, H, W), or (N, 4 bits, H/2, W/2) of `phone`; above 0 is a bit that is set."""
        return self.com(image - 0.5)  # as the TensorFlow script does

    def noisy_code(self, image: Tensor, noise: Tensor | None = None) -> Tensor:
        """sigmoid(Com(x) - n)."""
        loudness = self.loudness(image)
        if self.config.noise == 0:
            return torch.sigmoid(loudness)
        if noise is None:
            noise = torch.randn_like(loudness)
        return torch.sigmoid(loudness - self.config.noise * noise)

    def bits(self, image: Tensor) -> Tensor:
        """The code at test: 0 or 1 everywhere, without a gradient."""
        loudness = self.loudness(image)
        return (loudness > 0).to(loudness.dtype)

    def straight_through(self, image: Tensor) -> Tensor:
        """The bits, with the gradient of their mean in training: Phi(v/s) of loudness v and noise s.

        Without noise it is that of sigmoid(v). The bits' own gradient is zero, which would hide Com from an attacker.
        """
        loudness = self.loudness(image)
        noise = self.config.noise
        mean = torch.special.ndtr(loudness.float() / noise) if noise else torch.sigmoid(loudness.float())
        return (loudness > 0).to(mean.dtype) + (mean - mean.detach())

    def decode(self, code: Tensor) -> Tensor:
        """Rec(c), in (0, 1)."""
        return self.rec(code)

    def code_shape(self, images: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Of the code of so many images of this size."""
        unit = self.config.unit_px
        return images, self.config.code_bits * unit * unit, height // unit, width // unit


class StraightThrough(nn.Module):
    """What an attacker differentiates who knows the defence: its values, with a gradient through the bits."""

    def __init__(self, model: ComDefend) -> None:
        super().__init__()
        self.model = model.eval()

    def forward(self, image: Tensor) -> Tensor:
        return self.model.decode(self.model.straight_through(image))


class Patchwise(nn.Module):
    """The defence of each square of `side_px` alone, as the paper does with photos; the image's sides are multiples."""

    def __init__(self, model: nn.Module, side_px: int = 32) -> None:
        super().__init__()
        self.model, self.side_px = model, side_px

    def forward(self, image: Tensor) -> Tensor:
        """Raises: ValueError if patches do not fill the image."""
        count, _, height, width = image.shape
        side = self.side_px
        if height % side or width % side:
            raise ValueError(f"image: expected sides that are multiples of {side}, got {height} x {width}")
        rows, columns = height // side, width // side
        patches = image.view(count, 3, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, side, side)
        done = self.model(patches).view(count, rows, columns, 3, side, side)
        return done.permute(0, 3, 1, 4, 2, 5).reshape(count, 3, height, width)


def comdefend_loss(image: Tensor, rebuilt: Tensor, code: Tensor, code_weight: float = 1e-4) -> Tensor:
    """mean((y - x)^2) + 1e-4 mean(c^2), as in both public scripts."""
    return F.mse_loss(rebuilt, image) + code_weight * code.square().mean()


def build_comdefend(config: ComDefendConfig, *, seed: int = 0) -> ComDefend:
    """A new one in eval mode, random by `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ComDefend(config).eval()


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a net asks of a phone."""

    gmac: float  # at the side that was asked for
    kmac_a_pixel: float
    parameters: int
    float16_bytes: int  # of its weights


def cost_of(config: ComDefendConfig, side_px: int = 224) -> Cost:
    """Counted over the convolutions, on one square image."""
    side = 64  # the cost of a pixel does not depend on the side
    model = ComDefend(config).eval()
    a_pixel = multiply_accumulates(model, torch.zeros(1, 3, side, side)) / side**2
    parameters = sum(value.numel() for value in model.parameters())
    return Cost(
        gmac=a_pixel * side_px**2 / 1e9,
        kmac_a_pixel=a_pixel / 1e3,
        parameters=parameters,
        float16_bytes=2 * parameters,
    )


def save_comdefend(path: Path, model: ComDefend, facts: Mapping[str, Any]) -> None:
    """Write a model whole or not at all, with what is known about it: plain numbers, text, lists and dicts."""
    save_model(path, "comdefend", model, config=dataclasses.asdict(model.config), facts=facts)


def load_comdefend(path: Path) -> tuple[ComDefend, dict[str, Any]]:
    """The model in eval mode, and the facts that were saved with it.

    Raises: TrainingError if the file is missing or holds something else.
    """

    def build(config: dict[str, Any]) -> ComDefend:
        return ComDefend(ComDefendConfig(**config))

    return load_model(path, "comdefend", build, name="a ComDefend", command="python -m training comdefend")


def _published(config: ComDefendConfig) -> tuple[nn.Module, nn.Module]:
    com = _chain((3, *_COM_WIDTHS, config.code_bits))
    return com, nn.Sequential(*_chain((config.code_bits, *_REC_WIDTHS, 3)), nn.Sigmoid())


def _chain(widths: tuple[int, ...]) -> nn.Sequential:
    """3x3 convolutions with an ELU after each but the last."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ELU()]
    return nn.Sequential(*layers[:-1])


def _phone(config: ComDefendConfig) -> tuple[nn.Module, nn.Module]:
    width, code = config.width, 4 * config.code_bits
    com = nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(12, width, 3, padding=1),
        *(_Block(width) for _ in range(config.blocks)),
        nn.Conv2d(width, code, 1),
        _Gain(max(1.0, config.noise)),
    )
    rec = nn.Sequential(
        nn.Conv2d(code, width, 3, padding=1),
        *(_Block(width) for _ in range(config.blocks)),
        nn.Conv2d(width, 12, 3, padding=1),
        nn.PixelShuffle(2),
        nn.Sigmoid(),
    )
    return com, rec


class _Block(nn.Module):
    """x + a depthwise 3x3 convolution and two 1x1 ones, twice as wide between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.narrow(F.relu(self.widen(self.depthwise(hidden))))


class _Gain(nn.Module):
    """Times a constant: training then begins with bits about as loud as the noise, not far below it."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, hidden: Tensor) -> Tensor:
        return self.factor * hidden
