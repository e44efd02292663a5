"""Arguments of the protocol: how often does a cloak work, on whom, after what, and how visible is it."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    about = "attacks x judges x recompressions: CSV, tables and plots; goes on where it stopped"
    command = commands.add_parser("evaluate", help=about, description=about)
    command.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/, judges/, weights/")
    command.add_argument("--out", type=Path, default=Path("runs/evaluate"), help="folder for results and tables")
    command.add_argument("--photos", type=int, help="at most so many of each set, drawn by the seed (default: all)")
    command.add_argument(
        "--sets",
        nargs="+",
        default=["nips17", "photos"],
        metavar="NAME",
        help="nips17, photos, or nips17-tuning, photos-tuning: those on which settings are "
        "chosen, which the first two leave out (default: nips17 photos)",
    )
    command.add_argument(
        "--attacks",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names; a wrong one lists them (default: all); gradient:NETWORK+NETWORK follows others than the bundle's: "
        "lite0, lite1, squeezenet, darknet_tiny, or model.pt files of `surrogate`",
    )
    command.add_argument("--judges", nargs="+", default=[], help="names; a wrong one lists them (default: all)")
    command.add_argument("--grid", nargs="+", default=["full"], help="quick, full or names of recompressions")
    command.add_argument("--strength", default="medium", help="low, medium or high: 4, 8 or 12 levels")
    command.add_argument("--steps", type=int, default=19, help="of the attacks that take steps (default 19)")
    command.add_argument(
        "--rounds", type=int, default=3, help="of steps that `gradient` may take where a photo resists (default 3)"
    )
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from training.recipes.evaluate_cloaks import EvaluateConfig, evaluate_cloaks

    config = EvaluateConfig(
        photos=options.photos,
        sets=tuple(options.sets),
        attacks=tuple(options.attacks),
        judges=tuple(options.judges),
        grid=tuple(options.grid),
        strength=options.strength,
        steps=options.steps,
        rounds=options.rounds,
        seed=options.seed,
    )

    def report(line: str) -> None:
        print(line, flush=True)

    path = evaluate_cloaks(options.shared, options.out, config, command=_typed(options), report=report)
    print(f"written: {path}")
    return 0


def _typed(options: argparse.Namespace) -> str:
    """The command that gives the same table, every choice spelt out but the folders."""
    words = ["python", "-m", "training", "evaluate"]
    for name in ("photos", "sets", "attacks", "judges", "grid", "strength", "steps", "rounds", "seed"):
        value = getattr(options, name)
        if value not in (None, []):
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return shlex.join(words)
