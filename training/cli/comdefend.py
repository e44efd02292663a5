"""Arguments of `python -m training comdefend` and `comdefend-table`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.cli.options import add_numbers, typed_command


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    _register_training(commands)
    _register_table(commands)


def _register_training(commands: argparse._SubParsersAction[Any]) -> None:
    about = "train a network that lets photos through and holds small perturbations back"
    parser = commands.add_parser("comdefend", help=about, description=f"{about}; goes on where it stopped")
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        metavar="FOLDER[:BYTE]",
        help="folders of clean photos (with a byte, those whose sha256 begins below it) and CIFAR-10 files (.npz)",
    )
    parser.add_argument(
        "--net", choices=["published", "phone"], default="phone", help="the paper's, or a small one (default: phone)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/comdefend"), metavar="FOLDER")
    add_numbers(parser, {**_SHAPE, **_NUMBERS}, _ABOUT)
    parser.add_argument("--bf16", action="store_true", help="convolutions in bfloat16, for processors that have it")
    parser.set_defaults(run=_run_training)


# Written out so that --help loads nothing heavy; a test holds them to ComDefendConfig and ComDefendRun.
_SHAPE: dict[str, Any] = {"code_bits": 12, "noise": 20.0, "width": 64, "blocks": 2}
_NUMBERS: dict[str, Any] = {
    "steps": 20_000,
    "batch": 20,
    "learning_rate": 1e-3,
    "code_weight": 1e-4,
    "settle": 0.5,
    "log_every": 100,
    "seed": 0,
}
_ABOUT = {
    "code_bits": "of the code, a pixel",
    "noise": "deviation of the noise before the sigmoid in training",
    "width": "channels of the phone net",
    "blocks": "of the phone net, in each half",
    "code_weight": "of the code's mean square in the loss",
    "settle": "share of the steps, the last, with bits and no noise; 0 as published",
}


def _run_training(options: argparse.Namespace) -> int:
    from training.models.comdefend import ComDefendConfig
    from training.recipes.comdefend import MODEL, ComDefendRun, train_comdefend
    from training.recipes.comdefend_data import read_patches

    shape = ComDefendConfig(net=options.net, **{name: getattr(options, name) for name in _SHAPE})
    numbers = {name: getattr(options, name) for name in _NUMBERS}
    config = ComDefendRun(model=shape, bf16=options.bf16, **numbers)
    train_comdefend(
        config,
        read_patches(options.data, seed=options.seed),
        options.out,
        command=typed_command(),
        report=lambda line: print(line, flush=True),
    )
    print(f"written: {options.out / MODEL}")
    return 0


def _register_table(commands: argparse._SubParsersAction[Any]) -> None:
    about = "measure ComDefend beside other defences, under attacks that know it and that do not"
    parser = commands.add_parser("comdefend-table", help=about, description=f"{about}; goes on where it stopped")
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/ and weights/")
    parser.add_argument("--out", type=Path, default=Path("runs/comdefend/table"), help="folder for results and tables")
    parser.add_argument("--phone", type=Path, metavar="MODEL.pt", help="what `comdefend --net phone` made")
    parser.add_argument("--published", type=Path, metavar="MODEL.pt", help="what `comdefend --net published` made")
    parser.add_argument(
        "--ablations", type=Path, nargs="*", default=[], metavar="MODEL.pt", help="models to compare with one another"
    )
    parser.add_argument("--sets", nargs="+", default=["cifar10", "nips17"], help="cifar10, nips17 (default: both)")
    numbers = {**_TABLE, **_ATTACK, **_TUNE}
    add_numbers(
        parser,
        {name: default for name, (default, _) in numbers.items()},
        {name: about for name, (_, about) in numbers.items()},
    )
    known = "fgsm, bim, pgd, deepfool, cw"
    parser.add_argument(
        "--grey", nargs="+", default=known.split(", "), metavar="ATTACK", help=f"on the classifier alone: {known}"
    )
    parser.add_argument(
        "--white",
        nargs="+",
        default=["fgsm", "pgd"],
        metavar="ATTACK",
        help="through the defence (default: fgsm pgd)",
    )
    parser.add_argument("--no-cloak", action="store_true", help="leave our own cloaks out")
    parser.add_argument("--no-tuning", action="store_true", help="leave the classifier that learned behind it out")
    parser.add_argument("--published-on-photos", action="store_true", help="78.5 GMAC a photo: hours on a processor")
    parser.add_argument("--picture", type=Path, metavar="PHOTO", help="also write out/picture.jpg of it; with --phone")
    parser.set_defaults(run=_run_table)


_TABLE: dict[str, Any] = {
    "images": (200, "CIFAR-10 test pictures"),
    "photos": (48, "nips17 photos, of the part for tables"),
    "white_images": (64, "of the pictures, attacked through the defence"),
    "white_photos": (16, "of the photos, attacked through the defence"),
    "seed": (0, "of pictures and attacks"),
}
_ATTACK: dict[str, Any] = {
    "budget_levels": (8.0, "linf bound of FGSM, BIM, PGD and the cloak, in 8-bit levels"),
    "steps": (10, "of BIM and PGD"),
    "cw_steps": (30, "of C&W"),
}
_TUNE: dict[str, Any] = {
    "tuning_pictures": (5000, "CIFAR-10 training pictures that a classifier is tuned on behind the defence"),
    "tuning_epochs": (2, "of this"),
}


def _run_table(options: argparse.Namespace) -> int:
    from training.recipes.comdefend_attacks import AttackConfig
    from training.recipes.comdefend_classifier import TuneConfig
    from training.recipes.comdefend_table import TableConfig, comdefend_table

    tune = TuneConfig(pictures=options.tuning_pictures, epochs=options.tuning_epochs, seed=options.seed)
    config = TableConfig(
        sets=tuple(options.sets),
        attack=AttackConfig(**{name: getattr(options, name) for name in _ATTACK}),
        grey=tuple(options.grey),
        white=tuple(options.white),
        cloak=not options.no_cloak,
        published_on_photos=options.published_on_photos,
        tune=None if options.no_tuning else tune,
        **{name: getattr(options, name) for name in _TABLE},
    )
    path = comdefend_table(
        options.shared,
        options.out,
        config,
        phone=options.phone,
        published=options.published,
        ablations=options.ablations,
        report=lambda line: print(line, flush=True),
    )
    print(f"written: {path}")
    if options.picture and options.phone:
        from training.recipes.comdefend_picture import write_picture

        answers = write_picture(
            options.picture, options.phone, options.out / "picture.jpg", config.attack, options.seed
        )
        print(f"written: {options.out / 'picture.jpg'}; Lite0 answers to its four photos: {answers}")
    return 0
