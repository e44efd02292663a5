"""Times of runs in, figures out: percentiles, the interval in which the median lies, drift. All in milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z95 = 1.959964  # of the normal distribution, two-sided 95 %
_FEWEST_FOR_INTERVAL = 6  # with fewer runs not even the lowest and the highest are 95 % of all chances apart


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
    p50_low_ms: float | None  # where the median lies with 95 % confidence; None for fewer than 6 runs
    p50_high_ms: float | None


def latency(times_ms: Sequence[float]) -> Latency:
    """Mean, deviation and percentiles, these interpolated linearly. Raises: ValueError if there is no time."""
    if not times_ms:
        raise ValueError("times_ms: expected one or more, got none")
    times = np.asarray(times_ms, np.float64)
    p50, p90, p95, p99 = np.percentile(times, [50, 90, 95, 99]).tolist()
    low, high = median_interval(times_ms) or (None, None)
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
        p50_low_ms=low,
        p50_high_ms=high,
    )


def median_interval(times_ms: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval of the median by order statistics, which asks nothing of how times are distributed.

    The number of times below the true median is binomial with p = 1/2 where runs are independent of one another, so
    the median lies between the (n - 1.96 sqrt(n)) / 2-th and the (1 + n + 1.96 sqrt(n)) / 2-th smallest time (Conover,
    Practical Nonparametric Statistics, section 3.2, by the normal approximation). Runs that follow one another are not
    quite independent: it is a little narrower than the truth.

    Returns: (low, high), None for fewer than 6 times.
    """
    n = len(times_ms)
    if n < _FEWEST_FOR_INTERVAL:
        return None
    reach = _Z95 * math.sqrt(n)
    low = max(1, math.floor((n - reach) / 2))  # counted from 1, outwards where it falls between two
    high = min(n, math.ceil((1 + n + reach) / 2))
    ordered = np.partition(np.asarray(times_ms, np.float64), [low - 1, high - 1])
    return float(ordered[low - 1]), float(ordered[high - 1])


def drift(times_ms: Sequence[float]) -> float | None:
    """Median of the last quarter by that of the first, less 1; None for fewer than 8 runs."""
    quarter = len(times_ms) // 4
    if quarter < 2:
        return None
    first, last = np.median(times_ms[:quarter]), np.median(times_ms[-quarter:])
    return float(last / first - 1) if first > 0 else None


def thinned(times_ms: Sequence[float], most: int) -> tuple[list[float], int]:
    """At most `most` of the times, evenly spread and rounded to a microsecond, and how far apart they were."""
    stride = max(1, -(-len(times_ms) // most))
    return [round(time, 3) for time in times_ms[::stride]], stride
