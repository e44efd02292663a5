"""Which graphs become Core ML packages: those of the contract, and those whose checkpoints are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from export.checkpoints import sensing_graphs, sha256_of, shield_graphs
from export.contract import SHIPPED, GraphSpec, flower_specs, generator_spec
from export.errors import ExportError
from training.models.checkpoint import load_checkpoint
from training.models.commodel import load_commodel
from training.models.generator import CloakGenerator
from training.recipes.one_pass import load_one_pass


def specs(
    *,
    flowers: Path | None = None,
    generator: Path | None = None,
    commodel: Path | None = None,
    sensing: Path | None = None,
    shield: Path | None = None,
    names: Sequence[str] = (),
) -> list[GraphSpec]:
    """The contract's graphs and those of the checkpoints; of them those that are named, all if none is.

    What the contract has once more in another precision comes once: here the precision is chosen apart. A universal
    perturbation is no graph but a picture, which the app adds by itself.

    Raises: ExportError for a name that is not among them, TrainingError for a checkpoint that cannot be read.
    """
    found = list(SHIPPED)
    if flowers is not None:
        found += flower_specs(load_checkpoint(flowers), sha256=sha256_of(flowers))
    if generator is not None:
        network, facts = load_one_pass(generator)
        if not isinstance(network, CloakGenerator):
            raise ExportError(f"{generator}: expected a generator, found a universal perturbation, which is no graph")
        found.append(generator_spec(network, facts, sha256=sha256_of(generator)))
    if commodel is not None:
        found.append(_commodel_spec(commodel))
    if sensing is not None:
        found += sensing_graphs(sensing)
    if shield is not None:
        found += shield_graphs(shield)
    by_name = {spec.name: spec for spec in found if spec.precision != "int8"}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ExportError(
            f"--graphs {' '.join(unknown)}: expected some of {', '.join(by_name)}; those of flowers, a generator, a "
            "compression model, the codec for photos or the shield are there when their checkpoint is named"
        )
    return [spec for name, spec in by_name.items() if not names or name in names]


def _commodel_spec(path: Path) -> GraphSpec:
    model, facts = load_commodel(path)
    if model.config.condition_values:
        raise ExportError(f"{path}: expected a compression model of a single setting, found one that takes a condition")
    return GraphSpec(
        name="commodel",
        task="generate",
        network="commodel",
        one_pass=model,
        size_px=224,
        outputs=("compressed",),
        source="petalveil's own: a network that does to a photo what a codec does",
        licence="Apache-2.0",
        command="python -m export coreml --commodel MODEL.pt",
        trained_on={**facts, "checkpoint sha256": sha256_of(path)},
        lowest_cosine_shipped=0.999,
    )
