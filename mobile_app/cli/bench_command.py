"""`petalveil bench`: how fast graphs, engines and whole photos are here, what they take, and whether they are right.

`--compare` says what changed between two such results.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_app.cli import bench_table
from mobile_app.cli.bench_child import measure_apart, row_of
from mobile_app.cli.bench_plot import draw
from mobile_app.cli.console import Console
from mobile_app.cli.models import open_bundle
from mobile_app.core import memory
from mobile_app.core.bench import BenchConfig
from mobile_app.core.bench.comparing import MARGIN, compare, read_result
from mobile_app.core.bench.document import as_bytes, as_text, document
from mobile_app.core.bench.environment import environment
from mobile_app.core.bench.picture import photo_file
from mobile_app.core.bench.rows import gradient_ratios
from mobile_app.core.bundle import DEFAULT_ROOT, Bundle
from mobile_app.core.errors import BundleError, OutputError
from mobile_app.core.files import write_whole
from mobile_app.core.loading import engines_of

_STDOUT = Path("-")
_USUAL_PHOTOS = (1.0,)  # megapixels


def run(options: argparse.Namespace) -> int:
    """Measure, or compare.

    Returns: 0; 1 if an output was not as stored, or with --fail-on-slower if a row became slower.
    Raises: BundleError, GraphError, ChildError; OutputError if a file cannot be written; ResultError if one to compare
        is no result.
    """
    if options.compare:
        return _compare(options)
    console, bundle = Console(), open_bundle(options.bundle)
    jobs = _jobs(bundle, options)
    _check_outputs(options)
    config = BenchConfig(seconds=options.seconds)
    where = environment(bundle)  # first: the load of the machine is to be that of others
    shown = options.json != _STDOUT
    if shown:
        console.say(bench_table.HEADER)
    rows = []
    for row in _rows(jobs, config):
        rows.append(row)
        if shown:
            console.say(bench_table.line(row))
    ratios = gradient_ratios(bundle, rows)
    content = document(where, config, rows, ratios)
    if not shown:
        console.say(as_text(content))
    elif options.json:
        write_whole(options.json, as_bytes(content), force=options.force)
    if options.plot:
        write_whole(options.plot, draw(rows, options.plot.suffix.lower()), force=options.force)
    if shown:
        for said in (*bench_table.costs(rows), *bench_table.remarks(rows, ratios)):
            console.say(said)
    return 1 if any(row["parity_ok"] is False for row in rows) else 0


def _compare(options: argparse.Namespace) -> int:
    console = Console()
    paths = options.compare
    margin = MARGIN if options.margin is None else options.margin / 100
    found = compare(*(read_result(path) for path in paths), margin=margin)
    if found.machines is not None and options.fail_on_slower:
        raise OutputError(
            f"{paths[0]} is of {found.machines[0]}, {paths[1]} of {found.machines[1]}: on two machines nothing "
            "became slower or faster; leave out --fail-on-slower"
        )
    for said in bench_table.comparison(found, *(str(path) for path in paths), margin=margin):
        console.say(said)
    return 1 if options.fail_on_slower and found.is_slower else 0


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What gives one row."""

    kind: str
    name: str
    threads: int
    bundle: Path
    megapixels: float | None = None


def _jobs(bundle: Bundle, options: argparse.Namespace) -> list[_Job]:
    """What the command line asks for, in the order of the table. Raises: BundleError for a name that is not there."""
    here = engines_of(bundle)
    if options.engine is not None and options.engine not in here:
        raise BundleError(f"engine {options.engine}: expected one that the bundle has, which is {' or '.join(here)}")
    graphs = [bundle.entry(options.graph).name] if options.graph else [] if options.engine else list(bundle.graphs)
    engines = [options.engine] if options.engine else [] if options.graph else list(here)
    photos = options.photos if options.photos is not None else () if options.graph else _USUAL_PHOTOS
    root = options.bundle or DEFAULT_ROOT
    wanted: list[tuple[str, str, float | None]] = [
        *(("graph", name, None) for name in graphs),
        *(("engine", name, None) for name in engines),
        *(("photo", name, size) for size in photos for name in engines or here),
    ]
    return [
        _Job(kind=kind, name=name, threads=threads, bundle=root, megapixels=size)
        for kind, name, size in wanted
        for threads in options.threads
    ]


def _rows(jobs: Sequence[_Job], config: BenchConfig) -> Iterator[dict[str, Any]]:
    """Photos each in a process of their own; graphs and engines too where this one cannot forget its peak of memory."""
    forgets = memory.forget_peak()
    with tempfile.TemporaryDirectory(prefix="petalveil-bench-") as folder:
        for job in jobs:
            words = {"kind": job.kind, "name": job.name, "threads": job.threads, "bundle": str(job.bundle)}
            if job.kind == "photo":
                assert job.megapixels is not None
                source = Path(folder) / f"{job.megapixels:g}.jpg"
                if not source.exists():
                    write_whole(source, photo_file(job.megapixels))
                target = source.with_suffix(".cloaked.jpg")
                words |= {"source": str(source), "target": str(target), "megapixels": job.megapixels}
            yield row_of(words, config) if forgets and job.kind != "photo" else measure_apart(words, config)


def _check_outputs(options: argparse.Namespace) -> None:
    """Find out now, and not after minutes, that a file cannot be written."""
    for path in (options.json, options.plot):
        if path is None or path == _STDOUT:
            continue
        if not path.parent.is_dir():
            raise OutputError(f"{path}: the folder {path.parent} does not exist; create it or choose another")
        if os.path.lexists(path) and not options.force:
            raise OutputError(f"{path}: already exists and was left as it is; use --force to replace it")
