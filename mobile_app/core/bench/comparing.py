"""Two results of the bench in, what changed beyond noise out.

For each row the ratio of the median times, b by a, with a 99 % interval: a block bootstrap on the stored times (Künsch
1989, doi:10.1214/aos/1176347265). Whole blocks of neighbouring runs are drawn, of about the square root of the number
of runs, because a slow moment of the machine slows neighbours alike and single runs would make the interval too
narrow. With fewer than 12 runs on a side it is the range of all ratios.

A bootstrap sees the noise within a run of the bench. Two runs of the same program differ by more, by where memory came
to lie and what else the machine did, so a difference counts only if its whole interval lies beyond a margin: 5 % if
nothing else is said. Where a row of either spent more than a tenth of its time waiting for other programs, its own
time of the processor has to have changed as well, by three margins; more than a third, and nothing can be said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.bench.environment import MACHINE
from mobile_app.core.bench.measuring import LARGEST_WAIT
from mobile_app.core.bench.schema import SCHEMA, misfits
from mobile_app.core.errors import PetalveilError

Verdict = Literal["slower", "faster", "same", "unclear"]
Key = tuple[str, str, int, float | None]

MARGIN = 0.05
_RESAMPLES = 2000
_CONFIDENCE = 0.99
_FEWEST_FOR_BOOTSTRAP = 12
_MEMORY_SHARE, _MEMORY_MB = 0.1, 8.0  # a peak that moved by less than both together is the allocator's mood
_LARGEST_WAIT_TO_TELL = 1 / 3  # of a run's time: from there on even the processor's time is that of others
_CPU_MARGINS = 3  # by which processor time has to change where others had the processor: they slow that too


class ResultError(PetalveilError):
    """A file that is no result of the bench, or two that have nothing to compare."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One row that both results have."""

    kind: str
    name: str
    threads: int
    threads_after: int  # the same, but where no row has as many in both results
    megapixels: float | None
    before_ms: float  # medians
    after_ms: float
    ratio: float  # after by before
    low: float  # of its 99 % interval
    high: float
    verdict: Verdict
    notes: tuple[str, ...]  # what else changed


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of two results."""

    changes: tuple[Change, ...]
    remarks: tuple[str, ...]  # sentences: other versions, rows that one alone has, a busy machine
    machines: tuple[str, str] | None  # where they are two

    @property
    def is_slower(self) -> bool:
        return any(change.verdict == "slower" for change in self.changes)


def read_result(path: Path) -> dict[str, Any]:
    """A file of `petalveil bench --json`, checked. Raises: ResultError, in one sentence."""
    remedy = "name a file that `petalveil bench --json FILE` wrote"
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ResultError(f"{path}: expected a result of the bench, found no file; {remedy}") from None
    except OSError as error:
        raise ResultError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from error
    except ValueError as error:
        raise ResultError(f"{path}: expected a result of the bench, found no JSON; {remedy}") from error
    if not isinstance(content, dict) or "rows" not in content or "schema" not in content:
        raise ResultError(f"{path}: expected a result of the bench, found other JSON; {remedy}")
    if content["schema"] != SCHEMA:
        raise ResultError(
            f"{path}: expected schema {SCHEMA}, found {content['schema']}; measure again with this version"
        )
    fault = next(misfits(content), None)
    if fault is not None:
        raise ResultError(f"{path}: {fault}; measure again")
    return content


def compare(before: dict[str, Any], after: dict[str, Any], *, margin: float = MARGIN, seed: int = 0) -> Comparison:
    """What changed from one result to another.

    Args:
        margin: a difference of less than this share is noise, however sure it is.
    Raises: ValueError if the margin is not of 0 to 1; ResultError if the two have no row in common.
    """
    if not 0 <= margin <= 1:
        raise ValueError(f"margin: expected 0 to 1, got {margin}")
    rows, others = ({_key(row): row for row in result["rows"]} for result in (before, after))
    pairs = {key: key for key in rows if key in others} or _across_threads(rows, others)
    if not pairs:
        raise ResultError("expected two results of the bench with a row in common, found none; measure the same graphs")
    changes = [_change(rows[first], others[second], margin, seed) for first, second in pairs.items()]
    machines = tuple(_machine(result["environment"]) for result in (before, after))
    return Comparison(
        changes=tuple(changes),
        remarks=tuple(_remarks(before, after, rows.keys() - pairs.keys(), others.keys() - set(pairs.values()))),
        machines=None if machines[0] == machines[1] else (machines[0], machines[1]),
    )


def ratio_interval(before_ms: Sequence[float], after_ms: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The 99 % interval of the ratio of the medians, after by before; see the head of this file."""
    if min(len(before_ms), len(after_ms)) < _FEWEST_FOR_BOOTSTRAP:
        return min(after_ms) / max(before_ms), max(after_ms) / max(1e-9, min(before_ms))
    rng = np.random.default_rng(seed)
    medians = [_resampled_medians(np.asarray(times, np.float64), rng) for times in (before_ms, after_ms)]
    tail = 50 * (1 - _CONFIDENCE)
    low, high = np.percentile(medians[1] / np.maximum(medians[0], 1e-9), [tail, 100 - tail]).tolist()
    return low, high


