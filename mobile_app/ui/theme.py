"""How the app looks: colours by role, type, spacing. A Theme is handed to every widget, so there is no global style.

Colours are named for what they are for, and every pair of text and ground that may meet is in PAIRS, whose contrast a
test computes (WCAG 2.2: 4.5 for text, 3 for the edges of controls).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from kivy.metrics import dp

FONTS = Path(__file__).parent / "fonts"
Rgba = tuple[float, float, float, float]
Role = Literal["display", "title", "heading", "body", "strong", "label", "small"]

TOUCH = 48  # dp: no target is smaller
GAP = 8  # dp: the unit of spacing
MARGIN = 20  # dp: between the content and the edge of the screen
COLUMN = 640  # dp: the widest that text gets
RADIUS = 20  # dp: of cards
LARGEST_SCALE = 2.0
SMALLEST_SCALE = 0.8


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours by role, as #rrggbb. `on_x` is for text and icons over `x`."""

    ground: str  # behind everything
    surface: str  # of cards and bars
    raised: str  # of fields and quiet buttons
    text: str
    soft: str  # for text of less weight
    primary: str
    on_primary: str
    primary_soft: str
    on_primary_soft: str
    accent: str
    on_accent: str
    accent_soft: str
    on_accent_soft: str
    danger: str
    on_danger: str
    danger_soft: str
    on_danger_soft: str
    warning_soft: str
    on_warning_soft: str
    line: str  # hairlines: decoration alone
    edge: str  # of controls


LIGHT = Palette(
    ground="#f6f4ed",
    surface="#ffffff",
    raised="#ecefe6",
    text="#18241d",
    soft="#56635a",
    primary="#1e5a43",
    on_primary="#ffffff",
    primary_soft="#dcebdf",
    on_primary_soft="#123f2e",
    accent="#ad2f5c",
    on_accent="#ffffff",
    accent_soft="#fae4ea",
    on_accent_soft="#7c1c40",
    danger="#a5281d",
    on_danger="#ffffff",
    danger_soft="#fae3df",
    on_danger_soft="#7f1d14",
    warning_soft="#faeed2",
    on_warning_soft="#5e4305",
    line="#e2dfd4",
    edge="#7d877f",
)
DARK = Palette(
    ground="#0f1512",
    surface="#18201b",
    raised="#232d27",
    text="#e8eee8",
    soft="#a8b5ab",
    primary="#8fd2af",
    on_primary="#06281a",
    primary_soft="#1d3b2e",
    on_primary_soft="#c8ecd7",
    accent="#f2a6bf",
    on_accent="#470d25",
    accent_soft="#472131",
    on_accent_soft="#fad6e2",
    danger="#ffb4a8",
    on_danger="#561008",
    danger_soft="#4a1d18",
    on_danger_soft="#ffdad4",
    warning_soft="#3f3212",
    on_warning_soft="#f6dfa8",
    line="#2a342e",
    edge="#839187",
)
# What may be written on what. A new combination is a new row here.
PAIRS: tuple[tuple[str, str], ...] = (
    *((text, ground) for ground in ("ground", "surface", "raised") for text in ("text", "soft", "primary")),
    *((text, ground) for ground in ("ground", "surface") for text in ("accent", "danger")),
    *((f"on_{name}", name) for name in ("primary", "primary_soft", "accent", "accent_soft")),
    *((f"on_{name}", name) for name in ("danger", "danger_soft", "warning_soft")),
)
EDGES: tuple[tuple[str, str], ...] = tuple((edge, on) for edge in ("edge", "primary") for on in ("ground", "surface"))

_SIZES: dict[Role, float] = {
    "display": 30, "title": 22, "heading": 18, "body": 16, "strong": 16, "label": 15, "small": 13.5,
}  # fmt: skip
_FACES: dict[Role, str] = {
    "display": "serif-bold.otf",
    "title": "serif-bold.otf",
    "heading": "sans-bold.otf",
    "body": "sans-regular.otf",
    "strong": "sans-bold.otf",
    "label": "sans-bold.otf",
    "small": "sans-regular.otf",
}


@dataclass(frozen=True, kw_only=True)
class Theme:
    """What a widget needs to draw itself."""

    palette: Palette = LIGHT
    is_dark: bool = False
    text_scale: float = 1.0  # as the system has it
    is_rtl: bool = False  # the language runs from right to left
    moves: bool = True  # whether anything is animated

    def colour(self, token: str, alpha: float = 1.0) -> Rgba:
        """A colour by its role."""
        red, green, blue = rgb(getattr(self.palette, token))
        return red, green, blue, alpha

    def font_size(self, role: Role) -> float:
        """In pixels. Headlines grow less than the system asks for: they are large already."""
        scale = min(max(self.text_scale, SMALLEST_SCALE), LARGEST_SCALE)
        if role in ("display", "title"):
            scale = 1 + (scale - 1) * 0.6
        return dp(_SIZES[role] * scale)

    def font(self, role: Role) -> str:
        """The path of a font file."""
        return str(FONTS / _FACES[role])

    def icon_font(self, *, filled: bool = False) -> str:
        return str(FONTS / ("icons-fill.ttf" if filled else "icons.ttf"))

    @property
    def start(self) -> Literal["left", "right"]:
        """The side at which a line begins."""
        return "right" if self.is_rtl else "left"

    @property
    def end(self) -> Literal["left", "right"]:
        return "left" if self.is_rtl else "right"


def make_theme(*, dark: bool, text_scale: float = 1.0, is_rtl: bool = False, moves: bool = True) -> Theme:
    """The light or the dark theme."""
    return Theme(palette=DARK if dark else LIGHT, is_dark=dark, text_scale=text_scale, is_rtl=is_rtl, moves=moves)


def rgb(colour: str) -> tuple[float, float, float]:
    """#rrggbb -> three numbers in [0, 1]."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours #rrggbb, 1 to 21: WCAG 2.2, (L1 + 0.05) / (L2 + 0.05)."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def tokens() -> list[str]:
    """The names of all colours."""
    return [field.name for field in fields(Palette)]


def _luminance(colour: str) -> float:
    """Relative luminance of sRGB, WCAG 2.2."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
