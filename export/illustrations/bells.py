"""Flowers that hang: bells of the wood, the meadow and the end of winter."""

from __future__ import annotations

import math

from export.illustrations.canvas import Canvas, Point, along, arc, curve, ellipse, petal, placed
from export.illustrations.parts import bell, leaf, stem


def bluebell(canvas: Canvas) -> None:
    for base, angle, length, bend in ((0.36, -24, 0.62, -30), (0.44, 14, 0.52, 42), (0.40, -6, 0.7, -18)):
        leaf(canvas, (base, 1.02), angle, length, 0.065, bend=bend, colours=("#4b8a4f", "#84bb6b"))
    way = curve((0.40, 1.02), (0.39, 0.66), (0.40, 0.32), (0.52, 0.12), (0.72, 0.1), (0.88, 0.2))
    canvas.stroke(way, 0.026, "#6f8f5c", end_width=0.012)
    blue = ("#4a52b8", "#8d95ec")
    for share, length, turn in ((0.36, 0.25, 18), (0.5, 0.26, 12), (0.63, 0.25, 8), (0.755, 0.23, 4), (0.875, 0.2, 0)):
        x, y = way[int(share * (len(way) - 1))]
        end = (x + 0.025 - turn * 0.0009, y + 0.05)
        canvas.stroke(curve((x, y), (x + 0.02, y + 0.01), end), 0.010, "#5a5fae")
        canvas.fill(petal((x, y), 70, 0.07, 0.018, tip="pointed", bend=60), "#7a80cc", outline=0.002, shadow=False)
        bell(canvas, end, -turn * 0.6, length, 0.115, blue, curl=0.38, waist=0.72, rim="#3a409c")
    x, y = way[-1]
    bell(canvas, (x, y), -14, 0.14, 0.07, blue, curl=0.2, waist=0.7)


def cowslip(canvas: Canvas) -> None:
    for angle, length, width in ((-58, 0.4, 0.17), (58, 0.4, 0.17), (-28, 0.38, 0.16), (30, 0.36, 0.16)):
        leaf(
            canvas,
            (0.5, 1.03),
            angle,
            length,
            width,
            bend=-angle * 0.2,
            tip="round",
            colours=("#5b9150", "#96c077"),
            veins=1,
        )
    stem(canvas, (0.5, 1.02), (0.49, 0.7), (0.5, 0.26), width=0.03, colour="#a8c78a")
    hub = (0.5, 0.25)
    flowers = (
        (-84, 0.3, -58),
        (84, 0.3, 58),
        (-52, 0.24, -42),
        (54, 0.24, 42),
        (-118, 0.19, -24),
        (118, 0.19, 26),
        (178, 0.1, 0),
    )
    for angle, reach, turn in flowers:
        end = (
            hub[0] + math.sin(math.radians(angle)) * reach,
            hub[1] - 0.1 + abs(math.cos(math.radians(angle))) * 0.02 + (0.12 if abs(angle) > 100 else 0.05),
        )
        canvas.stroke(curve(hub, ((hub[0] + end[0]) / 2, min(hub[1], end[1]) - 0.05), end), 0.012, "#a8c78a")
        _cowslip_flower(canvas, end, -turn * 0.45)


def _cowslip_flower(canvas: Canvas, top: Point, turn: float) -> None:
    bag = [*curve((0, 0), (-0.045, 0.03), (-0.056, 0.1), (-0.05, 0.15)), (-0.025, 0.17), (-0.012, 0.15)]
    whole = [*bag, (0, 0.172), *[(-x, y) for x, y in reversed(bag)]]
    tube = [(-0.026, 0.1), (-0.03, 0.2), (0.03, 0.2), (0.026, 0.1)]
    canvas.fill(placed(tube, top, turn), "#f2cb3a")
    mouth = placed([(0, 0.205)], top, turn)[0]
    for angle in (180, 108, -108, 60, -60):
        lobe = petal((0, 0), angle, 0.078, 0.075, tip="notched", foot=0.5)
        canvas.fill(
            placed([(x, y * 0.8) for x, y in lobe], mouth, turn),
            "#f6cf2f",
            "#ffe979",
            axis=(mouth, placed([(0, 0.07)], mouth, turn)[0]),
        )
    for angle in (180, 108, -108, 60, -60):
        spot = along((0, 0), angle, 0.024)
        canvas.dot(placed([(spot[0], spot[1] * 0.8)], mouth, turn)[0], 0.008, "#f0801e")
    canvas.dot(mouth, 0.008, "#a8791a")
    canvas.fill(placed(whole, top, turn), "#d4e6b4", "#b3d08d", axis=(top, placed([(0, 0.16)], top, turn)[0]))
    for x in (-0.024, 0.0, 0.024):
        canvas.hairline(placed([(x * 0.4, 0.01), (x, 0.15)], top, turn), 0.004, "#8fb36c", opacity=0.8)


