"""Flowers that are crowds of flowers: the daisy family."""

from __future__ import annotations

import math

import numpy as np

from export.illustrations.canvas import Canvas, Point, along, arc, curve, ellipse, petal, placed
from export.illustrations.parts import disc, leaf, rays, seeds, stem


def coltsfoot(canvas: Canvas) -> None:
    rng = np.random.default_rng(3)
    canvas.fill(
        [(-0.05, 1.05), *curve((-0.05, 0.93), (0.2, 0.9), (0.5, 0.925), (0.8, 0.9), (1.05, 0.94)), (1.05, 1.05)],
        "#8a7462",
        "#a58d77",
        axis=((0.5, 1), (0.5, 0.9)),
    )
    for stone in ((0.14, 0.945, 0.05), (0.86, 0.95, 0.06), (0.5, 0.975, 0.04)):
        canvas.dot((stone[0], stone[1]), stone[2], "#9d8c7d", outline=0.003, ry=stone[2] * 0.55)
    _scaly(canvas, (0.23, 0.95), (0.2, 0.62), 0.03)
    canvas.fill(petal((0.2, 0.66), -4, 0.15, 0.11, foot=0.7), "#8f6f63", "#b99a80", axis=((0.2, 0.66), (0.2, 0.5)))
    canvas.fill(petal((0.2, 0.6), -4, 0.11, 0.06, foot=0.7), "#f4c51f")
    _scaly(canvas, (0.44, 0.97), (0.42, 0.42), 0.042)
    _scaly(canvas, (0.72, 0.96), (0.77, 0.62), 0.036)
    for centre, size in (((0.42, 0.34), 1.0), ((0.78, 0.55), 0.66)):
        for ring, (count, length) in enumerate(((58, 0.27), (52, 0.235), (44, 0.2))):
            rays(
                canvas,
                centre,
                count,
                length * size,
                0.017 * size + 0.003,
                "#eaa90c",
                ("#f6c81c", "#fad636", "#ffe257")[ring],
                turn=ring * 3,
                jitter=0.3,
                rng=rng,
                shadow=ring == 0,
            )
        disc(canvas, centre, 0.085 * size, ("#e08f0a", "#f2b01c"))
        seeds(canvas, centre, 0.075 * size, 46, 0.0085 * size, ("#f7c52a", "#d9860a"))


def _scaly(canvas: Canvas, foot: Point, head: Point, width: float) -> None:
    stem(canvas, foot, head, width=width, colour="#b5a184")
    for index in range(9):
        share = (index + 0.4) / 9
        x, y = foot[0] + (head[0] - foot[0]) * share, foot[1] + (head[1] - foot[1]) * share
        side = -1 if index % 2 else 1
        base = (x + side * width * 0.2, y)
        canvas.fill(
            petal(base, side * 13, width * 2.1, width * 0.95, tip="pointed", foot=0.8),
            "#8d5f6e",
            "#c08f8a",
            axis=(base, along(base, 0, width * 2)),
            shadow=False,
        )


def daisy(canvas: Canvas) -> None:
    rng = np.random.default_rng(5)
    for angle in (-82, -52, -22, 20, 50, 80):
        leaf(canvas, (0.5, 1.0), angle, 0.3, 0.11, tip="round", colours=("#4c8b48", "#8ac067"))
    stem(canvas, (0.5, 1.0), (0.49, 0.76), (0.5, 0.5), width=0.026, colour="#86b068")
    centre = (0.5, 0.4)
    for ring, (count, length, turn) in enumerate(((30, 0.345, 0), (26, 0.325, 6))):
        rays(
            canvas,
            centre,
            count,
            length,
            0.062,
            "#ffffff",
            ("#f3a9c6", "#fdf0f5")[ring],
            turn=turn,
            jitter=0.16,
            rng=rng,
        )
    disc(canvas, centre, 0.12, ("#e8a50c", "#fbd03a"))
    seeds(canvas, centre, 0.108, 90, 0.0085, ("#ffdf5e", "#e39c08"))


