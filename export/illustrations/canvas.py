"""Shapes in, a picture out: a small canvas for botanical drawings, with soft gradients, outlines and shadows.

Coordinates are shares of the side, x to the right and y down; angles are in degrees, 0 pointing up and growing
clockwise, as one would turn a flower in the hand.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFilter

Point = tuple[float, float]
Colour = str | tuple[float, float, float]
Tip = Literal["round", "pointed", "notched", "square"]

_OUTLINE_SHADE = 0.80  # of a shape's own colour
_SHADOW = 0.16


class Canvas:
    """A square picture that is drawn several times too large and shrunk at the end."""

    def __init__(self, size_px: int, top: Colour, bottom: Colour, *, oversampling: int = 3) -> None:
        self.side = size_px * oversampling
        self._size_px = size_px
        ramp = np.linspace(0, 1, self.side, dtype=np.float32)[:, None, None]
        rows = _rgb(top) * (1 - ramp) + _rgb(bottom) * ramp
        self._pixels: NDArray[np.float32] = np.repeat(rows, self.side, axis=1).astype(np.float32)

    def fill(
        self,
        points: Sequence[Point],
        start: Colour,
        end: Colour | None = None,
        *,
        axis: tuple[Point, Point] | None = None,
        outline: float = 0.004,
        shadow: bool = True,
        opacity: float = 1.0,
    ) -> None:
        """Fill a polygon with a colour, or with a gradient from `start` to `end` along `axis`."""
        margin = round(0.03 * self.side)
        box = _box(points, self.side, margin)
        if box is None:
            return
        left, top, right, bottom = box
        local = [(x * self.side - left, y * self.side - top) for x, y in points]
        mask = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(mask).polygon(local, fill=255)
        patch = self._pixels[top:bottom, left:right]
        if shadow:
            patch *= 1 - _SHADOW * opacity * _shadow_of(mask, 0.012 * self.side)[..., None]
        colour = self._gradient(start, end, axis, box)
        alpha = np.asarray(mask, np.float32)[..., None] / 255 * opacity
        patch += alpha * (colour - patch)
        if outline:
            rim = Image.new("L", mask.size, 0)
            ImageDraw.Draw(rim).line([*local, local[0]], fill=255, width=max(1, round(outline * self.side)))
            edge = np.asarray(rim, np.float32)[..., None] / 255 * alpha * 0.8
            patch += edge * (colour * _OUTLINE_SHADE - patch)

    def stroke(self, points: Sequence[Point], width: float, colour: Colour, *, end_width: float | None = None) -> None:
        """A line through points, as wide as `width` at its start and `end_width` at its end."""
        self.fill(
            ribbon(points, width, width if end_width is None else end_width), colour, outline=0.0025, shadow=False
        )

    def hairline(self, points: Sequence[Point], width: float, colour: Colour, *, opacity: float = 1.0) -> None:
        """A line without outline or shadow, for veins."""
        self.fill(ribbon(points, width, width * 0.3), colour, outline=0, shadow=False, opacity=opacity)

    def dot(
        self, centre: Point, radius: float, colour: Colour, *, outline: float = 0.0, shadow: bool = False, ry: float = 0
    ) -> None:
        self.fill(
            ellipse(centre, radius, ry or radius), colour, _lighter(colour, 0.12), outline=outline, shadow=shadow,
            axis=((centre[0], centre[1] + radius), (centre[0], centre[1] - radius)),
        )  # fmt: skip

    def image(self) -> Image.Image:
        whole = Image.fromarray(np.rint(np.clip(self._pixels, 0, 255)).astype(np.uint8))
        return whole.resize((self._size_px, self._size_px), Image.Resampling.LANCZOS)

    def _gradient(
        self, start: Colour, end: Colour | None, axis: tuple[Point, Point] | None, box: tuple[int, int, int, int]
    ) -> NDArray[np.float32]:
        if end is None or axis is None:
            return _rgb(start)
        left, top, right, bottom = box
        rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32) / self.side
        (x0, y0), (x1, y1) = axis
        length2 = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
        share = np.clip(((columns - x0) * (x1 - x0) + (rows - y0) * (y1 - y0)) / length2, 0, 1)[..., None]
        return (_rgb(start) * (1 - share) + _rgb(end) * share).astype(np.float32)


def petal(
    base: Point, angle: float, length: float, width: float, *, tip: Tip = "round", bend: float = 0.0, foot: float = 0.25
) -> list[Point]:
    """The outline of a petal or leaf.

    Args:
        base: where it is attached; angle: where it points.
        width: at its widest.
        bend: how far the tip turns from the straight way, in degrees, positive clockwise.
        foot: width at the base, as a share of `width`.
    """
    steps = 24
    spine = arc(base, angle, length, bend, steps)
    half = [_profile(index / steps, tip, foot) * width / 2 for index in range(steps + 1)]
    left, right = [], []
    for index, (x, y) in enumerate(spine):
        heading = math.radians(angle + bend * index / steps)
        nx, ny = math.cos(heading), math.sin(heading)
        left.append((x - nx * half[index], y - ny * half[index]))
        right.append((x + nx * half[index], y + ny * half[index]))
    middle = [spine[-3]] if tip == "notched" else []
    return [*left, *middle, *reversed(right)]


def arc(base: Point, angle: float, length: float, bend: float = 0.0, steps: int = 24) -> list[Point]:
    """Points along a way that starts at `angle` and has turned by `bend` at its end."""
    x, y = base
    points = [base]
    for index in range(steps):
        heading = math.radians(angle + bend * (index + 0.5) / steps)
        x += math.sin(heading) * length / steps
        y -= math.cos(heading) * length / steps
        points.append((x, y))
    return points


def along(base: Point, angle: float, distance: float) -> Point:
    """The point at a distance from `base`."""
    return base[0] + math.sin(math.radians(angle)) * distance, base[1] - math.cos(math.radians(angle)) * distance


def curve(*points: Point, steps: int = 16) -> list[Point]:
    """A smooth way through points: Catmull-Rom."""
    padded = [points[0], *points, points[-1]]
    smooth = []
    for before, here, there, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for index in range(steps):
            t = index / steps
            smooth.append((_spline(before[0], here[0], there[0], after[0], t),
                           _spline(before[1], here[1], there[1], after[1], t)))  # fmt: skip
    return [*smooth, points[-1]]


def ellipse(centre: Point, rx: float, ry: float, *, turn: float = 0.0, steps: int = 40) -> list[Point]:
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    points = []
    for index in range(steps):
        x, y = rx * math.cos(math.tau * index / steps), ry * math.sin(math.tau * index / steps)
        points.append((centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos))
    return points


def ribbon(points: Sequence[Point], start: float, end: float) -> list[Point]:
    """The outline of a line that tapers from one width to another."""
    left, right = [], []
    for index, (x, y) in enumerate(points):
        (x0, y0), (x1, y1) = points[max(0, index - 1)], points[min(len(points) - 1, index + 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        half = (start + (end - start) * index / max(1, len(points) - 1)) / 2
        nx, ny = -(y1 - y0) / length * half, (x1 - x0) / length * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return [*left, *reversed(right)]


def shifted(points: Iterable[Point], dx: float, dy: float) -> list[Point]:
    return [(x + dx, y + dy) for x, y in points]


def placed(points: Iterable[Point], at: Point, turn: float, scale: float = 1.0) -> list[Point]:
    """Points drawn around (0, 0), y down, turned clockwise and moved to `at`."""
    cos, sin = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
    return [(at[0] + x * cos - y * sin, at[1] + x * sin + y * cos) for x, y in points]


def _profile(t: float, tip: Tip, foot: float) -> float:
    """Half the width of a petal at the share t of its length, as a share of the widest."""
    match tip:
        case "pointed":
            body = math.sin(math.pi * t**0.75) ** 0.9
        case "notched":
            body = math.sin(math.pi * min(1.0, 0.02 + 0.78 * t**1.15)) if t < 0.999 else 0.55
        case "square":
            body = (
                math.sin(math.pi * 0.5 * min(1, t * 1.9)) if t < 0.9 else math.sqrt(max(0, 1 - ((t - 0.9) / 0.1) ** 2))
            )
        case _:
            body = math.sin(math.pi * t**1.35) ** 0.75 if 0 < t < 1 else 0.0
    return max(body, foot * (1 - t) ** 2)


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def _box(points: Sequence[Point], side: int, margin: int) -> tuple[int, int, int, int] | None:
    xs, ys = [x * side for x, _ in points], [y * side for _, y in points]
    left, top = max(0, int(min(xs)) - margin), max(0, int(min(ys)) - margin)
    right, bottom = min(side, int(max(xs)) + margin), min(side, int(max(ys)) + margin)
    return (left, top, right, bottom) if right > left and bottom > top else None


def _shadow_of(mask: Image.Image, blur_px: float) -> NDArray[np.float32]:
    small = mask.resize((max(1, mask.width // 4), max(1, mask.height // 4)))
    soft = small.filter(ImageFilter.GaussianBlur(blur_px / 4)).resize(mask.size, Image.Resampling.BILINEAR)
    return np.asarray(soft, np.float32) / np.float32(255)


def _rgb(colour: Colour) -> NDArray[np.float32]:
    return np.asarray(ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else colour, np.float32)


def _lighter(colour: Colour, share: float) -> tuple[float, float, float]:
    red, green, blue = (float(value + (255 - value) * share) for value in _rgb(colour))
    return red, green, blue
