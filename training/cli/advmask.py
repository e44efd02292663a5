"""Arguments of `python -m training advmask-table` and `advmask-maps`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.flowers import add_data, add_points, add_run, photo_set, run_config

SMALL_RUN = {"size_px": 64, "test_size_px": 64, "crop": 1.0, "epochs": 10, "augmentation": "none"}


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    table = commands.add_parser(
        "advmask-table",
        help="compare augmentations over several seeds",
        description="Train the same network with every augmentation and seed; write table.csv and table.md. "
        "--data may be a CIFAR-10 file (.npz), for a network such as cifar_resnet20 with --weights random.",
    )
    add_data(table)
    table.add_argument(
        "--pictures", type=int, default=2000, metavar="N", help="of CIFAR-10, to learn from (default: %(default)s)"
    )
    table.add_argument(
        "--methods",
        nargs="+",
        metavar="NAME",
        help="METHOD[+blur|+noise|+zero][+several|+renewed]; default: all methods",
    )
    table.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    table.add_argument("--out", type=Path, default=Path("runs/advmask-table"), metavar="FOLDER")
    add_points(table)
    add_run(table, SMALL_RUN)
    table.set_defaults(run=_table)
    maps = commands.add_parser(
        "advmask-maps",
        help="what differently trained networks look at",
        description="Class activation maps of several checkpoints side by side, and figures of them.",
    )
    add_data(maps)
    maps.add_argument("--models", nargs="+", required=True, metavar="NAME=CHECKPOINT")
    maps.add_argument("--photos", nargs="*", type=Path, default=[], metavar="PHOTO", help="for the picture")
    maps.add_argument("--out", type=Path, default=Path("runs/advmask-maps"), metavar="FOLDER")
    maps.set_defaults(run=_maps)


def _table(options: argparse.Namespace) -> int:
    from training.augment.augmentation import NAMES
    from training.data.cifar10_photos import load_cifar10
    from training.recipes.advmask_points import BASE_SIZE_PX, PointsConfig, base_model, points_of_photos
    from training.recipes.advmask_table import USES_POINTS, TableConfig, as_markdown, compare_augmentations
    from training.recipes.flowers import TrainingSet
    from training.recipes.ship_flowers import held_size

    run = run_config(options)
    config = TableConfig(run=run, methods=tuple(options.methods or NAMES), seeds=tuple(options.seeds))
    is_cifar = len(options.data) == 1 and options.data[0].endswith(".npz")
    photos = load_cifar10(Path(options.data[0]), options.pictures) if is_cifar else photo_set(options, held_size(run))
    kind = "cifar10" if is_cifar else "photo"
    points = None
    if any(method in USES_POINTS for method in config.methods):
        base = options.points_network or base_model(run, photos, options.points / "base", kind=kind, report=print)
        wanted = PointsConfig(size_px=min(BASE_SIZE_PX, run.size_px))
        points = points_of_photos(photos, base, options.points, wanted, report=print)
    data = TrainingSet(photos=photos, points=points, kind=kind)
    rows = compare_augmentations(config, data, options.out, report=print)
    print(as_markdown(rows))
    return 0


def _maps(options: argparse.Namespace) -> int:
    from training.recipes.advmask_maps import MapsJob, compare_maps

    models = {}
    for text in options.models:
        name, _, path = text.partition("=")
        if not path:
            raise ValueError(f"--models: expected NAME=CHECKPOINT, got {text!r}")
        models[name] = Path(path)
    job = MapsJob(models=models, photos=tuple(options.photos), out=options.out)
    compare_maps(job, lambda short_side_px: photo_set(options, short_side_px), report=print)
    return 0
