"""The attacks of the ComDefend tables by name, all as (network, images, labels, generator) -> adversarial images.

FGSM, BIM, PGD and C&W are those of torchattacks. Its DeepFool goes through all classes of a network, a thousand
gradients a step for ImageNet; the one here looks at the ten likeliest, as its authors do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobile_app.core.cloak import MEDIUM
from mobile_app.core.photo import Photo
from mobile_app.core.preprocess import from_uint8, to_uint8
from mobile_app.core.step import StepConfig
from training.bounds import check_bounds
from training.errors import TrainingError
from training.evaluate.attacks import Attack, open_attacks
from training.recipes.sparse_methods import Method

ATTACKS = ("fgsm", "bim", "pgd", "deepfool", "cw")
CLOAK = "cloak"
_TITLES = {"fgsm": "FGSM", "bim": "BIM", "pgd": "PGD", "deepfool": "DeepFool", "cw": "C&W", CLOAK: "our cloak"}


@dataclass(frozen=True, kw_only=True)
class AttackConfig:
    """What decides on the adversarial images."""

    budget_levels: float = 8.0  # of FGSM, BIM and PGD, and of the cloak
    steps: int = 10  # of BIM and PGD, each of a quarter of the budget
    cw_steps: int = 30
    cw_weight: float = 1.0  # c of the l2 attack; kappa is 0
    cw_rate: float = 0.01
    deepfool_steps: int = 20
    deepfool_classes: int = 10
    overshoot: float = 0.02

    def __post_init__(self) -> None:
        bounds = {"budget_levels": (0.1, 255), "steps": (1, 1000), "cw_steps": (1, 10_000), "cw_weight": (0, 1e6),
                  "cw_rate": (1e-6, 10), "deepfool_steps": (1, 1000), "deepfool_classes": (2, 1000),
                  "overshoot": (0, 1)}  # fmt: skip
        check_bounds(self, bounds)


def attack_method(name: str, config: AttackConfig) -> Method:
    """Raises: TrainingError for an unknown name."""
    if name not in (*ATTACKS, CLOAK):
        raise TrainingError(f"attacks: expected some of {', '.join((*ATTACKS, CLOAK))}, got {name!r}")
    settings = {"name": name, **dataclasses.asdict(config)}
    if name == CLOAK:
        return _cloak(config)
    if name == "deepfool":
        return Method(title=_TITLES[name], attack=lambda n, x, y, _g: deepfool(n, x, y, config), settings=settings)
    return Method(title=_TITLES[name], attack=_of_torchattacks(name, config), settings=settings)


def deepfool(network: nn.Module, images: Tensor, labels: Tensor, config: AttackConfig) -> Tensor:
    """The nearest boundary by linear steps, in l2: Moosavi-Dezfooli et al., CVPR 2016, arXiv:1511.04599, algorithm 2.

    r <- |f_k - f_y| / ||w_k||^2 * w_k for the class k whose boundary is nearest, w_k = grad f_k - grad f_y, until the
    answer changes; the sum of the steps, times 1 + overshoot, is added. Only the likeliest `deepfool_classes` of the
    clean image are candidates. Images that the network has wrong stay as they are.
    """
    return torch.cat([_nearest(network, *pair, config) for pair in zip(images.split(1), labels.split(1), strict=True)])


def _nearest(network: nn.Module, image: Tensor, label: Tensor, config: AttackConfig) -> Tensor:
    with torch.no_grad():
        order = network(image)[0].argsort(descending=True)
    candidates = [int(index) for index in order[: config.deepfool_classes] if index != label]
    moved, total = image, torch.zeros_like(image)
    for _ in range(config.deepfool_steps):
        point = moved.clone().requires_grad_()
        logits = network(point)[0]
        if logits.argmax() != label:
            break
        best = None
        for index in candidates:
            gap = logits[index] - logits[label[0]]
            (normal,) = torch.autograd.grad(gap, point, retain_graph=True)
            squares = normal.square().sum().clamp(min=1e-12)
            distance = float(gap.detach().abs() / squares.sqrt())
            if best is None or distance < best[0]:
                best = (distance, (gap.detach().abs() + 1e-4) / squares * normal)
        assert best is not None
        total = total + best[1]
        moved = (image + (1 + config.overshoot) * total).clamp(0, 1)
    return moved.detach()


def _of_torchattacks(name: str, config: AttackConfig) -> Any:
    eps = config.budget_levels / 255
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "fgsm": ("FGSM", {"eps": eps}),
        "bim": ("BIM", {"eps": eps, "alpha": eps / 4, "steps": config.steps}),
        "pgd": ("PGD", {"eps": eps, "alpha": eps / 4, "steps": config.steps, "random_start": True}),
        "cw": ("CW", {"c": config.cw_weight, "kappa": 0, "steps": config.cw_steps, "lr": config.cw_rate}),
    }
    kind, options = made[name]

    def attack(network: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator.initial_seed())
            return getattr(import_module("torchattacks"), kind)(network, **options)(images, labels)

    return attack


def _cloak(config: AttackConfig) -> Method:
    """The engine `gradient` of the bundle, on the image as the network sees it; it asks no label and no network."""
    (engine,) = _engines(replace(MEDIUM, budget_levels=config.budget_levels))

    def attack(_network: nn.Module, images: Tensor, _labels: Tensor, generator: torch.Generator) -> Tensor:
        cloaked = [_cloaked(engine, to_uint8(image[None].numpy()), generator.initial_seed()) for image in images]
        return torch.from_numpy(np.concatenate([from_uint8(rgb_hwc) for rgb_hwc in cloaked]))

    return Method(title=_TITLES[CLOAK], attack=attack, settings={"engine": engine.settings})


def _engines(config: StepConfig) -> Sequence[Attack]:
    return open_attacks(["gradient"], config)[0]


def _cloaked(engine: Attack, rgb_hwc: np.ndarray, seed: int) -> np.ndarray:
    return engine.cloak(Photo(rgb_hwc=rgb_hwc), seed).rgb_hwc
