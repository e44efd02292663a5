"""The search for AutoAdversary's constants, which its paper does not give: on images that no table is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mobile_app.core.files import write_whole
from training.attacks.sparse.auto_adversary import AutoAdversaryConfig
from training.progress import track
from training.recipes import sparse_methods as methods
from training.recipes.sparse_cells import Subject, run_cell
from training.recipes.sparse_table import cifar_subject, photo_subject

# One constant at a time, away from what the tables use; the first line is what they use.
SMALL_TRIALS: tuple[dict[str, Any], ...] = (
    {},
    *({"weight": weight} for weight in (3.0, 10.0, 100.0)),
    *({"learning_rate": rate} for rate in (0.01, 0.05)),
    *({"alpha_last": alpha} for alpha in (20.0, 500.0)),
    *({"stride": stride} for stride in (0.0, 0.2)),
    *({"width": width} for width in (8, 64)),
    {"steps": 75},
    {"steps": 300},
    {"adapt": 1.05},
    {"encoder": "none"},
    {"loss": "margin", "weight": 1.0},
    *({"loss": "balanced", "weight": 1.0, "eta": eta} for eta in (0.0, 0.1, 1.0)),
)
LARGE_TRIALS: tuple[dict[str, Any], ...] = (
    {},
    *({"adapt": 1.0, "weight": weight} for weight in (3.0, 1.0, 10.0)),
    {"adapt": 1.02},
    {"adapt": 1.02, "weight": 10.0},
    {"steps": 120},
    {"stride": 0.0},
    {"encoder": "none"},
)


def sparse_search(
    shared: Path, out: Path, *, images: int, photos: int, seed: int, report: Callable[[str], None]
) -> Path:
    """Try every line above at 8 levels and write search.md. Returns: its path. Raises: TrainingError without data."""
    sections = []
    if images:
        subject = cifar_subject(shared, 20, images, tuning=True)
        sections.append(_search(subject, methods.SMALL, SMALL_TRIALS, out, seed, report))
    if photos:
        subject = photo_subject(shared, photos, tuning=True)
        sections.append(_search(subject, methods.LARGE, LARGE_TRIALS, out, seed, report))
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "search.md", "\n".join(sections).encode(), force=True)
    return out / "search.md"


def _search(
    subject: Subject,
    config: AutoAdversaryConfig,
    trials: tuple[dict[str, Any], ...],
    out: Path,
    seed: int,
    report: Callable[[str], None],
) -> str:
    lines = [f"### {subject.title}, eps = 8/255, {len(subject.images)} images of the tuning half", ""]
    lines += ["| changed | ASR (%) | l0 | median l0 | s / image |", "|---|---|---|---|---|"]
    for trial in track(trials, f"search, {subject.title}"):
        method = methods.ours(8.0, dataclasses.replace(config, **trial), polish_steps=1)["auto_adversary"]
        cell = run_cell(subject, method, out / "cells", seed=seed)
        counts = (cell.adversarial != subject.images).flatten(1).sum(1)[cell.fooled].double()
        name = ", ".join(f"{key} {value}" for key, value in trial.items()) or "nothing"
        lines.append(
            f"| {name} | {cell.row.asr_percent:.1f} | {cell.row.l0:.1f} | {counts.quantile(0.5).item():.0f} "
            f"| {cell.seconds:.2f} |"
        )
        report(lines[-1])
    return "\n".join([*lines, ""])
