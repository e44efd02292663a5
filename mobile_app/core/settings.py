"""What a person chose, kept as one JSON file; and any other small JSON document that has to survive a restart.

A file that is missing, damaged or of another version gives the defaults: settings are never worth an error at start.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole

LANGUAGES = ("system", "en", "zh")
THEMES = ("system", "light", "dark")
STRENGTHS = ("low", "medium", "high")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The choices; each has a default that suits most."""

    language: str = "system"
    theme: str = "system"
    strength: str = "medium"
    engine: str = "gradient"  # or "within", which takes as many of its steps as fit into a time
    posting: str = ""  # id of a preset of simulated posting; empty: the first
    keeps_flowers: bool = True  # a recognised flower goes into the list, with a thumbnail
    knows_app: bool = False  # the explanation of the first run was read

    def __post_init__(self) -> None:
        for name, known in (("language", LANGUAGES), ("theme", THEMES), ("strength", STRENGTHS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        for name, kind in (("engine", str), ("posting", str), ("keeps_flowers", bool), ("knows_app", bool)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name}: expected a {kind.__name__}, got {getattr(self, name)!r}")


def load_settings(path: Path) -> Settings:
    """The settings in a file; a field that is not understood has its default."""
    content = read_json(path)
    known = {field.name for field in dataclasses.fields(Settings)}
    settings = Settings()
    for name, value in content.items() if isinstance(content, dict) else ():
        if name in known:
            try:
                settings = dataclasses.replace(settings, **{name: value})
            except ValueError:
                continue
    return settings


def save_settings(path: Path, settings: Settings) -> None:
    """Raises: OutputError if the file cannot be written."""
    write_json(path, dataclasses.asdict(settings))


def read_json(path: Path) -> Any:
    """What a JSON file holds; None if it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all, its folder too. Raises: OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent}: this folder cannot be made ({error.strerror})") from error
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    write_whole(path, text.encode("utf-8", "backslashreplace"), force=True)
