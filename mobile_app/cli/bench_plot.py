"""Rows of the bench in, a picture out: the time of each run in its order, and the percentiles, one strip a row.

Drawn once, as lines, dots and words, and then written as SVG or, with Pillow, as PNG.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from PIL import Image, ImageDraw, ImageFont

from mobile_app.cli.bench_table import title

_WIDTH = 1000
_STRIP = 64  # height of a row
_HEAD = 46
_RUNS = (250, 640)  # left and right of the times over the runs
_SPREAD = (700, 980)  # of the percentiles
_INK, _SOFT, _LINE, _BLUE, _RED = "#1f2430", "#6b7280", "#d7dbe2", "#3b6fd4", "#c2413b"
_PERCENTILES = ("min_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms")
_SHARPER = 2  # a PNG is drawn this much larger


@dataclass(frozen=True)
class _Line:
    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float = 1.0


@dataclass(frozen=True)
class _Dot:
    x: float
    y: float
    radius: float
    colour: str


@dataclass(frozen=True)
class _Word:
    x: float
    y: float  # of the middle of its height
    text: str
    colour: str
    size: int = 12
    anchor: str = "start"  # or "middle", "end"


_Mark = _Line | _Dot | _Word


def draw(rows: Sequence[dict[str, Any]], suffix: str) -> bytes:
    """The bytes of a picture. Args: suffix: ".svg" or ".png"."""
    height = _HEAD + _STRIP * len(rows) + 10
    marks = [*_heading(), *(mark for place, row in enumerate(rows) for mark in _strip(row, _HEAD + _STRIP * place))]
    return _svg(marks, height) if suffix == ".svg" else _png(marks, height)


def _heading() -> list[_Mark]:
    return [
        _Word(20, 20, "petalveil bench", _INK, 15),
        _Word(_RUNS[0], 20, "time of each run, from 0; the line is the median", _SOFT),
        _Word(_SPREAD[0], 20, "lowest, p50, p90, p95, p99, highest", _SOFT),
    ]


def _strip(row: dict[str, Any], top: float) -> list[_Mark]:
    """One row. Both halves begin at 0; the left one ends a little above p99, so that one slow run flattens nothing."""
    latency, times = row["latency"], row["times_ms"]
    middle, low, high = top + _STRIP / 2, top + _STRIP - 8, top + 8
    ceiling = max(latency["p99_ms"], latency["p50_ms"] * 1.2, 1e-6) * 1.05
    farthest = max(latency["max_ms"], 1e-6)

    def y(ms: float) -> float:
        return low - (low - high) * min(1.0, ms / ceiling)

    def x(ms: float) -> float:
        return _SPREAD[0] + (_SPREAD[1] - _SPREAD[0]) * ms / farthest

    marks: list[_Mark] = [
        _Line(20, top, _WIDTH - 20, top, _LINE),
        _Word(20, middle - 9, title(row), _INK, 13),
        _Word(20, middle + 10, _facts(row), _SOFT, 11),
        _Word(_RUNS[0] - 6, y(ceiling), f"{ceiling:.3g}", _SOFT, 10, "end"),
        _Word(_RUNS[0] - 6, low, "0", _SOFT, 10, "end"),
        _Line(_RUNS[0], low, _RUNS[1], low, _LINE),
    ]
    step = (_RUNS[1] - _RUNS[0]) / max(1, len(times) - 1)
    for place, ms in enumerate(times):
        beyond = ms > ceiling
        marks.append(_Dot(_RUNS[0] + step * place, y(ms), 1.6, _RED if beyond else _BLUE))
    marks.append(_Line(_RUNS[0], y(latency["p50_ms"]), _RUNS[1], y(latency["p50_ms"]), _INK))
    marks.append(_Line(x(latency["min_ms"]), middle, x(latency["max_ms"]), middle, _SOFT, 1.4))
    marks.append(_Line(x(latency["p50_ms"]), middle, x(latency["p95_ms"]), middle, _BLUE, 5))
    for name in _PERCENTILES:
        tall = 10 if name == "p50_ms" else 5
        marks.append(_Line(x(latency[name]), middle - tall, x(latency[name]), middle + tall, _INK, 1.4))
    marks.append(_Word(_SPREAD[1], low + 2, f"{farthest:.3g} ms", _SOFT, 10, "end"))
    return marks


def _facts(row: dict[str, Any]) -> str:
    threads = f"{row['threads']} thread{'s' * (row['threads'] > 1)}"
    return f"{threads}, p50 {row['latency']['p50_ms']:.4g} ms, {row['latency']['n']} runs"


def _svg(marks: Sequence[_Mark], height: float) -> bytes:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" '
        f'height="{height:g}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height:g}" fill="#ffffff"/>',
        *(_svg_mark(mark) for mark in marks),
        "</svg>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _svg_mark(mark: _Mark) -> str:
    if isinstance(mark, _Line):
        ends = f'x1="{mark.x1:.1f}" y1="{mark.y1:.1f}" x2="{mark.x2:.1f}" y2="{mark.y2:.1f}"'
        return f'<line {ends} stroke="{mark.colour}" stroke-width="{mark.width:g}"/>'
    if isinstance(mark, _Dot):
        return f'<circle cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="{mark.radius:g}" fill="{mark.colour}"/>'
    place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" font-size="{mark.size}" text-anchor="{mark.anchor}"'
    return f'<text {place} dominant-baseline="central" fill="{mark.colour}">{escape(mark.text)}</text>'


def _png(marks: Sequence[_Mark], height: float) -> bytes:
    scale = _SHARPER * 2  # drawn twice as large as it is kept, since Pillow's lines have hard edges
    image = Image.new("RGB", (_WIDTH * scale, round(height) * scale), "#ffffff")
    pen = ImageDraw.Draw(image)
    for mark in marks:
        if isinstance(mark, _Line):
            ends = [axis * scale for axis in (mark.x1, mark.y1, mark.x2, mark.y2)]
            pen.line(ends, fill=mark.colour, width=max(1, round(mark.width * scale)))
        elif isinstance(mark, _Dot):
            x, y, radius = mark.x * scale, mark.y * scale, mark.radius * scale
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=mark.colour)
        else:
            font = ImageFont.load_default(mark.size * scale)
            anchor = {"start": "lm", "middle": "mm", "end": "rm"}[mark.anchor]
            pen.text((mark.x * scale, mark.y * scale), mark.text, fill=mark.colour, font=font, anchor=anchor)
    small = image.resize((_WIDTH * _SHARPER, round(height) * _SHARPER), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()
