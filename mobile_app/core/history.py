"""What was done lately, newest first, in a JSON file of bounded length: protected photos, runs of the benchmark.

An entry is a dict with an `id`; files that belong to it lie in a folder of that name beside the list and go with it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from mobile_app.core.settings import read_json, write_json

LIST = "list.json"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

Entry = dict[str, Any]


class History:
    """The entries in a folder. Args: most: how many are kept; the oldest go first."""

    def __init__(self, folder: Path, *, most: int) -> None:
        if most < 1:
            raise ValueError(f"most: expected 1 or more, got {most}")
        self.folder, self._most = folder, most

    def entries(self) -> list[Entry]:
        """Newest first; none where the list is missing or damaged."""
        content = read_json(self.folder / LIST)
        if not isinstance(content, list):
            return []
        return [entry for entry in content if isinstance(entry, dict) and _is_id(entry.get("id"))]

    def find(self, entry_id: str) -> Entry | None:
        return next((entry for entry in self.entries() if entry["id"] == entry_id), None)

    def files(self, entry_id: str) -> Path:
        """The folder for the files of an entry, made if it is not there. Raises: ValueError if the id is none."""
        if not _is_id(entry_id):
            raise ValueError(f"id: expected letters, digits, - and _, got {entry_id!r}")
        folder = self.folder / entry_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def add(self, entry: Entry) -> None:
        """Put an entry in front, in place of one with its id. Raises: OutputError, ValueError if the id is none."""
        if not _is_id(entry.get("id")):
            raise ValueError(f"id: expected letters, digits, - and _, got {entry.get('id')!r}")
        others = [other for other in self.entries() if other["id"] != entry["id"]]
        kept, gone = [entry, *others][: self._most], [entry, *others][self._most :]
        write_json(self.folder / LIST, kept)
        for old in gone:
            shutil.rmtree(self.folder / old["id"], ignore_errors=True)

    def update(self, entry: Entry) -> None:
        """Put an entry in the place of the one with its id; nothing happens if that is gone. Raises: OutputError."""
        entries = self.entries()
        if any(old["id"] == entry["id"] for old in entries):
            write_json(self.folder / LIST, [entry if old["id"] == entry["id"] else old for old in entries])

    def remove(self, entry_id: str) -> None:
        """Forget an entry and its files; nothing happens if it is not there. Raises: OutputError."""
        entries = self.entries()
        kept = [entry for entry in entries if entry["id"] != entry_id]
        if len(kept) < len(entries):
            write_json(self.folder / LIST, kept)
            shutil.rmtree(self.folder / entry_id, ignore_errors=True)

    def erase(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def size_bytes(self) -> int:
        """What it all takes on the disk."""
        return folder_bytes(self.folder)


def folder_bytes(folder: Path) -> int:
    """The bytes of all files under a folder; 0 where there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
