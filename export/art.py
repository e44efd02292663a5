"""Numbers in, the app's picture of a flower out: mobile_app/ui/art, and the icons that stores and iPhones want.

`python -m export.art` draws them anew.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from mobile_app.core.files import write_whole

HERE = Path(__file__).parent
ART = HERE.parent / "mobile_app" / "ui" / "art"
SIDE_PX = 460
ICON_PX = 256
# Squares without transparency: Apple and Google round the corners themselves, and Apple refuses an alpha channel.
STORE_ICONS = {HERE / "ios" / "AppIcon.png": 1024, HERE / "store" / "google-play.png": 512}
GREEN = (27, 83, 64, 255)
SCALE = 3  # drawn larger by this and averaged down
CENTRE, RADIUS = (0.70, 0.30), 0.47  # of the side
# Petals: how many, length by the flower's radius, width by length, turn in degrees, colour at the root and at the tip.
RINGS = (
    (10, 1.0, 0.40, 0, (172, 52, 98), (238, 160, 186)),
    (10, 0.84, 0.42, 18, (196, 76, 120), (246, 186, 205)),
    (9, 0.63, 0.46, 7, (214, 106, 146), (252, 214, 225)),
    (8, 0.42, 0.52, 24, (230, 142, 172), (255, 236, 241)),
)
LEAVES = ((196, 1.42), (228, 1.30), (262, 1.34), (150, 1.16))  # direction in degrees, length by the flower's radius
OPACITY = 0.80


def main() -> None:
    """Write the pictures."""
    ART.mkdir(exist_ok=True)
    for name, picture in (("bloom.png", bloom(SIDE_PX)), ("icon.png", icon(ICON_PX))):
        _write(ART / name, picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE))
    for path, side_px in STORE_ICONS.items():
        path.parent.mkdir(exist_ok=True)
        _write(path, square_icon(side_px))


def square_icon(side_px: int) -> Image.Image:
    """RGB: the icon on green up to its corners."""
    return icon(side_px, corner=0).convert("RGB")


def icon(side_px: int, *, corner: float = 0.22) -> Image.Image:
    """RGBA: the flower in the middle of a green ground.

    Args:
        corner: radius of its round corners, by the side; 0 for a square.
    """
    side = side_px * SCALE
    picture = Image.new("RGBA", (side, side))
    ImageDraw.Draw(picture).rounded_rectangle((0, 0, side - 1, side - 1), radius=side * corner, fill=GREEN)
    centre, radius = (side / 2, side / 2), side * 0.40
    for count, length, width, turn, root, tip in RINGS:
        for number in range(count):
            _lay(picture, centre, turn + 360 * number / count, radius * length, width, root, tip, OPACITY)
    _heart(picture, centre, radius * 0.13)
    return picture.resize((side_px, side_px), Image.Resampling.LANCZOS)


def bloom(side_px: int) -> Image.Image:
    """RGBA: a flower and its leaves on nothing."""
    side = side_px * SCALE
    picture = Image.new("RGBA", (side, side))
    radius, centre = RADIUS * side, (CENTRE[0] * side, CENTRE[1] * side)
    for direction, length in LEAVES:
        _lay(picture, centre, direction, radius * length, 0.26, (30, 92, 68), (104, 176, 140), 0.55)
    for count, length, width, turn, root, tip in RINGS:
        for number in range(count):
            _lay(picture, centre, turn + 360 * number / count, radius * length, width, root, tip, OPACITY)
    _heart(picture, centre, radius * 0.13)
    return picture.resize((side_px, side_px), Image.Resampling.LANCZOS)


def _write(path: Path, picture: Image.Image) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    write_whole(path, buffer.getvalue(), force=True)
    print(f"{path.name} {len(buffer.getvalue()) / 1024:.0f} KB")


def _lay(
    picture: Image.Image,
    centre: tuple[float, float],
    direction: float,
    length: float,
    width: float,
    root: tuple[int, int, int],
    tip: tuple[int, int, int],
    opacity: float,
) -> None:
    """One petal: pointed at both ends, shaded from root to tip, with a lighter rim."""
    outline = _outline(centre, direction, length, width)
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon(outline, fill=255)
    shade = _gradient(picture.size, centre, direction, length)
    colour = Image.composite(Image.new("RGB", picture.size, tip), Image.new("RGB", picture.size, root), shade)
    inner = mask.filter(ImageFilter.GaussianBlur(length * 0.05))
    rim = ImageChops.multiply(mask, ImageChops.invert(inner))
    colour = Image.composite(Image.new("RGB", picture.size, (255, 246, 249)), colour, rim.point(lambda v: v * 0.55))
    petal = colour.convert("RGBA")
    petal.putalpha(mask.point([round(level * opacity) for level in range(256)]))
    picture.alpha_composite(petal)


def _outline(
    centre: tuple[float, float], direction: float, length: float, width: float, points: int = 60
) -> list[tuple[float, float]]:
    turn = math.radians(direction)
    side = []
    for step in range(points + 1):
        along = step / points
        across = width / 2 * math.sin(math.pi * along**0.8) ** 0.9
        side.append((along * length, across * length))
    both = side + [(along, -across) for along, across in reversed(side)]
    cos, sin = math.cos(turn), math.sin(turn)
    return [(centre[0] + x * cos - y * sin, centre[1] - x * sin - y * cos) for x, y in both]


def _gradient(size: tuple[int, int], centre: tuple[float, float], direction: float, length: float) -> Image.Image:
    """Light from 0 at the root of a petal to 255 at its tip."""
    turn = math.radians(direction)
    cos, sin = math.cos(turn), -math.sin(turn)
    small = Image.new("L", (size[0] // 8, size[1] // 8))
    small.putdata(
        [
            max(0, min(255, round(255 * ((x * 8 - centre[0]) * cos + (y * 8 - centre[1]) * sin) / length)))
            for y in range(small.height)
            for x in range(small.width)
        ]
    )
    return small.resize(size, Image.Resampling.BILINEAR)


def _heart(picture: Image.Image, centre: tuple[float, float], radius: float) -> None:
    canvas = ImageDraw.Draw(picture)
    for share, colour in ((1.0, (222, 160, 60)), (0.8, (240, 190, 88)), (0.5, (250, 222, 140))):
        reach = radius * share
        canvas.ellipse(
            (centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach), fill=(*colour, 255)
        )


if __name__ == "__main__":
    main()
