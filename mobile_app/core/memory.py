"""How much memory this process holds, in MB of 2^20 bytes; None where the system does not say."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_mb() -> float | None:
    """What lies in memory now. Linux and Android alone."""
    return _status("VmRSS:")


def peak_mb() -> float | None:
    """The most that ever lay in memory, since forget_peak where that worked."""
    peak = _status("VmHWM:")
    return _peak_by_resource() if peak is None else peak


def forget_peak() -> bool:
    """Let the peak start from now; whether that is possible. Linux alone."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def give_back() -> bool:
    """Hand what was freed, and C's allocator kept, to the system; whether that is possible. glibc alone."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows takes no None
        return False
    trim(0)
    return True


def _status(field: str) -> float | None:
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), None)


def _peak_by_resource() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
