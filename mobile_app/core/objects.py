"""What people call the things that the object network knows: content/objects.json, by the labels of the bundle.

The labels are ImageNet's, many of them words that nobody says ("beach wagon", "Madagascar cat"); they stay what the
command line and its reports use.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mobile_app.core.articles import LANGUAGES
from mobile_app.core.content import read_object
from mobile_app.core.errors import BundleError

DEFAULT_PATH = Path(__file__).parent.parent / "content" / "objects.json"


@cache
def load_object_names(path: Path = DEFAULT_PATH) -> dict[str, dict[str, str]]:
    """label -> language -> name. Raises: BundleError naming the entry that is wrong; no two labels share a name."""
    found = read_object(path)
    owners: dict[tuple[str, str], str] = {}
    for label, names in found.items():
        if not isinstance(names, dict) or set(names) != set(LANGUAGES):
            raise BundleError(f"{path.name}: {label}: expected names in {', '.join(LANGUAGES)}; restore the file")
        for language, name in names.items():
            if not isinstance(name, str) or not name.strip() or name != name.strip():
                raise BundleError(f"{path.name}: {label}: expected a name, found {name!r}; restore the file")
            owner = owners.setdefault((language, name), label)
            if owner != label:
                raise BundleError(
                    f"{path.name}: {label}: expected a name of its own, found that of {owner}; restore the file"
                )
    return found
