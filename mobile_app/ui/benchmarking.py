"""Measuring the graphs on this device: `app.model(Benchmarking)` outlives pages. The figures come from core.bench."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mobile_app import __version__
from mobile_app.core.history import History
from mobile_app.ui.background import Task

if TYPE_CHECKING:
    from mobile_app.core.bundle import Bundle
    from mobile_app.ui.app import PetalveilApp

SCHEMA = 1  # of an entry, which is what `petalveil bench --json` writes, with an id and a time
KEPT = 20
SECONDS = {"quick": 1.0, "usual": 3.0, "long": 10.0}
_REPORT_EVERY_S = 0.1


@dataclass
class Benchmarking:
    """phase: "choose" or "working"; the runs that are over lie in the history."""

    app: PetalveilApp
    phase: str = "choose"
    graphs: list[str] = field(default_factory=list)  # of the bundle; empty until the worker has read it
    chosen: set[str] = field(default_factory=set)
    length: str = "usual"
    threads: int = 1
    place: tuple[int, int, float] = (0, 1, 0.0)  # graph, graphs, share of this one's time
    on_change: Callable[[], None] | None = None
    on_progress: Callable[[], None] | None = None
    _task: Task[Any] | None = None

    @property
    def history(self) -> History:
        return History(self.app.data / "benchmarks", most=KEPT)

    def find_graphs(self) -> None:
        """Ask the bundle for its graphs, off the screen's thread."""
        from mobile_app.ui.graphs import Graphs

        graphs = self.app.model(Graphs)

        def show(names: list[str]) -> None:
            self.graphs = names
            self.chosen = self.chosen & set(names) or set(names)
            self._changed()

        self.app.worker.run(lambda _task: list(graphs.bundle().graphs), done=show, failed=self.app.complain)

    def start(self) -> None:
        """Measure what is chosen; the run is put in front of the history."""
        from mobile_app.ui.graphs import Graphs

        names = [name for name in self.graphs if name in self.chosen]
        graphs, seconds, threads = self.app.model(Graphs), SECONDS[self.length], self.threads
        self.phase, self.place = "working", (0, len(names), 0.0)
        self._changed()

        def job(task: Task[Any]) -> dict[str, Any]:
            graphs.forget()  # so that what is measured is loaded anew and no other graph holds memory
            return run(graphs.bundle(), names, seconds, threads, task)

        def end(entry: dict[str, Any]) -> None:
            self._task, self.phase = None, "choose"
            self.history.add(entry)
            self._changed()
            self.app.go("benchmark_result", id=entry["id"])

        def fail(sentence: str) -> None:
            self._task, self.phase = None, "choose"
            self._changed()
            self.app.complain(sentence)

        self._task = self.app.worker.run(job, done=end, failed=fail, progress=self._advance)

    def cancel(self) -> None:
        """Stop after the run of the graph that is under way."""
        if self._task is not None:
            self._task.cancel()
        self._task, self.phase = None, "choose"
        self._changed()

    def state(self) -> dict[str, Any]:
        return {"chosen": sorted(self.chosen), "length": self.length, "threads": self.threads}

    def restore(self, state: dict[str, Any]) -> None:
        self.chosen = {name for name in state.get("chosen", []) if isinstance(name, str)}
        self.length = state["length"] if state.get("length") in SECONDS else self.length
        self.threads = state["threads"] if state.get("threads") in thread_counts() else self.threads

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _advance(self, place: tuple[int, int, float]) -> None:
        self.place = place
        if self.on_progress is not None:
            self.on_progress()


def run(bundle: Bundle, names: Sequence[str], seconds: float, threads: int, task: Task[Any]) -> dict[str, Any]:
    """Measure graphs one after the other; an entry for the history. Raises: Cancelled, BundleError, GraphError."""
    from mobile_app.core.bench import BenchConfig, measure
    from mobile_app.core.runtime import load_graph
    from mobile_app.core.selftest import compare, reference_inputs

    stored = bundle.reference_outputs()
    rows = []
    for place, name in enumerate(names):
        entry = bundle.entry(name)
        clock = _Clock(task, place, len(names), seconds)
        found, outputs = measure(
            lambda name=name: load_graph(bundle.path(name), name=name, threads=threads),
            lambda graph, size=entry.size_px: reference_inputs(graph, size),
            BenchConfig(seconds=seconds),
            now=clock,
        )
        parity = compare(name, outputs, stored, precision=entry.precision)
        as_stored = all(row.ok for row in parity)
        faults = [*found.faults, *([] if as_stored else ["an output is not as stored"])]
        rows.append(
            {
                "graph": name,
                "threads": threads,
                "precision": entry.precision,
                "size_px": entry.size_px,
                **asdict(found),
                "parity": [_without_nan(asdict(row)) for row in parity],
                "parity_ok": as_stored,
                "valid": not faults,
                "faults": faults,
            }
        )
    stamp = time.strftime("%Y-%m-%d %H:%M")
    entry_id = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() % 1_000_000:06d}"
    environment_row = environment() | {"bundle": bundle.version}
    return {"id": entry_id, "schema": SCHEMA, "time": stamp, "environment": environment_row, "rows": rows}


def thread_counts() -> list[int]:
    """What makes sense on this device."""
    cores = os.cpu_count() or 1
    return [count for count in (1, 2, 4, 8) if count <= cores]


def environment() -> dict[str, Any]:
    """The device, as far as it tells."""
    return {
        "petalveil": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


class _Clock:
    """The clock that `measure` reads before and after every run: it reports, and stops where a person said so."""

    def __init__(self, task: Task[Any], place: int, places: int, seconds: float) -> None:
        self._task, self._place, self._places = task, place, places
        self._expected_s = seconds * 1.25 + 0.3  # with the warm-up
        self._started = self._reported = time.perf_counter()

    def __call__(self) -> float:
        moment = time.perf_counter()
        if moment - self._reported > _REPORT_EVERY_S:
            self._reported = moment
            share = min(1.0, (moment - self._started) / self._expected_s)
            self._task.report((self._place, self._places, share))
        if self._task.should_stop():
            from mobile_app.core.engines import Cancelled

            raise Cancelled("stopped before all graphs were measured")
        return time.perf_counter()


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
