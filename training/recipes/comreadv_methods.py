"""What the attacks of the ComReAdv table go through, by name: nothing, differentiable JPEG, real codecs, ComModels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from training.attacks.comreadv import BaseAttack, StraightThrough, base_attack, comreadv
from training.data.codecs import parse_codec, parse_range
from training.errors import TrainingError
from training.models.commodel import ComModel, at_condition, load_commodel
from training.models.differentiable_jpeg import DifferentiableJpeg
from training.recipes.sparse_methods import Method

PLAIN = "nothing"
_REAL = ("jpeg:30", "webp:30", "jpeg:62", "webp:60", "jpeg:95", "webp:90")
QUALITIES = (90, 75, 50)  # of the differentiable JPEG in the paper


def rivals() -> dict[str, list[nn.Module]]:
    """Everything but ComModels."""
    shin_song = {f"differentiable JPEG {quality}": [_frozen(DifferentiableJpeg(quality))] for quality in QUALITIES}
    return {
        PLAIN: [nn.Identity()],
        **shin_song,
        "differentiable JPEG 90, 75 and 50": [module for modules in shin_song.values() for module in modules],
        "JPEG 50, straight-through rounding": [_frozen(DifferentiableJpeg(50, rounding="straight_through"))],
        "real JPEG 50, straight-through": [StraightThrough(parse_codec("jpeg:50"))],
        "nothing and real JPEG 75 in turn": [nn.Identity(), StraightThrough(parse_codec("jpeg:75"))],  # as the app does
        "real JPEG and WebP 30 to 95 in turn": [StraightThrough(parse_codec(text)) for text in _REAL],
    }


def through_models(paths: Sequence[Path]) -> dict[str, list[nn.Module]]:
    """ComModels by what they were trained on; one that serves several settings stands there once for each of them.

    Raises: TrainingError for a file that is no ComModel, or two models of the same codecs.
    """
    found: dict[str, list[nn.Module]] = {}
    for path in paths:
        model, facts = load_commodel(path)
        name = f"ComModel of {', '.join(facts.get('codecs', ())) or 'returned photos'}"
        if name in found:
            raise TrainingError(f"{path}: the second {name}; name one of them")
        found[name] = _at_every_setting(_frozen(model), facts.get("codecs", ()))
    return found


def method(
    title: str,
    attack: BaseAttack,
    compressions: Sequence[nn.Module],
    *,
    budget_levels: float,
    steps: int,
    stride: float = 0.25,
    until_reached: bool = False,
    targets: dict[str, int] | None = None,
) -> Method:
    """A row: `attack` through the compressions, FGSM through all at once and the others in turn.

    Args:
        targets: by `image_key`, the class to lead an image towards; None: away from its label.
    """
    config = base_attack(attack, budget_levels=budget_levels, steps=steps, stride=stride)
    form = {"in_turn": attack != "fgsm", "until_reached": until_reached}

    def run(network: nn.Module, images: Tensor, labels: Tensor, _generator: torch.Generator) -> Tensor:
        goals = labels if targets is None else torch.tensor([targets[image_key(image)] for image in images])
        return comreadv(network, compressions, images, goals, config, targeted=targets is not None, **form)

    # The targets follow from the images and the seed of the table, by which a finished result is found anyway.
    settings = {
        **vars(config),
        **form,
        "targeted": targets is not None,
        "through": [_digest(module) for module in compressions],
    }
    return Method(title=title, attack=run, settings=settings)


def image_key(image: Tensor) -> str:
    """Names an image by its content."""
    return hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()[:16]


def _at_every_setting(model: ComModel, codecs: Sequence[str]) -> list[nn.Module]:
    if not model.config.condition_values:
        return [model]
    ranges = [parse_range(text) for text in codecs]
    ends = [getattr(found, end) for end in ("lowest", "middle", "highest") for found in ranges]
    return [_frozen(at_condition(model, torch.from_numpy(codec.condition()))) for codec in dict.fromkeys(ends)]


def _digest(module: nn.Module) -> str:
    """Names a compression by its kind, its numbers and, for a real codec, its text."""
    text = module.codec.text if isinstance(module, StraightThrough) else ""
    if isinstance(module, DifferentiableJpeg):
        text = f"{module.round.__name__} {module.halves_colour}"
    sha = hashlib.sha256(f"{type(module).__name__} {text}".encode())
    for values in (*module.parameters(), *module.buffers()):
        sha.update(values.detach().contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


def _frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False).eval()
