"""What figures were measured on: device, system, versions, the bundle, and the commit where this is a checkout."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobile_app.core.bundle import Bundle
from mobile_app.core.versions import versions

_ROOT = Path(__file__).parents[3]
_MODELS = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))
# These together are a machine; where one differs, figures are of two machines.
MACHINE = ("device", "system", "machine", "processor", "cores")


def environment(bundle: Bundle, *, device: str | None = None) -> dict[str, Any]:
    """The machine, as far as it tells.

    Args:
        device: its name, where the caller can ask the system for it; None takes the model that Linux knows.
    Raises: GraphError if there is no runtime.
    """
    return {
        "versions": versions(),
        "device": device or _model(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "commit": commit(),
        "bundle": {"version": bundle.version, "sha256": bundle_sha256(bundle)},
    }


def bundle_sha256(bundle: Bundle) -> str:
    """One hash for all files of a bundle: of the sorted lines `<sha256>  <name>`, as sha256sum prints them."""
    lines = sorted(f"{sha256}  {name}\n" for name, sha256 in bundle.sha256.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def commit(root: Path = _ROOT) -> str | None:
    """The commit of the checkout at `root`, with "+" behind it where tracked files were changed since.

    None where `root` is no checkout, a folder within one, or git is not there.
    """
    if not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return None if head is None else head + ("+" if changed else "")


def _git(root: Path, *words: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _model() -> str | None:
    for path in _MODELS:
        try:
            return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
        except OSError:
            continue
    return None


def _processor() -> str | None:
    if sys.platform.startswith("linux"):
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return None
        fields: Mapping[str, str] = {
            name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        return fields.get("model name") or fields.get("Hardware")
    return platform.processor() or None
