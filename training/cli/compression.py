"""Arguments of `python -m training compression` and `comreadv-table`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.options import add_numbers, typed_command


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    _register_compression(commands)
    _register_table(commands)


def _register_compression(commands: argparse._SubParsersAction[Any]) -> None:
    about = "train a network that does to a photo what a codec or a site does"
    parser = commands.add_parser("compression", help=about, description=f"{about}; goes on where it stopped")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--photos", type=Path, nargs="+", metavar="FOLDER", help="photos to compress by --codec")
    source.add_argument(
        "--pairs",
        type=Path,
        nargs=2,
        metavar=("ORIGINALS", "RETURNED"),
        help="photos before and after, matched by name",
    )
    parser.add_argument(
        "--codec",
        nargs="+",
        default=["jpeg:50"],
        metavar="CODEC",
        help="jpeg:75, jpeg:75:444, webp:50, avif:50, jpeg2000:20, 720+jpeg:75, jpeg:30-95; `paper` for those of the "
        "paper (default jpeg:50)",
    )
    parser.add_argument("--together", action="store_true", help="one model for all codecs, told which; else one each")
    parser.add_argument("--out", type=Path, default=Path("runs/commodel"), metavar="FOLDER")
    parser.add_argument(
        "--short-side-px", type=int, default=256, help="to which photos are brought down first (default 256)"
    )
    add_numbers(parser, _NUMBERS, _ABOUT)
    parser.add_argument(
        "--widths",
        type=int,
        nargs="*",
        default=[12, 24, 48],
        help="channels (default: 12 24 48); none: transforms alone",
    )
    parser.add_argument(
        "--transforms",
        type=int,
        nargs="*",
        metavar="PX",
        help="blocks before the encoder (default: those of the codec)",
    )
    parser.set_defaults(run=_run_compression)


# Written out so that --help loads nothing heavy; a test holds them to CompressionConfig.
_NUMBERS: dict[str, Any] = {
    "blocks": 1,
    "kinks": 16,
    "crop_px": 128,
    "crops_a_photo": 8,
    "epochs": 30,
    "batch": 6,
    "learning_rate": 1e-3,
    "curve_rate": 10.0,
    "seed": 0,
    "workers": 0,
}

_TESTED_ON = """
    jpeg:90 jpeg:75 jpeg:50 jpeg:25 jpeg:50:444 webp:75 webp:50 webp:25 jpeg2000:10 jpeg2000:20 180+jpeg:75
"""


def _register_table(commands: argparse._SubParsersAction[Any]) -> None:
    about = "measure ComReAdv and its rivals after real recompression"
    parser = commands.add_parser("comreadv-table", help=about, description=f"{about}; goes on where it stopped")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/")
    parser.add_argument("--out", type=Path, default=Path("runs/comreadv"), help="folder for results and tables")
    parser.add_argument("--network", default="efficientnet_lite0", help="the attacked one (default %(default)s)")
    parser.add_argument("--images", type=int, default=100, help="nips17 photos that it has right (default 100)")
    parser.add_argument(
        "--models", type=Path, nargs="*", default=[], metavar="COMMODEL", help="commodel.pt files to attack through"
    )
    parser.add_argument(
        "--attacks", nargs="+", default=["fgsm", "bim", "mi_fgsm"], help="fgsm, bim, mi_fgsm (default: all)"
    )
    parser.add_argument(
        "--codecs",
        nargs="+",
        default=_TESTED_ON.split(),
        help="recompressions to test on, beside none",
    )
    parser.add_argument(
        "--budget", type=float, help="largest change in levels (default: found, where plain MI-FGSM dies of JPEG 50)"
    )
    parser.add_argument("--steps", type=int, default=10, help="gradients a photo (default 10)")
    parser.add_argument("--stride", type=float, default=0.25, help="of a step, as a share of the budget (default 0.25)")
    parser.add_argument(
        "--until-reached", action="store_true", help="leave a photo alone as soon as the attack on it works"
    )
    parser.add_argument("--goals", nargs="+", default=["untargeted", "targeted"], help="untargeted, targeted")
    parser.add_argument(
        "--through", nargs="*", default=[], metavar="PART", help="only rows with such a part in their name"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(run=_run_table)


_ABOUT = {
    "blocks": "residual blocks at each width",
    "kinks": "of the curve of a coefficient in the transforms",
    "crop_px": "side of what is cut from photos",
    "crops_a_photo": "in an epoch",
    "epochs": "passes over the photos; 0: what the start gives",
    "curve_rate": "learning rate of the curves, times --learning-rate",
    "workers": "processes that compress",
}


def _run_compression(options: argparse.Namespace) -> int:
    from training.allocator import keep_freed_memory
    from training.recipes.compression_job import CompressionJob, run_compression

    keep_freed_memory()
    job = CompressionJob(
        photos=tuple(options.photos or ()),
        pairs=tuple(options.pairs) if options.pairs else None,
        codecs=tuple(options.codec),
        together=options.together,
        short_side_px=options.short_side_px,
        settings={
            **{name: getattr(options, name) for name in _NUMBERS},
            "widths": tuple(options.widths),
            "transforms": None if options.transforms is None else tuple(options.transforms),
        },
        out=options.out,
        command=typed_command(),
    )
    run_compression(job, report=lambda line: print(line, flush=True))
    return 0


def _run_table(options: argparse.Namespace) -> int:
    from training.recipes.comreadv_table import ComReAdvConfig, comreadv_table

    config = ComReAdvConfig(
        network=options.network,
        images=options.images,
        attacks=tuple(options.attacks),
        codecs=tuple(options.codecs),
        budget_levels=options.budget,
        steps=options.steps,
        stride=options.stride,
        until_reached=options.until_reached,
        goals=tuple(options.goals),
        through=tuple(options.through),
        seed=options.seed,
    )
    path = comreadv_table(
        options.shared, options.out, config, options.models, report=lambda line: print(line, flush=True)
    )
    print(f"written: {path}")
    return 0