def _resampled_medians(times_ms: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    n = len(times_ms)
    block = max(1, round(n**0.5))
    starts = rng.integers(0, n, (_RESAMPLES, -(-n // block)))
    places = (starts[..., None] + np.arange(block)).reshape(_RESAMPLES, -1)[:, :n] % n  # the end goes on at the start
    return np.median(times_ms[places], axis=1)


def _across_threads(rows: dict[Key, Any], others: dict[Key, Any]) -> dict[Key, Key]:
    """Rows of the same name, where each result has one of it: what more threads are worth can be asked as well."""
    ours, theirs = ({_without_threads(key): key for key in keys} for keys in (rows, others))
    if len(ours) < len(rows) or len(theirs) < len(others):
        return {}
    return {key: theirs[name] for name, key in ours.items() if name in theirs}


def _without_threads(key: Key) -> tuple[str, str, float | None]:
    kind, name, _, megapixels = key
    return kind, name, megapixels


def _change(before: dict[str, Any], after: dict[str, Any], margin: float, seed: int) -> Change:
    first, second = before["latency"]["p50_ms"], after["latency"]["p50_ms"]
    low, high = ratio_interval(before["times_ms"], after["times_ms"], seed=seed)
    ratio = second / max(first, 1e-9)
    # Times are stored thinned and rounded, and p50 is of all of them: the interval is not to leave it out.
    low, high = min(low, ratio), max(high, ratio)
    return Change(
        kind=before["kind"],
        name=before["name"],
        threads=before["threads"],
        threads_after=after["threads"],
        megapixels=before["megapixels"],
        before_ms=first,
        after_ms=second,
        ratio=ratio,
        low=low,
        high=high,
        verdict=_verdict(low, high, margin, _own_ratio(before, after)),
        notes=tuple(_notes(before, after)),
    )


def _verdict(low: float, high: float, margin: float, cpu_ratio: float | None) -> Verdict:
    """Args: cpu_ratio: of the processor's time, where that has to agree; 1 where nothing can be said; else None."""
    if low > 1 + margin:
        return "slower" if cpu_ratio is None or cpu_ratio > 1 + _CPU_MARGINS * margin else "unclear"
    if high < 1 - margin:
        return "faster" if cpu_ratio is None or cpu_ratio < 1 - _CPU_MARGINS * margin else "unclear"
    return "same" if 1 - margin <= low and high <= 1 + margin else "unclear"


def _notes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    notes = []
    first, second = before["memory_peak_mb"], after["memory_peak_mb"]
    own = before["peak_is_own"] and after["peak_is_own"]
    if own and first and second and abs(second - first) > max(_MEMORY_MB, _MEMORY_SHARE * first):
        notes.append(f"peak memory {first:.0f} to {second:.0f} MB")
    for field in ("precision", "runtime", "size_px", "steps"):
        if before[field] != after[field]:
            notes.append(f"{field} {before[field]} to {after[field]}")
    if before["parity_ok"] != after["parity_ok"]:
        words = {True: "as stored", False: "not as stored", None: "not checked"}
        notes.append(f"outputs {words[before['parity_ok']]}, now {words[after['parity_ok']]}")
    if _own_ratio(before, after) is not None:
        own_ms = [row["cpu_ms_per_run"] for row in (before, after)]
        notes.append(f"processor time a run, which others change less: {own_ms[0]:.2f} to {own_ms[1]:.2f} ms")
    notes += [f"not to be trusted, {side}: {'; '.join(row['faults'])}" for side, row in _faulty(before, after)]
    return notes


def _own_ratio(before: dict[str, Any], after: dict[str, Any]) -> float | None:
    waited = max((row["waited_ms_per_run"] or 0.0) / max(row["latency"]["mean_ms"], 1e-9) for row in (before, after))
    if waited <= LARGEST_WAIT:
        return None
    return 1.0 if waited > _LARGEST_WAIT_TO_TELL else after["cpu_ms_per_run"] / max(before["cpu_ms_per_run"], 1e-9)


def _faulty(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(side, row) for side, row in (("before", before), ("after", after)) if row["faults"]]


def _remarks(before: dict[str, Any], after: dict[str, Any], first_alone: set[Key], second_alone: set[Key]) -> list[str]:
    remarks = []
    for side, alone in (("first", first_alone), ("second", second_alone)):
        if alone:
            remarks.append(f"in the {side} alone: {', '.join(sorted(map(_title, alone)))}")
    first, second = before["environment"], after["environment"]
    for name in sorted(first["versions"].keys() | second["versions"].keys()):
        versions = first["versions"].get(name), second["versions"].get(name)
        if versions[0] != versions[1]:
            remarks.append(f"{name} {versions[0]} to {versions[1]}")
    if first["bundle"]["sha256"] != second["bundle"]["sha256"]:
        remarks.append("the bundles are not the same")
    if first["commit"] != second["commit"]:
        remarks.append(f"commit {_commit(first)} to {_commit(second)}")
    return remarks


def _key(row: dict[str, Any]) -> Key:
    return row["kind"], row["name"], row["threads"], row["megapixels"]


def _title(key: Key) -> str:
    kind, name, threads, megapixels = key
    what = f"{name}, {megapixels:g} MP" if megapixels is not None else name
    return f"{kind} {what} at {threads} thread{'s' * (threads > 1)}"


def _commit(facts: dict[str, Any]) -> str:
    commit = facts["commit"]
    return "unknown" if commit is None else commit[:9] + ("+" if commit.endswith("+") else "")


def _machine(facts: dict[str, Any]) -> str:
    return ", ".join(str(facts[name]) + (" cores" if name == "cores" else "") for name in MACHINE if facts[name])
