"""What is measured, on clocks that tick by hand."""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from mobile_app.core import memory
from mobile_app.core.bench import BenchConfig, drift, latency, measure
from mobile_app.core.bench.figures import median_interval, thinned
from mobile_app.core.bench.sensors import Sensors, energy_mj, waited_ms
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

    name, runtime = "slow", "by hand"

    def __init__(self, clock: Clock, run_s: Callable[[int], float]) -> None:
        self.inputs = {"image": Port((1,), "float32")}
        self.outputs = {"y": Port((1,), "float32")}
        self.runs = 0
        self._clock, self._run_s = clock, run_s

    def run(self, inputs):
        self._clock.take(self._run_s(self.runs))
        self.runs += 1
        return {"y": inputs["image"] + self.runs}


class Quiet(Sensors):
    """Hears of no other program, so that a busy machine changes no test."""

    def _waits(self) -> dict[str, float]:
        return {"1": 0.0}


def bench(run_s: Callable[[int], float], seconds: float = 1.0, sensors: Sensors | None = None, **config):
    clock = Clock()
    graph = Slow(clock, run_s)

    def load() -> Slow:
        clock.take(0.5)
        return graph

    found, outputs = measure(
        load,
        lambda _graph: {"image": np.zeros(1, np.float32)},
        BenchConfig(seconds=seconds, **config),
        now=clock.now,
        cpu_now=lambda: 2 * clock.seconds,
        sensors=sensors or Quiet(),
    )
    return found, outputs, graph


def test_loading_and_the_first_run_are_no_part_of_the_latency():
    found, outputs, graph = bench(lambda run: 0.2 if run == 0 else 0.015625)
    assert found.load_ms == pytest.approx(500)
    assert found.first_run_ms == pytest.approx(200)
    assert found.latency.max_ms == pytest.approx(15.625)
    assert found.latency.n == 22  # a third of the second, at which its median is known
    assert graph.runs == 1 + found.warm_ups + found.latency.n
    assert outputs["y"] == graph.runs


def test_throughput_and_cpu_time_are_by_run():
    found, _, _ = bench(lambda _run: 0.03125)
    assert found.runs_per_s == pytest.approx(32)
    assert found.cpu_ms_per_run == pytest.approx(62.5)
    assert found.drift == pytest.approx(0)
    assert found.doubts == ()


def test_too_few_runs_are_doubted():
    found, _, _ = bench(lambda _run: 0.5)
    assert found.latency.n == 2
    assert found.drift is None
    assert (found.stop, found.warm_up_end) == ("time", "time")
    assert [str(doubt) for doubt in found.doubts] == ["2 runs, too few for percentiles"]
    assert bench(lambda _run: 0.5, trusted_runs=2)[0].doubts == ()


def test_a_machine_that_slows_down_is_doubted():
    found, _, _ = bench(lambda run: 0.01 if run < 30 else 0.02)
    assert found.drift == pytest.approx(1.0)
    assert found.stop == "time"  # not steady, however long it takes
    assert "+100%" in str(found.doubts[0])


def test_a_machine_that_others_use_or_that_is_hot_is_doubted(tmp_path):
    thread = tmp_path / "1" / "schedstat"
    thread.parent.mkdir()
    waited_ns = iter([0, 250_000_000])

    class Busy(Sensors):
        def _waits(self) -> dict[str, float]:
            thread.write_text(f"5000000000 {next(waited_ns)} 7\n")
            return super()._waits()

    sensors = Busy(status=lambda: "severe", root=tmp_path, threads=tmp_path)
    found, _, _ = bench(lambda _run: 0.05, sensors=sensors)
    assert found.latency.n == 20
    assert found.waited_ms_per_run == pytest.approx(12.5)
    assert [str(doubt) for doubt in found.doubts] == [
        "25% of the time was spent waiting for other programs",
        "the device was hot",
    ]


def test_energy_and_heat_are_those_of_the_files(tmp_path):
    zone, package = tmp_path / "thermal" / "thermal_zone0", tmp_path / "powercap" / "intel-rapl:0"
    for folder in (zone, package, package.with_name("intel-rapl:0:0")):
        folder.mkdir(parents=True)
        (folder / "energy_uj").write_text("9999000\n")
    (zone / "temp").write_text("61500\n")
    (package / "max_energy_range_uj").write_text("10000000\n")
    sensors = Sensors(root=tmp_path, threads=tmp_path)
    before = sensors.read()
    (package / "energy_uj").write_text("4000\n")  # it wrapped
    after = sensors.read()
    assert after.temperature_c == 61.5
    assert energy_mj(before, after) == 5.0  # the part of the package is not counted twice
    assert waited_ms(before, after) is None


def test_the_thread_that_waited_longest_counts(tmp_path):
    def waits(*ns: int) -> None:
        for thread, wait in zip(("a", "b", str(os.getpid())), ns, strict=True):
            (tmp_path / thread).mkdir(exist_ok=True)
            (tmp_path / thread / "schedstat").write_text(f"1 {wait} 1\n")

    def read_twice() -> None:
        waits(0, 1_000_000, 0)
        before = sensors.read()
        waits(5_000_000, 8_000_000, 90_000_000)
        found.append(waited_ms(before, sensors.read()))

    sensors, found = Sensors(root=tmp_path, threads=tmp_path), []
    read_twice()
    worker = threading.Thread(target=read_twice)
    worker.start()
    worker.join()
    assert found == [90.0, 7.0]  # a worker leaves out the main thread, which is busy with the screen


def test_a_system_that_tells_nothing_gives_nothing(tmp_path):
    found, _, _ = bench(lambda _run: 0.05, sensors=Sensors(root=tmp_path, threads=tmp_path))
    assert (found.temperature_after_c, found.energy_mj_per_run, found.thermal_status) == (None, None, None)
    assert found.waited_ms_per_run is None
    assert found.doubts == ()


def test_the_interval_of_the_median_by_hand():
    # n = 100: ranks (100 - 19.6) / 2 = 40.2 and (101 + 19.6) / 2 = 60.3, outwards
    assert median_interval([float(ms) for ms in range(100, 0, -1)]) == (40, 61)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (1, 6)
    assert median_interval([1.0] * 5) is None


def test_times_are_kept_evenly_spread():
    assert thinned([1.00049, 2.0, 3.0, 4.0, 5.0], 2) == ([1.0, 4.0], 3)
    assert thinned([1.0, 2.0], 2) == ([1.0, 2.0], 1)


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
