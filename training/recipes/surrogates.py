"""Names in, classifiers to be deceived out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError
from training.evaluate.judges import load_shared
from training.models.efficientnet_lite import efficientnet_lite
from training.models.squeezenet import squeezenet
from training.recipes.one_pass import Surrogate

_LITE = {"lite0": 0, "lite1": 1}
NAMES = (*_LITE, "squeezenet", "darknet_tiny")
# Of the masks of their ReLUs; SqueezeNet's layers are balanced to a deviation of one, half of what the Lites' are.
STEEPNESS = {"lite0": 2.0, "lite1": 2.0, "squeezenet": 4.0, "darknet_tiny": 4.0}


def open_surrogates(names: Sequence[str], shared: Path) -> list[Surrogate]:
    """The classifiers of these names; Darknet comes from `shared` and may serve at the desk only.

    Raises: TrainingError for an unknown name, or where its weights are missing.
    """
    return [_open(name, shared) for name in dict.fromkeys(names)]


def _open(name: str, shared: Path) -> Surrogate:
    if name in _LITE:  # two of a family: together they get what one other gets
        return Surrogate(name=name, network=efficientnet_lite(_LITE[name]), smooth=STEEPNESS[name], share=0.75)
    if name == "squeezenet":
        return Surrogate(name=name, network=squeezenet(), smooth=STEEPNESS[name], temperature=2.0)
    if name == "darknet_tiny":
        return Surrogate(name=name, network=load_shared(name, shared), smooth=STEEPNESS[name], temperature=1.5)
    raise TrainingError(f"surrogates: expected some of {', '.join(NAMES)}, got {name!r}")
