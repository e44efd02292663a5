"""Arguments of `python -m training universal` and `generator`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.options import add_numbers, typed_command

_SURROGATES = ("lite0", "lite1", "squeezenet")


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    for kind, about in (
        ("universal", "train one perturbation for all photos"),
        ("generator", "train a network that writes a photo's perturbation in one pass"),
    ):
        parser = commands.add_parser(kind, help=about, description=f"{about}; goes on where it stopped")
        parser.add_argument(
            "--photos",
            nargs="+",
            required=True,
            metavar="FOLDER[:BYTE]",
            help="folders of photos; with a byte, those alone whose sha256 begins below it",
        )
        parser.add_argument(
            "--surrogates",
            nargs="+",
            default=list(_SURROGATES),
            metavar="NAME",
            help=f"classifiers to deceive: {', '.join(_SURROGATES)}, or darknet_tiny from --shared (default: the first "
            "three)",
        )
        parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with judges/ and weights/")
        parser.add_argument("--out", type=Path, default=Path(f"runs/{kind}"), metavar="FOLDER")
        add_numbers(parser, _NUMBERS, _ABOUT)
        if kind == "generator":
            parser.add_argument("--universal", type=Path, metavar="MODEL.pt", help="a perturbation to start from")
        parser.set_defaults(run=_run, kind=kind)


# Written out so that --help loads nothing heavy; a test holds them to OnePassConfig.
_NUMBERS: dict[str, Any] = {
    "steps": 3000,
    "batch": 8,
    "learning_rate": 6e-4,
    "stride": 0.06,
    "margin": 2.0,
    "views_a_photo": 4,
    "seed": 0,
}
_ABOUT = {
    "learning_rate": "of a generator",
    "stride": "of a universal perturbation, at first",
    "margin": "in logits, by which another class should win",
}


def _run(options: argparse.Namespace) -> int:
    from training.recipes.one_pass import MODEL, OnePassConfig, train_one_pass
    from training.recipes.surrogates import open_surrogates

    config = OnePassConfig(kind=options.kind, **{name: getattr(options, name) for name in _NUMBERS})
    train_one_pass(
        config,
        options.photos,
        open_surrogates(options.surrogates, options.shared),
        options.out,
        universal=getattr(options, "universal", None),
        command=typed_command(),
        report=lambda line: print(line, flush=True),
    )
    print(f"written: {options.out / MODEL}")
    return 0
