"""The versions that have a part in a result, for reports."""

from __future__ import annotations

import platform

import numpy as np
import PIL

from mobile_app import __version__
from mobile_app.core.runtime import runtime_label


def versions() -> dict[str, str]:
    """By name. Raises: GraphError if there is no runtime."""
    return {
        "petalveil": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "runtime": runtime_label(),
    }
