"""The year as twelve cells: which months a flower blooms in, and which month it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kivy.metrics import dp
from kivy.uix.gridlayout import GridLayout
from kivy.uix.widget import Widget

from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets import Column, Text, paint

_BAR = 14  # dp, height of a month's bar


class SeasonBar(GridLayout):
    """Args: names: of the twelve months, as short as they get; blooming: 1 to 12; now: the month that it is."""

    def __init__(self, theme: Theme, names: Sequence[str], blooming: Sequence[int], now: int) -> None:
        super().__init__(cols=12, spacing=dp(4), size_hint_y=None)
        self.theme = theme
        if theme.is_rtl:
            self.orientation = "rl-tb"
        self.bind(minimum_height=self.setter("height"), width=self._fit)
        for month, name in enumerate(names, start=1):
            self.add_widget(_month(theme, name, is_on=month in blooming, is_now=month == now))

    def _fit(self, *_: Any) -> None:
        """In one line where the names fit, else in two."""
        self.cols = 12 if (self.width - dp(44)) / 12 >= 1.45 * self.theme.font_size("small") else 6


def _month(theme: Theme, name: str, *, is_on: bool, is_now: bool) -> Widget:
    bar = Widget(size_hint_y=None, height=dp(_BAR))
    paint(bar, theme, "accent" if is_on else "raised", radius=5)
    role = "label" if is_now else "small"
    size = theme.font_size("small")
    word = Text(theme, name, role, colour="text" if is_on or is_now else "soft", align="centre", font_size=size)
    dot = Widget(size_hint_y=None, height=dp(4))
    if is_now:
        mark = Widget(size_hint=(None, None), size=(dp(16), dp(3)))
        paint(mark, theme, "primary", radius=1.5)
        dot.bind(pos=lambda dot, _pos: _under(dot, mark), size=lambda dot, _size: _under(dot, mark))
        dot.add_widget(mark)
    return Column(theme, bar, word, dot, gap=3)


def _under(holder: Widget, mark: Widget) -> None:
    mark.pos = (holder.x + holder.width / 2 - mark.width / 2, holder.y)
