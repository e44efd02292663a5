"""What a page is made of: Card, ListRow, Notice, Empty, Meter, Picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kivy.graphics import (
    Color,
    Rectangle,
    RoundedRectangle,
    SmoothRoundedRectangle,
    StencilPop,
    StencilPush,
    StencilUnUse,
    StencilUse,
)
from kivy.metrics import dp
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets.base import Column, Row, Spacer, paint
from mobile_app.ui.widgets.text import Icon, Text
from mobile_app.ui.widgets.textures import load_texture
from mobile_app.ui.widgets.touch import OnTap, Tappable, TextButton


class Card(Column):
    """A rounded surface with things on it; see Tappable for one that can be tapped."""

    def __init__(
        self, theme: Theme, *children: Widget | None, fill: str = "surface", padding: Any = 18, **options: Any
    ) -> None:
        super().__init__(theme, *children, **{"gap": 10, "padding": padding} | options)
        paint(self, theme, fill, radius=20)


class IconDisc(FloatLayout):
    """An icon on a soft round ground."""

    def __init__(
        self, theme: Theme, icon: str, *, fill: str = "primary_soft", size: float = 44, filled: bool = True
    ) -> None:
        super().__init__(size_hint=(None, None), size=(dp(size), dp(size)))
        paint(self, theme, fill, radius=size / 2)
        ink = f"on_{fill}" if hasattr(theme.palette, f"on_{fill}") else "primary"
        self.add_widget(
            Icon(theme, icon, size=size * 0.52, colour=ink, filled=filled, pos_hint={"center_x": 0.5, "center_y": 0.5})
        )


class ListRow(Tappable):
    """A line of a list: something in front, a title, a line under it, something at the end.

    Args:
        lead: an icon's name or a widget; end: a widget, or None for the arrow that a tappable row has.
    """

    def __init__(
        self,
        theme: Theme,
        title: str,
        subtitle: str = "",
        *,
        lead: str | Widget | None = None,
        end: Widget | None = None,
        on_tap: OnTap | None = None,
        fill: str | None = None,
        padding: Any = (4, 8),
    ) -> None:
        first = IconDisc(theme, lead) if isinstance(lead, str) else lead
        if end is None and on_tap is not None:
            end = Icon(theme, "caret-left" if theme.is_rtl else "caret-right", size=18, colour="soft")
        self.title = Text(theme, title, "body")
        self.subtitle = Text(theme, subtitle, "small", colour="soft")
        words = Column(theme, self.title, self.subtitle if subtitle else None, gap=2)
        row = Row(theme, first, words, end, gap=14)
        least = dp(56 - 16)
        row.bind(minimum_height=lambda _row, height: setattr(row, "height", max(height, least)))
        super().__init__(theme, row, on_tap=on_tap, fill=fill, radius=14, padding=padding)


class Notice(Column):
    """A sentence that matters, on a coloured ground. kind: calm, petal, warning or danger."""

    _LOOKS = {  # noqa: RUF012
        "calm": ("primary_soft", "info"),
        "good": ("primary_soft", "check-circle"),
        "petal": ("accent_soft", "flower"),
        "warning": ("warning_soft", "warning"),
        "danger": ("danger_soft", "warning-circle"),
    }

    def __init__(
        self, theme: Theme, text: str, *, kind: str = "calm", icon: str | None = None, action: Widget | None = None
    ) -> None:
        fill, sign = self._LOOKS[kind]
        self.text = Text(theme, text, "small", colour=f"on_{fill}")
        row = Row(theme, Icon(theme, icon or sign, size=22, colour=f"on_{fill}"), self.text, gap=12)
        super().__init__(theme, row, action, gap=8, padding=14)
        paint(self, theme, fill, radius=16)


class Empty(Column):
    """What a page shows when it has nothing to show: an icon, a title, a sentence, a way on."""

    def __init__(
        self, theme: Theme, icon: str, title: str, text: str, *, action: str = "", on_tap: OnTap | None = None
    ) -> None:
        disc = Row(theme, Spacer(1), IconDisc(theme, icon, size=88), Spacer(1))
        super().__init__(
            theme,
            Spacer(24),
            disc,
            Text(theme, title, "title", align="centre"),
            Text(theme, text, "body", colour="soft", align="centre"),
            TextButton(theme, action, on_tap) if action else None,
            gap=14,
            padding=(8, 24),
        )


class Meter(Column):
    """A share as a bar with its name and its number: the guesses of a recogniser."""

    def __init__(
        self, theme: Theme, name: str, share: float, *, note: str = "", colour: str = "primary", strong: bool = False
    ) -> None:
        role = "strong" if strong else "body"
        number = Text(theme, f"{share:.0%}", "strong" if strong else "body", fit=True, align="end")
        row = Row(theme, Text(theme, name, role), number, gap=12)
        self.bar = Bar(theme, share, colour=colour)
        super().__init__(theme, row, Text(theme, note, "small", colour="soft") if note else None, self.bar, gap=5)


class Bar(Widget):
    """A filled share of a line."""

    def __init__(self, theme: Theme, share: float = 0.0, *, colour: str = "primary", height: float = 8) -> None:
        super().__init__(size_hint_y=None, height=dp(height))
        self.theme, self._share = theme, share
        paint(self, theme, "raised", radius=height / 2)
        with self.canvas:
            Color(*theme.colour(colour))
            self._done = SmoothRoundedRectangle(size=(0, 0))
        self.bind(pos=self._draw, size=self._draw)

    @property
    def share(self) -> float:
        return self._share

    @share.setter
    def share(self, value: float) -> None:
        self._share = min(max(value, 0.0), 1.0)
        self._draw()

    def _draw(self, *_: Any) -> None:
        width = max(self.width * self._share, self.height if self._share > 0 else 0)
        left = self.x + self.width - width if self.theme.is_rtl else self.x
        self._done.pos, self._done.size = (left, self.y), (width, self.height)
        self._done.radius = [max(0.1, min(self.height, width) / 2)] * 4


class Picture(Widget):
    """A picture that fills its place, cropped in the middle, with round corners.

    Args:
        source: a small file, read at once (pictures of more than about 500 px belong to the worker, which hands over
            pixels for `show`); height: in dp, or `ratio`, height by width.
    """

    def __init__(
        self,
        theme: Theme,
        source: Path | None = None,
        *,
        height: float | None = None,
        ratio: float | None = None,
        size: float | None = None,
        radius: float = 20,
        fill: str = "raised",
    ) -> None:
        super().__init__()
        self.theme, self._radius, self._texture = theme, radius, None
        paint(self, theme, fill, radius=radius)
        with (
            self.canvas
        ):  # a rounded rectangle would show the whole texture, squashed; a stencil cuts a region's corners
            StencilPush()
            self._cut = RoundedRectangle()
            StencilUse()
            self._colour = Color(1, 1, 1, 0)
            self._shape = Rectangle()
            StencilUnUse()
            self._uncut = RoundedRectangle()
            StencilPop()
        if size is not None:
            self.size_hint, self.size = (None, None), (dp(size), dp(size))
        elif height is not None:
            self.size_hint_y, self.height = None, dp(height)
        elif ratio is not None:
            self.size_hint_y = None
            self.bind(width=lambda _w, width: setattr(self, "height", width * ratio))
        self.bind(pos=self._draw, size=self._draw)
        if source is not None:
            self.load(source)

    def load(self, source: Path) -> bool:
        """Show a small file; False, and nothing shown, if it cannot be read."""
        texture = load_texture(source)
        self.show(texture)
        return texture is not None

    def show(self, texture: Any | None) -> None:
        """Show a texture, or nothing."""
        self._texture = texture
        self._draw()

    def _draw(self, *_: Any) -> None:
        self._colour.a = 0 if self._texture is None else 1
        if self._texture is None or self.width < 1 or self.height < 1:
            return
        width, height = self._texture.size
        scale = max(self.width / width, self.height / height)
        shown = (max(1, min(width, round(self.width / scale))), max(1, min(height, round(self.height / scale))))
        corner = ((width - shown[0]) // 2, (height - shown[1]) // 2)
        self._shape.texture = self._texture.get_region(*corner, *shown)
        self._shape.pos, self._shape.size = self.pos, self.size
        for cut in (self._cut, self._uncut):
            cut.pos, cut.size = self.pos, self.size
            cut.radius = [max(0.1, min(dp(self._radius), self.width / 2, self.height / 2))] * 4


class Photograph(Widget):
    """A whole picture, fitted into its place without a crop."""

    def __init__(self, texture: Any | None = None, **options: Any) -> None:
        super().__init__(**options)
        with self.canvas:
            self._colour = Color(1, 1, 1, 0)
            self._rectangle = Rectangle()
        self._texture = None
        self.bind(pos=self._draw, size=self._draw)
        self.show(texture)

    def show(self, texture: Any | None) -> None:
        self._texture = texture
        self._draw()

    def _draw(self, *_: Any) -> None:
        self._colour.a = 0 if self._texture is None else 1
        if self._texture is None:
            return
        scale = min(self.width / self._texture.width, self.height / self._texture.height)
        size = self._texture.width * scale, self._texture.height * scale
        self._rectangle.texture = self._texture
        self._rectangle.pos = ((self.x + self.width / 2) - size[0] / 2, (self.y + self.height / 2) - size[1] / 2)
        self._rectangle.size = size
