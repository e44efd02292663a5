"""What a run has finished, one JSON line a photo in OUT/.petalveil.jsonl: how the same command goes on after a stop.

A line is written before its output. A stop between the two leaves a line whose output is missing, and the photo is done
again; never an output that nobody remembers. A line that was cut short is passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobile_app.core.errors import OutputError

NAME = ".petalveil.jsonl"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One finished photo."""

    source: str  # as it was given
    source_sha256: str
    settings_sha256: str
    output: str  # under the folder of the journal, with / between folders
    output_sha256: str
    row: dict[str, Any]  # of the report
    schema: int = SCHEMA


class Journal:
    """The entries of a folder, by output. A journal that cannot be read is an empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._entries = {entry.output: entry for line in _lines(self._path) if (entry := _parsed(line))}

    def finished(self, stem: str, source_sha256: str, settings_sha256: str) -> Entry | None:
        """The entry of a photo whose output is there as it was written, from the same source by the same settings."""
        for entry in self._entries.values():
            same = (entry.source_sha256, entry.settings_sha256) == (source_sha256, settings_sha256)
            if same and os.path.splitext(entry.output)[0] == stem and self.is_own(self._folder / entry.output):
                return entry
        return None

    def is_own(self, path: Path) -> bool:
        """Whether `path` is a file of this folder, as this journal last saw it."""
        entry = self._entries.get(path.relative_to(self._folder).as_posix())
        return entry is not None and sha256_of_file(path) == entry.output_sha256

    def remember(
        self,
        output: str,
        data: bytes,
        source: Path,
        source_sha256: str,
        settings_sha256: str,
        row: Mapping[str, Any],
    ) -> None:
        """Note that `output` is about to be written; on the disk before this returns.

        Raises: OutputError if the journal cannot be written.
        """
        entry = Entry(
            source=str(source),
            source_sha256=source_sha256,
            settings_sha256=settings_sha256,
            output=output,
            output_sha256=hashlib.sha256(data).hexdigest(),
            row=dict(row),
        )
        line = json.dumps(asdict(entry), allow_nan=False) + "\n"
        try:
            with open(self._path, "ab+") as file:
                file.seek(max(0, file.tell() - 1))
                if file.read(1) not in (b"", b"\n"):
                    line = "\n" + line  # the last line was cut short
                file.write(line.encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error.strerror}); choose another folder") from error
        self._entries[entry.output] = entry


def sha256_of_file(path: Path) -> str | None:
    """None for what is no file, or cannot be read."""
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def sha256_of_json(content: Mapping[str, Any]) -> str:
    """One hash for equal contents, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError:
        return []


def _parsed(line: bytes) -> Entry | None:
    try:
        fields = json.loads(line)
        return Entry(**fields) if fields.get("schema") == SCHEMA and isinstance(fields.get("row"), dict) else None
    except (ValueError, TypeError, AttributeError):
        return None
