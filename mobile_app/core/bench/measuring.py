"""A way to make something ready to run in, its latency, memory, heat and steadiness out. Times are wall-clock unless
their name says CPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from numpy.typing import NDArray

from mobile_app.core import memory
from mobile_app.core.bench.figures import Latency, drift, latency, thinned
from mobile_app.core.bench.sensors import HOT, Sensors, energy_mj, waited_ms
from mobile_app.core.bench.steady import BenchConfig, Reason, Stop, WarmUp
from mobile_app.core.runtime import Graph

Ready = TypeVar("Ready")
Result = TypeVar("Result")

LARGEST_WAIT = 0.1  # of a run's mean time, for a core that others had
LARGEST_DRIFT = 0.25  # of the median, from the first to the last quarter of the runs
KEPT_TIMES = 400


@dataclass(frozen=True)
class Doubt:
    """Why a row should not be trusted."""

    reason: Literal["few", "drift", "busy", "hot", "differs"]
    value: float | None  # few: runs; drift and busy: shares

    def __str__(self) -> str:
        """For the screen of a command."""
        value = self.value or 0.0
        return {
            "few": f"{value:.0f} run{'s' * (value > 1)}, too few for percentiles",
            "drift": f"the last quarter of the runs took {value:+.0%} against the first",
            "busy": f"{value:.0%} of the time was spent waiting for other programs",
            "hot": "the device was hot",
            "differs": "an output is not as stored",
        }[self.reason]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One thing on this machine."""

    load_ms: float
    first_run_ms: float
    warm_ups: int
    warm_up_s: float
    warm_up_end: Reason
    latency: Latency
    stop: Reason
    measured_s: float
    runs_per_s: float
    cpu_ms_per_run: float  # of all threads of the process
    waited_ms_per_run: float | None  # of the thread that waited longest, for a core that others had
    drift: float | None  # median of the last quarter by that of the first, less 1; None for fewer than 8 runs
    memory_before_mb: float | None
    memory_after_mb: float | None
    memory_peak_mb: float | None
    peak_is_own: bool  # else the peak is that of the whole process so far
    temperature_before_c: float | None
    temperature_after_c: float | None
    thermal_status: str | None  # after the runs
    energy_mj_per_run: float | None  # of the whole machine
    times_ms: list[float]  # of every times_stride-th run, in their order
    times_stride: int
    trusted_runs: int

    @property
    def waited_share(self) -> float:
        """Of a run's time; 0 where the system does not tell."""
        return (self.waited_ms_per_run or 0.0) / max(self.latency.mean_ms, 1e-9)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Why the figures should not be trusted; empty where they may."""
        found: list[Doubt] = []
        if self.latency.n < self.trusted_runs:
            found.append(Doubt("few", self.latency.n))
        if self.drift is not None and not abs(self.drift) <= LARGEST_DRIFT:
            found.append(Doubt("drift", self.drift))
        if self.waited_share > LARGEST_WAIT:
            found.append(Doubt("busy", self.waited_share))
        if self.thermal_status in HOT:
            found.append(Doubt("hot", None))
        return tuple(found)


def measure(
    load: Callable[[], Graph],
    inputs: Callable[[Graph], Mapping[str, NDArray]],
    config: BenchConfig,
    *,
    now: Callable[[], float] = time.perf_counter,
    cpu_now: Callable[[], float] = time.process_time,
    sensors: Sensors | None = None,
) -> tuple[Measurement, dict[str, NDArray]]:
    """Load a graph, run it until it is warm, then until its median is known or the seconds of the config are over.

    Args:
        inputs: what to run a graph on.
        now, cpu_now: clocks in seconds.
    Returns: (measurement, the outputs of the last run).
    Raises: GraphError if the graph fails.
    """

    def ready(graph: Graph) -> Callable[[], dict[str, NDArray]]:
        arrays = inputs(graph)
        return lambda: graph.run(arrays)

    return measure_job(load, ready, config, now=now, cpu_now=cpu_now, sensors=sensors)


def measure_job(
    load: Callable[[], Ready],
    prepare: Callable[[Ready], Callable[[], Result]],
    config: BenchConfig,
    *,
    now: Callable[[], float] = time.perf_counter,
    cpu_now: Callable[[], float] = time.process_time,
    sensors: Sensors | None = None,
) -> tuple[Measurement, Result]:
    """Measure anything that is loaded once and run often; see measure.

    Args:
        load: what `load_ms` times.
        prepare: makes a run of what was loaded; the time that it takes belongs to nothing.
        sensors: of heat and energy; None takes those of the system.
    Returns: (measurement, the result of the last run).
    Raises: what load, prepare and the runs raise.
    """
    sensors = sensors or Sensors()
    peak_is_own = memory.forget_peak()
    memory_before_mb = memory.resident_mb()
    started = now()
    loaded = load()
    load_s = now() - started
    run = prepare(loaded)
    first_s, _ = _timed(run, now)
    warm_up, warm_up_end = _warmed_up(run, config, now)
    before, cpu_started = sensors.read(), cpu_now()
    times_ms, measured_s, stop, result = _measured(run, config, now)
    cpu_s, after = cpu_now() - cpu_started, sensors.read()
    energy, waited = energy_mj(before, after), waited_ms(before, after)
    kept_ms, stride = thinned(times_ms, KEPT_TIMES)
    measurement = Measurement(
        load_ms=load_s * 1e3,
        first_run_ms=first_s * 1e3,
        warm_ups=warm_up.runs,
        warm_up_s=warm_up.seconds,
        warm_up_end=warm_up_end,
        latency=latency(times_ms),
        stop=stop,
        measured_s=measured_s,
        runs_per_s=len(times_ms) / measured_s,
        cpu_ms_per_run=cpu_s * 1e3 / len(times_ms),
        waited_ms_per_run=None if waited is None else waited / len(times_ms),
        drift=drift(times_ms),
        memory_before_mb=memory_before_mb,
        memory_after_mb=memory.resident_mb(),
        memory_peak_mb=memory.peak_mb(),
        peak_is_own=peak_is_own,
        temperature_before_c=before.temperature_c,
        temperature_after_c=after.temperature_c,
        thermal_status=after.thermal_status,
        energy_mj_per_run=None if energy is None else energy / len(times_ms),
        times_ms=kept_ms,
        times_stride=stride,
        trusted_runs=config.trusted_runs,
    )
    return measurement, result


def _warmed_up(run: Callable[[], object], config: BenchConfig, now: Callable[[], float]) -> tuple[WarmUp, Reason]:
    warm_up = WarmUp(config)
    while True:
        seconds, _ = _timed(run, now)
        if (end := warm_up.add(seconds)) is not None:
            return warm_up, end


def _measured(
    run: Callable[[], Result], config: BenchConfig, now: Callable[[], float]
) -> tuple[list[float], float, Reason, Result]:
    """Times in milliseconds, the seconds that they took with what lay between them, why it stopped, the last result."""
    stop, times_ms, started = Stop(config), [], now()
    while True:
        seconds, result = _timed(run, now)
        times_ms.append(seconds * 1e3)
        elapsed_s = now() - started
        if (reason := stop.reason(times_ms, elapsed_s)) is not None:
            return times_ms, elapsed_s, reason, result


def _timed(run: Callable[[], Result], now: Callable[[], float]) -> tuple[float, Result]:
    started = now()
    result = run()
    return now() - started, result
