"""A checkpoint of a network that was trained here in, the specs of its graphs out, with the checkpoint's hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from export.contract import (
    GraphSpec,
    commodel_specs,
    flower_specs,
    generator_spec,
    sensing_specs,
    shield_specs,
    surrogate_spec,
)
from export.errors import ExportError
from training.data.codecs import parse_range
from training.models.checkpoint import load_checkpoint
from training.models.comdefend import load_comdefend
from training.models.commodel import at_condition, load_commodel
from training.models.generator import CloakGenerator
from training.models.sensing_photo import load_sensing
from training.recipes.one_pass import load_one_pass
from training.recipes.robust_surrogate import load_surrogate


def flower_graphs(path: Path) -> tuple[GraphSpec, ...]:
    """The flower network's graphs. Raises: TrainingError if the file holds something else."""
    return flower_specs(load_checkpoint(path), sha256=sha256_of(path))


def generator_graph(path: Path) -> GraphSpec:
    """The graph that writes a cloak in one pass.

    Raises: TrainingError if the file holds something else, ExportError for a universal perturbation.
    """
    network, facts = load_one_pass(path)
    if not isinstance(network, CloakGenerator):
        raise ExportError(
            f"{path}: expected a generator, found a universal perturbation, which is a picture and no graph; name it "
            "with `python -m export bundle --universal`"
        )
    return generator_spec(network, facts, sha256=sha256_of(path))


def commodel_graphs(path: Path) -> tuple[GraphSpec, ...]:
    """The stand-in for a codec, and the gradient of a classifier that looks through it.

    A model of several settings is settled on the middle of its first range.

    Raises: TrainingError if the file holds something else.
    """
    model, facts = load_commodel(path)
    if model.config.condition_values:
        codec = parse_range(facts["codecs"][0]).middle
        model = at_condition(model, torch.from_numpy(codec.condition())).eval()
        facts = {**facts, "settled on": codec.text}
    return commodel_specs(model, facts, sha256=sha256_of(path))


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


def surrogate_graph(path: Path, network: str) -> GraphSpec:
    """The gradient of a network that minds small changes less.

    Args:
        network: which one it has to be, `efficientnet_lite0` say.
    Raises: TrainingError if the file holds something else, ExportError for another network.
    """
    trained, facts = load_surrogate(path)
    config = facts["config"]
    assert isinstance(config, dict)
    if config["network"] != network:
        raise ExportError(f"{path}: expected a surrogate of {network}, found one of {config['network']}; name another")
    return surrogate_spec(trained, facts, sha256=sha256_of(path))


def sha256_of(path: Path) -> str:
    """Of a file's content, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
