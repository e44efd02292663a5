"""Chinese text in, the same with line breaks out: it has no spaces to break at, and some signs may not begin a line.

Text without Chinese is returned as it is, for Kivy breaks it at its spaces well.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NOT_FIRST = frozenset("，。、；：？！）》」』】”’…·,.;:?!)]}%％～")  # noqa: RUF001 (may not begin a line)
_NOT_LAST = frozenset("（《「『【“‘([{")  # noqa: RUF001 (may not end one)
_CHINESE = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")
_WIDE = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef\u2018\u2019\u201c\u201d\u2026"
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
    lines: list[str] = []
    current, used = "", 0.0
    for piece in _units(line):
        took = sum(em for sign in piece if _CHINESE.match(sign)) if _CHINESE.search(piece) else 0.0
        rest = _CHINESE.sub("", piece)
        took += length(rest) if rest else 0.0
        if current and used + took > width and not piece.isspace():
            lines.append(current.rstrip())
            current, used = "", 0.0
        if current or not piece.isspace():
            current, used = current + piece, used + took
    return "\n".join([*lines, current])


def _units(line: str) -> list[str]:
    """Characters and words, each together with the signs that may not be parted from it."""
    units: list[str] = []
    for piece in _PIECES.findall(line):
        if units and (piece[0] in _NOT_FIRST or units[-1][-1] in _NOT_LAST):
            units[-1] += piece
        else:
            units.append(piece)
    return units
