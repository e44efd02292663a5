"""The command `python -m export`: `gradient` writes one gradient graph, `bundle` makes the bundle that ships,
`stage` the folder that a phone build takes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


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
    bundle.add_argument(
        "--flowers",
        type=Path,
        metavar="CHECKPOINT.pt",
        help="the trained flower classifier (default: its graphs are kept from mobile_app/bundle as they are)",
    )
    bundle.add_argument(
        "--calibration", type=Path, metavar="FOLDER", help="photos of flowers, for the int8 graph; with --flowers"
    )
    for kind in ("generator", "universal"):
        bundle.add_argument(
            f"--{kind}",
            type=Path,
            metavar="MODEL.pt",
            help=f"what `python -m training {kind}` made (default: as it is in mobile_app/bundle)",
        )
    bundle.set_defaults(run=_bundle)
    staging = commands.add_parser("stage", help="put app and bundle into a folder that buildozer or kivy-ios takes")
    staging.add_argument("--out", type=Path, default=Path("build/app"), metavar="FOLDER", help="default: build/app")
    staging.set_defaults(run=_stage)
    return parser


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
    from export.bundle import DEFAULT_ROOT, make_bundle

    make_bundle(
        options.out or DEFAULT_ROOT,
        flowers=options.flowers,
        calibration=options.calibration,
        generator=options.generator,
        universal=options.universal,
    )
    return 0


def _stage(options: argparse.Namespace) -> int:
    from export.stage import stage

    print(f"{len(stage(options.out))} files in {options.out}; go on there with `buildozer android debug`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
