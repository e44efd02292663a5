"""A way to load a graph in, its latency, memory and steadiness out. Times are wall-clock unless their name says CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_app.core import memory
from mobile_app.core.runtime import Graph

FEWEST_RUNS = 20  # for percentiles that mean something
LARGEST_DRIFT = 0.25  # of the median, from the first to the last quarter of the runs
_WARM_UP_SHARE = 0.2  # of the seconds
_FEWEST_WARM_UPS = 3
_MOST_RUNS = 100_000


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """How long to measure."""

    seconds: float = 3.0  # of measured runs

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 3600:
            raise ValueError(f"seconds: expected 0 < seconds <= 3600, got {self.seconds}")


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Of single runs, in milliseconds."""

    n: int
    mean_ms: float
    std_ms: float  # of the sample; 0 for one run
    min_ms: float
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One graph on this machine."""

    load_ms: float
    first_run_ms: float
    warm_ups: int
    latency: Latency
    runs_per_s: float
    cpu_ms_per_run: float  # of all threads of the process
    drift: float | None  # median of the last quarter by that of the first, less 1; None for fewer than 8 runs
    memory_before_mb: float | None
    memory_after_mb: float | None
    memory_peak_mb: float | None
    peak_is_own: bool  # else the peak is that of the whole process so far

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the figures should not be trusted; empty where they may."""
        faults = []
        if self.latency.n < FEWEST_RUNS:
            faults.append(f"{self.latency.n} runs, fewer than {FEWEST_RUNS}")
        if self.drift is not None and not abs(self.drift) <= LARGEST_DRIFT:
            faults.append(f"the last quarter of the runs took {self.drift:+.0%} against the first")
        return tuple(faults)


def measure(
    load: Callable[[], Graph],
    inputs: Callable[[Graph], Mapping[str, NDArray]],
    config: BenchConfig,
    *,
    now: Callable[[], float] = time.perf_counter,
    cpu_now: Callable[[], float] = time.process_time,
) -> tuple[Measurement, dict[str, NDArray]]:
    """Load a graph, run it until it is warm, then for the seconds of the config.

    Args:
        inputs: what to run a graph on.
        now, cpu_now: clocks in seconds.
    Returns: (measurement, the outputs of the last run).
    Raises: GraphError if the graph fails.
    """
    peak_is_own = memory.forget_peak()
    memory_before_mb = memory.resident_mb()
    started = now()
    graph = load()
    loaded = now()
    arrays = inputs(graph)
    first_started = now()
    outputs = graph.run(arrays)
    first_ended = now()
    warm_ups = _warm_up(graph, arrays, config.seconds * _WARM_UP_SHARE, now)
    times_ms: list[float] = []
    cpu_started, runs_started = cpu_now(), now()
    elapsed = 0.0
    while elapsed < config.seconds and len(times_ms) < _MOST_RUNS:
        before = now()
        outputs = graph.run(arrays)
        after = now()
        times_ms.append((after - before) * 1e3)
        elapsed = after - runs_started
    cpu_s = cpu_now() - cpu_started
    measurement = Measurement(
        load_ms=(loaded - started) * 1e3,
        first_run_ms=(first_ended - first_started) * 1e3,
        warm_ups=warm_ups,
        latency=latency(times_ms),
        runs_per_s=len(times_ms) / elapsed,
        cpu_ms_per_run=cpu_s * 1e3 / len(times_ms),
        drift=drift(times_ms),
        memory_before_mb=memory_before_mb,
        memory_after_mb=memory.resident_mb(),
        memory_peak_mb=memory.peak_mb(),
        peak_is_own=peak_is_own,
    )
    return measurement, outputs


def latency(times_ms: list[float]) -> Latency:
    """Mean, deviation and percentiles, these interpolated linearly. Raises: ValueError if there is no time."""
    if not times_ms:
        raise ValueError("times_ms: expected one or more, got none")
    times = np.asarray(times_ms, np.float64)
    p50, p90, p95, p99 = np.percentile(times, [50, 90, 95, 99]).tolist()
    return Latency(
        n=len(times),
        mean_ms=float(times.mean()),
        std_ms=float(times.std(ddof=1)) if len(times) > 1 else 0.0,
        min_ms=float(times.min()),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=float(times.max()),
    )


def drift(times_ms: list[float]) -> float | None:
    """Median of the last quarter by that of the first, less 1; None for fewer than 8 runs."""
    quarter = len(times_ms) // 4
    if quarter < 2:
        return None
    first, last = np.median(times_ms[:quarter]), np.median(times_ms[-quarter:])
    return float(last / first - 1) if first > 0 else None


def _warm_up(graph: Graph, arrays: Mapping[str, NDArray], seconds: float, now: Callable[[], float]) -> int:
    started, count = now(), 0
    while count < _FEWEST_WARM_UPS or (now() - started < seconds and count < _MOST_RUNS):
        graph.run(arrays)
        count += 1
    return count
