"""Goblets, trumpets and turbans: parts in threes and sixes."""

from __future__ import annotations

import math

from export.illustrations.canvas import Canvas, along, arc, curve, ellipse, petal
from export.illustrations.parts import disc, leaf, stamens, stem


def crocus(canvas: Canvas) -> None:
    for base, angle, bend in ((0.40, -30, -38), (0.60, 30, 38), (0.45, -12, -26), (0.57, 14, 24)):
        length = 0.6 if abs(angle) > 20 else 0.52
        leaf(canvas, (base, 1.02), angle, length, 0.045, bend=bend, colours=("#3f7d48", "#6faa58"), rib="#eef6e4")
    canvas.fill(
        petal((0.5, 1.0), 0, 0.46, 0.075, tip="square", foot=0.8), "#fbf7fd", "#a98bd6", axis=((0.5, 1), (0.5, 0.68))
    )
    base = (0.5, 0.72)
    back, front = ("#6d3fae", "#a77fdd"), ("#8450c4", "#c4a2ee")
    for angle in (-27, 27, 0):
        canvas.fill(petal(base, angle, 0.56, 0.27, foot=0.3), *back, axis=(base, along(base, angle, 0.56)))
    for x, lean in ((0.455, -9), (0.5, 0), (0.545, 9)):
        canvas.stroke(curve((0.5, 0.6), (x, 0.34), along((x, 0.34), lean, 0.13)), 0.014, "#f08a24", end_width=0.028)
    for angle, bend in ((-24, 16), (24, -16), (0, 0)):
        width = 0.27 if angle else 0.29
        length = 0.5 if angle else 0.44
        canvas.fill(
            petal(base, angle, length, width, bend=bend, foot=0.3), *front, axis=(base, along(base, angle, length))
        )
        for vein in (-16, -8, 0, 8, 16):
            canvas.hairline(arc(base, angle + vein, length * 0.78, bend - vein * 1.3), 0.006, "#6a36ab", opacity=0.45)


def daffodil(canvas: Canvas) -> None:
    for base, angle, length, bend in ((0.34, -16, 0.62, -20), (0.66, 18, 0.66, 22), (0.44, -5, 0.5, -10)):
        leaf(canvas, (base, 1.02), angle, length, 0.075, bend=bend, tip="round", colours=("#4f8f6b", "#8cc096"))
    stem(canvas, (0.52, 1.02), (0.53, 0.78), (0.5, 0.5), width=0.036, colour="#6fa862")
    centre = (0.5, 0.4)
    for ring, angles in enumerate(((30, 150, 270), (90, 210, 330))):
        for angle in angles:
            base = along(centre, angle, 0.02)
            colours = ("#f4d447", "#fff0a0") if ring else ("#eec93a", "#fbe68a")
            canvas.fill(
                petal(base, angle, 0.36, 0.24, tip="pointed", foot=0.5), *colours, axis=(base, along(base, angle, 0.36))
            )
            canvas.hairline(arc(base, angle, 0.28), 0.006, "#e0b52e", opacity=0.6)
    frill = []
    for index in range(180):
        angle = math.tau * index / 180
        radius = 0.15 + 0.014 * math.sin(12 * angle) + 0.006 * math.sin(31 * angle)
        frill.append((centre[0] + math.sin(angle) * radius, centre[1] - math.cos(angle) * radius))
    canvas.fill(frill, "#f0a01c", "#ffc93a", axis=((0.5, 0.55), (0.5, 0.25)))
    canvas.fill(ellipse(centre, 0.105, 0.105), "#c26f0c", "#e89a1e", axis=((0.5, 0.3), (0.5, 0.5)), shadow=False)
    for index in range(24):
        canvas.hairline(
            [along(centre, index * 15, 0.1), along(centre, index * 15, 0.145)], 0.005, "#d8850f", opacity=0.6
        )
    stamens(canvas, centre, 6, 0.045, "#f6d25a", "#ffe680", 0.013)
    canvas.dot(centre, 0.014, "#f7f0a8")


def iris(canvas: Canvas) -> None:
    for base, angle, length in ((0.3, -17, 0.72), (0.4, -6, 0.66), (0.62, 9, 0.6), (0.7, 21, 0.7)):
        leaf(canvas, (base, 1.04), angle, length, 0.085, bend=angle * 0.3, colours=("#437f5c", "#86b882"), veins=1)
    stem(canvas, (0.5, 1.02), (0.5, 0.55), width=0.036)
    canvas.fill(
        petal((0.5, 0.68), 0, 0.16, 0.09, tip="pointed", foot=0.8), "#79a35c", "#b7cf8d", axis=((0.5, 0.68), (0.5, 0.5))
    )
    heart = (0.5, 0.47)
    for angle, bend in ((0, 0), (-32, 30), (32, -30)):
        canvas.fill(
            petal(heart, angle, 0.41, 0.25, bend=bend, foot=0.3),
            "#6d55c0",
            "#b7a6f0",
            axis=(heart, along(heart, angle, 0.4)),
        )
        for vein in (-9, 0, 9):
            canvas.hairline(arc(heart, angle + vein, 0.32, bend - vein), 0.005, "#553da6", opacity=0.5)
    for angle, bend in ((-82, -62), (82, 62)):
        canvas.fill(
            petal(heart, angle, 0.42, 0.24, bend=bend, foot=0.4),
            "#5a3fb4",
            "#8468dc",
            axis=(heart, along(heart, angle + bend / 2, 0.4)),
        )
        canvas.fill(
            petal(heart, angle, 0.22, 0.07, bend=bend * 0.5, tip="pointed"),
            "#ffe27a",
            "#fff6d8",
            axis=(heart, along(heart, angle, 0.2)),
            shadow=False,
        )
        for vein in (-16, -8, 8, 16):
            canvas.hairline(arc(heart, angle + vein, 0.3, bend * 0.9), 0.005, "#38208c", opacity=0.55)
    canvas.fill(petal(heart, 180, 0.4, 0.27, foot=0.4), "#5f44ba", "#8f76e4", axis=(heart, (0.5, 0.87)))
    canvas.fill(
        petal(heart, 180, 0.21, 0.08, tip="pointed"), "#ffd84f", "#fff6d8", axis=(heart, (0.5, 0.68)), shadow=False
    )
    for vein in (-20, -12, 12, 20):
        canvas.hairline(arc(heart, 180 + vein, 0.28, -vein * 0.6), 0.005, "#38208c", opacity=0.55)
    for angle, bend in ((-70, -40), (70, 40), (180, 0)):
        canvas.fill(
            petal(heart, angle, 0.15, 0.075, bend=bend), "#8a74d6", "#c9bdf5", axis=(heart, along(heart, angle, 0.15))
        )


