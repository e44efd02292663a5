"""ComModel: a network that does to a photo what a codec does, so that an attack can go through it.

(N, 3, H, W) images in [0, 1] -> the same, compressed. An encoder-decoder (Wang et al., "Towards Compression-Resistant
Privacy-Preserving Photo Sharing on Social Networks", MobiHoc 2020) of strided convolutions down, strided
deconvolutions up, residual blocks and skips; it learns the residue, C(x) = clip(x + g(x), 0, 1). The paper names no
widths, so those here are ours: three halvings make the innermost grid that of JPEG's blocks of 8 x 8. Before it there
may be branches that go into blocks in a single stride (`commodel_transform`); it then corrects what they give.

Only convolutions, ReLU, sums and products are in it, whose gradients `export gradient` can write out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.models.commodel_transform import BlockTransform
from training.models.stored import load_model, save_model

_TUPLES = ("widths", "transforms")  # fields of the config that a file holds as lists
_CHANGE_SCALE = 4.0  # makes a change of some levels as large as an image to the encoder


@dataclass(frozen=True, kw_only=True)
class ComModelConfig:
    """The shape of a ComModel."""

    widths: tuple[int, ...] = (12, 24, 64)  # channels after each halving; none: transforms alone
    blocks: int = 2  # residual blocks after the encoder's last halving; half as many, at least 1, elsewhere
    condition_values: int = 0  # length of the vector that says which codec at which strength; 0: always the same one
    transforms: tuple[int, ...] = ()  # sides in px of the blocks of branches before the encoder
    kinks: int = 16  # of the curve of each coefficient there

    def __post_init__(self) -> None:
        least = 0 if self.transforms else 1
        if not least <= len(self.widths) <= 5 or not all(1 <= width <= 1024 for width in self.widths):
            raise ValueError(f"widths: expected {least} to 5 numbers from 1 to 1024, got {self.widths}")
        if not 1 <= self.blocks <= 16:
            raise ValueError(f"blocks: expected 1 to 16, got {self.blocks}")
        if not 0 <= self.condition_values <= 64:
            raise ValueError(f"condition_values: expected 0 to 64, got {self.condition_values}")
        if len(self.transforms) > 4 or not all(2 <= side <= 32 for side in self.transforms):
            raise ValueError(f"transforms: expected up to 4 numbers from 2 to 32, got {self.transforms}")
        if not 2 <= self.kinks <= 64:
            raise ValueError(f"kinks: expected 2 to 64, got {self.kinks}")

    @property
    def unit_px(self) -> int:
        """The pixels of one place of the innermost grid; sides that are no multiple of it are padded."""
        return math.lcm(2 ** len(self.widths), *(2 * side for side in self.transforms))


class ComModel(nn.Module):
    """See the module. Where the config has condition values, the condition goes in beside the image."""

    def __init__(self, config: ComModelConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.transforms = nn.ModuleList(
            BlockTransform(side_px, config.kinks, config.condition_values) for side_px in config.transforms
        )
        if not widths:
            return
        blocks = [max(1, config.blocks // 2)] * (len(widths) - 1)
        seen = 6 if config.transforms else 3  # the image, and what the transforms would do to it
        self.down = nn.ModuleList(
            _Stage(nn.Conv2d(before, after, 4, stride=2, padding=1), after, count, config.condition_values)
            for before, after, count in zip((seen, *widths[:-1]), widths, (*blocks, config.blocks), strict=True)
        )
        self.up = nn.ModuleList(
            _Stage(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1), after, count, config.condition_values)
            for before, after, count in zip(widths[:0:-1], widths[-2::-1], blocks, strict=True)
        )
        self.last = nn.ConvTranspose2d(widths[0], 3, 4, stride=2, padding=1)
        nn.init.zeros_(self.last.weight)  # g = 0: training begins at the identity, not at noise
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Args: image: (N, 3, H, W) in [0, 1]. condition: (N, condition_values), or (1, ...) for all; None for none.

        Raises: ValueError if a condition is missing or comes unasked.
        """
        if (condition is None) != (self.config.condition_values == 0):
            expected = f"(N, {self.config.condition_values})" if self.config.condition_values else "none"
            raise ValueError(f"condition: expected {expected}, got {None if condition is None else condition.shape}")
        return (image + self._residue(image, condition)).clamp(0, 1)

    def _residue(self, image: Tensor, condition: Tensor | None) -> Tensor:
        height, width = image.shape[2:]
        unit = self.config.unit_px
        hidden = image
        if height % unit or width % unit:
            hidden = F.pad(image, (0, -width % unit, 0, -height % unit), mode="replicate")
        if not self.transforms:
            return self._encoded_and_decoded(hidden, condition)[..., :height, :width]
        change = torch.stack([transform(hidden, condition) for transform in self.transforms]).sum(0)
        if self.config.widths:
            seen = torch.cat([hidden, _CHANGE_SCALE * change], dim=1)
            change = change + self._encoded_and_decoded(seen, condition)
        return change[..., :height, :width]

    def _encoded_and_decoded(self, hidden: Tensor, condition: Tensor | None) -> Tensor:
        skips = []
        for stage in self.down:
            hidden = stage(hidden, condition)
            skips.append(hidden)
        for stage, skip in zip(self.up, skips[-2::-1], strict=True):
            hidden = stage(hidden, condition) + skip
        return self.last(hidden)


