"""Whether the screen keeps moving while photos are protected: the time that frames take, and memory over many photos.

    python tests/benchmarks/app_frames.py --photos 5 --megapixels 12

The app runs at 60 frames a second without a display, drawn by software at 412 x 915: from its start on, while what it
needs later is imported, then on the Protect page, where nothing is tapped and the worker protects photos. NumPy and
Pillow are first imported by the app itself. A frame over 50 ms is a stutter. `update` is what the app does in a
frame (timers, results, layout) and what it waits for the interpreter's lock; `draw` is OpenGL by software, which a
phone leaves to its graphics chip. Times for which the thread was ready and got no core, other programs having them,
are left out; `own` is the processor time of the screen's thread alone, which says most where other programs run, since
they also keep the worker from giving the lock back.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STUTTER_MS = 50.0


Frame = tuple[str, float, float, float]


def main() -> None:
    """Print a row for the idle app and one for the app at work, and the memory after each photo."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--megapixels", type=float, default=12.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only-write", type=Path, metavar="FILE", help="write the photo there, and no more")
    options = parser.parse_args()
    if options.only_write is not None:
        return _write_photo(options.only_write, options.megapixels)
    sys.path.insert(0, str(ROOT))
    harness = importlib.import_module("tests.mobile_app.ui.conftest")
    if (why_not := harness._why_not()) is not None:
        raise SystemExit(f"the app cannot be drawn: {why_not}")
    from kivy.base import runTouchApp

    runTouchApp(embedded=True)
    with tempfile.TemporaryDirectory() as folder:
        driver = harness.Driver(Path(folder))
        facts = _measure(driver, Path(folder), options.photos, options.megapixels)
        driver.stop()
    print(json.dumps(facts, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _measure(driver: Any, folder: Path, photos: int, megapixels: float) -> dict[str, Any]:
    from mobile_app.core.memory import resident_mb
    from mobile_app.ui.protection import Protection

    path = folder / "large.jpg"
    command = [sys.executable, __file__, "--only-write", str(path), "--megapixels", str(megapixels)]
    subprocess.run(command, check=True)
    app = driver.restart()
    end = time.perf_counter() + 4
    start = _frames(lambda: time.perf_counter() > end and not app.worker.is_busy, lambda: "start")
    driver.go("protect")
    model = app.model(Protection)
    end = time.perf_counter() + 2
    idle = _frames(lambda: time.perf_counter() > end, lambda: "idle")
    memory_idle = round(resident_mb() or 0)
    stages: list[Frame] = []
    memory, seconds = [], []
    for _ in range(photos):
        model.clear()
        model.pick([path])
        stages += _frames(lambda: model.photos[0].thumbnail is not None, lambda: "thumbnail")
        began = time.perf_counter()
        model.start()
        stages += _frames(lambda: model.phase == "done", lambda: model.progress.stage if model.progress else "end")
        stages += _frames(lambda: app.navigator.current._views is not None, lambda: "result")
        seconds.append(round(time.perf_counter() - began, 2))
        driver.back()
        memory.append(round(resident_mb() or 0))
    by_stage = {
        name: _row([row for row in stages if row[0] == name]) for name in dict.fromkeys(row[0] for row in stages)
    }
    return {
        "megapixels": megapixels,
        "seconds_a_photo": seconds,
        "start": _row(start),
        "idle": _row(idle),
        "at_work": _row(stages),
        "by_stage": by_stage,
        "memory_mb_idle": memory_idle,
        "memory_mb_after_each": memory,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
    }


def _frames(until: Callable[[], bool], stage: Callable[[], str]) -> list[Frame]:
    """(stage, ms of update, ms of draw, ms of processor time) of every frame until a condition holds."""
    from kivy.base import EventLoop
    from kivy.clock import Clock
    from kivy.core.window import Window

    Clock._max_fps = 0
    rows = []
    while not until():
        name, began, own = stage(), _Moment(), time.thread_time()
        Clock.tick()
        EventLoop.dispatch_input()
        Clock.tick_draw()
        updated = _Moment()
        if Window.canvas.needs_redraw:
            Window.dispatch("on_draw")
            Window.dispatch("on_flip")
        drawn = _Moment()
        rows.append((name, began.to(updated), updated.to(drawn), (time.thread_time() - own) * 1e3))
        time.sleep(max(0.0, 1 / 60 - began.to(drawn) / 1e3))
    return rows


class _Moment:
    def __init__(self) -> None:
        self.now, self.waited = time.perf_counter() * 1e3, _waited_ms()

    def to(self, later: _Moment) -> float:
        """The ms until then, without those in which other programs had the core."""
        return (later.now - self.now) - (later.waited - self.waited)


def _waited_ms() -> float:
    """For how long the screen's thread was ready to run and got no core, so far; Linux alone, else 0."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def _row(frames: list[Frame]) -> dict[str, Any]:
    if not frames:
        return {"frames": 0}
    return {
        "frames": len(frames),
        "whole": _spread([update + draw for _, update, draw, _ in frames]),
        "own": _spread([own for _, _, _, own in frames]),
        "update": _spread([update for _, update, _, _ in frames]),
        "draw": _spread([draw for _, _, draw, _ in frames]),
    }


def _spread(times_ms: list[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(times_ms, n=100, method="inclusive") if len(times_ms) > 1 else times_ms * 99
    return {
        "mean_ms": round(statistics.fmean(times_ms), 1),
        "p50_ms": round(hundredths[49], 1),
        "p99_ms": round(hundredths[98], 1),
        "max_ms": round(max(times_ms), 1),
        "over_50_ms": sum(ms > STUTTER_MS for ms in times_ms),
    }


def _write_photo(path: Path, megapixels: float) -> None:
    """The sample photo, enlarged and with grain, so that it compresses as a photo does."""
    import numpy as np
    from PIL import Image

    with Image.open(ROOT / "mobile_app" / "samples" / "coffee.jpg") as image:
        height = round((megapixels * 1e6 * 2 / 3) ** 0.5)
        large = image.convert("RGB").resize((height * 3 // 2, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).integers(-6, 7, (large.height, large.width, 1), dtype=np.int16)
    pixels = np.clip(np.asarray(large, np.int16) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=92)


if __name__ == "__main__":
    main()
