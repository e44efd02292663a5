"""The command `python -m export`: `gradient` writes one gradient graph, `bundle` makes the bundle that ships,
`stage` the folder that a phone build takes, `compare` a table of precisions, `check` looks at how graphs will run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.kinds import KINDS

_AS_IT_IS = "as it is in mobile_app/bundle"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    from export.errors import ExportError
    from mobile_app.core.errors import PetalveilError

    try:
        return options.run(options)
    except (ExportError, PetalveilError, ModuleNotFoundError, ValueError) as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("export: stopped; nothing was written", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    gradient = commands.add_parser(
        "gradient",
        help="one ONNX graph with the outputs loss, grad and logits",
        description="Export an objective and its input gradient as one ONNX graph of standard operators.",
    )
    gradient.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.onnx")
    gradient.add_argument("--network", default="efficientnet_lite0", help="see training/models/registry.py")
    gradient.add_argument("--weights", choices=["pretrained", "calibrated"], default="pretrained")
    gradient.add_argument(
        "--objective",
        default="AwayFromLabel",
        choices=["AwayFromLabel", "TowardsLabel", "MarginBelowRunnerUp", "FeatureDistance"],
    )
    gradient.add_argument("--size", type=int, metavar="PX", help="side of the image (default: the network's)")
    gradient.add_argument("--precision", choices=["float32", "float16"], default="float16", help="of stored weights")
    gradient.add_argument(
        "--factory",
        metavar="MODULE:FUNCTION",
        help="an objective of your own: a function that returns (module, {input name: example tensor})",
    )
    gradient.add_argument("--force", action="store_true", help="overwrite FILE.onnx")
    gradient.set_defaults(run=_gradient)
    bundle = commands.add_parser("bundle", help="make mobile_app/bundle anew")
    bundle.add_argument("--out", type=Path, help="folder to make (default: mobile_app/bundle)")
    for kind, what in KINDS.items():
        bundle.add_argument(f"--{kind}", type=Path, metavar="MODEL.pt", help=f"{what} (default: {_AS_IT_IS})")
    bundle.add_argument(
        "--calibration", type=Path, metavar="FOLDER", help="photos of flowers, for the int8 graph; with --flowers"
    )
    bundle.add_argument(
        "--universal",
        type=Path,
        metavar="MODEL.pt",
        help=f"what `python -m training universal` made (default: {_AS_IT_IS})",
    )
    bundle.set_defaults(run=_bundle)
    staging = commands.add_parser("stage", help="put app and bundle into a folder that buildozer or kivy-ios takes")
    staging.add_argument("--out", type=Path, default=Path("build/app"), metavar="FOLDER", help="default: build/app")
    staging.add_argument("--coreml", type=Path, metavar="FOLDER", help="Core ML models that go along, for iOS")
    staging.set_defaults(run=_stage)
    comparing = commands.add_parser(
        "compare",
        help="every graph in every precision: size, parity, accuracy, latency; goes on where it stopped",
        description="Write every graph in every precision and a table of what each costs and is worth.",
    )
    comparing.add_argument("--graphs", nargs="+", default=[], metavar="NAME", help="default: all")
    comparing.add_argument("--precisions", nargs="+", metavar="NAME", help="default: all; a wrong one lists them")
    comparing.add_argument("--calibration", type=Path, metavar="FOLDER", help="photos for int8 (default: samples)")
    comparing.add_argument("--labelled", type=Path, metavar="FOLDER", help="photos with labels.csv")
    _add_checkpoints(comparing)
    comparing.add_argument("--flower-calibration", type=Path, metavar="FOLDER", help="photos of flowers, for int8")
    comparing.add_argument("--shared", type=Path, default=Path("../shared"), metavar="FOLDER", help="with judges/")
    comparing.add_argument("--photos", type=int, default=200, help="for classifiers (default 200)")
    comparing.add_argument("--cloaks", type=int, default=16, help="photos that are cloaked (default 16)")
    comparing.add_argument("--rounds", type=int, default=25, help="of the timing (default 25)")
    comparing.add_argument("--seed", type=int, default=0)
    comparing.add_argument("--out", type=Path, default=Path("runs/compare"), metavar="FOLDER")
    comparing.set_defaults(run=_compare)
    checking = commands.add_parser(
        "check",
        help="graphs against how phones will run them: operators, versions, partitions",
        description="Check .onnx files, or all of a bundle, against how they will run on a phone.",
    )
    checking.add_argument("paths", nargs="*", type=Path, metavar="FILE.onnx", help="default: the bundle's graphs")
    checking.add_argument("--ort", type=Path, metavar="FOLDER", help="also convert to .ort files, and compare answers")
    checking.add_argument("--one-part", type=Path, metavar="FOLDER", help="rewrite for Core ML's provider first")
    checking.set_defaults(run=_check)
    coreml = commands.add_parser(
        "coreml",
        help="Core ML packages of the graphs, for iPhones",
        description="Convert the graphs of the contract to Core ML and compare what each computes with torch.",
    )
    coreml.add_argument("--out", type=Path, default=Path("runs/coreml"), metavar="FOLDER", help="default: runs/coreml")
    coreml.add_argument("--graphs", nargs="+", default=[], metavar="NAME", help="of the contract (default: all)")
    coreml.add_argument(
        "--precision",
        nargs="+",
        default=["float16"],
        choices=["float32", "float16", "int8", "6bit"],
        help="int8 and 6bit are of stored weights (default: float16)",
    )
    _add_checkpoints(coreml)
    coreml.set_defaults(run=_coreml)
    return parser


def _add_checkpoints(command: argparse.ArgumentParser) -> None:
    """Options whose graphs are there when they are given; `export.graphs.Checkpoints` has a field for each."""
    for kind, what in KINDS.items():
        command.add_argument(f"--{kind}", type=Path, metavar="MODEL.pt", help=f"{what} (default: without)")


def _gradient(options: argparse.Namespace) -> int:
    from export.command import GradientJob, write_gradient

    job = GradientJob(
        out=options.out,
        network=options.network,
        weights=options.weights,
        objective=options.objective,
        size_px=options.size,
        precision=options.precision,
        factory=options.factory,
        force=options.force,
    )
    for line in write_gradient(job):
        print(line)
    return 0


def _bundle(options: argparse.Namespace) -> int:
    import torch

    from export.bundle import DEFAULT_ROOT, make_bundle
    from export.graphs import Checkpoints

    torch.set_num_threads(1)  # sums in another order end in other bytes, and history keeps each of them
    make_bundle(
        options.out or DEFAULT_ROOT,
        checkpoints=Checkpoints(**{kind: getattr(options, kind) for kind in KINDS}),
        calibration=options.calibration,
        universal=options.universal,
    )
    return 0


def _stage(options: argparse.Namespace) -> int:
    from export.stage import stage

    files = stage(options.out, coreml=options.coreml)
    print(f"{len(files)} files in {options.out}; go on with `make android` or `make ios` (docs/phones.md)")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from export.compare.command import compare

    return compare(options)


def _check(options: argparse.Namespace) -> int:
    from export.check.run import check

    return check(options.paths, options.ort, options.one_part)


def _coreml(options: argparse.Namespace) -> int:
    from export.coreml.job import CoremlJob, write_coreml
    from export.graphs import Checkpoints

    job = CoremlJob(
        out=options.out,
        graphs=tuple(options.graphs),
        precisions=tuple(options.precision),
        checkpoints=Checkpoints(**{kind: getattr(options, kind) for kind in KINDS}),
    )
    for line in write_coreml(job):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
