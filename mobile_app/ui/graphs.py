"""The bundle and its graphs, loaded when a job first asks for them and kept: `app.model(Graphs)`, for jobs alone."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mobile_app.core.bundle import Bundle, load_bundle
from mobile_app.core.engines import Engine
from mobile_app.core.loading import engine_within, engines_of, load_engine, seconds_a_call
from mobile_app.core.recogniser import FLOWERS, OBJECTS, Recogniser, load_recogniser
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.step import StepConfig

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp

MOST_THREADS = 4  # more make a phone hot, and hardly faster


class Graphs:
    """What is loaded. Every method may take seconds the first time: call them on the worker."""

    def __init__(self, app: PetalveilApp) -> None:
        self._bundle: Bundle | None = None
        self._graphs: dict[str, Graph] = {}
        self._recognisers: dict[str, Recogniser] = {}
        self._call_seconds: float | None = None

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
            self._recognisers[name] = load_recogniser(self.bundle(), name, ids=True, load=self.graph)
        return self._recognisers[name]

    def recognisers(self) -> list[Recogniser]:
        """Those that a protected photo is shown to."""
        return [self.recogniser(name) for name in (OBJECTS, FLOWERS) if name in self.bundle().graphs]

    def engine(self, name: str) -> Engine:
        """The engine of a name. Raises: BundleError, GraphError."""
        return load_engine(self.bundle(), name, load=self.graph)

    def engine_within(self, seconds: float, megapixels: float, config: StepConfig) -> tuple[Engine, StepConfig]:
        """The strongest engine that has the time, as in core.loading; how fast this device is gets measured once.

        Raises: BundleError, GraphError.
        """
        bundle = self.bundle()
        if self._call_seconds is None and "gradient" in engines_of(bundle):
            self._call_seconds = seconds_a_call(self.engine("gradient"))
        return engine_within(bundle, seconds, megapixels, config, load=self.graph, call_seconds=self._call_seconds)

    def forget(self, names: Sequence[str] = ()) -> None:
        """Let go of graphs, all by default: the system wants memory back."""
        for name in names or list(self._graphs):
            self._graphs.pop(name, None)
            self._recognisers.pop(name, None)


def threads() -> int:
    """For a graph: one core is left to the screen."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return min(MOST_THREADS, max(1, cores - 1))
