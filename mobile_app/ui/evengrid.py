"""A grid whose cells are as high as the highest of their line."""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.uix.widget import Widget

from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets import Grid


class EvenGrid(Grid):
    """Cells are columns that end with a Spacer(), which takes up what they get beyond their own height."""

    def __init__(self, theme: Theme, *children: Widget, **options: Any) -> None:
        self._level_soon = Clock.create_trigger(self._level, -1)
        super().__init__(theme, *children, **options)
        self.bind(cols=self._level_soon)

    def add_widget(self, widget: Widget, *args: Any, **options: Any) -> None:
        super().add_widget(widget, *args, **options)
        widget.bind(minimum_height=self._level_soon)
        self._level_soon()

    def _level(self, *_: Any) -> None:
        cells, columns = list(reversed(self.children)), max(1, self.cols)
        for start in range(0, len(cells), columns):
            line = cells[start : start + columns]
            highest = max(cell.minimum_height for cell in line)
            for cell in line:
                cell.height = highest
