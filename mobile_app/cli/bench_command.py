"""`petalveil bench`: how fast each graph is here, what memory it takes, and whether it still gives what it should."""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mobile_app.cli.console import Console
from mobile_app.cli.models import open_bundle
from mobile_app.cli.report import as_json, versions, write_json
from mobile_app.core.bench import BenchConfig, measure
from mobile_app.core.bundle import Bundle
from mobile_app.core.errors import OutputError
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import Row, compare, reference_inputs

SCHEMA = 1
_STDOUT = Path("-")


def run(options: argparse.Namespace) -> int:
    """Measure every graph at every count of threads.

    Returns: 0, or 1 if an output was not as stored.
    Raises: BundleError, GraphError; OutputError if the figures cannot be written.
    """
    console = Console()
    bundle = open_bundle(options.bundle)
    names = [bundle.entry(options.graph).name] if options.graph else list(bundle.graphs)
    _check_output(options.json, options.force)
    shown = options.json != _STDOUT
    if shown:
        console.say(_HEADER)
    rows = []
    for row in _rows(bundle, names, options.threads, BenchConfig(seconds=options.seconds)):
        rows.append(row)
        if shown:
            console.say(_text(row))
    ratios = gradient_ratios(bundle, rows)
    content = {"schema": SCHEMA, "environment": environment(), "rows": rows, "gradient_by_forward": ratios}
    if not shown:
        console.say(as_json(content))
    elif options.json:
        write_json(options.json, content, force=options.force)
    if shown:
        _say_remarks(console, rows, ratios)
    return 0 if all(row["parity_ok"] for row in rows) else 1


def gradient_ratios(bundle: Bundle, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean time of each gradient graph by that of the classifier on the same weights, for each count of threads."""
    ratios = []
    for row in rows:
        for other in rows:
            gradient, forward = bundle.entry(row["graph"]), bundle.entry(other["graph"])
            related = (gradient.size_px, gradient.data) == (forward.size_px, forward.data)
            kinds = (gradient.task, forward.task) == ("gradient", "classify")
            if kinds and related and row["threads"] == other["threads"]:
                ratio = row["latency"]["mean_ms"] / other["latency"]["mean_ms"]
                facts = {"gradient": gradient.name, "forward": forward.name, "threads": row["threads"]}
                ratios.append({**facts, "ratio": round(ratio, 3)})
    return ratios


def environment() -> dict[str, Any]:
    """The machine, as far as it tells."""
    return {
        "versions": versions(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }


def _rows(
    bundle: Bundle, names: Sequence[str], thread_counts: Sequence[int], config: BenchConfig
) -> Iterator[dict[str, Any]]:
    stored = bundle.reference_outputs()
    for name in names:
        entry = bundle.entry(name)
        for threads in thread_counts:
            load = partial(load_graph, bundle.path(name), name=name, threads=threads)
            found, outputs = measure(load, lambda graph, size=entry.size_px: reference_inputs(graph, size), config)
            parity = compare(name, outputs, stored)
            is_as_stored = all(row.ok for row in parity)
            faults = [*found.faults, *([] if is_as_stored else ["an output is not as stored"])]
            yield {
                "graph": name,
                "threads": threads,
                "precision": entry.precision,
                "size_px": entry.size_px,
                **asdict(found),
                "parity": [_parity(row) for row in parity],
                "parity_ok": is_as_stored,
                "valid": not faults,
                "faults": faults,
            }


def _parity(row: Row) -> dict[str, Any]:
    """NaN has no place in JSON."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in asdict(row).items()
    }


def _check_output(path: Path | None, force: bool) -> None:
    if path is None or path == _STDOUT:
        return
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it or choose another")
    if os.path.lexists(path) and not force:
        raise OutputError(f"{path}: already exists and was left as it is; use --force to replace it")


_HEADER = (
    f"{'graph':<18} {'threads':>7} {'load':>7} {'first':>7} {'mean':>7} {'std':>6} {'p50':>7} {'p90':>7} {'p99':>7} "
    f"{'runs/s':>7} {'CPU':>7} {'peak':>7}  parity   (ms; MB)"
)


def _text(row: dict[str, Any]) -> str:
    times = row["latency"]
    peak = "-" if row["memory_peak_mb"] is None else f"{row['memory_peak_mb']:.0f}"
    return (
        f"{row['graph']:<18} {row['threads']:>7} {row['load_ms']:>7.0f} {row['first_run_ms']:>7.1f} "
        f"{times['mean_ms']:>7.2f} {times['std_ms']:>6.2f} {times['p50_ms']:>7.2f} {times['p90_ms']:>7.2f} "
        f"{times['p99_ms']:>7.2f} {row['runs_per_s']:>7.1f} {row['cpu_ms_per_run']:>7.1f} {peak:>7}  "
        f"{'ok' if row['parity_ok'] else 'FAILED'}"
    )


def _say_remarks(console: Console, rows: Sequence[dict[str, Any]], ratios: Sequence[dict[str, Any]]) -> None:
    for ratio in ratios:
        threads = f"{ratio['threads']} thread{'s' if ratio['threads'] > 1 else ''}"
        console.say(f"{ratio['gradient']} takes {ratio['ratio']:.2f} x {ratio['forward']} at {threads}")
    for row in rows:
        if row["faults"]:
            console.say(f"not to be trusted: {row['graph']}, threads {row['threads']}: {'; '.join(row['faults'])}")


def _processor() -> str | None:
    if sys.platform.startswith("linux"):
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return None
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
    return platform.processor() or None
