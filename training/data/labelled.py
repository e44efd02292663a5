"""A folder of photos with `labels.csv`: (path, class index) of each, in the order of the table."""

from __future__ import annotations

import csv
from pathlib import Path

from training.errors import TrainingError


def read_labelled(folder: Path) -> list[tuple[Path, int]]:
    """Read the columns `file` and `class_index` of `folder/labels.csv`; others may stand beside them.

    Raises: TrainingError if the folder, the table, a column or a photo is missing, or a class is no whole number.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder of labelled photos; check the path")
    table = folder / "labels.csv"
    if not table.is_file():
        raise TrainingError(
            f"{table}: missing; a folder of labelled photos needs it, with columns file and class_index"
        )
    with table.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        for column in ("file", "class_index"):
            if column not in (reader.fieldnames or ()):
                found = ", ".join(reader.fieldnames or ()) or "none"
                raise TrainingError(f"{table}: expected the column {column}, found {found}")
        return [_entry(row, table, reader.line_num) for row in reader]


def _entry(row: dict[str, str], table: Path, line: int) -> tuple[Path, int]:
    path = table.parent / (row["file"] or "")
    if not path.is_file():
        raise TrainingError(f"{table}, line {line}: {row['file']!r} is not in the folder; remove the line or add it")
    try:
        label = int(row["class_index"])
    except (TypeError, ValueError):
        label = -1
    if label < 0:
        raise TrainingError(
            f"{table}, line {line}: class_index: expected a whole number from 0, got {row['class_index']!r}"
        )
    return path, label
