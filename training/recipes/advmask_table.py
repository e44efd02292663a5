"""The comparison of table 5-1: one network, one set of photos, every augmentation, several seeds.

    python -m training advmask-table --data ../shared/data/flowers17 ../shared/data/flowers5

A method is a full name of `training.augment.names`, so that "advmask+blur" is a row beside "advmask". Each run is a
folder that is finished or goes on where it stopped. The network of the last epoch is measured, so no
split chooses an epoch; the test split is looked at once a run.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import torch

from mobile_app.core.files import write_whole
from training.augment.names import NAMES, full_names, parse_name
from training.errors import TrainingError
from training.evaluate.classifier import accuracy, predict
from training.models.checkpoint import Checkpoint, build
from training.recipes.flowers import FlowersConfig, TrainingSet, fingerprint, train_flowers, with_points

SPLITS = ("train", "val", "test")
CELL = "accuracy.json"
USES_POINTS = full_names(("advmask", "adv", "random_mask", "corner_mask"))  # where they lie, or how many there are


@dataclass(frozen=True, kw_only=True)
class TableConfig:
    """What is compared, and how each is trained."""

    run: FlowersConfig = FlowersConfig(size_px=64, test_size_px=64, crop=1.0, epochs=10)  # noqa: RUF009 (frozen)
    methods: tuple[str, ...] = NAMES
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        if not self.methods:
            raise ValueError(f"methods: expected some of {', '.join(NAMES)}, got none")
        for method in self.methods:
            try:
                parse_name(method)
            except ValueError as error:
                raise ValueError(f"methods: {error}") from None
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: expected one or more different numbers, got {self.seeds}")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method: the accuracy of each seed on each split, in percent."""

    method: str
    train: tuple[float, ...]
    val: tuple[float, ...]
    test: tuple[float, ...]


def compare_augmentations(
    config: TableConfig, data: TrainingSet, out: Path, *, report: Callable[[str], None] = lambda _line: None
) -> list[Row]:
    """Train and measure every cell that is not done yet; write out/table.csv and out/table.md.

    Returns: a row a method, in the order of the config.
    Raises: TrainingError if a folder of `out` holds a run of other settings.
    """
    cells: dict[tuple[str, int], dict[str, float]] = {}
    for seed in config.seeds:
        for method in config.methods:
            run = replace(config.run, augmentation=method, seed=seed)
            cells[method, seed] = _cell(run, data, out / f"{method}-{seed}", report)
            report(f"{method} seed {seed}: " + ", ".join(f"{k} {v:.2f} %" for k, v in cells[method, seed].items()))
    rows = [
        Row(method=method, **{split: tuple(cells[method, seed][split] for seed in config.seeds) for split in SPLITS})
        for method in config.methods
    ]
    write_whole(out / "table.csv", _csv(rows, config.seeds).encode(), force=True)
    write_whole(out / "table.md", as_markdown(rows).encode(), force=True)
    return rows


def as_markdown(rows: Sequence[Row]) -> str:
    """Mean and deviation over seeds, and by how much each is ahead of no augmentation on test photos, seed by seed."""
    lines = ["| method | train, % | val, % | test, % | test, ahead of none |", "|---|---|---|---|---|"]
    base = next((row for row in rows if row.method == "none"), None)
    for row in rows:
        ahead = "" if base is None else spread([a - b for a, b in zip(row.test, base.test, strict=True)], sign=True)
        lines.append(f"| {row.method} | {spread(row.train)} | {spread(row.val)} | {spread(row.test)} | {ahead} |")
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float], *, sign: bool = False) -> str:
    """`mean ± sample deviation`; the mean alone where there is one value."""
    text = f"{mean(values):+.2f}" if sign else f"{mean(values):.2f}"
    return text if len(values) < 2 else f"{text} ± {stdev(values):.2f}"


def standard_error(values: Sequence[float]) -> float:
    """Of the mean, from the sample deviation; nan for a single value."""
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def _cell(run: FlowersConfig, data: TrainingSet, folder: Path, report: Callable[[str], None]) -> dict[str, float]:
    if run.augmentation not in USES_POINTS:
        data = replace(data, points=None)
    data = with_points(run, data)
    wanted = fingerprint(run, data)
    try:
        stored = json.loads((folder / CELL).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        stored = None  # not done yet, or not whole
    if stored is not None:
        if stored["fingerprint"] != wanted:
            raise TrainingError(f"{folder}: holds a run with other settings or photos; name another --out or remove it")
        return stored["accuracy"]
    checkpoint = train_flowers(run, data, folder, report=report)
    found = {split: 100 * _accuracy(checkpoint, data, split) for split in SPLITS}
    write_whole(folder / CELL, json.dumps({"fingerprint": wanted, "accuracy": found}).encode(), force=True)
    (folder / "last.pt").unlink(missing_ok=True)
    return found


def _accuracy(checkpoint: Checkpoint, data: TrainingSet, split: str) -> float:
    rows = data.photos.rows(split)
    images = [data.photos.images[row] for row in rows]
    logits = predict(build(checkpoint), images, checkpoint.size_px, crop=checkpoint.crop)
    return accuracy(logits, torch.from_numpy(data.photos.labels[rows]), len(checkpoint.classes))


def _csv(rows: Sequence[Row], seeds: Sequence[int]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["method", "seed", *SPLITS])
    for row in rows:
        for position, seed in enumerate(seeds):
            writer.writerow([row.method, seed, *(f"{getattr(row, split)[position]:.4f}" for split in SPLITS)])
    return buffer.getvalue()
