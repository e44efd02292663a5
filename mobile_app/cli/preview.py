"""Before, after and the amplified difference, side by side in one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

AMPLIFY = 10  # of the difference, around mid grey
MOST_ROWS = 6

_PAPER, _INK, _SOFT, _RIM = "#faf8f5", "#26221f", "#857d76", "#e4dfd8"
_MARGIN_PX, _GAP_PX = 28, 16
_TITLE_PX, _TEXT_PX = 21, 17
_PANEL_PX = {1: 600}  # box that a panel is fitted into, by the number of rows
_PANEL_OF_MANY_PX = 380
_NARROWEST_COLUMN_PX = 250  # for the words under a tall photo

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Captions:
    """A few words under each panel."""

    before: str
    after: str
    difference: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """The panels of one photo, already small."""

    panels: tuple[Image.Image, Image.Image, Image.Image]
    captions: Captions


def make_row(before: Pixels, after: Pixels, captions: Captions, *, rows: int = 1) -> Row:
    """Shrink a pair (H, W, 3) and its difference to panels.

    Args:
        rows: how many the picture will have: the more, the smaller the panels.
    """
    box = _PANEL_PX.get(rows, _PANEL_OF_MANY_PX)
    first, second, third = (_fitted(Image.fromarray(p), box) for p in (before, after, _amplified(before, after)))
    return Row(panels=(first, second, third), captions=captions)


def draw(rows: Sequence[Row]) -> bytes:
    """One PNG of all rows."""
    columns = [max(_NARROWEST_COLUMN_PX, *(row.panels[i].width for row in rows)) for i in range(3)]
    caption_px = _TITLE_PX + _TEXT_PX + 26
    heights = [row.panels[0].height + caption_px for row in rows]
    width = 2 * _MARGIN_PX + sum(columns) + 2 * _GAP_PX
    height = 2 * _MARGIN_PX + sum(heights) + _GAP_PX * (len(rows) - 1)
    picture = Image.new("RGB", (width, height), _PAPER)
    top = _MARGIN_PX
    for row, row_height in zip(rows, heights, strict=True):
        left = _MARGIN_PX
        texts = (row.captions.before, row.captions.after, row.captions.difference)
        titles = ("before", "after", f"difference, {AMPLIFY} times")
        for panel, column, title, text in zip(row.panels, columns, titles, texts, strict=True):
            _place(picture, panel, (left, top), title, text, width=column)
            left += column + _GAP_PX
        top += row_height + _GAP_PX
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _place(
    picture: Image.Image, panel: Image.Image, corner: tuple[int, int], title: str, text: str, *, width: int
) -> None:
    canvas = ImageDraw.Draw(picture)
    left, top = corner
    picture.paste(panel, corner)
    canvas.rectangle((left - 1, top - 1, left + panel.width, top + panel.height), outline=_RIM)
    below = top + panel.height + 12
    canvas.text((left, below), title, fill=_INK, font=ImageFont.load_default(size=_TITLE_PX))
    font = ImageFont.load_default(size=_TEXT_PX)
    canvas.text((left, below + _TITLE_PX + 7), _shortened(text, width, font), fill=_SOFT, font=font)


def _fitted(image: Image.Image, box: int) -> Image.Image:
    """Inside a square box, larger or smaller, but no thinner than a few pixels."""
    scale = box / max(image.size)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def _amplified(before: Pixels, after: Pixels) -> Pixels:
    """128 + AMPLIFY * (after - before), clipped; in strips, so that a large photo needs one copy only."""
    out = np.empty_like(before)
    rows = max(1, (1 << 20) // before[0].size)
    for top in range(0, len(before), rows):
        strip = slice(top, top + rows)
        out[strip] = np.clip(128 + AMPLIFY * (after[strip].astype(np.int16) - before[strip]), 0, 255)
    return out


def _shortened(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text.rstrip()}..."
