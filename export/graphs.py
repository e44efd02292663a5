"""Every graph that can ship, in one list: those of the contract, and those of the checkpoints that are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.checkpoints import (
    commodel_graphs,
    flower_graphs,
    generator_graph,
    sensing_graphs,
    shield_graphs,
    surrogate_graph,
)
from export.contract import SHIPPED, GraphSpec
from export.errors import ExportError
from export.kinds import KINDS


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """Files of networks that were trained here, one field each of KINDS; the graphs of None are left out."""

    flowers: Path | None = None
    generator: Path | None = None
    commodel: Path | None = None
    sensing: Path | None = None
    shield: Path | None = None
    lite0: Path | None = None
    lite1: Path | None = None

    def absent(self) -> list[str]:
        """The kinds whose graphs are left out."""
        return [kind for kind in KINDS if getattr(self, kind) is None]


def every_graph(checkpoints: Checkpoints) -> list[GraphSpec]:
    """The contract's graphs and those of the checkpoints, in every precision that they ship in.

    Raises: TrainingError for a checkpoint that cannot be read, ExportError for one of another network.
    """
    found = list(SHIPPED)
    if checkpoints.flowers is not None:
        found += flower_graphs(checkpoints.flowers)
    if checkpoints.generator is not None:
        found.append(generator_graph(checkpoints.generator))
    if checkpoints.commodel is not None:
        found += commodel_graphs(checkpoints.commodel)
    if checkpoints.sensing is not None:
        found += sensing_graphs(checkpoints.sensing)
    if checkpoints.shield is not None:
        found += shield_graphs(checkpoints.shield)
    if checkpoints.lite0 is not None:
        found.append(surrogate_graph(checkpoints.lite0, "efficientnet_lite0"))
    if checkpoints.lite1 is not None:
        found.append(surrogate_graph(checkpoints.lite1, "efficientnet_lite1"))
    return found


def graphs(checkpoints: Checkpoints, names: Sequence[str] = ()) -> list[GraphSpec]:
    """Of every graph those that are named, all if none is.

    What the contract has once more in another precision comes once: whoever asks chooses the precision apart. A
    universal perturbation is no graph but a picture, which the app adds by itself.

    Raises: ExportError for a name that is not among them, and as `every_graph`.
    """
    by_name = {spec.name: spec for spec in every_graph(checkpoints) if spec.precision != "int8"}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ExportError(
            f"--graphs {' '.join(unknown)}: expected some of {', '.join(by_name)}; those of "
            f"{', '.join(checkpoints.absent()) or 'a checkpoint'} are there when their checkpoint is named"
        )
    return [spec for name, spec in by_name.items() if not names or name in names]
