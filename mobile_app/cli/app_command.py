"""`petalveil app`: the app in a window of the desk."""

from __future__ import annotations

import argparse
import importlib.util

from mobile_app.core.errors import PetalveilError

_WANTED = ("kivy", "filetype")  # Kivy 2.3.1 imports the second without asking for it


def run(options: argparse.Namespace) -> int:
    """Open the app. Returns: 0 when it was closed. Raises: PetalveilError if Kivy is not installed."""
    missing = [name for name in _WANTED if importlib.util.find_spec(name) is None]
    if missing:
        raise PetalveilError(
            f"the app needs {' and '.join(missing)}, not installed here; run `make app` or pip install 'petalveil[app]'"
        )
    from mobile_app.ui import start

    start.run(options.size or start.SIZE_PX)
    return 0
