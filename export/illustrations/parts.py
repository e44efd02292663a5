"""Parts that several flowers share: stems, leaves, rays, bells."""

from __future__ import annotations

import math

import numpy as np

from export.illustrations.canvas import Canvas, Colour, Point, Tip, along, arc, curve, ellipse, petal, placed

STEM, STEM_DARK = "#7fae5a", "#5f9147"
LEAF, LEAF_TIP = "#5c9a4d", "#8fc46c"


def stem(canvas: Canvas, *points: Point, width: float = 0.022, colour: Colour = STEM, end: float | None = None) -> None:
    canvas.stroke(curve(*points), width, colour, end_width=end)


def leaf(
    canvas: Canvas,
    base: Point,
    angle: float,
    length: float,
    width: float,
    *,
    bend: float = 0.0,
    tip: Tip = "pointed",
    colours: tuple[Colour, Colour] = (LEAF, LEAF_TIP),
    rib: Colour | None = "#b9dd9a",
    veins: int = 0,
) -> None:
    """A leaf with its midrib, and `veins` fine lines on either side that run along it."""
    outline = petal(base, angle, length, width, tip=tip, bend=bend, foot=0.35)
    canvas.fill(outline, *colours, axis=(base, along(base, angle + bend / 2, length)))
    if rib:
        canvas.hairline(arc(base, angle, length * 0.9, bend), max(0.004, width * 0.05), rib, opacity=0.8)
    spine = arc(base, angle, length, bend)
    for index in range(1, veins + 1):
        for side in (-1, 1):
            offset = side * width * 0.42 * index / (veins + 1)
            line = []
            for step in range(2, 22):
                heading = math.radians(angle + bend * step / 24)
                swell = math.sin(math.pi * step / 24) * offset
                line.append((spine[step][0] + math.cos(heading) * swell, spine[step][1] + math.sin(heading) * swell))
            canvas.hairline(line, 0.0035, colours[0], opacity=0.55)


def rays(
    canvas: Canvas,
    centre: Point,
    count: int,
    length: float,
    width: float,
    inner: Colour,
    outer: Colour,
    *,
    turn: float = 0.0,
    squash: float = 1.0,
    tip: Tip = "round",
    start: float = 0.0,
    jitter: float = 0.0,
    rng: np.random.Generator | None = None,
    shadow: bool = True,
) -> None:
    """A ring of ray florets; `squash` under 1 tilts the head back."""
    for index in range(count):
        angle = turn + 360 * index / count
        reach = length
        if rng is not None and jitter:
            angle += float(rng.normal(0, jitter * 360 / count))
            reach *= 1 + float(rng.normal(0, jitter * 0.25))
        outline = petal((0, 0), angle, reach, width, tip=tip, foot=0.3)
        ring = [(centre[0] + x, centre[1] + y * squash) for x, y in _moved(outline, angle, start)]
        far = along((0, 0), angle, reach + start)
        canvas.fill(ring, inner, outer, axis=(centre, (centre[0] + far[0], centre[1] + far[1] * squash)), shadow=shadow)


def seeds(
    canvas: Canvas,
    centre: Point,
    radius: float,
    count: int,
    size: float,
    colours: tuple[Colour, Colour],
    squash: float = 1.0,
) -> None:
    """Florets of a disc, each turned by 137.5 degrees from the one before."""
    for index in range(count):
        share = math.sqrt((index + 0.5) / count)
        angle = math.radians(137.508 * index)
        point = (centre[0] + math.cos(angle) * radius * share, centre[1] + math.sin(angle) * radius * share * squash)
        canvas.dot(point, size * (0.75 + 0.4 * share), colours[index % 2])


def bell(
    canvas: Canvas,
    top: Point,
    turn: float,
    length: float,
    width: float,
    colours: tuple[Colour, Colour],
    *,
    curl: float = 0.35,
    waist: float = 0.8,
    rim: Colour | None = None,
) -> None:
    """A hanging bell, seen from the side: three tips at the mouth, of which the outer two curl up by `curl`."""
    half = width / 2
    mouth = length * 0.82
    left = curve((0, 0), (-half * 0.75, length * 0.12), (-half * waist, length * 0.5), (-half * waist, mouth))
    out = curve(
        (-half * waist, mouth), (-half * 1.1, length * 0.98), (-half * (1 + curl), length * (0.95 - curl * 0.35))
    )
    back = curve(
        (-half * (1 + curl), length * (0.95 - curl * 0.35)),
        (-half * 0.95, length * 1.04),
        (-half * 0.45, length * 0.95),
    )
    tongue = curve((-half * 0.45, length * 0.95), (-half * 0.25, length * 1.06), (0, length * 1.1))
    side = [*left, *out, *back, *tongue]
    whole = [*side, *[(-x, y) for x, y in reversed(side)]]
    end = placed([(0, length)], top, turn)[0]
    canvas.fill(placed(whole, top, turn), *colours, axis=(top, end))
    if rim:
        for x in (-0.42, 0.42):
            line = curve((half * x * 0.6, length * 0.1), (half * x, length * 0.5), (half * x * 0.9, length * 0.9))
            canvas.hairline(placed(line, top, turn), 0.005, rim, opacity=0.7)


def stamens(canvas: Canvas, centre: Point, count: int, length: float, colour: Colour, anther: Colour, size: float, *,
            spread: tuple[float, float] = (0.0, 360.0), squash: float = 1.0) -> None:  # fmt: skip
    for index in range(count):
        angle = spread[0] + (spread[1] - spread[0]) * (index + 0.5) / count
        reach = length * (0.72 if index % 2 else 1.0)
        x, y = along((0, 0), angle, reach)
        end = (centre[0] + x, centre[1] + y * squash)
        canvas.hairline([centre, end], 0.006, colour)
        canvas.dot(end, size, anther)


def disc(canvas: Canvas, centre: Point, radius: float, colours: tuple[Colour, Colour], *, squash: float = 1.0) -> None:
    points = ellipse(centre, radius, radius * squash)
    canvas.fill(points, *colours, axis=((centre[0], centre[1] + radius), (centre[0], centre[1] - radius)))


def _moved(outline: list[Point], angle: float, distance: float) -> list[Point]:
    dx, dy = along((0, 0), angle, distance)
    return [(x + dx, y + dy) for x, y in outline]
