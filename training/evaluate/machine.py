"""What a table was measured on, in one line."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path


def machine() -> str:
    """Processor, cores, system, and the versions that decide on speed."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = f"{names[0]}, {len(names)} cores" if names else cpu
    versions = [f"{name} {metadata.version(name)}" for name in ("onnxruntime", "torch", "pillow") if _installed(name)]
    return ", ".join([cpu, platform.system(), f"Python {platform.python_version()}", *versions])


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
