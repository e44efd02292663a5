"""The names of the flowers: an id, which is what a network was trained with, in; Latin, English and Chinese out.

Where an id covers a whole genus (roses, irises), the Latin name is that of the genus.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_app.core.content import read_object
from mobile_app.core.errors import BundleError

DEFAULT_PATH = Path(__file__).parent.parent / "content" / "species.json"

_ID = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
_FIELDS = ("latin", "english", "zh")


@dataclass(frozen=True, kw_only=True)
class Species:
    """One kind of flower; a name that is not known is None."""

    id: str
    english: str
    latin: str | None = None
    zh: str | None = None


def load_species(path: Path = DEFAULT_PATH) -> dict[str, Species]:
    """Every species by its id. Raises: BundleError naming the entry that is wrong."""
    found = {name: _checked(path.name, name, names) for name, names in read_object(path).items()}
    for field in _FIELDS:
        _refuse_equal(path.name, field, [getattr(species, field) for species in found.values()])
    return found


def named(name: str, known: Mapping[str, Species]) -> Species:
    """The species of an id; one that is not listed goes by its id, with spaces."""
    return known.get(name) or Species(id=name, english=name.replace("_", " "))


def _checked(file: str, name: str, names: Any) -> Species:
    if not _ID.fullmatch(name):
        raise BundleError(f"{file}: expected an id of small letters, digits and _, found {name!r}")
    if not isinstance(names, dict) or set(names) != set(_FIELDS):
        raise BundleError(f"{file}: {name}: expected the fields {', '.join(_FIELDS)}")
    for field, text in names.items():
        if not isinstance(text, str) or not text.strip() or text != text.strip():
            raise BundleError(f"{file}: {name}: expected a name as {field}, found {text!r}")
    return Species(id=name, **names)


def _refuse_equal(file: str, field: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BundleError(f"{file}: {field}: {twice[0]} stands for two flowers; every name is one flower's")
