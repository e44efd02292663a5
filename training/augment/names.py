"""The full name of an augmentation in; its method, what fills cleared pixels, and where its points come from, out.

    METHOD[+FILL][+POINTS]        advmask, grid_mask+blur, advmask+renewed, advmask+blur+several

A method by itself is the published form: the mean colour, and points of AutoAdversary on a base model. What follows a
plus goes beyond it, and is part of the name so that tables, folders and checkpoints all say what was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

from training.augment.fill import FILLS

Name = Literal[
    "none", "cutout", "random_erasing", "hide_and_seek", "grid_mask", "advmask", "adv", "random_mask", "corner_mask"
]
NAMES: tuple[str, ...] = get_args(Name)
MASKS_POINTS = ("advmask", "adv")  # methods that mask where a photo is sensitive

# base: AutoAdversary's, of a base model. several: the dense attack's strongest on that model, too.
# renewed: of the model in training, found anew as it learns.
PointsFrom = Literal["base", "several", "renewed"]
POINTS_FROM: tuple[str, ...] = get_args(PointsFrom)

USUAL_FILL, USUAL_POINTS = "mean", "base"
_USUAL = ((FILLS, USUAL_FILL), (POINTS_FROM, USUAL_POINTS))  # choices in the order of a name


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A method with its choices."""

    method: str
    fill: str = USUAL_FILL
    points_from: str = USUAL_POINTS


def parse_name(text: str) -> Variant:
    """Read a full name. Raises: ValueError, without the field's name, for anything that is none."""
    method, *choices = text.split("+")
    if method not in NAMES:
        raise ValueError(f"expected one of {', '.join(NAMES)}, got {text!r}")
    if text not in full_names([method]):
        raise ValueError(f"expected {_grammar(method)}, got {text!r}")
    fill = next((choice for choice in choices if choice in FILLS), USUAL_FILL)
    points_from = next((choice for choice in choices if choice in POINTS_FROM), USUAL_POINTS)
    return Variant(method=method, fill=fill, points_from=points_from)


def full_names(methods: Iterable[str]) -> tuple[str, ...]:
    """Every full name of some methods, the plain one of each first; the usual choices are not written out."""
    return tuple(
        "+".join([method, *filter(None, choices)])
        for method in methods
        for choices in product(*(_choices(method, among, usual) for among, usual in _USUAL))
    )


def _choices(method: str, among: tuple[str, ...], usual: str) -> list[str]:
    has_any = method != "none" if among is FILLS else method in MASKS_POINTS
    return ["", *(choice for choice in among if choice != usual)] if has_any else [""]


def _grammar(method: str) -> str:
    parts = [_choices(method, among, usual)[1:] for among, usual in _USUAL]
    return method + "".join(f"[+{'|'.join(choices)}]" for choices in parts if choices)
