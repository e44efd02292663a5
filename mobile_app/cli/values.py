"""What an argument may be: a text in; a value out, or one sentence."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobile_app.core.platforms import Platform

_SECONDS = (0.001, 3600)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number of a range."""

    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, got {text!r}")
        return value

    return whole


def number(low: float, high: float) -> Callable[[str], float]:
    """A number of a range."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected a number from {low:g} to {high:g}, got {text!r}")
        return value

    return number


def seconds(text: str) -> float:
    """A time, as 1s, 800ms or 1.5, in seconds."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(s|ms)?", text.strip(), re.ASCII)
    value = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else float("nan")
    low, high = _SECONDS
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected a time from 1ms to {high}s, as 1s, 800ms or 1.5, got {text!r}")
    return value


def window_size(text: str) -> tuple[int, int]:
    """Width and height of a window in pixels."""
    width, by, height = text.lower().partition("x")
    if not by:
        raise argparse.ArgumentTypeError(f"expected a size as 412x915, got {text!r}")
    return whole(320, 10_000)(width), whole(480, 10_000)(height)


def thread_counts(text: str) -> tuple[int, ...]:
    """One count or several, each once."""
    one = whole(1, 256)
    return tuple(dict.fromkeys(one(part.strip()) for part in text.split(",")))


class PlatformAction(argparse.Action):
    """The preset of a name; `list` prints them all and ends the program, as --help does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        from mobile_app.core.platforms import load_platforms

        known = load_platforms()
        if values == "list":
            print(_listed(known))
            parser.exit()
        if values not in known:
            raise argparse.ArgumentError(self, f"expected list or one of {', '.join(known)}, got {values!r}")
        setattr(namespace, self.dest, known[values])


def _listed(known: Mapping[str, Platform]) -> str:
    blocks = []
    for one in known.values():
        facts = f"long side {one.long_side_px} px, JPEG of quality {one.quality}, {one.subsampling}"
        note = textwrap.fill(one.note, 100, initial_indent="    ", subsequent_indent="    ")
        blocks.append(f"{one.name:<14} {facts}\n{note}")
    closing = "Named by what they set. The notes are reports by others, and networks change: none of this is a promise."
    return "\n".join((*blocks, closing))
