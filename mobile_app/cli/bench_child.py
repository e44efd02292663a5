"""One row of the bench in a process of its own, so that its peak of memory is its own.

    python -m mobile_app.cli.bench_child '{"kind": "photo", ...}'       # prints the row as JSON

`measure_apart` starts it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mobile_app.core.bench import BenchConfig
from mobile_app.core.errors import PetalveilError

_INTERRUPTED = 130


class ChildError(PetalveilError):
    """What stopped the measurement in the other process, as it said it."""


def measure_apart(job: dict[str, Any], config: BenchConfig) -> dict[str, Any]:
    """Measure one row in a new process.

    Args:
        job: kind, name, threads, bundle (a folder), and for a photo source, target and megapixels.
    Raises: ChildError with the sentence that the process ended with.
    """
    words = [sys.executable, "-m", "mobile_app.cli.bench_child", json.dumps({**job, "config": asdict(config)})]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode == _INTERRUPTED:
        raise KeyboardInterrupt
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()
        reason = said[-1] if said else f"the process ended with {result.returncode}; perhaps memory ran out"
        raise ChildError(f"{job['kind']} {job['name']}: {reason}")
    return json.loads(result.stdout)


def row_of(job: dict[str, Any], config: BenchConfig) -> dict[str, Any]:
    """A row, measured in this process. Raises: PetalveilError."""
    from mobile_app.cli.models import open_bundle
    from mobile_app.core.bench.rows import engine_row, graph_row

    bundle = open_bundle(Path(job["bundle"]))
    if job["kind"] == "photo":
        return _photo_row(bundle, job, config)
    make = graph_row if job["kind"] == "graph" else engine_row
    return make(bundle, job["name"], job["threads"], config)


def _photo_row(bundle: Any, job: dict[str, Any], config: BenchConfig) -> dict[str, Any]:
    """Reading a photo, cloaking it and writing it, as `petalveil cloak` does."""
    from mobile_app.cli.protect import Settings, protect
    from mobile_app.core.bench.measuring import measure_job
    from mobile_app.core.bench.rows import EngineLoader, engine_facts, for_long_runs, row
    from mobile_app.core.cloak import ONE_ROUND
    from mobile_app.core.engines import Engine
    from mobile_app.core.files import write_whole
    from mobile_app.core.photo import decode

    source, target = Path(job["source"]), Path(job["target"])
    settings = Settings(engine=job["name"], step=ONE_ROUND)
    loader = EngineLoader(bundle, job["name"], job["threads"])
    parts: list[dict[str, float]] = []

    def prepare(engine: Engine) -> Callable[[], None]:
        def run() -> None:
            result = protect(source, lambda _megapixels: (engine, settings.step), settings)
            encoded = time.perf_counter()
            write_whole(target, result.data, force=True)
            parts.append({**result.row["seconds"], "write": time.perf_counter() - encoded})

        return run

    found, _ = measure_job(loader.load, prepare, for_long_runs(config))
    decode(target)  # a file that cannot be read back is no result
    # Of the run in the middle, so that they add up to its time: medians of each part may come from different runs.
    measured = sorted(parts[-found.latency.n :], key=lambda one: sum(one.values()))
    middle = {name: round(seconds * 1e3, 1) for name, seconds in measured[(len(measured) - 1) // 2].items()}
    facts = {**engine_facts(bundle, job["name"]), "runtime": loader.runtime}
    return row(
        "photo", job["name"], job["threads"], found, {**facts, "megapixels": job["megapixels"], "parts_ms": middle}
    )


def main() -> int:
    job = json.loads(sys.argv[1])
    try:
        found = row_of(job, BenchConfig(**job.pop("config")))
    except PetalveilError as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print("not enough memory; close other programs or measure a smaller photo", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    print(json.dumps(found, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
