"""A checkpoint of a network that was trained here in, the specs of its graphs out, with the checkpoint's hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from export.contract import GraphSpec, sensing_specs, shield_specs
from export.errors import ExportError
from training.models.comdefend import load_comdefend
from training.models.sensing_photo import load_sensing


def sensing_graphs(path: Path) -> tuple[GraphSpec, ...]:
    """Encoder and decoder of the codec for photos. Raises: TrainingError if the file holds something else."""
    codec, facts = load_sensing(path)
    return sensing_specs(codec, facts, sha256=sha256_of(path))


def shield_graphs(path: Path) -> tuple[GraphSpec, ...]:
    """The shield at its sizes. Raises: TrainingError if the file is no ComDefend, ExportError if none for phones."""
    model, facts = load_comdefend(path)
    if model.config.net != "phone":
        raise ExportError(
            f"{path}: expected the net `phone`, found `{model.config.net}`, which no phone can run; train one"
        )
    return shield_specs(model, facts, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    """Of a file's content, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
