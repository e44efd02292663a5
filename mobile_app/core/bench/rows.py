"""What the bench measures of a bundle, as rows of plain data: each graph, and each engine on a photo at working size.

The fields are in bench.schema.json and, in words, in docs/report.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mobile_app.core.bench.measuring import Doubt, Measurement, measure, measure_job
from mobile_app.core.bench.picture import photo_like
from mobile_app.core.bench.sensors import Sensors
from mobile_app.core.bench.steady import BenchConfig
from mobile_app.core.bundle import Bundle
from mobile_app.core.cloak import ONE_ROUND
from mobile_app.core.engines import Engine, ShouldStop, takes_steps
from mobile_app.core.loading import IN_STEPS, load_engine
from mobile_app.core.preprocess import from_uint8
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.selftest import Row, compare, reference_inputs

Facts = dict[str, Any]


def graph_row(
    bundle: Bundle,
    name: str,
    threads: int,
    config: BenchConfig,
    *,
    now: Callable[[], float] = time.perf_counter,
    sensors: Sensors | None = None,
) -> Facts:
    """One graph on the reference image, and whether it gives what it gave when the bundle was made.

    Raises: BundleError, GraphError.
    """
    entry = bundle.entry(name)
    loader = _Loader(bundle, threads)
    in_steps = False

    def inputs(graph: Graph) -> dict[str, np.ndarray]:
        nonlocal in_steps
        in_steps = takes_steps(graph)
        return reference_inputs(graph, entry.size_px)

    found, outputs = measure(
        lambda: loader.graph(name),
        inputs,
        config,
        now=now,
        sensors=sensors,
    )
    parity = compare(name, outputs, bundle.reference_outputs(), precision=entry.precision, in_steps=in_steps)
    facts = {"precision": entry.precision, "size_px": entry.size_px, "runtime": loader.runtime}
    return row("graph", name, threads, found, facts, parity=parity)


def engine_row(
    bundle: Bundle,
    name: str,
    threads: int,
    config: BenchConfig,
    *,
    now: Callable[[], float] = time.perf_counter,
    sensors: Sensors | None = None,
    should_stop: ShouldStop = lambda: False,
) -> Facts:
    """One engine, at medium strength, on a 4 to 3 photo that is already at working size.

    Raises: BundleError, GraphError; Cancelled if should_stop() became true.
    """
    loader = EngineLoader(bundle, name, threads)

    def prepare(engine: Engine) -> Callable[[], np.ndarray]:
        small = from_uint8(photo_like((round(engine.size_px * 4 / 3), engine.size_px)))
        bound = np.full(small.shape, ONE_ROUND.budget_levels / 255, np.float32)
        return lambda: engine.perturb(
            small, bound, ONE_ROUND, on_step=lambda _done, _steps: None, should_stop=should_stop
        )

    found, unit = measure_job(loader.load, prepare, for_long_runs(config), now=now, sensors=sensors)
    facts = {**engine_facts(bundle, name), "size_px": min(unit.shape[-2:]), "runtime": loader.runtime}
    return row("engine", name, threads, found, facts)


class _Loader:
    """Loads graphs and remembers which runtimes ran them."""

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._bundle, self._threads = bundle, threads
        self._runtimes: set[str] = set()

    @property
    def runtime(self) -> str | None:
        """Of the graphs so far; None where nothing needed one."""
        return _joined(self._runtimes)

    def graph(self, name: str) -> Graph:
        """Raises: BundleError, GraphError."""
        graph = load_graph(self._bundle.path(name), name=name, threads=self._threads)
        self._runtimes.add(graph.runtime)
        return graph


class EngineLoader(_Loader):
    """Loads the engine of a name."""

    def __init__(self, bundle: Bundle, name: str, threads: int) -> None:
        super().__init__(bundle, threads)
        self._name = name

    def load(self) -> Engine:
        """Raises: BundleError, GraphError."""
        return load_engine(self._bundle, self._name, load=self.graph)


def engine_facts(bundle: Bundle, name: str) -> Facts:
    """What the row of an engine says of its graphs: their precision, and the steps that it takes."""
    precisions = {entry.precision for entry in bundle.graphs.values() if entry.engine == name}
    return {"precision": _joined(precisions), "steps": ONE_ROUND.steps if name in IN_STEPS else None}


def for_long_runs(config: BenchConfig) -> BenchConfig:
    """The same for what takes a second and not some milliseconds: three runs are made, whatever the seconds say."""
    return replace(config, fewest_warm_ups=1, fewest_runs=3, trusted_runs=3, steady_runs=8)


def row(
    kind: str,
    name: str,
    threads: int,
    found: Measurement,
    facts: Mapping[str, Any],
    *,
    parity: Sequence[Row] | None = None,
) -> Facts:
    """A row of the document.

    Args:
        kind: "graph", "engine" or "photo".
        facts: what is known of it beside the measurement; what is left out is None.
        parity: against the stored outputs; None for what has none.
    """
    is_as_stored = None if parity is None else all(one.ok for one in parity)
    doubts = [*found.doubts, *([Doubt("differs", None)] if is_as_stored is False else [])]
    return {
        "kind": kind,
        "name": name,
        "threads": threads,
        **{field: facts.get(field) for field in ("precision", "size_px", "runtime", "steps", "megapixels", "parts_ms")},
        **asdict(found),
        "parity": [_without_nan(asdict(one)) for one in parity or ()],
        "parity_ok": is_as_stored,
        "valid": not doubts,
        "doubts": [asdict(doubt) for doubt in doubts],
        "faults": [str(doubt) for doubt in doubts],
    }


def gradient_ratios(bundle: Bundle, rows: Sequence[Facts]) -> list[Facts]:
    """Median time of each gradient graph by that of the classifier on the same weights, for each count of threads."""
    ratios = []
    graphs = [one for one in rows if one["kind"] == "graph"]
    for one in graphs:
        for other in graphs:
            gradient, forward = bundle.entry(one["name"]), bundle.entry(other["name"])
            related = (gradient.size_px, gradient.data) == (forward.size_px, forward.data)
            kinds = (gradient.task, forward.task) == ("gradient", "classify")
            if kinds and related and gradient.data and one["threads"] == other["threads"]:
                ratio = one["latency"]["p50_ms"] / other["latency"]["p50_ms"]
                facts = {"gradient": gradient.name, "forward": forward.name, "threads": one["threads"]}
                ratios.append({**facts, "ratio": round(ratio, 3)})
    return ratios


def _joined(words: set[str]) -> str | None:
    return ", ".join(sorted(words)) or None


def _without_nan(values: Facts) -> Facts:
    """NaN has no place in JSON."""
    return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}
