"""Options from the fields of a config, each with its default and what it means; and the command as it was typed."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from typing import Any

_COMMON = {
    "steps": "of the optimiser",
    "epochs": "passes over the photos",
    "batch": "examples a step",
    "learning_rate": "at its highest",
    "log_every": "steps between lines of the log",
    "views_a_photo": "cut from each photo",
    "precision": "bf16 or fp32",
    "seed": "of all chance",
}
_METAVARS = {int: "N", float: "X", str: "NAME"}


def add_numbers(parser: argparse.ArgumentParser, defaults: Mapping[str, Any], about: Mapping[str, str]) -> None:
    """An option for each field, written out so that --help loads nothing heavy.

    Args:
        defaults: field name to default, which gives the type, too.
        about: what a field means, in a few words; those that mean the same in every command may be left out.
    """
    for name, default in defaults.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            metavar=_METAVARS[type(default)],
            help=f"{about.get(name) or _COMMON[name]} (default: %(default)s)",
        )


def typed_command() -> str:
    """What was typed, for the record of a run."""
    return "python -m training " + shlex.join(sys.argv[1:])
