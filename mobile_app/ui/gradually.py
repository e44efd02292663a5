"""Long pages a piece a frame, so that opening one never holds up the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kivy.clock import Clock
from kivy.uix.widget import Widget

Make = Callable[[], Widget | None]


def gradually(holder: Widget, makers: Sequence[Make], *, at_once: int = 0) -> None:
    """Add what the makers make to a layout: the first `at_once` now, then one a frame, in their order.

    None is passed over. What fills the same layout again has it to itself: the earlier filling ends. While the page is
    not shown nothing is made; it goes on when the page comes back.
    """
    rest = iter(makers)
    holder.filling = rest

    def add_one() -> bool:
        make = next(rest, None)
        if make is None:
            return False
        widget = make()
        if widget is not None:
            holder.add_widget(widget)
        return True

    def go_on(_dt: float) -> None:
        if holder.filling is not rest:
            return
        if holder.get_parent_window() is None:
            _topmost(holder).fbind("parent", come_back)
        elif add_one():
            Clock.schedule_once(go_on)

    def come_back(topmost: Widget, parent: Widget | None) -> None:
        if parent is not None:
            topmost.funbind("parent", come_back)
            Clock.schedule_once(go_on)

    for _ in range(at_once):
        add_one()
    Clock.schedule_once(go_on)


def _topmost(widget: Widget) -> Widget:
    while widget.parent is not None:
        widget = widget.parent
    return widget
