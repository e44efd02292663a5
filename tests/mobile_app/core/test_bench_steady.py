"""When a program is warm, and when enough was measured, by times that are made up."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import pytest

from mobile_app.core.bench.steady import BenchConfig, Stop, WarmUp, is_steady


def warmed_up(times_s: Iterable[float], **config: object) -> tuple[str, int]:
    """Why and after how many runs."""
    warm_up = WarmUp(BenchConfig(**config))  # pyright: ignore[reportArgumentType]
    for seconds in times_s:
        if (reason := warm_up.add(seconds)) is not None:
            return reason, warm_up.runs
    raise AssertionError("never warm")


def stopped(times_s: Iterable[float], **config: object) -> tuple[str, int]:
    stop, times_ms = Stop(BenchConfig(**config)), []  # pyright: ignore[reportArgumentType]
    for seconds in times_s:
        times_ms.append(seconds * 1e3)
        if (reason := stop.reason(times_ms, sum(times_ms) / 1e3)) is not None:
            return reason, len(times_ms)
    raise AssertionError("never stopped")


def test_even_runs_are_warm_after_three_blocks():
    assert warmed_up(itertools.repeat(0.01)) == ("steady", 15)  # blocks of five, each 0.05 s long
    assert warmed_up(itertools.repeat(0.001)) == ("steady", 150)  # as long: a block lasts a 60th of the seconds


def test_runs_that_become_quicker_are_warm_once_they_no_longer_do():
    falling = [0.05 - 0.002 * run for run in range(20)]  # 0.72 s
    reason, runs = warmed_up([*falling, *itertools.repeat(0.012, 200)])
    assert reason == "steady"
    assert 20 + 10 < runs <= 20 + 5 + 15


def test_one_slow_run_in_a_block_does_not_count():
    assert warmed_up(0.1 if run % 5 == 2 else 0.02 for run in range(100)) == ("steady", 15)


def test_what_never_settles_is_ended_by_time():
    restless = itertools.cycle([*[0.01] * 5, *[0.02] * 5])
    reason, runs = warmed_up(restless)
    assert (reason, runs) == ("time", 60)  # 0.9 s of the 3, by 0.015 s each
    assert warmed_up(itertools.repeat(5.0)) == ("time", 3)
    assert warmed_up(itertools.repeat(5.0), fewest_warm_ups=1) == ("time", 1)


def test_even_runs_stop_after_a_third_of_the_seconds():
    assert stopped(itertools.repeat(0.03125)) == ("steady", 32)  # the first past 1 s
    assert stopped(itertools.repeat(0.03125), least_share=0.0) == ("steady", 20)


def test_scattered_runs_stop_once_the_median_is_known():
    rng = np.random.default_rng(0)
    times_s = rng.normal(0.01, 0.001, 10_000)
    reason, runs = stopped(times_s, seconds=100.0, least_share=0.0)
    assert reason == "steady"
    # half the interval is 1.96 * 1.2533 * 10 % / sqrt(n) = 2 % at n = 151
    assert 80 < runs < 300
    assert is_steady((times_s[:runs] * 1e3).tolist(), 0.02)
    more = stopped(times_s, seconds=100.0, least_share=0.0, precision=0.01)
    assert more[1] > 2 * runs


def test_what_slows_down_is_never_steady():
    assert stopped((0.01 + 0.0001 * run for run in range(1000)), seconds=2.0)[0] == "time"


def test_bounds_in_seconds_and_runs():
    assert stopped(itertools.repeat(0.5), seconds=1.0) == ("time", 2)
    assert stopped(itertools.repeat(5.0), seconds=1.0, fewest_runs=3) == ("time", 3)
    restless = itertools.cycle([0.001, 0.002])
    assert stopped(restless, seconds=3600.0, most_runs=500) == ("runs", 500)


def test_the_same_times_give_the_same_answer():
    times_s = np.random.default_rng(1).gamma(2, 0.01, 500).tolist()
    assert stopped(times_s) == stopped(times_s)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("least_share", 1.5),
        ("warm_up_share", -0.1),
        ("precision", 0.0),
        ("settled", float("nan")),
        ("fewest_runs", 0),
        ("steady_runs", 200_000),
    ],
)
def test_bounds_of_the_config_are_checked(field, value):
    with pytest.raises(ValueError, match=field):
        BenchConfig(**{field: value})
