"""Choosing: Segmented (a few short options), Choices (options with an explanation), SwitchRow, Field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kivy.animation import Animation
from kivy.graphics import Color, Ellipse
from kivy.metrics import dp
from kivy.properties import NumericProperty
from kivy.uix.textinput import TextInput
from kivy.uix.widget import Widget

from mobile_app.ui.theme import TOUCH, Theme
from mobile_app.ui.widgets.base import Column, Row, paint
from mobile_app.ui.widgets.text import Icon, Text
from mobile_app.ui.widgets.touch import IconButton, Tappable

OnChoice = Callable[[str], Any]


class Segmented(Column):
    """One of a few options side by side; under one another where they would not fit.

    Args:
        options: (value, text) of each.
    """

    def __init__(
        self, theme: Theme, options: Sequence[tuple[str, str]], value: str, on_choice: OnChoice | None = None
    ) -> None:
        super().__init__(theme, gap=0, padding=4)
        paint(self, theme, "raised", radius=18)
        self.value, self._on_choice, self._upright = value, on_choice, None
        self._segments = {key: _Segment(theme, text, lambda key=key: self.choose(key)) for key, text in options}
        self.bind(width=self._arrange)
        self._show()
        self._arrange()

    def choose(self, value: str) -> None:
        """As a tap does."""
        changed, self.value = value != self.value, value
        self._show()
        if changed and self._on_choice is not None:
            self._on_choice(value)

    def segment(self, value: str) -> Tappable:
        return self._segments[value]

    def _show(self) -> None:
        for key, segment in self._segments.items():
            segment.set_on(key == self.value)

    def _arrange(self, *_: Any) -> None:
        room = (self.width - dp(8)) / len(self._segments) - dp(16)
        upright = any(segment.natural_width() > room for segment in self._segments.values())
        if upright is self._upright:
            return
        self._upright = upright
        for segment in self._segments.values():
            if segment.parent is not None:
                segment.parent.remove_widget(segment)
        holder = Column if upright else Row
        self.fill_with([holder(self.theme, *self._segments.values(), gap=2)])


class _Segment(Tappable):
    def __init__(self, theme: Theme, text: str, on_tap: Callable[[], None]) -> None:
        self.text = Text(theme, text, "label", align="centre")
        super().__init__(theme, self.text, on_tap=on_tap, fill=None, radius=14, padding=(8, 12))
        self.bind(minimum_height=lambda _w, height: setattr(self, "height", max(height, dp(TOUCH))))

    def natural_width(self) -> float:
        return self.text._length(self.text.whole)

    def set_on(self, is_on: bool) -> None:
        self.ground.set("primary" if is_on else None)
        self.text.set(self.text.whole, colour="on_primary" if is_on else "text")


class Choices(Column):
    """One of several options, each with a sentence that explains it.

    Args:
        options: (value, title, explanation) of each.
    """

    def __init__(
        self, theme: Theme, options: Sequence[tuple[str, str, str]], value: str, on_choice: OnChoice | None = None
    ) -> None:
        super().__init__(theme, gap=6)
        self.value, self._on_choice = value, on_choice
        self._rows: dict[str, tuple[Tappable, Icon]] = {}
        for key, title, text in options:
            mark = Icon(theme, "circle", size=24, colour="edge")
            words = Column(theme, Text(theme, title, "strong"), Text(theme, text, "small", colour="soft"), gap=2)
            row = Tappable(
                theme,
                Row(theme, mark, words, gap=14),
                on_tap=lambda key=key: self.choose(key),
                fill=None,
                radius=14,
                padding=(12, 11),
            )
            self._rows[key] = row, mark
            self.add_widget(row)
        self._show()

    def choose(self, value: str) -> None:
        changed, self.value = value != self.value, value
        self._show()
        if changed and self._on_choice is not None:
            self._on_choice(value)

    def row(self, value: str) -> Tappable:
        return self._rows[value][0]

    def _show(self) -> None:
        for key, (row, mark) in self._rows.items():
            is_on = key == self.value
            row.ground.set("raised" if is_on else None)
            mark.set("radio-button" if is_on else "circle", colour="primary" if is_on else "edge", filled=is_on)


class Toggle(Widget):
    """The drawing of a switch; SwitchRow is what is tapped."""

    at = NumericProperty(0.0)

    def __init__(self, theme: Theme, is_on: bool) -> None:
        super().__init__(size_hint=(None, None), size=(dp(52), dp(32)))
        self.theme = theme
        self.ground = paint(self, theme, "raised", edge="edge", radius=16)
        with self.canvas:
            self._colour = Color()
            self._knob = Ellipse()
        self.bind(pos=self._draw, at=self._draw)
        self.at = float(is_on)
        self._draw()

    def set_on(self, is_on: bool) -> None:
        Animation.cancel_all(self)
        if self.theme.moves:
            Animation(at=float(is_on), duration=0.15).start(self)
        else:
            self.at = float(is_on)

    def _draw(self, *_: Any) -> None:
        is_on = self.at > 0.5
        self.ground.set("primary" if is_on else "raised", None if is_on else "edge")
        self._colour.rgba = self.theme.colour("on_primary" if is_on else "edge")
        size, place = dp(20), 1 - self.at if self.theme.is_rtl else self.at
        self._knob.size = (size, size)
        self._knob.pos = (self.x + dp(6) + place * (self.width - size - dp(12)), (self.y + self.height / 2) - size / 2)


class SwitchRow(Tappable):
    """A fact that is on or off; the whole row is the target."""

    def __init__(
        self,
        theme: Theme,
        title: str,
        subtitle: str = "",
        *,
        is_on: bool = False,
        on_change: Callable[[bool], Any] | None = None,
    ) -> None:
        self.is_on, self._on_change = is_on, on_change
        self.toggle = Toggle(theme, is_on)
        words = Column(
            theme, Text(theme, title), Text(theme, subtitle, "small", colour="soft") if subtitle else None, gap=2
        )
        super().__init__(
            theme, Row(theme, words, self.toggle, gap=14), on_tap=self._flip, fill=None, radius=14, padding=(4, 12)
        )

    def _flip(self) -> None:
        self.is_on = not self.is_on
        self.toggle.set_on(self.is_on)
        if self._on_change is not None:
            self._on_change(self.is_on)


class Field(Column):
    """A line to type into, with a button that empties it. on_change(text) comes with every letter."""

    def __init__(
        self, theme: Theme, hint: str, on_change: OnChoice | None = None, *, icon: str = "magnifying-glass"
    ) -> None:
        self.input = TextInput(
            hint_text=hint,
            multiline=False,
            font_name=theme.font("body"),
            font_size=theme.font_size("body"),
            foreground_color=theme.colour("text"),
            hint_text_color=theme.colour("soft"),
            cursor_color=theme.colour("primary"),
            selection_color=theme.colour("primary", 0.3),
            background_color=(0, 0, 0, 0),
            background_normal="",
            background_active="",
            padding=(dp(2), dp(12)),
            size_hint_y=None,
            halign=theme.start,
        )
        self.input.bind(minimum_height=self.input.setter("height"))
        self.clear = IconButton(theme, "x", hint, self._empty, colour="soft")
        row = Row(theme, Icon(theme, icon, size=22, colour="soft"), self.input, self.clear, gap=10)
        super().__init__(theme, row, padding=(16, 2, 4, 2))
        paint(self, theme, "raised", radius=26)
        self._on_change = on_change
        self.input.bind(text=self._changed)
        self._changed(self.input, "")

    def _empty(self) -> None:
        self.input.text = ""

    def _changed(self, _widget: Any, text: str) -> None:
        self.clear.disabled = not text
        self.clear.icon.opacity = 1 if text else 0
        if self._on_change is not None and text is not None and self.parent is not None:
            self._on_change(text)
