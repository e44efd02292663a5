"""Arguments of `python -m training flowers` and `flower-labels`."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

FLOWERS102 = "flowers102"


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    flowers = commands.add_parser(
        "flowers",
        help="train and measure a flower classifier",
        description="Fine-tune a classifier on folders of class folders, calibrate it, measure it on its test split.",
    )
    add_data(flowers)
    flowers.add_argument(
        "--background", type=Path, nargs="*", default=[], metavar="FOLDER", help="photos of other things, to learn from"
    )
    flowers.add_argument("--others", type=Path, metavar="FOLDER", help="photos of other things, to be refused")
    flowers.add_argument(
        "--others-share",
        type=float,
        default=0.0,
        metavar="X",
        help="share of --others, chosen by content, that is learnt from instead of measured (default 0)",
    )
    flowers.add_argument(
        "--test-sizes",
        type=int,
        nargs="*",
        default=[256],
        metavar="PX",
        help="sizes at which the network may be used, besides --test-size-px; validation photos choose (default: 256)",
    )
    add_points(flowers)
    flowers.add_argument("--data-licence", default="", metavar="TEXT", help="of the photos, for the model card")
    flowers.add_argument("--out", type=Path, default=Path("runs/flowers"), metavar="FOLDER")
    add_run(flowers, {})
    flowers.set_defaults(run=_flowers)
    labels = commands.add_parser(
        "flower-labels",
        help="list the photos whose folder looks wrong",
        description="Predict each photo by a model that has not seen it; list and show the doubtful ones.",
    )
    add_data(labels)
    labels.add_argument("--out", type=Path, default=Path("runs/flower-labels"), metavar="FOLDER")
    labels.set_defaults(run=_labels)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Where the photos come from."""
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="FOLDER",
        help=f"folders with a folder a class; or {FLOWERS102}, which is downloaded",
    )
    parser.add_argument(
        "--keep-faults", action="store_true", help="leave labels that are known to be wrong as the folders have them"
    )


def add_points(parser: argparse.ArgumentParser) -> None:
    """Where AdvMask's points come from."""
    parser.add_argument(
        "--points", type=Path, default=Path("runs/points"), metavar="FOLDER", help="kept sensitive points of photos"
    )
    parser.add_argument(
        "--points-network",
        type=Path,
        metavar="CHECKPOINT",
        help="base model on which the points are found (default: one is trained first, in POINTS/base)",
    )


def add_run(parser: argparse.ArgumentParser, changed: dict[str, Any]) -> None:
    """An option for every field of FlowersConfig, with other defaults where `changed` has them."""
    for name, kind, default in _FIELDS:
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=changed.get(name, default), help="(default: %(default)s)"
        )


# Written out so that --help loads nothing heavy; a test holds them to FlowersConfig.
_FIELDS: tuple[tuple[str, type, Any], ...] = (
    ("network", str, "efficientnet_lite0"),
    ("weights", str, "pretrained"),
    ("augmentation", str, "advmask"),
    ("size_px", int, 176),
    ("test_size_px", int, 224),
    ("crop", float, 1.0),
    ("epochs", int, 12),
    ("batch", int, 32),
    ("learning_rate", float, 4e-4),
    ("head_rate", float, 5.0),
    ("weight_decay", float, 0.02),
    ("label_smoothing", float, 0.1),
    ("ema_decay", float, 0.99),
    ("smallest_area", float, 0.35),
    ("seed", int, 0),
)


def run_config(options: argparse.Namespace) -> Any:
    """The FlowersConfig of a command line. Raises: ValueError for a value out of its bounds."""
    from training.recipes.flowers import FlowersConfig

    return FlowersConfig(**{item.name: getattr(options, item.name) for item in fields(FlowersConfig)})


def photo_set(options: argparse.Namespace, short_side_px: int) -> Any:
    """The photos of a command line. Raises: TrainingError."""
    from training.data.flowers import load_flowers
    from training.data.flowers102 import load_flowers102

    if options.data == [FLOWERS102]:
        return load_flowers102(Path("runs/data"), short_side_px)
    return load_flowers([Path(folder) for folder in options.data], short_side_px, keep_faults=options.keep_faults)


def _flowers(options: argparse.Namespace) -> int:
    import shlex
    import sys

    from training.recipes.ship_flowers import FlowersJob, run_flowers

    job = FlowersJob(
        config=run_config(options),
        background=tuple(options.background),
        others=options.others,
        others_share=options.others_share,
        test_sizes_px=tuple(options.test_sizes),
        data_licence=options.data_licence,
        points=options.points,
        points_network=options.points_network,
        out=options.out,
        command="python -m training " + shlex.join(sys.argv[1:]),
    )
    run_flowers(job, lambda short_side_px: photo_set(options, short_side_px), report=print)
    return 0


def _labels(options: argparse.Namespace) -> int:
    from training.recipes.flower_labels import doubtful_labels

    doubtful_labels(photo_set(options, 256), options.out, report=print)
    return 0