def fritillary(canvas: Canvas) -> None:
    way = curve((0.3, 1.02), (0.32, 0.66), (0.36, 0.34), (0.47, 0.15), (0.59, 0.16), (0.63, 0.25))
    for base, angle, length, bend in (
        ((0.31, 0.86), -40, 0.4, 34),
        ((0.315, 0.72), 46, 0.44, -30),
        ((0.34, 0.46), -34, 0.3, 26),
    ):
        leaf(canvas, base, angle, length, 0.04, bend=bend, colours=("#6c917c", "#a3c2a4"), rib=None)
    canvas.stroke(way, 0.02, "#7d8a63", end_width=0.016)
    top, length, half = (0.63, 0.24), 0.5, 0.2
    side = [
        *curve(
            (0, 0),
            (-half * 0.62, 0.045),
            (-half * 0.98, 0.16),
            (-half, 0.32),
            (-half * 0.86, 0.45),
            (-half * 0.62, length),
        ),
        (-half * 0.36, 0.44),
    ]
    front = [(-half * 0.36, 0.44), *curve((-half * 0.36, 0.44), (-half * 0.2, 0.49), (0, length * 1.04))]
    whole = placed([*side, *front, *[(-x, y) for x, y in reversed([*side, *front])]], top, 0)
    canvas.fill(whole, "#a4497f", "#b9628f", axis=(top, (0.63, 0.74)))
    _chequer(canvas, top, half, length)
    for x in (-0.42, 0.42):
        seam = curve((half * x * 0.7, 0.03), (half * x * 1.05, 0.2), (half * x * 0.86, 0.44))
        canvas.hairline(placed(seam, top, 0), 0.008, "#5b1f4a", opacity=0.9)


def _chequer(canvas: Canvas, top: tuple[float, float], half: float, length: float) -> None:
    rows, columns = 13, 12

    def point(u: float, v: float) -> tuple[float, float]:
        swell = half * 0.95 * (min(1.0, (v * 2.6) ** 0.55) if v < 0.4 else 1 - 0.42 * ((v - 0.4) / 0.6) ** 2)
        return top[0] + math.sin((u - 0.5) * math.pi) * swell, top[1] + 0.02 + v * (length - 0.07) + 0.02 * math.cos(
            (u - 0.5) * 3
        )

    for row in range(rows):
        for column in range(columns):
            if (row + column) % 2:
                continue
            u0, u1, v0, v1 = column / columns, (column + 1) / columns, row / rows, (row + 1) / rows
            square = [point(u0, v0), point(u1, v0), point(u1, v1), point(u0, v1)]
            canvas.fill(square, "#f0c9dc" if row % 3 else "#e6b3cd", outline=0, shadow=False, opacity=0.8)


def lily_of_the_valley(canvas: Canvas) -> None:
    leaf(canvas, (0.3, 1.05), -13, 0.9, 0.3, bend=10, colours=("#3f7f4a", "#7fb865"), veins=3)
    leaf(canvas, (0.46, 1.06), 15, 0.72, 0.27, bend=22, colours=("#4b8c50", "#95c877"), veins=3)
    way = curve((0.40, 1.02), (0.41, 0.66), (0.42, 0.3), (0.52, 0.09), (0.72, 0.06), (0.9, 0.16))
    canvas.stroke(way, 0.02, "#a9d18b", end_width=0.009)
    for share, size in ((0.33, 1.12), (0.475, 1.12), (0.615, 1.05), (0.745, 0.95), (0.87, 0.8), (0.985, 0.62)):
        x, y = way[int(share * (len(way) - 1))]
        top = (x + 0.035 * size, y + 0.055 * size)
        canvas.stroke(curve((x, y), (x + 0.028 * size, y + 0.01), top), 0.008, "#a9d18b")
        _round_bell(canvas, top, 0.068 * size)


