"""Open flowers that look at you: buttercup, pansy, rose and windflower."""

from __future__ import annotations

from export.illustrations.canvas import Canvas, along, arc, ellipse, petal
from export.illustrations.parts import disc, leaf, seeds, stamens, stem


def buttercup(canvas: Canvas) -> None:
    stem(canvas, (0.5, 1.02), (0.49, 0.8), (0.5, 0.45), width=0.024)
    stem(canvas, (0.495, 0.86), (0.36, 0.74), (0.25, 0.6), width=0.016)
    for base, turn in (((0.58, 0.98), 38), ((0.4, 0.98), -42)):
        for lobe in (-44, 0, 44):
            leaf(canvas, base, turn + lobe, 0.25, 0.085, colours=("#4d8f47", "#86bd62"))
    canvas.dot((0.24, 0.57), 0.05, "#f2c61d", outline=0.003, shadow=True)
    for angle in (-40, 0, 40):
        canvas.fill(petal((0.25, 0.62), angle, 0.09, 0.05, tip="pointed"), "#86a94d")
    centre = (0.52, 0.4)
    for angle in range(36, 396, 72):
        canvas.fill(petal(centre, angle, 0.3, 0.09, tip="pointed"), "#8db155")
    for angle in range(0, 360, 72):
        base = along(centre, angle, 0.02)
        canvas.fill(
            petal(base, angle, 0.31, 0.32, foot=0.35), "#f0b90c", "#ffe14a", axis=(base, along(base, angle, 0.3))
        )
        shine = along(centre, angle - 14, 0.215)
        canvas.fill(ellipse(shine, 0.05, 0.022, turn=angle - 14), "#fffbe0", outline=0, shadow=False, opacity=0.75)
        for vein in (-12, 0, 12):
            canvas.hairline(arc(base, angle + vein, 0.15), 0.004, "#d99a00", opacity=0.5)
    stamens(canvas, centre, 26, 0.105, "#e8b400", "#f8c820", 0.013)
    disc(canvas, centre, 0.055, ("#7fa33a", "#b5cf5b"))
    seeds(canvas, centre, 0.042, 18, 0.008, ("#93b548", "#cfe07c"))


def pansy(canvas: Canvas) -> None:
    stem(canvas, (0.52, 1.02), (0.5, 0.8), (0.5, 0.6), width=0.03)
    for base, angle in (((0.5, 0.98), -62), ((0.53, 0.98), 58), ((0.5, 0.99), -24)):
        leaf(canvas, base, angle, 0.3, 0.14, tip="round", colours=("#4b8a4c", "#86bb69"))
    heart = (0.5, 0.43)
    for angle in (-29, 29):
        base = along(heart, angle, -0.02)
        canvas.fill(
            petal(base, angle, 0.42, 0.38, foot=0.4), "#4e2a93", "#8259cc", axis=(base, along(base, angle, 0.4))
        )
    for angle in (-96, 96):
        base = along(heart, angle, -0.02)
        canvas.fill(
            petal(base, angle, 0.37, 0.34, foot=0.4), "#f3c93b", "#fff0a6", axis=(base, along(base, angle, 0.36))
        )
        canvas.fill(
            petal(base, angle, 0.24, 0.19, foot=0.4),
            "#3a1658",
            "#5a2580",
            axis=(base, along(base, angle, 0.24)),
            shadow=False,
        )
        for ray in (-26, -13, 0, 13, 26):
            canvas.hairline(arc(base, angle + ray, 0.29), 0.008, "#3a1658", opacity=0.85)
    canvas.fill(petal(heart, 180, 0.38, 0.44, tip="notched", foot=0.4), "#f1c230", "#fff0a6", axis=(heart, (0.5, 0.8)))
    canvas.fill(petal(heart, 180, 0.24, 0.24, foot=0.4), "#3a1658", "#5a2580", axis=(heart, (0.5, 0.66)), shadow=False)
    for ray in (-34, -22, -11, 0, 11, 22, 34):
        canvas.hairline(arc(heart, 180 + ray, 0.3), 0.008, "#3a1658", opacity=0.85)
    canvas.fill(petal((0.5, 0.41), 180, 0.1, 0.075, foot=0.6), "#ff9f1c", "#ffc94a", axis=(heart, (0.5, 0.5)))
    for x in (-0.022, 0.022):
        canvas.dot((0.5 + x, 0.425), 0.014, "#f6f3e6")
    canvas.dot((0.5, 0.428), 0.013, "#a7c75a")


