"""Plots: bars with a whisker for the slow runs, and a line over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kivy.graphics import Color, Line, SmoothEllipse, SmoothRoundedRectangle
from kivy.metrics import dp
from kivy.uix.widget import Widget

from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets.base import Column, Row, paint
from mobile_app.ui.widgets.text import Text


class BarPlot(Column):
    """Args: rows: (name, value, whisker, text of the value); bars share one scale, which begins at 0."""

    def __init__(self, theme: Theme, rows: Sequence[tuple[str, float, float, str]]) -> None:
        super().__init__(theme, gap=12)
        longest = max((max(value, whisker) for _, value, whisker, _ in rows), default=1) or 1
        for name, value, whisker, text in rows:
            number = Text(theme, text, "strong", fit=True)
            head = Row(theme, Text(theme, name, "small", colour="soft"), number, gap=10)
            self.add_widget(Column(theme, head, _Whisker(theme, value / longest, whisker / longest), gap=3))


class _Whisker(Widget):
    def __init__(self, theme: Theme, share: float, reach: float) -> None:
        super().__init__(size_hint_y=None, height=dp(14))
        self.theme, self._share, self._reach = theme, share, reach
        paint(self, theme, "raised", radius=7)
        with self.canvas:
            Color(*theme.colour("primary"))
            self._bar = SmoothRoundedRectangle()
            Color(*theme.colour("accent"))
            self._line = Line(width=dp(1.4), cap="none")
        self.bind(pos=self._draw, size=self._draw)

    def _draw(self, *_: Any) -> None:
        rtl, middle = self.theme.is_rtl, self.y + self.height / 2

        def at(share: float) -> float:
            return self.x + self.width * (1 - share if rtl else share)

        width = max(self.width * self._share, self.height)
        self._bar.pos = (self.x + self.width - width if rtl else self.x, self.y)
        self._bar.size, self._bar.radius = (width, self.height), [self.height / 2] * 4
        end, tick = at(self._reach), dp(4)
        start = at(self._share)
        self._line.points = [start, middle, end, middle, end, middle - tick, end, middle + tick]


class LinePlot(Widget):
    """A value over time, oldest first; at least two points make a line. The scale begins at 0."""

    def __init__(self, theme: Theme, values: Sequence[float], *, height: float = 120, unit: str = "ms") -> None:
        super().__init__(size_hint_y=None, height=dp(height))
        self.theme, self._values = theme, list(values)
        self._top = max(self._values, default=0) * 1.15 or 1
        self.words = [
            Text(theme, f"{self._top:.3g} {unit}", "small", colour="soft", fit=True),
            Text(theme, "0", "small", colour="soft", fit=True),
        ]
        with self.canvas:
            Color(*theme.colour("line"))
            self._grid = [Line(width=1) for _ in range(3)]
            Color(*theme.colour("primary"))
            self._line = Line(width=dp(1.6), joint="round")
            self._dots = [SmoothEllipse(size=(dp(8), dp(8))) for _ in self._values]
        for word in self.words:
            self.add_widget(word)
        self.bind(pos=self._draw, size=self._draw)

    def _draw(self, *_: Any) -> None:
        margin = max(word.width for word in self.words) + dp(8)
        left, right = self.x + margin, self.x + self.width - dp(8)
        low, high = self.y + dp(10), self.y + self.height - dp(10)
        for line, share in zip(self._grid, (0.0, 0.5, 1.0), strict=True):
            line.points = [left, low + (high - low) * share, right, low + (high - low) * share]
        for word, y in zip(self.words, (high, low), strict=True):
            word.pos = (self.x, y - word.height / 2)
        step = (right - left) / max(1, len(self._values) - 1)
        points = [(left + step * n, low + (high - low) * v / self._top) for n, v in enumerate(self._values)]
        if len(points) == 1:
            points = [((left + right) / 2, points[0][1])]
        self._line.points = [axis for point in points for axis in point]
        for dot, (x, y) in zip(self._dots, points, strict=True):
            dot.pos = (x - dp(4), y - dp(4))
