"""A trained classifier in one file: its weights, what they are for, how well they did. `build` makes it a module."""

from __future__ import annotations

import io
import json
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole
from training.errors import TrainingError
from training.models.registry import NETWORKS, build_network, last_layer

FORMAT = 1
_FORMAT_FIELD = "petalveil_checkpoint"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A classifier, trained and measured.

    `state` is the network's own state_dict: its logits are those before the temperature.
    """

    network: str  # a name of training.models.registry
    classes: tuple[str, ...]  # species ids, in the order of the outputs
    state: Mapping[str, Tensor] = field(repr=False, compare=False)
    has_other: bool = False  # one more output, the last: none of these
    size_px: int = 224
    crop: float = 0.875  # share of the short side that is seen
    temperature: float = 1.0  # that the logits are divided by (Guo et al. 2017, arXiv:1706.04599, section 4.2)
    unsure_below: float = 0.0  # probability of the best class under which the answer is "not sure"
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)  # what it was trained on: names, counts, licences
    command: str = ""

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise ValueError(f"network: expected one of {', '.join(NETWORKS)}, got {self.network!r}")
        if len(self.classes) < 2 or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes: expected two or more different names, got {self.classes}")
        if self.size_px < 32:
            raise ValueError(f"size_px: expected 32 or more, got {self.size_px}")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop: expected 0 < crop <= 1, got {self.crop}")
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ValueError(f"temperature: expected a number above 0, got {self.temperature}")
        if not 0 <= self.unsure_below <= 1:
            raise ValueError(f"unsure_below: expected 0 to 1, got {self.unsure_below}")

    @property
    def outputs(self) -> int:
        """How many logits the network gives."""
        return len(self.classes) + self.has_other


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole or not at all; one that is there is replaced, folders are made.

    Raises: TrainingError if it cannot be written, or if metrics or data hold what has no place in JSON.
    """
    content = {item.name: getattr(checkpoint, item.name) for item in fields(checkpoint)}
    content |= {"classes": list(checkpoint.classes)}
    content |= {name: _plain(path, name, content[name]) for name in ("metrics", "data")}
    content["state"] = {name: value.detach().cpu() for name, value in checkpoint.state.items()}
    buffer = io.BytesIO()
    torch.save({_FORMAT_FIELD: FORMAT, **content}, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_whole(path, buffer.getvalue(), force=True)
    except OutputError as error:
        raise TrainingError(str(error)) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; nothing in the file is executed (torch's weights_only).

    Raises: TrainingError if the file is missing or holds something else, naming the field that is wrong.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"{path}: expected a checkpoint, found no file; train one or name another") from None
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise TrainingError(
            f"{path}: expected a checkpoint of petalveil, found something else ({_first_line(error)}); name another"
        ) from error
    if not isinstance(content, dict) or content.get(_FORMAT_FIELD) != FORMAT:
        found = content.get(_FORMAT_FIELD) if isinstance(content, dict) else type(content).__name__
        raise TrainingError(f"{path}: expected a checkpoint of format {FORMAT}, found {found}; name another file")
    values = {name: value for name, value in content.items() if name != _FORMAT_FIELD}
    try:
        return Checkpoint(**{**values, "classes": tuple(values.get("classes", ()))})
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{path}: not a whole checkpoint ({_first_line(error)}); train it anew") from error


def build(checkpoint: Checkpoint) -> nn.Module:
    """The network in eval mode: (N, 3, S, S) images in [0, 1] -> (N, outputs) logits / temperature.

    The division is done once, in the last layer, whose weights and bias are divided: every network of the registry
    ends in that layer, or in a ReLU and a mean after it, which a positive factor passes through.

    Raises: TrainingError if the weights do not fit the network.
    """
    network = build_network(checkpoint.network, weights="random", classes=checkpoint.outputs)
    try:
        network.load_state_dict(dict(checkpoint.state))
    except RuntimeError as error:
        raise TrainingError(
            f"state: the weights do not fit {checkpoint.network} with {checkpoint.outputs} outputs ({_detail(error)})"
        ) from error
    head = last_layer(network)
    with torch.no_grad():
        head.weight.div_(checkpoint.temperature)
        if head.bias is not None:
            head.bias.div_(checkpoint.temperature)
    network.size_px = checkpoint.size_px  # pyright: ignore[reportAttributeAccessIssue]
    return network.eval()


def _plain(path: Path, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """As the manifest of a bundle will hold it: numbers of NumPy become Python's, tuples become lists."""
    try:
        return json.loads(json.dumps(dict(facts), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TrainingError(
            f"{path.name}: {name}: expected finite numbers, text, lists and dicts alone ({_first_line(error)})"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _detail(error: BaseException) -> str:
    """torch names the first fault in the second line."""
    return "; ".join(line.strip() for line in str(error).strip().splitlines()[1:2])[:200] or _first_line(error)
