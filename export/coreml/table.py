"""What `python -m export coreml` measured: a table to read, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mobile_app
from export.parity import ParityRow
from mobile_app.core.files import write_whole

TABLE = "coreml.md"
JSON = "coreml.json"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One package."""

    graph: str
    precision: str
    size_bytes: int
    rows: tuple[ParityRow, ...]
    signs: float | None
    deviation: float
    seconds: float  # to convert, compress and write

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)

    def line(self) -> str:
        cosines = ", ".join(f"{row.output} {row.cosine:.5f}" for row in self.rows)
        signs = "" if self.signs is None else f", same signs {self.signs:.1%}"
        refused = "" if self.ok else f"; left out: expected a cosine of {self.rows[0].lowest_cosine}"
        size = f"{self.size_bytes / 1e6:.1f} MB in {self.seconds:.0f} s"
        return f"{self.graph}, {self.precision}: {size}, lowest cosine {cosines}{signs}{refused}"

    def as_dict(self) -> dict[str, object]:
        return {
            "graph": self.graph,
            "precision": self.precision,
            "bytes": self.size_bytes,
            "written": self.ok,
            "same signs": self.signs,
            "deviation": self.deviation,
            "seconds": round(self.seconds, 1),
            "parity": [row.as_dict() for row in self.rows],
        }


def write_tables(out: Path, entries: Sequence[Entry]) -> None:
    """Write both into the folder, which is made; what they said of other packages, which are still there, they keep.

    Raises: OutputError if they cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    made = {(entry.graph, entry.precision) for entry in entries}
    entries = [*(entry for entry in _present(out / JSON) if (entry.graph, entry.precision) not in made), *entries]
    write_whole(out / TABLE, markdown(entries).encode(), force=True)
    content = {"schema": SCHEMA, "version": mobile_app.__version__, "packages": [entry.as_dict() for entry in entries]}
    write_whole(out / JSON, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode(), force=True)


def _present(path: Path) -> list[Entry]:
    """What an earlier run measured; nothing if it cannot be read, for then it is written anew."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [_entry(fields) for fields in content["packages"] if content["schema"] == SCHEMA]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _entry(fields: Mapping[str, Any]) -> Entry:
    return Entry(
        graph=fields["graph"],
        precision=fields["precision"],
        size_bytes=fields["bytes"],
        rows=tuple(ParityRow(**row) for row in fields["parity"]),
        signs=fields["same signs"],
        deviation=fields["deviation"],
        seconds=fields["seconds"],
    )


def markdown(entries: Sequence[Entry]) -> str:
    """One row a package and output."""
    lines = [
        "| graph | precision | MB | output | lowest cosine | median error | same signs | images | needed | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        for row in entry.rows:
            signs = f"{entry.signs:.1%}" if entry.signs is not None and row.output == "grad" else ""
            lines.append(
                f"| {entry.graph} | {entry.precision} | {entry.size_bytes / 1e6:.1f} | {row.output} | {row.cosine:.5f} "
                f"| {row.relative:.1e} | {signs} | {row.images} | {row.lowest_cosine} "
                f"| {'' if row.ok else 'left out'} |"
            )
    return "\n".join(lines) + "\n"
