"""A photo in, the same photo at the same size out, with a few pixels changed so that a network answers wrongly.

The attack works on the photo's own pixels, through the resize and crop that bring it to the network: both are linear,
so a gradient at the network's size has a gradient at the photo's. Every other pixel stays as it was. Values change by
whole levels, so that nothing is lost in an 8-bit file; JPEG or another resize destroys the change, so a PNG is written.
"""

from __future__ import annotations

import dataclasses
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import mobile_app
from mobile_app.core.errors import OutputError, PhotoError
from mobile_app.core.files import write_whole
from mobile_app.core.photo import EncodeConfig, Photo, decode, encode
from mobile_app.core.preprocess import CROP, from_uint8, to_network_input, to_uint8
from training.attacks.sparse.auto_adversary import auto_adversary
from training.attacks.sparse.polish import PolishConfig, polish
from training.errors import TrainingError
from training.models.efficientnet_lite import efficientnet_lite
from training.recipes.sparse_methods import LARGE

_CONFIDENCES = (0.3, 1.5, 5.0)  # margins in logits to try until Pillow's own resize agrees


@dataclass(frozen=True, kw_only=True)
class SparseCloakConfig:
    """How much may change, and how long to look for less."""

    budget_levels: int = 8
    steps: int = 40  # of AutoAdversary
    polish_steps: int = 100
    max_megapixels: float = 1.2  # the attack runs at the photo's own size, 1 to 2 s a step for each megapixel
    crop: float = CROP  # share of the short side that the network sees
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 1 to 255, got {self.budget_levels}")
        if not 1 <= self.steps <= 10_000:
            raise ValueError(f"steps: expected 1 to 10000, got {self.steps}")
        if not 1 <= self.polish_steps <= 10_000:
            raise ValueError(f"polish_steps: expected 1 to 10000, got {self.polish_steps}")
        if not 0 < self.max_megapixels <= 100:
            raise ValueError(f"max_megapixels: expected 0 < max_megapixels <= 100, got {self.max_megapixels}")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop: expected 0 < crop <= 1, got {self.crop}")


class AsSeen(nn.Module):
    """A network behind the resize of `to_network_input`, differentiable: (N, 3, H, W) of any size -> logits."""

    def __init__(self, network: nn.Module, size_px: int, crop: float = CROP) -> None:
        super().__init__()
        self.network, self.size_px, self.short_px = network, size_px, round(size_px / crop)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        scale = self.short_px / min(height, width)
        size = (max(self.short_px, round(height * scale)), max(self.short_px, round(width * scale)))
        fitted = F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)
        top, left = (size[0] - self.size_px) // 2, (size[1] - self.size_px) // 2
        return self.network(fitted[..., top : top + self.size_px, left : left + self.size_px].clamp(0, 1))


