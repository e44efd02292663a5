"""Grounds and layout: Column, Row, Grid, Scroll, Spacer, and `paint`, which gives a widget a ground.

A widget that is `size_hint_y=None` knows its own height; columns and rows add those up. Rows and texts begin at the
side at which the language begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color, Line, SmoothRoundedRectangle
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from mobile_app.ui.theme import COLUMN, GAP, MARGIN, Theme


class Ground:
    """The colour and the edge behind a widget; change them by `set`."""

    def __init__(self, widget: Widget, theme: Theme, fill: str | None, edge: str | None, radius: float) -> None:
        self._theme, self._widget, self._radius = theme, widget, radius
        with widget.canvas.before:
            self._fill_colour = Color(0, 0, 0, 0)
            self._shape = SmoothRoundedRectangle()
            self._edge_colour = Color(0, 0, 0, 0)
            self._outline = Line(width=1)
        self.set(fill, edge)
        widget.painted = self  # Kivy holds what is bound weakly, so somebody has to keep this
        widget.bind(pos=self._place, size=self._place)
        self._place()

    def set(self, fill: str | None, edge: str | None = None, alpha: float = 1.0) -> None:
        self._widget.fill = fill if alpha == 1 else None  # which a test reads to know what a text stands on
        self._fill_colour.rgba = (0, 0, 0, 0) if fill is None else self._theme.colour(fill, alpha)
        self._edge_colour.rgba = (0, 0, 0, 0) if edge is None else self._theme.colour(edge)

    def _place(self, *_: Any) -> None:
        (x, y), (width, height) = self._widget.pos, self._widget.size
        radius = max(0.1, min(dp(self._radius), width / 2, height / 2))
        self._shape.pos, self._shape.size, self._shape.radius = (x, y), (width, height), [radius] * 4
        if width > 2 and height > 2:
            self._outline.rounded_rectangle = (x + 1, y + 1, width - 2, height - 2, max(0.1, radius - 1))


def paint(widget: Widget, theme: Theme, fill: str | None, *, edge: str | None = None, radius: float = 0) -> Ground:
    """Put a ground behind a widget: colours by role, `radius` in dp."""
    return Ground(widget, theme, fill, edge, radius)


class Column(BoxLayout):
    """Widgets under one another, as high as they are together.

    Args:
        gap: between them, in dp; padding: around them, in dp, as Kivy takes it.
    """

    def __init__(
        self, theme: Theme, *children: Widget | None, gap: float = GAP, padding: Any = 0, **options: Any
    ) -> None:
        super().__init__(
            **{"orientation": "vertical", "spacing": dp(gap), "padding": _dp(padding), "size_hint_y": None} | options
        )
        self.theme = theme
        self.bind(minimum_height=self.setter("height"))
        self.fill_with(children)

    def fill_with(self, children: Iterable[Widget | None]) -> None:
        """Other children instead of those that are there; None is passed over."""
        self.clear_widgets()
        for child in children:
            if child is not None:
                self.add_widget(child)


class Row(BoxLayout):
    """Widgets side by side, from the side at which the language begins, as high as the highest and centred."""

    def __init__(
        self, theme: Theme, *children: Widget | None, gap: float = GAP, padding: Any = 0, **options: Any
    ) -> None:
        super().__init__(
            **{"orientation": "horizontal", "spacing": dp(gap), "padding": _dp(padding), "size_hint_y": None} | options
        )
        self.theme = theme
        self.bind(minimum_height=self.setter("height"))
        shown = [child for child in children if child is not None]
        for child in reversed(shown) if theme.is_rtl else shown:
            if child.size_hint_y is None:
                child.pos_hint = {"center_y": 0.5}
            self.add_widget(child)


class Grid(GridLayout):
    """Cells in as many columns as fit. Args: column: the narrowest that a column gets, in dp; most: columns."""

    def __init__(
        self, theme: Theme, *children: Widget, column: float = 150, most: int = 6, gap: float = 12, **options: Any
    ) -> None:
        super().__init__(**{"cols": 1, "spacing": dp(gap), "size_hint_y": None} | options)
        self.theme, self._column, self._most = theme, column, most
        if theme.is_rtl:
            self.orientation = "rl-tb"
        self.bind(minimum_height=self.setter("height"), width=self._fit, children=self._even)
        self._level = Clock.create_trigger(self._make_even, -1)
        for child in children:
            self.add_widget(child)
            if "minimum_height" in child.properties():
                child.bind(minimum_height=self._even)
                child.add_widget(Widget())  # takes what a cell gets beyond its content, so that this stays at the top

    def _fit(self, *_: Any) -> None:
        scale = 1 + (min(max(self.theme.text_scale, 1), 2) - 1) * 0.5  # larger letters need wider cells
        fitting = int((self.width + self.spacing[0]) // (dp(self._column) * scale + self.spacing[0]))
        self.cols = max(1, min(self._most, fitting))
        self._even()
        self.col_force_default = True  # else a lone cell takes the whole line
        self.col_default_width = (self.width - self.spacing[0] * (self.cols - 1)) / self.cols

    def _even(self, *_: Any) -> None:
        self._level()

    def _make_even(self, _dt: float) -> None:
        """Give the cells of a line one height."""
        cells = [child for child in reversed(self.children) if "minimum_height" in child.properties()]
        if len(cells) < len(self.children):
            return
        for start in range(0, len(cells), self.cols):
            line = cells[start : start + self.cols]
            highest = max(cell.minimum_height for cell in line)
            for cell in line:
                cell.height = highest


class Spacer(Widget):
    """Room: of a height in dp, or as much as is left in both directions."""

    def __init__(self, height: float | None = None, *, width: float | None = None) -> None:
        super().__init__()
        if height is not None:
            self.size_hint_y, self.height = None, dp(height)
        elif width is not None:
            self.size_hint_y, self.height = None, dp(1)
        if width is not None:
            self.size_hint_x, self.width = None, dp(width)


class Rule(Widget):
    """A hairline."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(size_hint_y=None, height=dp(1))
        paint(self, theme, "line")


class Scroll(ScrollView):
    """A page that scrolls: `content`, a column in the middle that gets no wider than is read with ease."""

    def __init__(self, theme: Theme, *children: Widget | None, gap: float = 16, widest: float = COLUMN) -> None:
        super().__init__(
            do_scroll_x=False,
            bar_width=dp(4),
            bar_color=theme.colour("edge", 0.7),
            bar_inactive_color=theme.colour("edge", 0.0),
            scroll_type=["bars", "content"],
            scroll_distance=dp(12),
            scroll_timeout=180,
        )
        self._widest = widest
        self.first: list[Any] = []  # widgets that are asked before the page scrolls: claims(touch) -> bool
        self.content = Column(theme, *children, gap=gap)
        self.add_widget(self.content)
        self.bind(width=self._margins)
        self._margins()

    def on_touch_down(self, touch: Any) -> bool:
        if self.first and self.collide_point(*touch.pos):
            touch.push()
            touch.apply_transform_2d(self.to_local)
            is_taken = any(widget.claims(touch) and widget.on_touch_down(touch) for widget in self.first)
            touch.pop()
            if is_taken:
                return True
        return super().on_touch_down(touch)

    def _margins(self, *_: Any) -> None:
        side = max(dp(MARGIN), (self.width - dp(self._widest)) / 2)
        self.content.padding = (side, dp(8), side, dp(28))


def _dp(padding: Any) -> Any:
    return [dp(side) for side in padding] if isinstance(padding, tuple | list) else dp(padding)
