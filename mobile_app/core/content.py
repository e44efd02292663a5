"""The files of mobile_app/content are JSON objects: read here, checked by those who know what stands in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mobile_app.core.errors import BundleError


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object with one entry or more. Raises: BundleError naming the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name}: cannot be read ({error}); restore the file") from error
    if not isinstance(content, dict) or not content:
        raise BundleError(f"{path.name}: expected an object with entries; restore the file")
    return content
