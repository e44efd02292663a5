"""Chinese text in, the same with line breaks out: it has no spaces to break at, and some signs may not begin a line.

Text without Chinese is returned as it is, for Kivy breaks it at its spaces well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_NOT_FIRST = frozenset("，。、；：？！）》」』】”’…·,.;:?!)]}%％～")  # noqa: RUF001 (may not begin a line)
_NOT_LAST = frozenset("（《「『【“‘([{")  # noqa: RUF001 (may not end one)
_CHINESE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_WIDE = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef\u2018\u2019\u201c\u201d\u2026"
_ROOM = 10  # characters: narrower lines are filled as they are
_SHORTEST = 3  # characters, of a last line
_PIECES = re.compile(f"[{_WIDE}]|\\s+|[^\\s{_WIDE}]+")


def wrapped(text: str, width: float, em: float, length: Callable[[str], float]) -> str:
    """Break a text into lines no wider than `width`.

    Args:
        em: the width of one Chinese character.
        length: the width of a text without Chinese.
    """
    if width <= em or not _CHINESE.search(text):
        return text
    return "\n".join(_broken(line, width, em, length) for line in text.split("\n"))


def _broken(line: str, width: float, em: float, length: Callable[[str], float]) -> str:
    units = [(unit, _width(unit, em, length)) for unit in _units(line)]
    lines = _filled(units, width)
    if len(lines) == 1 or width < _ROOM * em:
        return "\n".join(text for text, _ in lines)
    for less in (1, 2, 3):  # a character or two alone on the last line look lost: the lines above give some away
        if lines[-1][1] >= _SHORTEST * em:
            break
        narrower = _filled(units, width - less * em)
        lines = narrower if len(narrower) == len(lines) else lines
    return "\n".join(text for text, _ in lines)


def _filled(units: Sequence[tuple[str, float]], width: float) -> list[tuple[str, float]]:
    """(text, width) of the lines that are no wider than `width`."""
    lines: list[tuple[str, float]] = []
    current, used = "", 0.0
    for unit, took in units:
        if current and used + took > width and not unit.isspace():
            lines.append((current.rstrip(), used))
            current, used = "", 0.0
        if current or not unit.isspace():
            current, used = current + unit, used + took
    return [*lines, (current, used)]


def _width(unit: str, em: float, length: Callable[[str], float]) -> float:
    rest = _CHINESE.sub("", unit)
    return em * (len(unit) - len(rest)) + (length(rest) if rest else 0.0)


def _units(line: str) -> list[str]:
    """Characters and words, each together with the signs that may not be parted from it."""
    units: list[str] = []
    for piece in _PIECES.findall(line):
        if units and (piece[0] in _NOT_FIRST or units[-1][-1] in _NOT_LAST):
            units[-1] += piece
        else:
            units.append(piece)
    return units
