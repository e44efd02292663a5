"""The state of a training run on disk: kept after every epoch, read by the same command when it is given again."""

from __future__ import annotations

import csv
import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from mobile_app.core.files import write_whole
from training.errors import TrainingError


def save_state(path: Path, parts: dict[str, Any], run: str, history: list[dict[str, float]]) -> None:
    """Write the state_dict of every part, the rows of the log and the fingerprint of the run."""
    state = {name: part.state_dict() for name, part in parts.items()}
    buffer = io.BytesIO()
    torch.save({"fingerprint": run, "history": history, **state}, buffer)
    write_whole(path, buffer.getvalue(), force=True)


def resume(path: Path, parts: dict[str, Any], run: str) -> list[dict[str, float]]:
    """Load every part as it was after the last epoch; returns the rows of the log so far, none without a file.

    Raises: TrainingError if the state is that of another run, or no state at all.
    """
    if not path.exists():
        return []
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["fingerprint"]
    except (OSError, EOFError, RuntimeError, TypeError, KeyError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: expected the state of a run, found something else; remove it") from error
    if found != run:
        raise TrainingError(f"{path}: holds a run with other settings or photos; name another --out or remove it")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["history"]


def prepared(accelerator: Accelerator, loader: DataLoader[Any], epoch: int) -> Any:
    """The loader of one epoch, on the accelerator's device; its dataset, which has a `set_epoch`, is told the epoch.

    accelerate tells a dataset, too, by a count of its own that starts at 0 in every loader: one that is made anew for
    each epoch would show the views of the first one over and over. With several processes it may not tell it at all.
    """
    loader.dataset.set_epoch(epoch)  # pyright: ignore[reportAttributeAccessIssue]
    ready = accelerator.prepare(loader)
    ready.set_epoch(epoch)
    return ready


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """A CSV with the names of the first row's values as its head."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, buffer.getvalue().encode(), force=True)


def warm_cosine(warm: int, total: int) -> Callable[[int], float]:
    """The factor on the learning rate: up in a line for `warm` steps, then half a cosine down to 0 at `total`."""

    def factor(step: int) -> float:
        if step < warm and total > warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))

    return factor
