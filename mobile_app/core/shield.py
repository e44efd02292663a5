"""The shield: a photo goes through a code of 12 bits a pixel before a recogniser sees it, and small changes get lost.

`shielded(image, graph)` takes any size; `load_shield(bundle, size_px)` finds the graph for a recogniser's input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.bundle import Bundle
from mobile_app.core.errors import BundleError
from mobile_app.core.recogniser import Recogniser
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.runtime.graph import Port

Array = NDArray[np.float32]

TASK = "shield"
SHIELD_SIZES = {"shield": 224, "shield.256": 256}  # graphs and their sides, those that recognisers look at
MARGIN_PX = 16  # as far as a pixel of the network looks, and a little more; even, since the network halves sides


def load_shield(
    bundle: Bundle, size_px: int, *, threads: int | None = None, load: Callable[[str], Graph] | None = None
) -> Graph:
    """The shield's graph of this side, or the largest one, which then works in tiles.

    Args:
        load: gives the bundle's graph of a name, for those who keep graphs; None loads it.
    Raises: BundleError if the bundle has no shield, GraphError if it does not load.
    """
    sizes = {entry.size_px: entry.name for entry in bundle.graphs.values() if entry.task == TASK}
    if not sizes:
        raise BundleError(
            "shield: expected a graph of the task shield in the bundle, found none; make a bundle that has one with "
            "`python -m export bundle --shield MODEL.pt`, or leave --shield out"
        )
    name = sizes[size_px if size_px in sizes else max(sizes)]
    return load(name) if load else load_graph(bundle.path(name), name=name, threads=threads)


def shield_files(bundle: Bundle) -> list[str]:
    """The files of all its shields, which together name them."""
    entries = [entry for entry in bundle.graphs.values() if entry.task == TASK]
    return sorted({file for entry in entries for file in (entry.file, *entry.data)})


def shielded(image: Array, graph: Graph) -> Array:
    """(1, 3, H, W) in [0, 1] -> the same after the shield.

    What does not fit the graph goes through it in tiles that overlap by what a pixel depends on, so that there are no
    seams; beyond the edges of the image its last pixels are repeated.
    """
    side = graph.inputs["image"].shape[-1]
    height, width = image.shape[2:]
    if (height, width) == (side, side):
        return graph.run({"image": image})["shielded"]
    step = side - 2 * MARGIN_PX
    padded = np.pad(image, ((0, 0), (0, 0), _margins(height, step), _margins(width, step)), mode="edge")
    out = np.empty_like(image)
    for top in range(0, height, step):
        for left in range(0, width, step):
            tile = np.ascontiguousarray(padded[:, :, top : top + side, left : left + side])
            inner = graph.run({"image": tile})["shielded"][:, :, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
            rows, columns = min(step, height - top), min(step, width - left)
            out[:, :, top : top + rows, left : left + columns] = inner[:, :, :rows, :columns]
    return out


@dataclass(kw_only=True)
class ShieldedGraph:
    """A recogniser's graph behind the shield; to whoever runs it, a graph like any other."""

    name: str
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    runtime: str
    recogniser: Graph
    shield: Graph

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        return self.recogniser.run({**inputs, "image": shielded(inputs["image"], self.shield)})


def behind_shield(recogniser: Recogniser, bundle: Bundle, *, threads: int | None = None) -> Recogniser:
    """The same recogniser, which sees every photo through the shield. Raises: as load_shield."""
    graph = recogniser.graph
    shield = load_shield(bundle, graph.inputs["image"].shape[-1], threads=threads)
    both = ShieldedGraph(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        runtime=graph.runtime,
        recogniser=graph,
        shield=shield,
    )
    return replace(recogniser, graph=both)


def _margins(length: int, step: int) -> tuple[int, int]:
    return MARGIN_PX, MARGIN_PX + -length % step
