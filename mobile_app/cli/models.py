"""What --bundle names, opened."""

from __future__ import annotations

from pathlib import Path

from mobile_app.core.bundle import DEFAULT_ROOT, Bundle, load_bundle


def open_bundle(root: Path | None) -> Bundle:
    """The bundle at `root`, or the one that comes along. Raises: BundleError."""
    return load_bundle(DEFAULT_ROOT if root is None else root)