def dandelion(canvas: Canvas) -> None:
    rng = np.random.default_rng(7)
    for angle, length in ((-70, 0.44), (68, 0.46), (-38, 0.36), (34, 0.34)):
        _toothed(canvas, (0.47, 1.01), angle, length)
    stem(canvas, (0.47, 1.02), (0.44, 0.75), (0.42, 0.42), width=0.032, colour="#b9cf8f")
    stem(canvas, (0.52, 1.02), (0.66, 0.7), (0.77, 0.36), width=0.024, colour="#c6c68f")
    _clock(canvas, (0.78, 0.27), 0.185)
    centre = (0.4, 0.38)
    for angle in range(0, 360, 24):
        canvas.fill(petal(centre, angle, 0.3, 0.05, tip="pointed"), "#6f9a4c", shadow=False)
    for ring, (count, length) in enumerate(((40, 0.3), (36, 0.26), (32, 0.215), (26, 0.165), (18, 0.115), (12, 0.07))):
        tone = 0.12 * ring
        rays(
            canvas,
            centre,
            count,
            length,
            0.032,
            "#e79f05",
            (250, 196 + 40 * tone, 20 + 70 * tone),
            turn=ring * 5,
            jitter=0.25,
            rng=rng,
            tip="square",
            shadow=ring % 2 == 0,
        )


def _toothed(canvas: Canvas, base: Point, angle: float, length: float) -> None:
    side = [(-0.012, 0.0)]
    for index in range(5):
        far = 0.12 + index * 0.16
        width = 0.045 + 0.03 * math.sin(math.pi * (index + 0.6) / 5)
        side += [(-0.016, far * length), (-width * 1.25, (far - 0.05) * length), (-width * 0.45, (far + 0.09) * length)]
    side.append((-0.05, 0.9 * length))
    outline = [*side, (0, length), *[(-x, y) for x, y in reversed(side)]]
    canvas.fill(
        placed([(x, -y) for x, y in outline], base, angle),
        "#4a8a45",
        "#83ba60",
        axis=(base, along(base, angle, length)),
    )
    canvas.hairline(arc(base, angle, length * 0.92), 0.01, "#cfa9a0", opacity=0.8)


def _clock(canvas: Canvas, centre: Point, radius: float) -> None:
    canvas.fill(ellipse(centre, radius, radius), "#ffffff", outline=0, shadow=False, opacity=0.35)
    for index in range(64):
        share = math.sqrt((index + 0.5) / 64)
        angle = 137.508 * index
        end = along(centre, angle, radius * (0.4 + 0.6 * share))
        canvas.hairline([along(centre, angle, 0.03), end], 0.004, "#8f8a80", opacity=0.75)
        for spoke in range(-60, 61, 30):
            canvas.hairline([end, along(end, angle + spoke, 0.04)], 0.004, "#ffffff", opacity=0.95)
    disc(canvas, centre, 0.034, ("#8c7a55", "#b19c70"))


def sunflower(canvas: Canvas) -> None:
    rng = np.random.default_rng(11)
    stem(canvas, (0.52, 1.02), (0.5, 0.8), (0.5, 0.6), width=0.05, colour="#6b9a49")
    leaf(canvas, (0.5, 0.95), -66, 0.42, 0.27, bend=16, colours=("#4b8a3f", "#84b95b"), veins=1)
    leaf(canvas, (0.52, 0.92), 62, 0.42, 0.26, bend=-14, colours=("#4b8a3f", "#84b95b"), veins=1)
    centre = (0.5, 0.41)
    for ring, (length, turn) in enumerate(((0.375, 0), (0.355, 9))):
        rays(
            canvas,
            centre,
            20,
            length,
            0.095,
            ("#e59b0b", "#f0a80e")[ring],
            ("#f9c31e", "#ffdb45")[ring],
            turn=turn,
            tip="pointed",
            jitter=0.12,
            rng=rng,
        )
    disc(canvas, centre, 0.19, ("#3c2415", "#6a4122"))
    seeds(canvas, centre, 0.178, 190, 0.009, ("#8a5a2b", "#5a361b"))
    disc(canvas, centre, 0.06, ("#6d7430", "#8d8a3a"))
    seeds(canvas, centre, 0.055, 34, 0.0075, ("#a9a347", "#6f7431"))
