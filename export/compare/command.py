"""`python -m export compare`: options in, tables under --out and lines on stdout out."""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys

from export.compare.config import CompareConfig
from export.compare.run import compare_precisions
from export.graphs import Checkpoints
from export.kinds import KINDS
from export.precisions.variants import PRECISIONS
from training.evaluate.machine import machine


def compare(options: argparse.Namespace) -> int:
    """Returns: the exit code; 130 where the run was stopped, which the same command goes on with; 1 where a graph that
    the bundle has fails its parity row."""
    config = CompareConfig(
        out=options.out,
        graphs=tuple(options.graphs),
        precisions=tuple(options.precisions or PRECISIONS),
        calibration=options.calibration,
        labelled=options.labelled,
        checkpoints=Checkpoints(**{kind: getattr(options, kind) for kind in KINDS}),
        flower_calibration=options.flower_calibration,
        shared=options.shared,
        photos=options.photos,
        cloaks=options.cloaks,
        rounds=options.rounds,
        seed=options.seed,
    )
    try:
        rows = compare_precisions(config, facts=_facts(options), report=lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("export: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    for row in rows:
        print(f"{row.graph}, {row.precision}: {row.verdict}")
    print(f"written: {options.out / 'table.md'}")
    broken = [f"{row.graph} in {row.precision}" for row in rows if row.ships_now and row.variant and not row.parity_ok]
    if broken:
        print(f"export: {', '.join(broken)}: in the bundle, but its parity row fails; make it anew", file=sys.stderr)
    return 1 if broken else 0


def _facts(options: argparse.Namespace) -> dict[str, str]:
    photos = "the sample pictures of scikit-image and scikit-learn" if options.calibration is None else "a folder"
    return {
        "made by": f"`{_typed(options)}`",
        "machine": machine(),
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "calibrated on": photos,
        "times": "processor milliseconds of one call on one thread, the precisions in turn; ratio to float32",
        "bold": "what the bundle ships now",
    }


def _typed(options: argparse.Namespace) -> str:
    """The command that gives the same table."""
    words = ["python", "-m", "export", "compare"]
    for name in ("graphs", "precisions", "calibration", "labelled", *KINDS, "flower_calibration", "photos",
                 "cloaks", "rounds", "seed"):  # fmt: skip
        value = getattr(options, name)
        if value not in (None, []):
            words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)
