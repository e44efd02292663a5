"""What is measured, on clocks that tick by hand."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from mobile_app.core import memory
from mobile_app.core.bench import BenchConfig, drift, latency, measure
from mobile_app.core.runtime import Port


class Clock:
    """Seconds that pass only when something takes them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def take(self, seconds: float) -> None:
        self.seconds += seconds


class Slow:
    """A graph whose n-th run takes run_s(n)."""

    name = "slow"

    def __init__(self, clock: Clock, run_s: Callable[[int], float]) -> None:
        self.inputs = {"image": Port((1,), "float32")}
        self.outputs = {"y": Port((1,), "float32")}
        self.runs = 0
        self._clock, self._run_s = clock, run_s

    def run(self, inputs):
        self._clock.take(self._run_s(self.runs))
        self.runs += 1
        return {"y": inputs["image"] + self.runs}


def bench(run_s: Callable[[int], float], seconds: float = 1.0):
    clock = Clock()
    graph = Slow(clock, run_s)

    def load() -> Slow:
        clock.take(0.5)
        return graph

    found, outputs = measure(
        load,
        lambda _graph: {"image": np.zeros(1, np.float32)},
        BenchConfig(seconds=seconds),
        now=clock.now,
        cpu_now=lambda: 2 * clock.seconds,
    )
    return found, outputs, graph


def test_loading_and_the_first_run_are_no_part_of_the_latency():
    found, outputs, graph = bench(lambda run: 0.2 if run == 0 else 0.015625)
    assert found.load_ms == pytest.approx(500)
    assert found.first_run_ms == pytest.approx(200)
    assert found.latency.max_ms == pytest.approx(15.625)
    assert found.latency.n == 64
    assert graph.runs == 1 + found.warm_ups + found.latency.n
    assert outputs["y"] == graph.runs


def test_throughput_and_cpu_time_are_by_run():
    found, _, _ = bench(lambda _run: 0.03125)
    assert found.runs_per_s == pytest.approx(32)
    assert found.cpu_ms_per_run == pytest.approx(62.5)
    assert found.drift == pytest.approx(0)
    assert found.faults == ()


def test_warming_up_takes_a_fifth_of_the_seconds_and_three_runs_at_least():
    assert bench(lambda _run: 0.03125)[0].warm_ups == 7  # 0.2 s
    assert bench(lambda _run: 5.0)[0].warm_ups == 3


def test_too_few_runs_are_a_fault():
    found, _, _ = bench(lambda _run: 0.5)
    assert found.latency.n == 2
    assert found.drift is None
    assert found.faults == ("2 runs, fewer than 20",)


def test_a_machine_that_slows_down_is_a_fault():
    found, _, _ = bench(lambda run: 0.01 if run < 60 else 0.02)
    assert found.drift == pytest.approx(1.0)
    assert "+100%" in found.faults[0]


def test_latency_by_hand():
    found = latency([float(ms) for ms in range(1, 102)])
    assert (found.n, found.min_ms, found.max_ms, found.mean_ms) == (101, 1, 101, 51)
    assert (found.p50_ms, found.p90_ms, found.p95_ms, found.p99_ms) == (51, 91, 96, 100)
    assert found.std_ms == pytest.approx(29.30, abs=0.005)  # sqrt(101 * 102 / 12)


def test_one_run_has_no_deviation():
    assert latency([4.0]).std_ms == 0


def test_latency_of_no_run_is_refused():
    with pytest.raises(ValueError, match="times_ms"):
        latency([])


def test_drift_compares_the_medians_of_the_quarters():
    assert drift([2.0, 2.0, 9.0, 9.0, 9.0, 9.0, 3.0, 3.0]) == pytest.approx(0.5)
    assert drift([1.0] * 7) is None


@pytest.mark.parametrize("seconds", [0, -1, 3601, float("nan")])
def test_seconds_out_of_bounds_are_refused(seconds):
    with pytest.raises(ValueError, match="seconds"):
        BenchConfig(seconds=seconds)


def test_memory_grows_with_what_is_held():
    before = memory.resident_mb()
    if before is None:
        pytest.skip("needs a system that tells")
    with _held_64_mb():
        after, peak = memory.resident_mb(), memory.peak_mb()
    assert after is not None
    assert peak is not None
    assert 50 < after - before < 80
    assert peak >= after - 1


def test_a_forgotten_peak_starts_from_now():
    with _held_64_mb():
        before = memory.peak_mb()
    if not memory.forget_peak() or before is None:
        pytest.skip("needs a system that forgets")
    after = memory.peak_mb()
    assert after is not None
    assert after < before - 30


def test_memory_is_unknown_where_the_system_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "none")
    assert memory.resident_mb() is None
    assert (memory.peak_mb() or 1) > 0  # by the resource module, or not at all


@contextmanager
def _held_64_mb() -> Iterator[None]:
    """Memory straight from the system: an array may be given pages that an earlier test touched and freed."""
    with mmap.mmap(-1, 64 * 2**20) as pages:
        for _ in range(64):
            pages.write(b"\1" * 2**20)
        yield
