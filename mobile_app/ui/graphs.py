"""The bundle and its graphs, loaded when a job first asks for them and kept: `app.model(Graphs)`, for jobs alone."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobile_app.core.bundle import Bundle, GraphEntry, load_bundle
from mobile_app.core.classify import Classification, classify
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.species import Species, load_species, named

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp

OBJECTS, FLOWERS = "objects", "flowers"
MOST_THREADS = 4  # more make a phone hot, and hardly faster


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """A classifier with the names of its classes."""

    entry: GraphEntry
    graph: Graph
    labels: tuple[str, ...]  # as the bundle has them: English names of things, ids of species
    species: tuple[Species, ...] = ()  # one a label, for flowers

    def look(self, rgb_hwc: Any, top: int = 5) -> Classification:
        """What (H, W, 3) uint8 shows."""
        entry = self.entry
        return classify(
            rgb_hwc,
            self.graph,
            self.labels,
            top=top,
            unsure_below=entry.unsure_below,
            crop=entry.crop,
            has_other=entry.has_other,
        )


class Graphs:
    """What is loaded. Every method may take seconds the first time: call them on the worker."""

    def __init__(self, app: PetalveilApp) -> None:
        self._bundle: Bundle | None = None
        self._graphs: dict[str, Graph] = {}
        self._recognisers: dict[str, Recogniser] = {}

    def bundle(self) -> Bundle:
        """Checked against its manifest once. Raises: BundleError."""
        if self._bundle is None:
            self._bundle = load_bundle()
            gc.freeze()  # NumPy and the runtime are here now: see PetalveilApp.on_start
        return self._bundle

    def graph(self, name: str) -> Graph:
        """Raises: BundleError, GraphError."""
        if name not in self._graphs:
            self._graphs[name] = load_graph(self.bundle().path(name), name=name, threads=threads())
        return self._graphs[name]

    def recogniser(self, name: str) -> Recogniser:
        """A classifier of the bundle. Raises: BundleError, GraphError."""
        if name not in self._recognisers:
            entry, labels = self.bundle().entry(name), tuple(self.bundle().labels(name))
            known = load_species() if entry.species else {}
            species = tuple(named(label, known) for label in labels) if entry.species else ()
            self._recognisers[name] = Recogniser(entry=entry, graph=self.graph(name), labels=labels, species=species)
        return self._recognisers[name]

    def recognisers(self) -> list[Recogniser]:
        """Those that a protected photo is shown to."""
        return [self.recogniser(name) for name in (OBJECTS, FLOWERS) if name in self.bundle().graphs]

    def forget(self, names: Sequence[str] = ()) -> None:
        """Let go of graphs, all by default: the system wants memory back."""
        for name in names or list(self._graphs):
            self._graphs.pop(name, None)
            self._recognisers.pop(name, None)


def threads() -> int:
    """For a graph: one core is left to the screen."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return min(MOST_THREADS, max(1, cores - 1))
