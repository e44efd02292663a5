"""Arguments of `python -m training flowers` and `flower-labels`."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from training.cli.options import add_numbers, typed_command

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
    add_numbers(parser, _DEFAULTS | changed, _ABOUT)


# Written out so that --help loads nothing heavy; a test holds them to FlowersConfig.
_DEFAULTS: dict[str, Any] = {
    "network": "efficientnet_lite0",
    "weights": "pretrained",
    "augmentation": "advmask",
    "size_px": 176,
    "test_size_px": 224,
    "crop": 1.0,
    "epochs": 12,
    "batch": 32,
    "learning_rate": 4e-4,
    "head_rate": 5.0,
    "weight_decay": 0.02,
    "label_smoothing": 0.1,
    "ema_decay": 0.99,
    "smallest_area": 0.35,
    "seed": 0,
}
_ABOUT = {
    "network": "efficientnet_lite0, mobilenet_v3_small, ...; a wrong name lists all",
    "weights": "pretrained, random, a checkpoint to go on from, or with commas several, for their mean",
    "augmentation": "METHOD[+blur|+noise|+zero][+several|+renewed], as in advmask-table",
    "size_px": "side of the views in training",
    "test_size_px": "side at which the network is used",
    "crop": "share of the short side that is seen when it is used",
    "epochs": "passes over the photos; 0 calibrates and measures the weights as they are",
    "head_rate": "learning rate of the new last layer, times --learning-rate",
    "weight_decay": "of AdamW",
    "label_smoothing": "share of a label that goes to all classes alike",
    "ema_decay": "a step, of the averaged weights, which are what is kept",
    "smallest_area": "share of a photo that a view may be cropped to",
}


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
        command=typed_command(),
    )
    run_flowers(job, lambda short_side_px: photo_set(options, short_side_px), report=print)
    return 0


def _labels(options: argparse.Namespace) -> int:
    from training.recipes.flower_labels import doubtful_labels

    doubtful_labels(photo_set(options, 256), options.out, report=print)
    return 0
