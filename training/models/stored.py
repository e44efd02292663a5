"""A trained model's file: its weights, the config that it is built by, and facts about it. Reading executes nothing."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from mobile_app.core.files import write_whole
from training.errors import TrainingError

FORMAT = 1
Model = TypeVar("Model", bound=nn.Module)


def save_model(path: Path, kind: str, model: nn.Module, *, config: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write a model whole or not at all.

    Args:
        kind: by which the file is told from others, "commodel" say.
        config, facts: plain numbers, text, lists and dicts.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    content = {_field(kind): FORMAT, "config": dict(config), "facts": dict(facts), "state": state}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue(), force=True)


def load_model(
    path: Path, kind: str, build: Callable[[dict[str, Any]], Model], *, name: str, command: str
) -> tuple[Model, dict[str, Any]]:
    """The model in eval mode, and the facts that were saved with it.

    Args:
        build: makes the model, with any weights, from its config.
        name: what the file should hold, for a sentence: "a compression model".
        command: that trains one.
    Raises: TrainingError if the file is missing or holds something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or content.get(_field(kind)) != FORMAT:
            raise ValueError(f"not {name} of format {FORMAT}")
        model = build(content.get("config", {}))
        model.load_state_dict(content["state"])
        return model.eval(), content["facts"]
    except FileNotFoundError:
        raise TrainingError(f"{path}: expected {name}, found no file; train one with `{command}`") from None
    except (OSError, EOFError, RuntimeError, TypeError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise TrainingError(f"{path}: expected {name}, found something else ({reason})") from error


def _field(kind: str) -> str:
    return f"petalveil_{kind}"
