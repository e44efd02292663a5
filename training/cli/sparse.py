"""Arguments of the sparse commands."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of this module."""
    _register_table(commands)
    _register_cloak(commands)


def _register_table(commands: argparse._SubParsersAction[Any]) -> None:
    about = "measure AutoAdversary and other sparse attacks; goes on where it stopped"
    table = commands.add_parser("sparse-table", help=about, description=about)
    table.add_argument("--shared", type=Path, default=Path("../shared"), help="folder with data/ and weights/")
    table.add_argument("--out", type=Path, default=Path("runs/sparse-table"), help="folder for results and tables")
    table.add_argument("--images", type=int, default=100, help="CIFAR-10 images a network (default 100; 0: none)")
    table.add_argument("--photos", type=int, default=30, help="nips17 photos (default 30; 0: none)")
    table.add_argument("--depths", type=int, nargs="+", default=[20, 56], help="depths of the CIFAR ResNets")
    table.add_argument("--no-rivals", action="store_true", help="leave JSMA, PGD-l0, GreedyFool and sigma-zero out")
    table.add_argument("--search", action="store_true", help="search the constants instead, on the tuning images")
    table.add_argument(
        "--picture", type=Path, help="also draw the --picture-of photos and their changes into this .jpg"
    )
    table.add_argument("--picture-of", type=Path, nargs="+", default=[], metavar="PHOTO", help="photos to draw")
    table.add_argument("--seed", type=int, default=0)
    table.set_defaults(run=_run_table)


def _register_cloak(commands: argparse._SubParsersAction[Any]) -> None:
    about = "write a photo in which only a few pixels changed, enough to fool EfficientNet-Lite0"
    cloak = commands.add_parser(
        "sparse-cloak",
        help=about,
        description=f"{about}. The change lives in single pixels: JPEG and any recompression destroy it, so the output "
        "is a PNG and has to stay one.",
    )
    cloak.add_argument("photo", type=Path)
    cloak.add_argument("-o", "--out", type=Path, required=True, help="the .png to write")
    cloak.add_argument("--mask", type=Path, help="also write the changed pixels as a picture, white on black")
    cloak.add_argument("--budget", type=int, default=8, help="largest change of a value, 1 to 255 levels (default 8)")
    cloak.add_argument("--steps", type=int, default=100, help="gradients for thinning the change out (default 100)")
    cloak.add_argument("--force", action="store_true", help="replace files that exist; never the photo itself")
    cloak.add_argument("--seed", type=int, default=0)
    cloak.set_defaults(run=_run_cloak)


def _run_table(options: argparse.Namespace) -> int:
    from training.recipes.sparse_picture import sparse_picture
    from training.recipes.sparse_search import sparse_search
    from training.recipes.sparse_table import SparseTableConfig, sparse_table

    def report(line: str) -> None:
        print(line, flush=True)

    if options.search:
        path = sparse_search(
            options.shared,
            options.out,
            images=options.images,
            photos=options.photos,
            seed=options.seed,
            report=report,
        )
    else:
        config = SparseTableConfig(
            images=options.images,
            photos=options.photos,
            depths=tuple(options.depths),
            with_rivals=not options.no_rivals,
            seed=options.seed,
        )
        path = sparse_table(options.shared, options.out, config, report=report)
        if options.picture and options.picture_of:
            sparse_picture(options.picture_of, options.out, options.picture)
    print(f"written: {path}")
    return 0


def _run_cloak(options: argparse.Namespace) -> int:
    from training.recipes.sparse_cloak import SparseCloakConfig, sparse_cloak

    config = SparseCloakConfig(budget_levels=options.budget, polish_steps=options.steps, seed=options.seed)
    lines = sparse_cloak(options.photo, options.out, config, mask=options.mask, force=options.force)
    for line in lines:
        print(line)
    return 0