def sparse_cloak(
    source: Path,
    out: Path,
    config: SparseCloakConfig,
    *,
    mask: Path | None = None,
    force: bool = False,
    network: nn.Module | None = None,
    names: list[str] | None = None,
) -> list[str]:
    """Write the cloaked photo, and with `mask` a picture that is white where a pixel changed.

    Args:
        network: (N, 3, S, S) in [0, 1] -> logits, with its side as `size_px`; EfficientNet-Lite0 by default.
        names: of its classes; ImageNet's by default.
    Returns: what became of it, a sentence each.
    Raises: PhotoError if the photo cannot be read or is too large; OutputError for an output that is no .png, exists
        or is the photo itself; TrainingError if the budget does not suffice. Nothing is written then.
    """
    _refuse_outputs(source, out, mask, force)
    photo = decode(source)
    if photo.megapixels > config.max_megapixels:
        raise PhotoError(
            f"{photo.name}: {photo.megapixels:.1f} megapixels are above {config.max_megapixels:g}, up to which a "
            "sparse cloak is searched at the photo's own size; shrink it first"
        )
    network = (network or efficientnet_lite(0)).requires_grad_(False)
    names = names or _imagenet_names()
    before = _answer(network, photo.rgb_hwc, config)
    rgb_hwc = _attacked(network, photo, int(before.argmax()), config)
    after = _answer(network, rgb_hwc, config)
    written = dataclasses.replace(photo, is_grey=False, icc_profile=None) if photo.is_grey else photo
    is_changed = (rgb_hwc != photo.rgb_hwc).any(axis=2)
    write_whole(out, encode(written.with_pixels(rgb_hwc), EncodeConfig(format="png")), force=force)
    if mask is not None:
        write_whole(mask, _png(is_changed.astype(np.uint8) * 255), force=force)
    values, pixels = int((rgb_hwc != photo.rgb_hwc).sum()), int(is_changed.sum())
    return [
        f"before: {_named(before, names)}",
        f"after: {_named(after, names)}",
        f"changed: {values:,} of {rgb_hwc.size:,} values ({values / rgb_hwc.size:.3%}), in {pixels:,} of "
        f"{is_changed.size:,} pixels, by at most {config.budget_levels} levels",
        f"written: {out}; keep it a PNG, since JPEG or another size destroys the change",
    ]


def _attacked(network: nn.Module, photo: Photo, label: int, config: SparseCloakConfig) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 for which the network, behind Pillow's resize, no longer answers `label`."""
    seen = AsSeen(network, int(network.size_px), config.crop)  # type: ignore[arg-type]
    image, labels = torch.from_numpy(from_uint8(photo.rgb_hwc)), torch.tensor([label])
    base = dataclasses.replace(LARGE.base, budget_levels=config.budget_levels)
    attack = dataclasses.replace(LARGE, base=base, steps=config.steps)
    start = auto_adversary(seen, image, labels, attack, generator=torch.Generator().manual_seed(config.seed))
    for confidence in _CONFIDENCES:
        refine = PolishConfig(steps=config.polish_steps, budget_levels=config.budget_levels, confidence=confidence)
        result = polish(seen, image, labels, start, refine)
        rgb_hwc = to_uint8(result.adversarial.numpy())
        if int(_answer(network, rgb_hwc, config).argmax()) != label:
            return rgb_hwc
    raise TrainingError(
        f"{photo.name}: {config.budget_levels} levels do not suffice to change the network's answer; raise --budget"
    )


def _answer(network: nn.Module, rgb_hwc: NDArray[np.uint8], config: SparseCloakConfig) -> Tensor:
    """(classes,): probabilities, by the resize that every command uses."""
    size_px = int(network.size_px)  # type: ignore[arg-type]
    with torch.no_grad():
        return network(torch.from_numpy(to_network_input(rgb_hwc, size_px, config.crop))).softmax(1)[0]


def _refuse_outputs(source: Path, out: Path, mask: Path | None, force: bool) -> None:
    outputs = [out] if mask is None else [out, mask]
    for path in outputs:
        if path.suffix.lower() != ".png":
            raise OutputError(f"{path}: expected a name that ends in .png, since only a lossless file keeps the change")
        if path.exists() and source.exists() and os.path.samefile(path, source):
            raise OutputError(f"{path}: is the photo itself, which is never overwritten; choose another name")
        if path.exists() and not force:
            raise OutputError(f"{path}: already exists and was left as it is; use --force or choose another name")
    if mask is not None and mask.absolute() == out.absolute():
        raise OutputError(f"{mask}: is named for both the photo and its mask; choose two names")


def _named(probabilities: Tensor, names: list[str]) -> str:
    best = int(probabilities.argmax())
    return f"{names[best]} ({probabilities[best].item():.1%})"


def _imagenet_names() -> list[str]:
    path = Path(mobile_app.__file__).parent / "bundle" / "imagenet.labels.txt"
    return path.read_text(encoding="utf-8").splitlines()


def _png(grey_hw: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey_hw).save(buffer, "PNG")
    return buffer.getvalue()