def _round_bell(canvas: Canvas, top: tuple[float, float], radius: float) -> None:
    side = [
        *curve((0, 0), (-0.8, 0.22), (-1.0, 0.85), (-0.84, 1.35)),
        *curve((-0.84, 1.35), (-1.22, 1.52), (-1.12, 1.72)),
        *curve((-1.12, 1.72), (-0.82, 1.78), (-0.5, 1.56)),
        *curve((-0.5, 1.56), (-0.3, 1.85), (0, 1.88)),
    ]
    whole = placed([*side, *[(-x, y) for x, y in reversed(side)]], top, 0, radius)
    canvas.fill(whole, "#ffffff", "#e3ead9", axis=(top, (top[0], top[1] + 1.9 * radius)), outline=0.005)
    for x in (-0.45, 0.45):
        seam = placed(curve((x * 0.5, 0.2), (x * 1.1, 0.8), (x, 1.5)), top, 0, radius)
        canvas.hairline(seam, 0.004, "#b9c7ae", opacity=0.8)


def snowdrop(canvas: Canvas) -> None:
    leaf(canvas, (0.34, 1.02), -12, 0.56, 0.06, bend=-22, tip="round", colours=("#5d8f86", "#93bcae"))
    leaf(canvas, (0.46, 1.02), 20, 0.5, 0.06, bend=20, tip="round", colours=("#5d8f86", "#93bcae"))
    stem(canvas, (0.4, 1.02), (0.41, 0.6), (0.44, 0.22), width=0.024, colour="#7aa871")
    canvas.fill(
        petal((0.435, 0.28), 12, 0.2, 0.05, tip="pointed", bend=24),
        "#9cc487",
        "#dcebc9",
        axis=((0.44, 0.28), (0.5, 0.1)),
    )
    stem(canvas, (0.445, 0.2), (0.5, 0.105), (0.58, 0.12), (0.615, 0.22), width=0.011, colour="#8db77c")
    canvas.fill(ellipse((0.616, 0.255), 0.036, 0.045), "#6fa556", "#9cc97c", axis=((0.616, 0.3), (0.616, 0.2)))
    top = (0.616, 0.285)
    for angle, bend in ((212, -24), (148, 24)):
        canvas.fill(
            petal(top, angle, 0.42, 0.17, bend=bend, foot=0.25),
            "#ffffff",
            "#e2e9ee",
            axis=(top, along(top, angle, 0.42)),
            outline=0.005,
        )
    inner = petal(top, 180, 0.25, 0.19, tip="notched", foot=0.5)
    canvas.fill(inner, "#fbfdf8", "#ffffff", axis=(top, (top[0], 0.55)), outline=0.005)
    mark = placed(
        curve((-0.052, 0.165), (-0.035, 0.21), (-0.012, 0.2), (0, 0.175), (0.012, 0.2), (0.035, 0.21), (0.052, 0.165)),
        top,
        0,
    )
    canvas.stroke(mark, 0.02, "#4f9a4a")
    for angle, bend, length in ((197, 6, 0.44), (163, -6, 0.44)):
        canvas.fill(
            petal(top, angle + (18 if angle > 180 else -18), length, 0.15, bend=bend, foot=0.25),
            "#ffffff",
            "#edf2f5",
            axis=(top, along(top, angle, length)),
            outline=0.005,
        )
        for vein in (-5, 5):
            canvas.hairline(
                arc(top, angle + (18 if angle > 180 else -18) + vein, 0.34, bend - vein), 0.004, "#cfd9df", opacity=0.9
            )
