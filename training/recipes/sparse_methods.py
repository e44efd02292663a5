"""The methods of the sparse-attack tables by name: each makes adversarial images from images and labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from training.attacks.sparse.ablations import ShrinkConfig, random_mask, shrunk_delta
from training.attacks.sparse.auto_adversary import AutoAdversaryConfig, auto_adversary
from training.attacks.sparse.dense import DenseConfig, dense_attack
from training.attacks.sparse.polish import PolishConfig, polish
from training.attacks.sparse.result import SparseResult

RANDOM_SHARE = 0.264  # of the elements that the random mask keeps: 782.8 of 2965.0 in the paper's table 3-7
SMALL = AutoAdversaryConfig(encoder="linear", width=32, steps=150, weight=30.0)
LARGE = AutoAdversaryConfig(encoder="unet", width=8, steps=60, weight=3.0, adapt=1.05)

Attack = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
Refinement = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]  # its last argument: the adversarial images so far


@dataclass(frozen=True, kw_only=True)
class Method:
    """A row of a table: its name there, how to run it, and all its numbers, by which a finished result is found."""

    title: str
    attack: Attack | None  # None for a method that begins with another's result
    settings: dict[str, Any]
    begins_with: Method | None = None
    refine: Refinement | None = None


def rivals(budget_levels: float) -> dict[str, Method]:
    """The attacks of others that know a linf bound."""
    from training.attacks.sparse.greedy_fool import GreedyFoolConfig, greedy_fool
    from training.attacks.sparse.jsma import JsmaConfig, jsma
    from training.attacks.sparse.pgd_l0 import PgdL0Config, pgd_l0_linf
    from training.attacks.sparse.sigma_zero import SigmaZeroConfig, sigma_zero

    found = {
        "jsma": _rival("JSMA", jsma, JsmaConfig(budget_levels=budget_levels)),
        "pgd_l0": _rival("PGD-l0+linf", pgd_l0_linf, PgdL0Config(budget_levels=budget_levels)),
        "greedy_fool": _rival("GreedyFool", greedy_fool, GreedyFoolConfig(budget_levels=budget_levels)),
        "sigma_zero": _rival("sigma-zero", sigma_zero, SigmaZeroConfig(budget_levels=budget_levels)),
    }
    return found


def ours(budget_levels: float, config: AutoAdversaryConfig, polish_steps: int) -> dict[str, Method]:
    """AutoAdversary in the paper's form and the refined one, with the base attack that the config names."""
    config = dataclasses.replace(config, base=dataclasses.replace(config.base, budget_levels=budget_levels))
    refine = PolishConfig(steps=polish_steps, budget_levels=budget_levels)
    plain = _pruned("AutoAdversary", config)
    return {"auto_adversary": plain, "auto_adversary_polish": _refined(plain, refine)}


def ablations(budget_levels: float, config: AutoAdversaryConfig) -> dict[str, Method]:
    """The rows of table 3-7 before the whole method."""
    base = dataclasses.replace(config.base, budget_levels=budget_levels)
    config = dataclasses.replace(config, base=base)
    shrink = ShrinkConfig(base=base, steps=config.steps, weight=config.weight)
    return {
        "dense": dense("Dense", base),
        "dense_random": Method(
            title="Dense + random mask",
            attack=lambda n, x, y, g: random_mask(n, x, y, base, RANDOM_SHARE, generator=g),
            settings={"base": dataclasses.asdict(base), "share": RANDOM_SHARE},
        ),
        "l1_delta": Method(
            title="Dense + l1 on delta",
            attack=lambda n, x, y, g: shrunk_delta(n, x, y, shrink, generator=g),
            settings=dataclasses.asdict(shrink),
        ),
        "no_encoder": _pruned(
            "Dense + l1 on m + binarisation, no encoder", dataclasses.replace(config, encoder="none")
        ),
    }


def base_attacks(budget_levels: float, config: AutoAdversaryConfig, polish_steps: int) -> dict[str, Method]:
    """Table 3-2: each base attack and the same pruned (*), and MI-FGSM's refined."""
    found: dict[str, Method] = {}
    for rule, title in (("mi_fgsm", "MI-FGSM"), ("i_fgsm", "I-FGSM"), ("pgd", "PGD")):
        base = dataclasses.replace(config.base, rule=rule, budget_levels=budget_levels)
        pruned = dataclasses.replace(config, base=base)
        found[rule] = dense(title, base)
        found[f"{rule}_pruned"] = _pruned(f"{title}*", pruned)
        if rule == "mi_fgsm":
            refine = PolishConfig(steps=polish_steps, budget_levels=budget_levels)
            found["mi_fgsm_polish"] = _refined(found["mi_fgsm_pruned"], refine)
    return found


def dense(title: str, config: DenseConfig) -> Method:
    return Method(
        title=title,
        attack=lambda n, x, y, g: x + dense_attack(n, x, y, config, generator=g).delta,
        settings=dataclasses.asdict(config),
    )


def _pruned(title: str, config: AutoAdversaryConfig) -> Method:
    return Method(
        title=title,
        attack=lambda n, x, y, g: auto_adversary(n, x, y, config, generator=g).adversarial,
        settings={"auto_adversary": dataclasses.asdict(config)},
    )


def _refined(first: Method, config: PolishConfig) -> Method:
    def refine(network: nn.Module, images: Tensor, labels: Tensor, adversarial: Tensor) -> Tensor:
        start = SparseResult(adversarial=adversarial, mask=adversarial != images)
        return polish(network, images, labels, start, config).adversarial

    return Method(
        title=f"{first.title} + polish",
        attack=None,
        settings={"polish": dataclasses.asdict(config), "begins_with": first.settings},
        begins_with=first,
        refine=refine,
    )


def _rival(title: str, attack: Callable[..., Tensor], config: Any) -> Method:
    return Method(
        title=title,
        attack=lambda n, x, y, g: attack(n, x, y, config, generator=g),
        settings=dataclasses.asdict(config),
    )
