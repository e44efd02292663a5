"""What a comparison has measured, one small JSON file a cell, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mobile_app.core.files import write_whole


class Cells:
    """Cells in a folder. The name of a file is a hash of all that its content depends on."""

    def __init__(self, folder: Path, on_cell: Callable[[str], None] = lambda _title: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._on_cell = on_cell

    def get(
        self, kind: str, key: Any, make: Callable[[], Any], is_valid: Callable[[Any], bool] = lambda _content: True
    ) -> Any:
        """The content of a cell: read if it is there, else made and kept. A file that does not read is made again.

        Args:
            key: what it depends on, as JSON.
            make: gives the content, as JSON.
            is_valid: of a content that was read; else it is made again.
        """
        stem = hashlib.sha256(json.dumps([kind, key], sort_keys=True).encode()).hexdigest()[:24]
        path = self._folder / f"{kind}-{stem}.json"
        content = _read(path)
        if content is None or not is_valid(content):
            content = make()
            write_whole(path, json.dumps(content, indent=1).encode(), force=True)
        self._on_cell(kind)
        return content


def sha256_of(path: Path) -> str:
    """Of a file's content, shortened."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
