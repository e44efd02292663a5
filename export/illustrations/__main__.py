"""`python -m export.illustrations`: draw the picture of every species into mobile_app/content/pictures.

Drawn, not photographed: small, free of anybody's rights, and the same on every machine with the same Pillow.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from export.illustrations import bells, cups, faces, heads
from export.illustrations.canvas import Canvas
from mobile_app.core.files import write_whole

FOLDER = Path(__file__).resolve().parents[2] / "mobile_app" / "content" / "pictures"
SIZE_PX = 512
QUALITY = 80

# Each flower with the sky behind it, above and below: far enough from its own colour that it stands out.
FLOWERS: dict[str, tuple[Callable[[Canvas], None], str, str]] = {
    "bluebell": (bells.bluebell, "#f1f0e4", "#d5e6c8"),
    "buttercup": (faces.buttercup, "#dcecf6", "#cfe6cf"),
    "coltsfoot": (heads.coltsfoot, "#dfe9f1", "#ece2d6"),
    "cowslip": (bells.cowslip, "#d8e8f4", "#dcecd0"),
    "crocus": (cups.crocus, "#fbf1dc", "#e4ecd2"),
    "daffodil": (cups.daffodil, "#d3e6f5", "#d6ead6"),
    "daisy": (heads.daisy, "#bfdcef", "#cfe7c6"),
    "dandelion": (heads.dandelion, "#c8def0", "#d8e8c8"),
    "fritillary": (bells.fritillary, "#f6f0dc", "#dbe8cb"),
    "iris": (cups.iris, "#fbf0d9", "#e2ecd3"),
    "lily_of_the_valley": (bells.lily_of_the_valley, "#9cc4b4", "#c4dfb4"),
    "pansy": (faces.pansy, "#f8ecdd", "#dde9cd"),
    "rose": (faces.rose, "#f7efe2", "#dce8d2"),
    "snowdrop": (bells.snowdrop, "#a4bfd6", "#d3e0da"),
    "sunflower": (heads.sunflower, "#bfdcf2", "#dcecd4"),
    "tigerlily": (cups.tigerlily, "#f5efd9", "#d3e6d0"),
    "tulip": (cups.tulip, "#fdf1da", "#dcebd8"),
    "windflower": (faces.windflower, "#9fc3b0", "#c8e0b6"),
}


def draw(name: str, size_px: int = SIZE_PX) -> Image.Image:
    """The picture of one species. Raises: KeyError if it is not among FLOWERS."""
    paint, top, bottom = FLOWERS[name]
    canvas = Canvas(size_px, top, bottom)
    paint(canvas)
    return canvas.image()


def encoded(image: Image.Image) -> bytes:
    """A JPEG: half the size of a PNG of so many colours, and every Pillow on a phone can read it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0", optimize=True, progressive=True)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m export.illustrations", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="ID", help="species to draw; all by default")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures (default: %(default)s)")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(FLOWERS))
    if unknown:
        parser.error(f"{unknown[0]}: expected one of {', '.join(FLOWERS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or FLOWERS:
        write_whole(options.out / f"{name}.jpg", encoded(draw(name)), force=True)


if __name__ == "__main__":
    main()
