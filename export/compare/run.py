"""Graphs and precisions in; every variant on disk, and a table of what each costs and is worth, out.

    python -m export compare --calibration ../shared/data/photos --labelled ../shared/data/nips17 --out runs/compare

Whatever is measured is kept as a cell, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from export.compare.cells import Cells
from export.compare.cloaks import CloakJob, cloak_rows, engines
from export.compare.config import CompareConfig
from export.compare.graph import GraphJob
from export.compare.photos import labelled_photos
from export.compare.quality import PICTURE_TASKS
from export.compare.table import Row, as_csv, as_markdown, with_verdicts
from export.contract import GraphSpec
from export.graphs import graphs
from mobile_app.core.bundle import load_bundle
from mobile_app.core.files import write_whole
from training.progress import counting


def compare_precisions(config: CompareConfig, *, facts: Mapping[str, str], report: Callable[[str], None]) -> list[Row]:
    """Write `graphs/`, table.md, table.csv and table.json under config.out.

    Args:
        facts: for the head of the table: command, machine, date.
        report: is told what was left out and why, a line each.
    Raises: ExportError for an unknown graph or folder without photos, PhotoError for a photo that cannot be read.
    """
    specs = graphs(config.checkpoints, config.graphs)
    if not config.graphs:
        for kind in config.checkpoints.absent():
            report(f"{kind}: left out; name what was trained with --{kind}")
    shipped = _shipped()
    (config.out / "graphs").mkdir(parents=True, exist_ok=True)
    labelled = labelled_photos(config.labelled, most=max(config.photos, config.cloaks), seed=config.seed)
    with counting(_cells_expected(specs, config), "compare") as advance:
        cells = Cells(config.out / "cells", lambda _kind: advance(1))
        rows: list[Row] = []
        for spec in specs:
            rows += GraphJob(spec, config, cells, labelled, shipped.get(spec.name, ())).rows()
        if labelled and config.cloaks:
            job = CloakJob(folder=config.out / "graphs", photos=labelled[: config.cloaks], shared=config.shared)
            rows = cloak_rows(rows, specs, job, cells, report)
    rows = with_verdicts(rows)
    _write_tables(config.out, rows, facts)
    return rows


def _shipped() -> dict[str, list[str]]:
    """Graph -> the precisions in which the bundle has it. Flowers ship in two, the second under a name of its own."""
    found: dict[str, list[str]] = {}
    for entry in load_bundle().graphs.values():
        found.setdefault(entry.name.removesuffix(".int8"), []).append(entry.precision)
    return found


def _cells_expected(specs: Sequence[GraphSpec], config: CompareConfig) -> int:
    """About how many, for the bar: a precision that fails has fewer."""
    precisions = len(config.precisions)
    judged = ("classify", *PICTURE_TASKS)
    alone = sum(2 + precisions * (3 if spec.task in judged else 2) for spec in specs)
    return alone + 2 * (precisions + 1) * config.cloaks * len(engines(specs)) * (config.labelled is not None)


def _write_tables(out: Path, rows: Sequence[Row], facts: Mapping[str, str]) -> None:
    write_whole(out / "table.md", as_markdown(rows, facts).encode(), force=True)
    write_whole(out / "table.csv", as_csv(rows), force=True)
    content = {"facts": dict(facts), "rows": [asdict(row) for row in rows]}
    write_whole(out / "table.json", json.dumps(content, indent=1).encode(), force=True)