class AtCondition(nn.Module):
    """A conditioned ComModel at one condition: images alone go in, so it can be exported before a classifier."""

    def __init__(self, model: ComModel, condition: Tensor) -> None:
        """Args: condition: (condition_values,), as `Codec.condition` gives it."""
        super().__init__()
        self.model = model
        self.register_buffer("condition", condition[None].clone())

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image, self.condition)


@torch.no_grad()
def at_condition(model: ComModel, condition: Tensor) -> ComModel:
    """The same function with the condition worked into the weights: no larger and no slower than a model of one codec.

    Args: condition: (condition_values,). Raises: ValueError if the model takes none.
    """
    if not model.config.condition_values:
        raise ValueError("model: expected one that takes a condition, got one of a single setting")
    fixed = ComModel(dataclasses.replace(model.config, condition_values=0)).eval()
    known = model.state_dict()
    fixed.load_state_dict({name: known[name] for name in fixed.state_dict()})
    row = condition[None]
    pairs = zip((*model.transforms, *_stages(model)), (*fixed.transforms, *_stages(fixed)), strict=True)
    for conditioned, settled in pairs:
        conditioned.settle(settled, row)
    return fixed


def _stages(model: ComModel) -> list[nn.Module]:
    return [*model.down, *model.up] if model.config.widths else []


class _Stage(nn.Module):
    """A halving or doubling, ReLU, residual blocks; the condition scales and shifts the channels in between."""

    def __init__(self, resize: nn.Conv2d | nn.ConvTranspose2d, width: int, blocks: int, condition_values: int) -> None:
        super().__init__()
        self.resize = resize
        self.blocks = nn.ModuleList(_Residual(width) for _ in range(blocks))
        self.film = nn.Linear(condition_values, 2 * width) if condition_values else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, image: Tensor, condition: Tensor | None) -> Tensor:
        hidden = self.resize(image)
        if self.film is not None:
            scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
            hidden = hidden * (1 + scale) + shift
        hidden = F.relu(hidden)
        for block in self.blocks:
            hidden = block(hidden)
        return hidden

    def settle(self, other: _Stage, condition: Tensor) -> None:
        """Scale and shift the resizing convolution of `other`, a stage without a condition, as this one does here."""
        assert self.film is not None
        scale, shift = self.film(condition)[0].chunk(2)
        is_up = isinstance(other.resize, nn.ConvTranspose2d)
        other.resize.weight *= (1 + scale).view((1, -1, 1, 1) if is_up else (-1, 1, 1, 1))
        assert other.resize.bias is not None
        other.resize.bias.mul_(1 + scale).add_(shift)


class _Residual(nn.Module):
    """x + conv(ReLU(conv(x)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.second(F.relu(self.first(hidden)))


def build_commodel(config: ComModelConfig, *, seed: int = 0) -> ComModel:
    """A new one in eval mode, random by `seed`, which does nothing to an image yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ComModel(config).eval()


def multiply_accumulates(model: nn.Module, *inputs: Tensor) -> int:
    """How many products the convolutions of a module form for these inputs."""
    total = 0

    def count(part: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(part, nn.Conv2d | nn.ConvTranspose2d)
        places = output[:, 0].numel() if isinstance(part, nn.Conv2d) else given[0][:, 0].numel()
        total += places * part.weight.numel()

    convolutions = [part for part in model.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [part.register_forward_hook(count) for part in convolutions]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return total


def save_commodel(path: Path, model: ComModel, facts: Mapping[str, Any]) -> None:
    """Write a model whole or not at all, with what is known about it: plain numbers, text, lists and dicts."""
    config = dataclasses.asdict(model.config)
    lists = {name: list(config[name]) for name in _TUPLES}
    save_model(path, "commodel", model, config={**config, **lists}, facts=facts)


def load_commodel(path: Path) -> tuple[ComModel, dict[str, Any]]:
    """The model in eval mode, and the facts that were saved with it.

    Raises: TrainingError if the file is missing or holds something else.
    """

    def build(config: dict[str, Any]) -> ComModel:
        tuples = {name: tuple(config.get(name, ())) for name in _TUPLES}
        return ComModel(ComModelConfig(**{**config, **tuples}))

    return load_model(path, "commodel", build, name="a compression model", command="python -m training compression")
