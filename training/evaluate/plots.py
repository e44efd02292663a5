"""Success after each recompression in, a picture out, by Pillow: a row a recompression, a marked line an attack."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

# Okabe and Ito's colours, which people with any colour vision tell apart, and black
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_FINER = 2  # drawn so many times larger, then brought down: Pillow's own lines have hard edges
_ROW, _CHART, _MARGIN, _TEXT = 26, 560, 16, 14  # px
_GRID, _INK = "#D8D8D8", "#202020"


def success_plot(title: str, rows: Sequence[str], series: Mapping[str, Sequence[float]]) -> bytes:
    """A PNG file.

    Args:
        rows: names of the recompressions, from top to bottom.
        series: for each attack its success in [0, 1], one a row; NaN leaves a gap.
    Raises: ValueError if there is nothing to draw or a series has another length.
    """
    if not rows or not series:
        raise ValueError(f"expected rows and series, got {len(rows)} and {len(series)}")
    for name, shares in series.items():
        if len(shares) != len(rows):
            raise ValueError(f"{name}: expected {len(rows)} values, got {len(shares)}")
    sheet = _Sheet(title, rows, series)
    buffer = io.BytesIO()
    sheet.drawn().save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


class _Sheet:
    def __init__(self, title: str, rows: Sequence[str], series: Mapping[str, Sequence[float]]) -> None:
        self._title, self._rows, self._series = title, rows, series
        self._font = ImageFont.load_default(_TEXT * _FINER)
        self._left = _MARGIN + max(self._font.getlength(row) for row in rows) / _FINER + 12
        keys = [self._font.getlength(name) / _FINER + 44 for name in series]
        self._keys = _wrapped(keys, self._left + _CHART - _MARGIN)
        self._top = _MARGIN + 28 + 22 * (self._keys[-1][1] + 1) + 26
        width = max(self._left + _CHART + 40, self._font.getlength(title) / _FINER + 2 * _MARGIN)
        self._size = round(width), round(self._top + _ROW * len(rows) + _MARGIN)

    def drawn(self) -> Image.Image:
        image = Image.new("RGB", (self._size[0] * _FINER, self._size[1] * _FINER), "white")
        self._draw = ImageDraw.Draw(image)
        self._write((_MARGIN, _MARGIN + 8), self._title, "lm")
        self._draw_axes()
        for number, (name, shares) in enumerate(self._series.items()):
            left, line = self._keys[number]
            key = _MARGIN + left, _MARGIN + 36 + 22 * line
            self._line([key, (key[0] + 26, key[1])], COLOURS[number % len(COLOURS)], 2)
            self._mark((key[0] + 13, key[1]), number)
            self._write((key[0] + 32, key[1]), name, "lm")
            self._draw_series(number, shares)
        return image.resize(self._size, Image.Resampling.LANCZOS)

    def _draw_axes(self) -> None:
        bottom = self._top + _ROW * len(self._rows)
        for percent in range(0, 101, 20):
            x = self._x(percent / 100)
            self._line([(x, self._top), (x, bottom)], _GRID, 1)
            self._write((x, self._top - 12), f"{percent} %", "mm")
        for row, name in enumerate(self._rows):
            self._line([(self._left, self._y(row)), (self._left + _CHART, self._y(row))], _GRID, 1)
            self._write((self._left - 10, self._y(row)), name, "rm")

    def _draw_series(self, number: int, shares: Sequence[float]) -> None:
        previous = None
        for row, share in enumerate(shares):
            point = None if math.isnan(share) else (self._x(share), self._y(row))
            if previous and point:
                self._line([previous, point], COLOURS[number % len(COLOURS)], 2)
            previous = point
        for row, share in enumerate(shares):
            if not math.isnan(share):
                self._mark((self._x(share), self._y(row)), number)

    def _mark(self, at: tuple[float, float], number: int) -> None:
        """Circle, square, triangle, diamond: shape tells attacks apart where colour cannot."""
        (x, y), reach, colour = at, 5, COLOURS[number % len(COLOURS)]
        corners = {
            1: [(-1, -1), (1, -1), (1, 1), (-1, 1)],
            2: [(0, -1), (1, 1), (-1, 1)],
            3: [(0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)],
        }.get(number % 4)
        if corners:
            self._draw.polygon([self._scaled((x + reach * a, y + reach * b)) for a, b in corners], fill=colour)
        else:
            self._draw.ellipse((*self._scaled((x - reach, y - reach)), *self._scaled((x + reach, y + reach))), colour)

    def _write(self, at: tuple[float, float], text: str, anchor: str) -> None:
        self._draw.text(self._scaled(at), text, fill=_INK, font=self._font, anchor=anchor)

    def _line(self, points: Sequence[tuple[float, float]], colour: str, width: int) -> None:
        self._draw.line([self._scaled(point) for point in points], fill=colour, width=width * _FINER)

    def _scaled(self, point: tuple[float, float]) -> tuple[float, float]:
        return point[0] * _FINER, point[1] * _FINER

    def _x(self, share: float) -> float:
        return self._left + _CHART * share

    def _y(self, row: int) -> float:
        return self._top + _ROW * (row + 0.5)


def _wrapped(widths: Sequence[float], line_width: float) -> list[tuple[float, int]]:
    """(left edge, line) of each piece, as words in a paragraph."""
    places, left, line = [], 0.0, 0
    for width in widths:
        if left and left + width > line_width:
            left, line = 0.0, line + 1
        places.append((left, line))
        left += width
    return places
