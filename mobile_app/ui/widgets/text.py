"""Text and icons. Text wraps inside the width that it gets and is as high as its lines; nothing is ever cut off."""

from __future__ import annotations

from typing import Any, Literal

from kivy.metrics import dp
from kivy.uix.label import Label

from mobile_app.ui.icons import glyph
from mobile_app.ui.theme import Role, Theme
from mobile_app.ui.widgets.wrapping import wrapped

Align = Literal["start", "centre", "end"]


class Text(Label):
    """A text that wraps.

    Args:
        role: size and face; colour: a role of the palette.
        fit: be as wide as the text is, on one line, instead of filling the width.
        lines: shorten after so many lines; for previews alone, whose whole text is shown elsewhere.
    """

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        role: Role = "body",
        *,
        colour: str = "text",
        align: Align = "start",
        fit: bool = False,
        lines: int = 0,
        **options: Any,
    ) -> None:
        side = {"start": theme.start, "centre": "center", "end": theme.end}[align]
        super().__init__(
            **{
                "font_name": theme.font(role),
                "font_size": theme.font_size(role),
                "color": theme.colour(colour),
                "halign": side,
                "valign": "middle",
                "size_hint_y": None,
                "line_height": 1.0 if role in ("display", "title") else 1.05,
                "max_lines": lines,
                "shorten": bool(lines),
                "shorten_from": "right",
            }
            | options
        )
        self.theme, self.token, self.role = theme, colour, role
        self._whole, self._fit = "", fit
        if fit:
            self.size_hint_x = None
            self.bind(texture_size=self.setter("size"))
        else:
            self.bind(width=self._wrap, texture_size=self._grow)
        self.set(text)

    def set(self, text: str, *, colour: str | None = None) -> None:
        """Show another text, in another colour if one is named."""
        self._whole = text
        if colour is not None:
            self.token, self.color = colour, self.theme.colour(colour)
        self._wrap()

    @property
    def whole(self) -> str:
        """The text without the breaks that were put in."""
        return self._whole

    def _wrap(self, *_: Any) -> None:
        if self._fit:
            self.text = self._whole
            return
        if not self._whole:
            self.height = 0
        self.text_size = (max(self.width, 1), None)
        self.text = wrapped(self._whole, self.width, self.font_size, self._length)

    def _length(self, text: str) -> float:
        return self._label.get_extents(text)[0]

    def _grow(self, _widget: Any, size: list[float]) -> None:
        self.height = size[1] if self._whole else 0


class Icon(Label):
    """An icon of the font that ships: its name stands in icons.py."""

    def __init__(
        self, theme: Theme, name: str, *, size: float = 24, colour: str = "text", filled: bool = False, **options: Any
    ) -> None:
        super().__init__(
            **{
                "text": glyph(name),
                "font_name": theme.icon_font(filled=filled),
                "font_size": dp(size),
                "color": theme.colour(colour),
                "size_hint": (None, None),
                "size": (dp(size), dp(size)),
            }
            | options
        )
        self.theme, self.token = theme, colour

    def set(self, name: str | None = None, *, colour: str | None = None, filled: bool | None = None) -> None:
        """Show another icon, or this one in another colour."""
        if name is not None:
            self.text = glyph(name)
        if colour is not None:
            self.token, self.color = colour, self.theme.colour(colour)
        if filled is not None:
            self.font_name = self.theme.icon_font(filled=filled)