def tigerlily(canvas: Canvas) -> None:
    way = curve((0.24, 1.02), (0.25, 0.6), (0.29, 0.26), (0.42, 0.09), (0.54, 0.1), (0.575, 0.2))
    for y, angle, bend in ((0.88, -58, 34), (0.78, 56, 30), (0.62, -52, 30), (0.52, 62, 34), (0.38, -44, 24)):
        leaf(
            canvas,
            (0.25 + (0.9 - y) * 0.04, y),
            angle,
            0.3,
            0.05,
            bend=-bend if angle > 0 else bend,
            colours=("#447a45", "#79b05e"),
        )
    canvas.stroke(way, 0.026, "#5d4a42", end_width=0.018)
    for x, y in ((0.262, 0.765), (0.268, 0.51), (0.238, 0.6)):
        canvas.dot((x, y), 0.017, "#2d2326")
    centre = (0.59, 0.38)
    back = (("#d9601b", "#f08a34"), ((-34, -118), (34, 118), (0, 0)))
    for angle, bend in back[1]:
        canvas.fill(
            petal(centre, angle, 0.34 if angle else 0.24, 0.17, bend=bend, foot=0.4, tip="pointed"),
            *back[0],
            axis=(centre, along(centre, angle, 0.3)),
        )
    for angle in (150, 166, 180, 194, 210):
        end = along(centre, angle, 0.42 if angle != 180 else 0.47)
        canvas.stroke(curve(centre, along(centre, 180 + (angle - 180) * 0.6, 0.24), end), 0.012, "#f2b06a")
        canvas.fill(
            ellipse(end, 0.036 if angle != 180 else 0.016, 0.015, turn=(angle - 180) * 1.2),
            "#6b2a18",
            "#93401f",
            axis=(end, (end[0], end[1] - 0.03)),
        )
    for angle, bend in ((-100, 148), (100, -148), (-140, 128), (140, -128)):
        wide = abs(angle) == 100
        outline = petal(centre, angle, 0.46 if wide else 0.4, 0.185, bend=bend, foot=0.5)
        canvas.fill(outline, "#f7862a", "#ee6a1c", axis=(centre, along(centre, angle, 0.35)))
        spine = arc(centre, angle, 0.46 if wide else 0.4, bend)
        canvas.hairline(spine[:20], 0.006, "#c9500f", opacity=0.6)
        for step, side in (
            (4, 0.02),
            (6, -0.028),
            (7, 0.035),
            (9, -0.012),
            (10, 0.046),
            (11, -0.046),
            (13, 0.02),
            (14, -0.03),
            (16, 0.03),
            (17, -0.015),
            (5, -0.012),
            (12, 0.0),
        ):
            heading = math.radians(angle + bend * step / 24)
            canvas.dot(
                (spine[step][0] + math.cos(heading) * side, spine[step][1] + math.sin(heading) * side),
                0.0095,
                "#5a1e12",
            )
    disc(canvas, centre, 0.045, ("#8fae4d", "#b9cf6e"))


def tulip(canvas: Canvas) -> None:
    stem(canvas, (0.5, 1.02), (0.49, 0.78), (0.5, 0.56), width=0.042)
    leaf(canvas, (0.46, 1.04), -20, 0.64, 0.17, bend=-8, colours=("#4f8f78", "#92c3a0"), veins=1)
    leaf(canvas, (0.55, 1.04), 24, 0.56, 0.16, bend=10, colours=("#4f8f78", "#92c3a0"), veins=1)
    base = (0.5, 0.63)
    for angle in (-17, 17):
        canvas.fill(
            petal(base, angle, 0.53, 0.25, tip="pointed", foot=0.15),
            "#b81f36",
            "#e5525a",
            axis=(base, along(base, angle, 0.5)),
        )
    for angle, bend in ((-31, 34), (31, -34)):
        canvas.fill(
            petal(base, angle, 0.53, 0.29, bend=bend, foot=0.15),
            "#cf2740",
            "#f0606a",
            axis=(base, along(base, angle, 0.5)),
        )
    canvas.fill(petal(base, 0, 0.49, 0.31, foot=0.2), "#d92f45", "#ff858a", axis=(base, (0.5, 0.14)))
    for vein in (-12, -6, 0, 6, 12):
        canvas.hairline(arc(base, vein, 0.4, -vein * 1.2), 0.006, "#b71f38", opacity=0.4)
