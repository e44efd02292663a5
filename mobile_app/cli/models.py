"""A bundle in, what the commands run out: the engine that cloaks and the recogniser that looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.bundle import DEFAULT_ROOT, Bundle, load_bundle
from mobile_app.core.classify import Classification, classify
from mobile_app.core.engines import GradientEngine
from mobile_app.core.errors import BundleError
from mobile_app.core.runtime import Graph, load_graph

RECOGNISER = "objects"


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """A classifier of the bundle with its labels."""

    name: str
    graph: Graph
    labels: tuple[str, ...]
    unsure_below: float

    def look(self, rgb_hwc: NDArray[np.uint8], top: int = 5) -> Classification:
        """Name what (H, W, 3) uint8 shows."""
        return classify(rgb_hwc, self.graph, self.labels, top=top, unsure_below=self.unsure_below)


def open_bundle(root: Path | None) -> Bundle:
    """The bundle at `root`, or the one that comes along. Raises: BundleError."""
    return load_bundle(DEFAULT_ROOT if root is None else root)


def load_recogniser(bundle: Bundle, name: str = RECOGNISER, *, threads: int | None = None) -> Recogniser:
    """Raises: BundleError if there is no classifier of this name, GraphError if it does not load."""
    classifiers = [entry.name for entry in bundle.graphs.values() if entry.task == "classify"]
    if name not in classifiers:
        raise BundleError(f"{name}: no classifier of this bundle; expected one of {', '.join(sorted(classifiers))}")
    labels = tuple(bundle.labels(name))
    graph = load_graph(bundle.path(name), name=name, threads=threads)
    classes = graph.outputs["logits"].shape[-1] if "logits" in graph.outputs else 0
    if len(labels) != classes:
        raise BundleError(f"{name}: expected a label for each of {classes} classes, found {len(labels)}")
    return Recogniser(name=name, graph=graph, labels=labels, unsure_below=bundle.entry(name).unsure_below)


def load_engine(bundle: Bundle, *, threads: int | None = None) -> GradientEngine:
    """The engine behind the bundle's gradient graph.

    Raises: BundleError if the bundle has no such graph, GraphError if it does not load.
    """
    name = next((entry.name for entry in bundle.graphs.values() if entry.task == "gradient"), None)
    if name is None:
        raise BundleError("expected a gradient graph in the bundle, found none; restore the bundle")
    return GradientEngine(load_graph(bundle.path(name), name=name, threads=threads))
