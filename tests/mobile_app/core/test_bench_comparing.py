"""What changed beyond noise, on results that are made up; and files that are none."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobile_app.core.bench import latency
from mobile_app.core.bench.comparing import ResultError, compare, ratio_interval, read_result
from mobile_app.core.bench.document import as_bytes
from mobile_app.core.bench.schema import misfits, schema
from mobile_app.core.bench.steady import BenchConfig


def row(times_ms: list[float], **changes: Any) -> dict[str, Any]:
    figures = latency(times_ms)
    empty = ("steps", "megapixels", "parts_ms", "drift", "temperature_before_c", "temperature_after_c")
    unknown = ("thermal_status", "energy_mj_per_run", "memory_before_mb", "memory_after_mb")
    return {
        **{field: None for field in (*empty, *unknown)},
        **{"kind": "graph", "name": "objects", "threads": 1, "precision": "float16", "size_px": 224},
        **{"runtime": "by hand 1", "load_ms": 1.0, "first_run_ms": 1.0, "warm_ups": 3, "warm_up_s": 0.1},
        **{"warm_up_end": "steady", "latency": vars(figures), "stop": "steady", "measured_s": 1.0, "runs_per_s": 9.0},
        **{"cpu_ms_per_run": figures.p50_ms, "waited_ms_per_run": 0.0, "memory_peak_mb": 100.0, "peak_is_own": True},
        **{"times_ms": times_ms, "times_stride": 1, "trusted_runs": 20, "parity": [], "parity_ok": True},
        **{"valid": True, "doubts": [], "faults": []},
        **changes,
    }


def result(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    where = {
        "versions": {"runtime": "by hand 1"},
        "device": "a",
        "system": "Linux",
        "release": "6",
        "machine": "x86_64",
    }
    where |= {"processor": "b", "cores": 2, "cores_usable": 2, "load_average": [0.1, 0.1, 0.1], "commit": "1" * 40}
    where |= {"bundle": {"version": "1", "sha256": "2"}, **changes}
    settings = {"seconds": BenchConfig().seconds, "precision": BenchConfig().precision}
    return {"schema": 2, "environment": where, "settings": settings, "rows": [*rows], "gradient_by_forward": []}


def times(median_ms: float, n: int = 200, seed: int = 0, spread: float = 0.05) -> list[float]:
    return (median_ms * np.random.default_rng(seed).normal(1, spread, n).clip(0.5, 2)).tolist()


def verdict(before: dict[str, Any], after: dict[str, Any], **config: Any) -> str:
    (change,) = compare(result(before), result(after), **config).changes
    return change.verdict


def test_times_of_one_distribution_are_the_same():
    assert verdict(row(times(10)), row(times(10, seed=1))) == "same"


def test_a_tenth_is_found_and_a_hundredth_is_noise():
    assert verdict(row(times(10)), row(times(11.2, seed=1))) == "slower"
    assert verdict(row(times(10)), row(times(8.8, seed=1))) == "faster"
    assert verdict(row(times(10)), row(times(10.1, seed=1))) == "same"
    assert verdict(row(times(10)), row(times(10.3, seed=1)), margin=0.0) == "slower"


def test_times_that_scatter_too_much_to_say_are_unclear():
    assert verdict(row(times(10, n=20, spread=0.3)), row(times(11, n=20, seed=1, spread=0.3))) == "unclear"


def test_slow_moments_widen_the_interval():
    """The same 200 times: in disorder, or with the slow ones side by side, as a busy machine has them."""
    restless = [10.0] * 100 + [13.0] * 100
    mixed = np.random.default_rng(0).permutation(restless).tolist()
    steady = [11.0] * 200
    narrow, wide = ratio_interval(steady, mixed), ratio_interval(steady, restless)
    assert wide[1] - wide[0] >= narrow[1] - narrow[0]
    assert verdict(row(steady), row(restless)) == "unclear"


def test_few_runs_give_the_range_of_all_ratios():
    assert ratio_interval([2.0, 4.0], [6.0, 8.0]) == (1.5, 4.0)
    assert verdict(row([10.0, 11.0, 10.0]), row([15.0, 16.0, 15.0])) == "slower"
    assert verdict(row([10.0, 11.0, 10.0]), row([10.5, 16.0, 15.0])) == "unclear"


def test_the_interval_is_the_same_every_time():
    assert ratio_interval(times(10), times(11)) == ratio_interval(times(10), times(11))


def test_on_a_busy_machine_the_time_of_the_processor_has_to_agree():
    before = row(times(10))
    waiting = row(times(13, seed=1), waited_ms_per_run=3.0, cpu_ms_per_run=10.2)
    assert verdict(before, waiting) == "unclear"
    working = row(times(30, seed=1), waited_ms_per_run=9.0, cpu_ms_per_run=21.0)
    assert verdict(before, working) == "slower"
    assert verdict(working, before) == "faster"
    swamped = row(times(30, seed=1), waited_ms_per_run=15.0, cpu_ms_per_run=21.0)
    assert verdict(before, swamped) == "unclear"  # caches are shared too


def test_memory_runtime_and_parity_are_told():
    after = row(times(10), memory_peak_mb=140.0, runtime="by hand 2", parity_ok=False)
    (change,) = compare(result(row(times(10))), result(after)).changes
    assert change.notes == (
        "peak memory 100 to 140 MB",
        "runtime by hand 1 to by hand 2",
        "outputs as stored, now not as stored",
    )
    hardly = row(times(10), memory_peak_mb=109.0)
    assert compare(result(row(times(10))), result(hardly)).changes[0].notes == ()


def test_rows_versions_and_machines_that_differ_are_told():
    first = result(row(times(10)), row(times(5), name="flowers"))
    second = result(row(times(10)), cores=8, versions={"runtime": "by hand 2"}, commit="3" * 40 + "+")
    found = compare(first, second)
    assert found.remarks == (
        "in the first alone: graph flowers at 1 thread",
        "runtime by hand 1 to by hand 2",
        "commit 111111111 to 333333333+",
    )
    assert found.machines == ("a, Linux, x86_64, b, 2 cores", "a, Linux, x86_64, b, 8 cores")


def test_results_without_a_common_row_are_refused():
    with pytest.raises(ResultError, match="row in common"):
        compare(result(row([1.0])), result(row([1.0], name="flowers")))


def test_two_numbers_of_threads_are_compared_where_each_result_has_one():
    """What more threads are worth is a question that people ask."""
    one, two = row(times(10)), row(times(6, seed=1), threads=2)
    found = compare(result(one), result(two))
    (change,) = found.changes
    assert (change.threads, change.threads_after, change.verdict) == (1, 2, "faster")
    assert found.remarks == ()
    with pytest.raises(ResultError, match="row in common"):  # which of the two is meant nobody said
        compare(result(one), result(two, row(times(5), threads=3)))
    both = compare(result(one, row(times(6), threads=2)), result(two))
    assert [(change.threads, change.verdict) for change in both.changes] == [(2, "same")]
    assert both.remarks == ("in the first alone: graph objects at 1 thread",)


def test_on_a_busy_machine_processor_time_is_told():
    busy = row(times(10), waited_ms_per_run=9.1, cpu_ms_per_run=6.5)
    (change,) = compare(result(busy), result(row(times(20), waited_ms_per_run=9.1, cpu_ms_per_run=6.51))).changes
    assert change.verdict == "unclear"
    assert "processor time a run, which others change less: 6.50 to 6.51 ms" in change.notes
    (change,) = compare(result(row(times(10))), result(row(times(10)))).changes
    assert change.notes == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "found no file"),
        (b"\xff\xfe", "found no JSON"),
        (b"[]", "found other JSON"),
        (b'{"photos": [], "schema": 2}', "found other JSON"),
        (b'{"rows": [], "schema": 1}', "expected schema 2, found 1; measure again"),
        (b'{"rows": [], "schema": 2}', "expected the fields environment, gradient_by_forward, found none"),
    ],
)
def test_a_file_that_is_no_result_is_one_sentence(tmp_path: Path, content: bytes | None, said: str):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ResultError, match=said) as caught:
        read_result(path)
    assert str(path) in str(caught.value)


def test_a_result_is_read_back(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes(as_bytes(result(row([1.0, 2.5]))))
    assert read_result(path) == result(row([1.0, 2.5]))
    assert '"times_ms": [1.0, 2.5]' in path.read_text()  # on one line


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("rows", 0, "threads"), 0, "rows[0].threads: expected 1 or more, found 0"),
        (("rows", 0, "threads"), True, "rows[0].threads: expected integer, found true"),
        (("rows", 0, "threads"), 1.5, "rows[0].threads: expected integer, found 1.5"),
        (("rows", 0, "kind"), "song", 'rows[0].kind: expected one of ["graph", "engine", "photo"], found "song"'),
        (("rows", 0, "times_ms"), [], "rows[0].times_ms: expected 1 or more items, found 0"),
        (("rows", 0, "times_ms", 0), "quick", 'rows[0].times_ms[0]: expected number, found "quick"'),
        (("rows", 0, "colour"), "blue", "rows[0].colour: expected no such field"),
        (("environment", "versions", "numpy"), 2, "environment.versions.numpy: expected string or null, found 2"),
        (("schema",), 3, "schema: expected 2, found 3"),
    ],
)
def test_what_breaks_the_schema_is_named(place: tuple[Any, ...], value: Any, said: str):
    content = copy.deepcopy(result(row([1.0])))
    assert list(misfits(content)) == []
    holder: Any = content
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    assert list(misfits(content)) == [said]


def test_a_field_that_is_missing_is_named():
    content = result(row([1.0]))
    del content["rows"][0]["stop"]
    assert list(misfits(content)) == ["rows[0]: expected the field stop, found none"]


def test_the_schema_uses_no_word_that_is_not_checked():
    with pytest.raises(ValueError, match="pattern"):
        list(misfits("a", {"type": "string", "pattern": "b"}))
    assert json.loads(json.dumps(schema())) == schema()
