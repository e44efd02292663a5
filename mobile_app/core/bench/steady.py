"""When a program is warm, and when enough was measured: times of runs in, a reason to go on to the next thing out.

Nothing here reads a clock: the same times always give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mobile_app.core.bench.figures import median_interval

Reason = Literal["steady", "time", "runs"]

MOST_RUNS = 100_000
_BLOCKS = 3  # in a row whose medians have to agree before a program counts as warm
_BLOCKS_A_MEASUREMENT = 60  # a block takes at least this part of the seconds, so that quick runs are watched as long
_RUNS_A_BLOCK = 5
_CHECK_AFTER = 1.1  # times as many runs as at the last check: each look is a chance to stop by luck


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """How long to measure: until the median is known well enough, within bounds."""

    seconds: float = 3.0  # of measured runs, at most
    least_share: float = 1 / 3  # of the seconds, at least: a quiet moment of a busy machine is shorter
    precision: float = 0.02  # half of the 95 % interval of the median by the median: steady from there on
    settled: float = 0.05  # by how much the medians of blocks may differ, by the lowest: warm from there on
    warm_up_share: float = 0.3  # of the seconds, at most
    fewest_warm_ups: int = 3
    fewest_runs: int = 1  # even where they take longer than the seconds
    steady_runs: int = 20  # no fewer are called steady
    trusted_runs: int = 20  # fewer are a fault
    most_runs: int = MOST_RUNS

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 3600:
            raise ValueError(f"seconds: expected 0 < seconds <= 3600, got {self.seconds}")
        for name in ("least_share", "warm_up_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, got {getattr(self, name)}")
        for name in ("precision", "settled"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 < {name} <= 1, got {getattr(self, name)}")
        for name in ("fewest_warm_ups", "fewest_runs", "steady_runs", "trusted_runs"):
            if not 1 <= getattr(self, name) <= self.most_runs:
                raise ValueError(f"{name}: expected 1 to most_runs, {self.most_runs}, got {getattr(self, name)}")


class WarmUp:
    """Takes the time of each run before the measured ones.

    A program is warm when the medians of the last three blocks of runs agree: caches are full, memory is allotted and
    the processor has its pace. Where they never do, time ends it.
    """

    def __init__(self, config: BenchConfig) -> None:
        self._config = config
        self._block_s = config.seconds / _BLOCKS_A_MEASUREMENT
        self._block: list[float] = []
        self._medians: list[float] = []
        self.runs = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> Reason | None:
        """After a run. Returns: why the program counts as warm, None as long as it does not."""
        self.runs += 1
        self.seconds += seconds
        self._block.append(seconds)
        if len(self._block) >= _RUNS_A_BLOCK and sum(self._block) >= self._block_s:
            self._medians.append(float(np.median(self._block)))
            self._block = []
        if self.runs < self._config.fewest_warm_ups:
            return None
        if self._has_settled():
            return "steady"
        if self.seconds >= self._config.seconds * self._config.warm_up_share:
            return "time"
        return "runs" if self.runs >= self._config.most_runs else None

    def _has_settled(self) -> bool:
        last = self._medians[-_BLOCKS:]
        return len(last) == _BLOCKS and max(last) <= min(last) * (1 + self._config.settled)


class Stop:
    """Says after each measured run whether to stop.

    Steady: the 95 % interval of the median is within the precision, and the medians of the two halves are within twice
    that of each other, so that a program that still slows down or speeds up is not called steady.
    """

    def __init__(self, config: BenchConfig) -> None:
        self._config = config
        self._next_check = config.steady_runs

    def reason(self, times_ms: Sequence[float], elapsed_s: float) -> Reason | None:
        """Args: times_ms: of all measured runs so far. Returns: why to stop, None to go on."""
        config, n = self._config, len(times_ms)
        if n < config.fewest_runs:
            return None
        if n >= config.most_runs:
            return "runs"
        if n >= self._next_check and elapsed_s >= config.seconds * config.least_share:
            self._next_check = max(n + 1, int(n * _CHECK_AFTER))
            if is_steady(times_ms, config.precision):
                return "steady"
        return "time" if elapsed_s >= config.seconds else None


def is_steady(times_ms: Sequence[float], precision: float) -> bool:
    """Whether the median is known to within the precision, and is the same in both halves to within twice that."""
    interval, middle = median_interval(times_ms), float(np.median(times_ms))
    half = len(times_ms) // 2
    if interval is None or middle <= 0:
        return False
    first, last = float(np.median(times_ms[:half])), float(np.median(times_ms[half:]))
    return (interval[1] - interval[0]) / 2 <= precision * middle and abs(last - first) <= 2 * precision * middle
