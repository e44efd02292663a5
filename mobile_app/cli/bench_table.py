"""Rows of the bench in, lines for a screen of 100 columns out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mobile_app.core.bench.comparing import Change, Comparison

HEADER = (
    f"{'times in ms':<23} {'thr':>3} {'p50':>7} {'±':>5} {'mean':>7} {'std':>6} {'min':>7} {'p95':>7} {'p99':>7} "
    f"{'max':>7} {'runs':>4} stop"
)
_COSTS = (
    f"{'what it takes':<23} {'thr':>3} {'load':>6} {'first':>8} {'warm-up':>7} {'CPU ms':>7} {'waited':>6} {'MB':>6} "
    f"{'drift':>6} {'°C':>3} {'mJ':>4} parity"
)


def title(row: dict[str, Any]) -> str:
    """The subject of a row, in some 23 columns."""
    if row["kind"] == "photo":
        return f"photo {row['megapixels']:g} MP, {row['name']}"
    return f"engine {row['name']}" if row["kind"] == "engine" else row["name"]


def line(row: dict[str, Any]) -> str:
    """The times of a row."""
    times = row["latency"]
    spread = None if times["p50_low_ms"] is None else (times["p50_high_ms"] - times["p50_low_ms"]) / 2 / times["p50_ms"]
    digits = ".1%" if spread is None or spread < 0.1 else ".0%"
    return (
        f"{title(row):<23} {row['threads']:>3} {_ms(times['p50_ms']):>7} {_known(spread, digits):>5} "
        f"{_ms(times['mean_ms']):>7} {_ms(times['std_ms']):>6} {_ms(times['min_ms']):>7} {_ms(times['p95_ms']):>7} "
        f"{_ms(times['p99_ms']):>7} {_ms(times['max_ms']):>7} {times['n']:>4} {row['stop']}"
    )


def costs(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The second table: what each row takes besides time."""
    yield ""
    yield _COSTS
    for row in rows:
        waited, drift, heat = _waited(row), _known(row["drift"], "+.0%"), _known(row["temperature_after_c"], ".0f")
        peak = _known(row["memory_peak_mb"], ".0f") + ("" if row["peak_is_own"] else "*")
        energy = _known(row["energy_mj_per_run"], ".0f")
        yield (
            f"{title(row):<23} {row['threads']:>3} {row['load_ms']:>6.0f} {_ms(row['first_run_ms']):>8} "
            f"{_warm_up(row):>7} {_ms(row['cpu_ms_per_run']):>7} {waited:>6} {peak:>6} {drift:>6} {heat:>3} "
            f"{energy:>4} {_PARITY[row['parity_ok']]}"
        )


_CHANGES = (
    f"{'median times in ms':<23} {'thr':>3} {'before':>9} {'after':>9} {'ratio':>6} {'99 % interval':>15}  verdict"
)
_PARITY = {True: "ok", False: "FAILED", None: "-"}


def remarks(rows: Sequence[dict[str, Any]], ratios: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the tables cannot say."""
    yield ""
    for ratio in ratios:
        yield f"{ratio['gradient']} takes {ratio['ratio']:.2f} x {ratio['forward']} at {_threads(ratio['threads'])}"
    for row in rows:
        if row["parts_ms"]:
            parts = ", ".join(f"{name} {_ms(value)}" for name, value in row["parts_ms"].items())
            yield f"{title(row)} at {_threads(row['threads'])}: {parts} ms"
    if any(not row["peak_is_own"] and row["memory_peak_mb"] is not None for row in rows):
        yield "* the peak is that of the whole process so far"
    if any(row["stop"] == "time" for row in rows):
        yield "stopped by time: the median was not yet known to 2 %, see ±"
    for row in rows:
        if row["faults"]:
            yield f"not to be trusted: {title(row)} at {_threads(row['threads'])}: {'; '.join(row['faults'])}"


def comparison(found: Comparison, first: str, second: str, *, margin: float) -> Iterator[str]:
    """A table of what changed, and sentences."""
    if found.machines is not None:
        yield f"{first} is of {found.machines[0]}; {second} of {found.machines[1]}: what differs may be the machine"
    yield _CHANGES
    for change in found.changes:
        interval = f"{change.low:.3f} – {change.high:.3f}"
        yield (
            f"{_subject(change):<23} {_both_threads(change):>3} {_ms(change.before_ms):>9} {_ms(change.after_ms):>9} "
            f"{change.ratio:>6.3f} {interval:>15}  {_VERDICTS[change.verdict]}"
        )
        yield from (f"    {note}" for note in change.notes)
    yield ""
    yield from found.remarks
    counts = {verdict: sum(change.verdict == verdict for change in found.changes) for verdict in _VERDICTS}
    yield ", ".join(f"{count} {_COUNTED[verdict]}" for verdict, count in counts.items())
    yield f"(slower or faster: the whole interval lies beyond {margin:.1%}; the same: it lies within that)"
    if counts["unclear"]:
        yield "(unclear: neither, or others had the processor for too long; measure on a quiet machine)"


_COUNTED = {"slower": "slower", "faster": "faster", "same": "the same", "unclear": "unclear"}
_VERDICTS = {"slower": "SLOWER", "faster": "faster", "same": "same", "unclear": "unclear"}


def _subject(change: Change) -> str:
    return title({"kind": change.kind, "name": change.name, "megapixels": change.megapixels})


def _both_threads(change: Change) -> str:
    """Both numbers where they differ."""
    same = change.threads == change.threads_after
    return str(change.threads) if same else f"{change.threads}>{change.threads_after}"


def _warm_up(row: dict[str, Any]) -> str:
    """How many runs, with a sign where time ended it."""
    return f"{row['warm_ups']}{'' if row['warm_up_end'] == 'steady' else '!'}"


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def _known(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _waited(row: dict[str, Any]) -> str:
    """The share of a run's time in which others had its core."""
    waited = row["waited_ms_per_run"]
    return "-" if waited is None else f"{waited / row['latency']['mean_ms']:.0%}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"
