"""The command `python -m training`: every recipe, attack and evaluation of the desk."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from training.cli import advmask, comdefend, compression, evaluate, flowers, one_pass, sensing, sparse, surrogate


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code; 2, for wrong usage, comes as SystemExit."""
    options = _parser().parse_args(arguments)
    from mobile_app.core.errors import PetalveilError
    from training.allocator import keep_freed_memory

    keep_freed_memory()
    try:
        return options.run(options)
    except (PetalveilError, ModuleNotFoundError, ValueError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("training: stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (flowers, advmask, sparse, compression, comdefend, one_pass, surrogate, sensing, evaluate):
        module.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
