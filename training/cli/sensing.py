"""Arguments of `python -m training sensing`, `sensing-table` and `sensing-photos`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.options import add_numbers, typed_command

# Written out so that --help loads nothing heavy; a test holds them to SensingConfig and PhotoSensingConfig.
NUMBERS: dict[str, Any] = {
    "steps": 300,
    "batch": 50,
    "learning_rate": 3e-3,
    "quality_loss": 0.09,
    "alpha": 0.3,
    "beta": 1.0,
    "lambda_d": 1.0,
    "gamma_d": 1.0,
    "lambda_g": 1.0,
    "gamma_g": 0.1,
    "critic_rate": 1.0,
    "limit": 8.0,
    "precision": "bf16",
    "seed": 0,
}
_BY_RATE = {"steps": ("STEPS", "against something"), "quality_loss": ("SHARE", "of CSNet's PSNR that is given up")}
PHOTO_NUMBERS: dict[str, Any] = {
    "plain_steps": 250,
    "steps": 450,
    "batch": 4,
    "learning_rate": 1e-3,
    "quality_loss": 0.08,
    "beta": 1.0,
    "limit": 10.0,
    "views_a_photo": 2,
    "precision": "bf16",
    "seed": 0,
}
_ABOUT = {
    "plain_steps": "of the codec alone, before anything is deceived",
    "alpha": "of the loss of quality, where it begins",
    "beta": "of the classifier in the loss",
    "lambda_d": "of D_rf in the critics' loss",
    "gamma_d": "of D_rec in the critics' loss",
    "lambda_g": "of D_rf in the reconstruction's loss",
    "gamma_g": "of D_rec in the reconstruction's loss",
    "critic_rate": "learning rate of the critics, times --learning-rate",
    "limit": "nats at which a picture's cross-entropy ends; 0: nowhere",
}
_AGAINST = ("none", "vgg", "resnet", "generative", "printed")


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    _register_sensing(commands)
    _register_table(commands)
    _register_photos(commands)


def _register_sensing(commands: argparse._SubParsersAction[Any]) -> None:
    about = "train CSNet and reconstructions that classifiers cannot read, on grey pictures"
    parser = commands.add_parser("sensing", help=about, description=f"{about}; goes on where it stopped")
    _add_data(parser)
    parser.add_argument(
        "--rate", type=float, nargs="+", default=[0.1, 0.2, 0.3], help="measurements a pixel (default: 0.1 0.2 0.3)"
    )
    parser.add_argument(
        "--against",
        nargs="+",
        default=["none"],
        choices=_AGAINST,
        help="none: CSNet itself, which the others start from; printed: generative with gamma_D = 0",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/sensing"), metavar="FOLDER")
    parser.add_argument("--pictures", type=int, default=20_000, help="to train on (default: %(default)s)")
    parser.add_argument("--plain-steps", type=int, default=100, help="of CSNet itself (default: %(default)s)")
    parser.add_argument("--classifier-steps", type=int, default=1000, help="of each classifier (default: %(default)s)")
    add_numbers(parser, {name: default for name, default in NUMBERS.items() if name not in _BY_RATE}, _ABOUT)
    for name, (metavar, about) in _BY_RATE.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(NUMBERS[name]),
            nargs="+",
            default=[NUMBERS[name]],
            metavar=metavar,
            help=f"{about}: one, or one for each --rate (default: %(default)s)",
        )
    parser.add_argument(
        "--start-from", type=Path, metavar="FOLDER", help="--out of earlier runs, whose models these begin at"
    )
    parser.set_defaults(run=_run_sensing)


def _register_table(commands: argparse._SubParsersAction[Any]) -> None:
    about = "measure what `sensing` trained: recognition, transfer, quality"
    parser = commands.add_parser("sensing-table", help=about, description=about)
    _add_data(parser)
    parser.add_argument("--runs", type=Path, default=Path("runs/sensing"), metavar="FOLDER", help="--out of `sensing`")
    parser.add_argument("--pictures", type=int, default=1000, help="of the test set (default: %(default)s)")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw some, as each model rebuilds them")
    parser.set_defaults(run=_run_table)


def _register_photos(commands: argparse._SubParsersAction[Any]) -> None:
    about = "train the codec for photos of `petalveil sense` and `reconstruct`"
    parser = commands.add_parser("sensing-photos", help=about, description=f"{about}; goes on where it stopped")
    parser.add_argument(
        "--photos",
        nargs="+",
        default=["../shared/data/photos", "../shared/data/nips17:192"],
        metavar="FOLDER[:BYTE]",
        help="of which, with a byte, only photos whose sha256 begins below it (default: %(default)s)",
    )
    parser.add_argument(
        "--against",
        nargs="+",
        default=["lite0", "squeezenet"],
        metavar="NAME",
        help="lite0, lite1, squeezenet, darknet_tiny (default: lite0 squeezenet)",
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="for darknet_tiny")
    parser.add_argument("--out", type=Path, default=Path("runs/sensing-photos"), metavar="FOLDER")
    add_numbers(parser, PHOTO_NUMBERS, {**_ABOUT, "quality_loss": "share of the plain codec's PSNR that is given up"})
    parser.add_argument("--patch-px", type=int, default=128, help="of what is cut from photos (default: %(default)s)")
    parser.add_argument(
        "--shown-px",
        type=int,
        nargs=2,
        default=[112, 192],
        metavar=("FROM", "TO"),
        help="sides at which a classifier sees a patch (default: 112 192)",
    )
    parser.set_defaults(run=_run_photos)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        default="../shared/data/cifar10/cifar10_jpeg.npz",
        metavar="NPZ",
        help="CIFAR-10 as training/data/cifar10.py reads it, or `mnist` to download that (default: %(default)s)",
    )


def _run_sensing(options: argparse.Namespace) -> int:
    from training.errors import TrainingError
    from training.recipes.sensing import SensingConfig, train_sensing
    from training.recipes.sensing_classifiers import ClassifierConfig, train_classifiers
    from training.recipes.sensing_data import read_greys

    mirror = not options.data.startswith("mnist")
    chosen = {name: getattr(options, name) for name in NUMBERS}
    for name in _BY_RATE:
        if len(chosen[name]) not in (1, len(options.rate)):
            words = f"--{name.replace('_', '-')}: expected one, or one for each of {len(options.rate)} rates"
            raise TrainingError(f"{words}, got {len(chosen[name])}")
    plain = {"steps": options.plain_steps, "quality_loss": NUMBERS["quality_loss"]}  # which CSNet itself does not ask
    by_rate = [
        {name: chosen[name][place % len(chosen[name])] for name in _BY_RATE} for place in range(len(options.rate))
    ]
    wanted = [name for name in _AGAINST if name in options.against]
    configs = [
        SensingConfig(
            rate=rate,
            against=name,
            mirror=mirror,
            **{**chosen, **(plain if name == "none" else by_rate[place])},
        )
        for name in wanted
        for place, rate in enumerate(options.rate)
    ]
    splits = read_greys(options.data, train=options.pictures)
    kept = {"mirror": mirror, "precision": options.precision, "seed": options.seed}
    classifiers = train_classifiers(
        ClassifierConfig(steps=options.classifier_steps, **kept),
        splits,
        options.out / "classifiers",
        start_from=options.start_from / "classifiers" if options.start_from else None,
        report=_say,
    )
    command = typed_command()
    for config in configs:
        train_sensing(
            config, splits, options.out, classifiers, start_from=options.start_from, command=command, report=_say
        )
    return 0


def _run_table(options: argparse.Namespace) -> int:
    from training.recipes.sensing_table import sensing_table

    _say(sensing_table(options.data, options.runs, pictures=options.pictures, picture=options.picture))
    return 0


def _run_photos(options: argparse.Namespace) -> int:
    from training.recipes.sensing_photos import PhotoSensingConfig, train_photo_codec
    from training.recipes.surrogates import open_surrogates

    chosen = {name: getattr(options, name) for name in PHOTO_NUMBERS}
    train_photo_codec(
        PhotoSensingConfig(**chosen, patch_px=options.patch_px, shown_px=tuple(options.shown_px)),
        options.photos,
        open_surrogates(options.against, options.shared),
        options.out,
        command=typed_command(),
        report=_say,
    )
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