def rose(canvas: Canvas) -> None:
    stem(canvas, (0.5, 1.02), (0.52, 0.84), (0.5, 0.5), width=0.032, colour="#6a8f4e")
    for base, angle in (((0.512, 0.93), 78), ((0.505, 0.82), -78), ((0.52, 0.76), 76)):
        canvas.fill(petal(base, angle, 0.05, 0.028, tip="pointed", foot=1.0), "#a5604c")
    for base, angle in (((0.5, 0.9), -66), ((0.53, 0.84), 62)):
        canvas.stroke(arc(base, angle, 0.26), 0.01, "#5e8a48")
        for reach, turn in ((0.1, 52), (0.1, -52), (0.2, 46), (0.2, -46), (0.25, 0)):
            leaf(canvas, along(base, angle, reach), angle + turn, 0.15, 0.085, colours=("#3f7a42", "#74ab57"))
    centre = (0.5, 0.4)
    for angle in (-150, -95, -35, 35, 95, 150):
        canvas.fill(petal(centre, angle, 0.37, 0.1, tip="pointed"), "#6e9a4c")
    for count, length, width, turn, inner, outer in (
        (5, 0.36, 0.36, 0, "#d6476f", "#f7a1b7"),
        (5, 0.29, 0.31, 36, "#cc3a64", "#f48ba6"),
        (5, 0.23, 0.26, 8, "#c13059", "#ee7895"),
        (4, 0.17, 0.21, 40, "#b42950", "#e66585"),
    ):
        for index in range(count):
            angle = turn + 360 * index / count
            canvas.fill(
                petal(centre, angle, length, width, foot=0.6),
                inner,
                outer,
                axis=(centre, along(centre, angle, length)),
                outline=0.005,
            )
    for index in range(3):
        canvas.fill(
            petal(centre, 20 + 120 * index, 0.115, 0.15, foot=0.8),
            "#a5224a",
            "#dc5577",
            axis=(centre, along(centre, 20 + 120 * index, 0.11)),
        )
    spiral = [along(centre, 40 * index, 0.008 + 0.0024 * index) for index in range(26)]
    canvas.hairline(spiral, 0.011, "#7d1536", opacity=0.9)


def windflower(canvas: Canvas) -> None:
    stem(canvas, (0.47, 1.02), (0.49, 0.85), (0.5, 0.45), width=0.02, colour="#a88a76")
    for angle in (-74, 74, 180, -26, 28):
        base = (0.495, 0.8)
        length = 0.32 if angle != 180 else 0.2
        for lobe in (-34, 0, 34):
            leaf(
                canvas,
                along(base, angle, 0.05),
                angle + lobe,
                length * (1 if lobe == 0 else 0.82),
                0.085,
                colours=("#3f7d48", "#79b262"),
            )
    centre = (0.5, 0.38)
    for ring, angles in enumerate(((0, 120, 240), (60, 180, 300))):
        for angle in angles:
            base = along(centre, angle, 0.01)
            canvas.fill(
                petal(base, angle, 0.345, 0.25, foot=0.35),
                ("#f3e6ee", "#fdf9fb")[ring],
                ("#f3cfdf", "#ffffff")[ring],
                axis=(base, along(base, angle, 0.34)),
                outline=0.005,
            )
            for vein in (-11, 0, 11):
                canvas.hairline(arc(base, angle + vein, 0.27, -vein * 0.8), 0.004, "#dcc3d0", opacity=0.8)
    stamens(canvas, centre, 34, 0.1, "#f4f0d0", "#f7cf2c", 0.0125)
    disc(canvas, centre, 0.04, ("#8db04a", "#bcd46e"))
    seeds(canvas, centre, 0.032, 14, 0.007, ("#a9c55c", "#dcea9a"))
