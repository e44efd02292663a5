"""The green ground of the first page, with a flower at its far corner, which `python -m export.art` draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kivy.graphics import Color, RoundedRectangle, SmoothRoundedRectangle
from kivy.metrics import dp

from mobile_app.ui.theme import Theme, rgb
from mobile_app.ui.widgets.base import Column
from mobile_app.ui.widgets.textures import load_texture

ART = Path(__file__).parents[1] / "art" / "bloom.png"  # square, its flower at the upper right
HERO, HERO_DARK = "#1b5340", "#173c2f"
WORDS = (1.0, 1.0, 1.0, 1.0)
SOFT_WORDS = (0.92, 0.97, 0.94, 1.0)


class Bloom(Column):
    """A column on deep green with a flower behind it. Text on it is light in both themes: WORDS and SOFT_WORDS.

    is_faint: for words that reach over the flower.
    """

    def __init__(self, theme: Theme, *children: Any, is_faint: bool = False, **options: Any) -> None:
        super().__init__(theme, *children, **{"gap": 10, "padding": 24} | options)
        self.fill = "hero"  # a ground of its own, whose contrast has a test of its own
        texture = load_texture(ART)
        with self.canvas.before:
            Color(*rgb(HERO_DARK if theme.is_dark else HERO))
            self._ground = SmoothRoundedRectangle()
            Color(1, 1, 1, 0.15 if is_faint else 0.85 if theme.is_dark else 1)
            self._flower = RoundedRectangle(texture=texture)
        self.bind(pos=self._draw, size=self._draw)

    def _draw(self, *_: Any) -> None:
        radius = dp(26)
        self._ground.pos, self._ground.size, self._ground.radius = self.pos, self.size, [radius] * 4
        side = min(self.height, self.width * 0.5)
        left = self.x if self.theme.is_rtl else self.x + self.width - side
        self._flower.pos, self._flower.size = (left, self.y + self.height - side), (side, side)
        corners = [radius, 0, 0, 0] if self.theme.is_rtl else [0, radius, 0, 0]
        self._flower.radius = corners
