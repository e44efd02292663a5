"""What the device tells of its heat, its energy, and how long this process waited for a core; None where it does not.

Linux tells by files under /sys/class, which phones and virtual machines keep from programs. Android tells by its
PowerManager, which is the app's to ask: Sensors(status=...) takes a function for it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_SYS = Path("/sys/class")
_THREADS = Path("/proc/self/task")
_CREDIBLE_C = (-40.0, 150.0)
HOT = ("moderate", "severe", "critical", "emergency", "shutdown")  # of Android's names: it slows the processor down


@dataclass(frozen=True, kw_only=True)
class Reading:
    """At one moment."""

    temperature_c: float | None = None  # of the hottest zone
    thermal_status: str | None = None  # Android's name: none, light, moderate, severe, critical, emergency, shutdown
    waits_ms: dict[str, float] = field(default_factory=dict)  # that each thread was ready to run and had no core
    counters_uj: dict[str, tuple[int, int]] = field(default_factory=dict)  # of packages: (so far, where it wraps)


class Sensors:
    """Args: status: asks the system for its thermal status; root, threads: where Linux has its files."""

    def __init__(
        self, *, status: Callable[[], str | None] = lambda: None, root: Path = _SYS, threads: Path = _THREADS
    ) -> None:
        self._status, self._root, self._threads = status, root, threads

    def read(self) -> Reading:
        return Reading(
            temperature_c=self._temperature(),
            thermal_status=self._status(),
            waits_ms=self._waits(),
            counters_uj=dict(self._counters()),
        )

    def _temperature(self) -> float | None:
        zones = (_whole(path) for path in sorted(self._root.glob("thermal/thermal_zone*/temp")))
        degrees = [millidegrees / 1000 for millidegrees in zones if millidegrees is not None]
        return max((value for value in degrees if _CREDIBLE_C[0] < value < _CREDIBLE_C[1]), default=None)

    def _waits(self) -> dict[str, float]:
        """The second number of each thread's schedstat, in nanoseconds.

        The main thread is left out where another one measures: then it draws a screen.
        """
        main = "" if threading.get_native_id() == os.getpid() else str(os.getpid())
        found = {path.parent.name: _words(path) for path in self._threads.glob("*/schedstat")}
        return {
            thread: int(words[1]) / 1e6
            for thread, words in found.items()
            if thread != main and len(words) == 3 and words[1].isdigit()
        }

    def _counters(self) -> list[tuple[str, tuple[int, int]]]:
        """Of whole packages alone: their parts, `intel-rapl:0:1`, are counted in them."""
        found = []
        for folder in sorted(self._root.glob("powercap/*")):
            if re.fullmatch(r"[a-z-]+:\d+", folder.name):
                now, top = _whole(folder / "energy_uj"), _whole(folder / "max_energy_range_uj")
                if now is not None:
                    found.append((folder.name, (now, top or 0)))
        return found


def energy_mj(before: Reading, after: Reading) -> float | None:
    """Millijoules between two readings, of the whole machine; None where a counter is missing or went back."""
    shared = before.counters_uj.keys() & after.counters_uj.keys()
    if not shared:
        return None
    total = 0
    for name in shared:
        (first, top), (last, _) = before.counters_uj[name], after.counters_uj[name]
        if last < first and not top:
            return None
        total += last - first + (top if last < first else 0)
    return total / 1000


def waited_ms(before: Reading, after: Reading) -> float | None:
    """Milliseconds between two readings that the thread that waited longest was ready and had no core; None if unknown.

    The longest, because threads that share a run wait for one another. Threads that began or ended since do not count.
    """
    shared = before.waits_ms.keys() & after.waits_ms.keys()
    return max((after.waits_ms[thread] - before.waits_ms[thread] for thread in shared), default=None)


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").split()
    except OSError:  # a thread that has just ended
        return []


def _whole(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii", errors="replace"))
    except (OSError, ValueError):
        return None
