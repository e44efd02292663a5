"""Measuring the graphs on this device: `app.model(Benchmarking)` outlives pages. The figures come from core.bench."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mobile_app.core.history import History
from mobile_app.ui.background import Task

if TYPE_CHECKING:
    from mobile_app.core.bundle import Bundle
    from mobile_app.ui.app import PetalveilApp
    from mobile_app.ui.platform import Platform

ENGINE = "engine:"  # before the name of an engine, among what is chosen
KEPT = 20
KEPT_TIMES = 100  # of a row, for the history is read whole
SECONDS = {"quick": 1.0, "usual": 3.0, "long": 10.0}
_REPORT_EVERY_S = 0.1


@dataclass
class Benchmarking:
    """phase: "choose" or "working"; the runs that are over lie in the history."""

    app: PetalveilApp
    phase: str = "choose"
    graphs: dict[str, str] = field(default_factory=dict)  # of the bundle, with their tasks; empty until it was read
    engines: list[str] = field(default_factory=list)  # of the bundle, as "engine:gradient"
    chosen: set[str] = field(default_factory=set)  # of both; graphs alone unless a person says otherwise
    length: str = "usual"
    threads: int = 1
    place: tuple[int, int, float] = (0, 1, 0.0)  # graph, graphs, share of this one's time
    on_change: Callable[[], None] | None = None
    on_progress: Callable[[], None] | None = None
    _task: Task[Any] | None = None

    @property
    def history(self) -> History:
        return History(self.app.data / "benchmarks", most=KEPT)

    @property
    def subjects(self) -> list[str]:
        """What will be measured, in this order."""
        return [name for name in (*self.graphs, *self.engines) if name in self.chosen]

    def find_graphs(self) -> None:
        """Ask the bundle for its graphs and engines, off the screen's thread."""
        from mobile_app.ui.graphs import Graphs

        graphs = self.app.model(Graphs)

        def find(_task: Task[Any]) -> tuple[dict[str, str], list[str]]:
            from mobile_app.core.loading import engines_of

            bundle = graphs.bundle()
            return {name: entry.task for name, entry in bundle.graphs.items()}, [
                ENGINE + name for name in engines_of(bundle)
            ]

        def show(found: tuple[dict[str, str], list[str]]) -> None:
            self.graphs, self.engines = found
            self.chosen = self.chosen & {*self.graphs, *self.engines} or set(self.graphs)
            self._changed()

        self.app.worker.run(find, done=show, failed=self.app.complain)

    def start(self) -> None:
        """Measure what is chosen; the run is put in front of the history."""
        from mobile_app.ui.graphs import Graphs

        names = self.subjects
        graphs, seconds, threads, system = self.app.model(Graphs), SECONDS[self.length], self.threads, self.app.system
        self.phase, self.place = "working", (0, len(names), 0.0)
        self._changed()

        def job(task: Task[Any]) -> dict[str, Any]:
            graphs.forget()  # so that what is measured is loaded anew and no other graph holds memory
            return run(graphs.bundle(), names, seconds, threads, task, system)

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

    def close(self) -> None:
        """Everything is about to be erased: what is under way must not write again."""
        if self._task is not None:
            self._task.cancel()

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


def run(
    bundle: Bundle, names: Sequence[str], seconds: float, threads: int, task: Task[Any], system: Platform
) -> dict[str, Any]:
    """Measure one after the other; an entry for the history: what `petalveil bench --json` writes, an id and a time.

    Args:
        names: of graphs, and of engines behind "engine:".
        system: tells the device's name and heat.
    Raises: Cancelled, BundleError, GraphError.
    """
    from mobile_app.core.bench import BenchConfig
    from mobile_app.core.bench.document import document
    from mobile_app.core.bench.environment import environment
    from mobile_app.core.bench.figures import thinned
    from mobile_app.core.bench.rows import engine_row, gradient_ratios, graph_row
    from mobile_app.core.bench.sensors import Sensors

    sensors = Sensors(status=system.thermal_status)
    config = BenchConfig(seconds=seconds)
    where = environment(bundle, device=system.device_name())
    rows = []
    for place, name in enumerate(names):
        clock = _Clock(task, place, len(names), seconds)
        if name.startswith(ENGINE):
            engine, stop = name.removeprefix(ENGINE), task.should_stop
            row = engine_row(bundle, engine, threads, config, now=clock, sensors=sensors, should_stop=stop)
        else:
            row = graph_row(bundle, name, threads, config, now=clock, sensors=sensors)
        row["times_ms"], further = thinned(row["times_ms"], KEPT_TIMES)
        row["times_stride"] *= further
        rows.append(row)
    stamp = time.strftime("%Y-%m-%d %H:%M")
    entry_id = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() % 1_000_000:06d}"
    return {"id": entry_id, "time": stamp, **document(where, config, rows, gradient_ratios(bundle, rows))}


def thread_counts() -> list[int]:
    """What makes sense on this device."""
    cores = os.cpu_count() or 1
    return [count for count in (1, 2, 4, 8) if count <= cores]


def subject_of(row: dict[str, Any]) -> str:
    """As among what is chosen; runs of earlier versions call it a graph."""
    name = row.get("name", row.get("graph", ""))
    return ENGINE + name if row.get("kind") == "engine" else name


class _Clock:
    """The clock that `measure` reads before and after every run: it reports, and stops where a person said so."""

    def __init__(self, task: Task[Any], place: int, places: int, seconds: float) -> None:
        self._task, self._place, self._places = task, place, places
        self._expected_s = seconds * 1.3 + 0.3  # with the warm-up; often it stops earlier
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
