"""`python -m export.ios FOLDER --onnxruntime FILE`: make the project of kivy-ios that of petalveil."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from export.errors import ExportError
from export.ios.project import prepare
from mobile_app import __version__
from mobile_app.core.errors import PetalveilError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.ios", description=__doc__)
    parser.add_argument("folder", type=Path, help="that `toolchain create` made")
    parser.add_argument("--onnxruntime", type=Path, required=True, metavar="onnxruntime.xcframework")
    options = parser.parse_args(arguments)
    try:
        for line in prepare(options.folder, version=__version__, onnxruntime=options.onnxruntime):
            print(line)
    except (ExportError, PetalveilError) as error:
        print(f"export.ios: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
