"""How long the app takes from nothing to a Home that can be tapped: wall-clock and CPU time of fresh processes.

    python tests/benchmarks/app_start.py --runs 7

Software rendering, no display. The first run fills the file cache and is not counted. Where other programs run, the CPU
time says more than the wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_CHILD = """
import json, sys, time
from pathlib import Path
from mobile_app.ui import start

start.prepare()
from kivy.clock import Clock
from mobile_app.ui.app import PetalveilApp
from mobile_app.ui.platform.desktop import Desktop

app = PetalveilApp(system=Desktop(Path(sys.argv[1])))
frames = []

def look(_dt):
    frames.append(None)
    if len(frames) == 2:  # the first was drawn
        modules = sorted(name for name in ("numpy", "PIL", "onnxruntime") if name in sys.modules)
        print(json.dumps({"at": time.time(), "cpu_s": time.process_time(), "modules": modules}))
        app.stop()

app.bind(on_start=lambda _app: Clock.schedule_interval(look, 0))
app.run()
"""


def main() -> None:
    """Print the median and the range."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    rows = [_start() for _ in range(options.runs + 1)][1:]
    facts = {
        "runs": options.runs,
        "wall_s": _spread([row["wall_s"] for row in rows]),
        "cpu_s": _spread([row["cpu_s"] for row in rows]),
        "loaded_at_start": rows[0]["modules"],
        "load_average": os.getloadavg(),
    }
    print(json.dumps(facts, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _start() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {"SDL_VIDEODRIVER": "offscreen", "KIVY_HOME": home, "XDG_DATA_HOME": home}
        began = time.time()
        command = [sys.executable, "-c", _CHILD, home]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    facts = json.loads(done.stdout.splitlines()[-1])
    return {**facts, "wall_s": facts["at"] - began}


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}


if __name__ == "__main__":
    main()
