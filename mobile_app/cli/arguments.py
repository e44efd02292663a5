"""The words after `petalveil` in, a namespace with `run` out. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from mobile_app import __version__
from mobile_app.cli.bench_values import megapixels
from mobile_app.cli.values import PlatformAction, number, seconds, thread_counts, whole, window_size

_EXAMPLES = """\
examples:
  petalveil demo                                  cloak a photo that comes along, and see what happens
  petalveil cloak IMG_1.jpg -o safe/              write safe/IMG_1.cloaked.jpg
  petalveil cloak holiday/ -o safe/               every photo of a folder; run it again to go on after a stop
  petalveil classify IMG_1.jpg safe/*.jpg         what a recogniser sees
"""
_CLOAK_EXAMPLES = """\
examples:
  petalveil cloak IMG_1.jpg -o safe/                          safe/IMG_1.cloaked.jpg
  petalveil cloak IMG_1.jpg -o safe.png --format png          one file, under this name
  petalveil cloak holiday/ *.png -o safe/ --strength high     many; the same command goes on after a stop
  petalveil cloak IMG_1.jpg -o safe/ --report r.json --preview p.png
  petalveil cloak holiday/ -o safe/ --time-budget 1s          the strongest engine that is done in a second a photo
  petalveil cloak holiday/ -o safe/ --target-platform long-1080-q75

engines, from the strongest to the quickest: gradient follows networks step by step, generator takes nine such steps
in one call of one graph, universal has one change for all photos.
strengths: low 4, medium 8, high 12 levels; a level is 1/255 of the range of a pixel.
The cloaked photo leaves out EXIF and its GPS position unless --keep-metadata asks for them.
"""
_BENCH_EXAMPLES = """\
examples:
  petalveil bench --json before.json                     every graph and engine, and a photo of 1 megapixel
  petalveil bench --engine gradient --photos 1,12,48     how long photos take
  petalveil bench --compare before.json after.json       what changed beyond noise
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read a command line; `run` in the result takes the result and returns an exit code.

    Raises: SystemExit, with 2 and one sentence on stderr where the usage is wrong, with 0 after --help or --version.
    """
    parser = _Parser(
        prog="petalveil",
        description="Protects photos from recognition before they are posted, on this device alone.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"petalveil {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    photos = (_add_cloak, _add_classify, _add_sense, _add_reconstruct)
    for add in (*photos, _add_demo, _add_app, _add_bench, _add_selftest):
        add(commands)
    parser.set_defaults(check=lambda _options: None)
    options = parser.parse_args(arguments)
    options.check(options)
    return options


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"petalveil: {message}; see {self.prog} --help\n")


_Commands = argparse._SubParsersAction


def _add_cloak(commands: _Commands) -> None:
    parser = commands.add_parser(
        "cloak",
        help="protect photos",
        description="Change photos within a budget that the eye hardly sees, so that recognisers no longer see what "
        "they show. Originals are never changed, and nothing is overwritten without --force.",
        epilog=_CLOAK_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", type=Path, help="a photo, or a folder to search")
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="where to write: a folder (created if it has no suffix or ends in a slash), or a file for one photo",
    )
    parser.add_argument(
        "--engine",
        choices=["gradient", "generator", "comreadv", "universal"],
        help="how to find the change; default: gradient",
    )
    strength = parser.add_mutually_exclusive_group()
    strength.add_argument("--strength", choices=["low", "medium", "high"], default="medium", help="default: medium")
    strength.add_argument(
        "--budget", type=number(1, 255), metavar="LEVELS", help="largest change of a pixel, instead of a strength"
    )
    parser.add_argument(
        "--steps",
        type=whole(1, 1000),
        metavar="N",
        help="of the engines gradient and comreadv, exactly so many; default: 19, and up to 38 more for a photo that "
        "resists",
    )
    parser.add_argument(
        "--time-budget",
        type=seconds,
        metavar="TIME",
        help="for a photo, as 1s or 800ms: takes the strongest engine, and the most steps up to the default, that fit "
        "it by a measurement at the first photo; loading is not counted",
    )
    parser.add_argument(
        "--target-platform",
        action=PlatformAction,
        metavar="NAME",
        help="bring photos to the size and the JPEG that a network is said to leave as they are; list prints the names",
    )
    parser.add_argument(
        "--format", choices=["keep", "jpeg", "png", "webp"], default="keep", help="of the output; default: keep"
    )
    parser.add_argument(
        "--quality", type=whole(1, 100), metavar="Q", help="of JPEG and WebP, 1 to 100; default: as the original"
    )
    parser.add_argument("--keep-metadata", action="store_true", help="keep EXIF with its GPS position, XMP and text")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write what was done and what a recogniser sees"
    )
    parser.add_argument(
        "--preview", type=Path, metavar="FILE.png", help="write a picture of before, after and difference"
    )
    parser.add_argument("--force", action="store_true", help="replace outputs that exist; never an original")
    _add_threads(parser)
    _add_bundle(parser)
    parser.set_defaults(run=_run_cloak, check=partial(_refuse_contradictions, parser))


def _refuse_contradictions(parser: _Parser, options: argparse.Namespace) -> None:
    """What no group of argparse can say. Raises: SystemExit with 2 and one sentence."""
    other_format = options.format if options.format in ("png", "webp") else None
    contradictions = (
        (options.time_budget, "--time-budget", options.engine, "--engine"),
        (options.time_budget, "--time-budget", options.steps, "--steps"),
        (options.steps, "--steps", options.engine in ("generator", "universal"), f"--engine {options.engine}"),
        (options.target_platform, "--target-platform", options.quality, "--quality"),
        (options.target_platform, "--target-platform", other_format, f"--format {other_format}"),
    )
    for first, name, second, other in contradictions:
        if first and second:
            parser.error(f"argument {name}: not allowed with argument {other}")


def _add_classify(commands: _Commands) -> None:
    parser = commands.add_parser(
        "classify",
        help="say what a recogniser sees",
        description="Say what a recogniser sees in photos: the flower network first, and objects where that is not "
        "sure of a flower. Never rely on it to decide what to eat or touch.",
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", type=Path)
    parser.add_argument(
        "--model",
        default="auto",
        metavar="NAME",
        help="auto, objects, flowers, flowers.int8, or another classifier of the bundle; default: auto",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--shield",
        action="store_true",
        help="let photos through a network first that small changes do not survive; cloaks partly do",
    )
    how.add_argument(
        "--explain",
        metavar="OUT.png",
        help="draw what it looked at; OUT is a folder if it has no suffix, ends in a slash, or for several photos",
    )
    parser.add_argument("--force", action="store_true", help="replace pictures that exist; never a photo")
    parser.add_argument("--top", type=whole(1, 1000), default=5, metavar="N", help="how many guesses; default: 5")
    parser.add_argument("--json", action="store_true", help="print one JSON array, in the order given")
    _add_threads(parser)
    _add_bundle(parser)
    parser.set_defaults(run=_run_classify)


def _add_sense(commands: _Commands) -> None:
    parser = commands.add_parser(
        "sense",
        help="measure photos into small files",
        description="Write the measurements of photos, compressed, from which `petalveil reconstruct` rebuilds them as "
        "pictures that people can see and recognisers find hard to read. The photo's metadata is not among them.",
    )
    parser.add_argument("photos", nargs="+", metavar="PHOTO", type=Path)
    parser.add_argument(
        "-o", "--out", required=True, metavar="OUT", help="a .pvs file for one photo, or a folder, made if need be"
    )
    parser.add_argument(
        "--rate",
        type=float,
        choices=[0.1, 0.2, 0.3],
        default=0.2,
        help="numbers kept of the brightness, by pixels; default: 0.2",
    )
    parser.add_argument(
        "--step",
        type=number(1, 255),
        default=32.0,
        metavar="LEVELS",
        help="to which they are rounded: larger is a smaller file; default: 32",
    )
    parser.add_argument(
        "--long-side", type=whole(16, 65_500), metavar="PX", help="bring photos down to this first; default: as it is"
    )
    parser.add_argument("--force", action="store_true", help="replace outputs that exist; never an original")
    _add_threads(parser)
    _add_bundle(parser)
    parser.set_defaults(run=_run_sense)


def _add_reconstruct(commands: _Commands) -> None:
    parser = commands.add_parser(
        "reconstruct",
        help="rebuild pictures from what `sense` wrote",
        description="Rebuild pictures from files of measurements. A file that is damaged, cut short or something else "
        "is refused.",
    )
    parser.add_argument("photos", nargs="+", metavar="FILE.pvs", type=Path)
    parser.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="a .jpg, .png or .webp for one file, or a folder, made if need be, for JPEGs",
    )
    parser.add_argument("--quality", type=whole(1, 100), metavar="Q", help="of JPEG and WebP; default: 95 and 90")
    parser.add_argument("--force", action="store_true", help="replace outputs that exist; never an original")
    _add_threads(parser)
    _add_bundle(parser)
    parser.set_defaults(run=_run_reconstruct)


def _add_demo(commands: _Commands) -> None:
    parser = commands.add_parser(
        "demo",
        help="cloak a photo that comes along, and show what happened",
        description="Cloak a photo that comes along, and show what a recogniser sees before and after.",
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("petalveil-demo"), metavar="DIR", help="default: petalveil-demo"
    )
    _add_threads(parser)
    _add_bundle(parser)
    parser.set_defaults(run=_run_demo)


def _add_app(commands: _Commands) -> None:
    parser = commands.add_parser("app", help="open the app in a window", description="Open the app in a window.")
    parser.add_argument("--size", type=window_size, metavar="WxH", help="of the window in pixels, as 412x915")
    parser.set_defaults(run=_run_app)


def _add_bench(commands: _Commands) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure speed and memory of the graphs and engines",
        description="Measure speed, memory and parity of the graphs of a bundle, of its engines, and of whole photos "
        "from file to file; or compare two results.",
        epilog=_BENCH_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--graph", metavar="NAME", help="one graph alone; default: everything in the bundle")
    parser.add_argument("--engine", choices=["gradient", "generator", "comreadv", "universal"], help="one engine alone")
    parser.add_argument(
        "--photos",
        type=megapixels,
        metavar="1,12,48",
        help="megapixels of the photos that are cloaked from file to file, or none; default: 1",
    )
    parser.add_argument("--threads", type=thread_counts, default=(1, 2), metavar="1,2", help="default: 1,2")
    parser.add_argument(
        "--seconds",
        type=number(0.05, 3600),
        default=3.0,
        metavar="S",
        help="of measured runs for each row, at most: it stops earlier once the median is known to 2 %%; default: 3",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures too; - prints them instead")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the times, as .svg or .png")
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A", "B"), help="say what changed from A to B, two files of --json"
    )
    parser.add_argument(
        "--margin", type=number(0, 100), metavar="P", help="of --compare: less than P percent is noise; default: 5"
    )
    parser.add_argument(
        "--fail-on-slower", action="store_true", help="of --compare: exit with 1 if a row became slower"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    _add_bundle(parser)
    parser.set_defaults(run=_run_bench, check=partial(_refuse_bench_contradictions, parser))


def _refuse_bench_contradictions(parser: _Parser, options: argparse.Namespace) -> None:
    """What compares measures nothing, and the other way round. Raises: SystemExit with 2 and one sentence."""
    if options.graph and options.engine:
        parser.error("argument --graph: not allowed with argument --engine")
    for name in ("graph", "engine", "photos", "json", "plot"):
        if options.compare and getattr(options, name) is not None:
            parser.error(f"argument --{name}: not allowed with argument --compare")
    for name, value in (("margin", options.margin is not None), ("fail-on-slower", options.fail_on_slower)):
        if value and not options.compare:
            parser.error(f"argument --{name}: allowed with --compare alone")
    if options.plot is not None and options.plot.suffix.lower() not in (".svg", ".png"):
        parser.error(f"argument --plot: expected a name that ends in .svg or .png, got {str(options.plot)!r}")


def _add_selftest(commands: _Commands) -> None:
    parser = commands.add_parser(
        "selftest",
        help="check the bundle on this machine",
        description="Check every file of a bundle, and each graph against what it gave when it was made.",
    )
    _add_threads(parser)
    _add_bundle(parser)
    parser.set_defaults(run=_run_selftest)


def _add_threads(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=whole(1, 256), metavar="N", help="default: one a core")


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="another bundle than the one that comes along")


# Each command's module is imported when it is the one to run.


def _run_cloak(options: argparse.Namespace) -> int:
    from mobile_app.cli import cloak_command

    return cloak_command.run(options)


def _run_classify(options: argparse.Namespace) -> int:
    from mobile_app.cli import classify_command

    return classify_command.run(options)


def _run_sense(options: argparse.Namespace) -> int:
    from mobile_app.cli import sense_command

    return sense_command.run(options)


def _run_reconstruct(options: argparse.Namespace) -> int:
    from mobile_app.cli import reconstruct_command

    return reconstruct_command.run(options)


def _run_demo(options: argparse.Namespace) -> int:
    from mobile_app.cli import demo_command

    return demo_command.run(options)


def _run_app(options: argparse.Namespace) -> int:
    from mobile_app.cli import app_command

    return app_command.run(options)


def _run_bench(options: argparse.Namespace) -> int:
    from mobile_app.cli import bench_command

    return bench_command.run(options)


def _run_selftest(options: argparse.Namespace) -> int:
    from mobile_app.cli import selftest_command

    return selftest_command.run(options)
