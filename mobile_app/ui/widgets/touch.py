"""What can be tapped: TextButton, IconButton, Chip, Tappable. Each is 48 dp or larger, and shows the press."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from kivy.metrics import dp
from kivy.uix.behaviors import ButtonBehavior
from kivy.uix.label import Label
from kivy.uix.widget import Widget

from mobile_app.ui.theme import TOUCH, Theme
from mobile_app.ui.widgets.base import Column, paint
from mobile_app.ui.widgets.text import Icon
from mobile_app.ui.widgets.wrapping import wrapped

Kind = Literal["filled", "soft", "outline", "plain", "accent", "danger"]
OnTap = Callable[[], Any]
_KINDS: dict[str, tuple[str | None, str, str | None]] = {  # ground, text, edge
    "filled": ("primary", "on_primary", None),
    "soft": ("primary_soft", "on_primary_soft", None),
    "outline": (None, "primary", "edge"),
    "plain": (None, "primary", None),
    "accent": ("accent", "on_accent", None),
    "danger": ("danger", "on_danger", None),
}


class _Press(ButtonBehavior):
    """Fades while it is pressed and calls on_tap when it is let go."""

    def __init__(self, on_tap: OnTap | None, **options: Any) -> None:
        super().__init__(**options)
        self.always_release = False
        self._on_tap = on_tap

    def on_touch_down(self, touch: Any) -> bool:
        if self._on_tap is None:  # not a target at all
            return any(child.dispatch("on_touch_down", touch) for child in self.children[:])
        return super().on_touch_down(touch)

    def on_press(self) -> None:
        self.opacity = 0.7

    def on_state(self, _widget: Any, state: str) -> None:
        if state == "normal":
            self.opacity = 1

    def on_release(self) -> None:
        if self._on_tap is not None:
            self._on_tap()

    def tap(self) -> None:
        """As a person would, unless it is disabled."""
        if not self.disabled:
            self.on_release()


class TextButton(_Press, Widget):
    """A button with a text, an icon, or both; wide as its place, or `fit` to its text."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        on_tap: OnTap | None = None,
        *,
        kind: Kind = "filled",
        icon: str | None = None,
        fit: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(on_tap, **{"size_hint_y": None, "height": dp(52)} | options)
        self.theme, self.kind, self._whole, self._fit = theme, kind, text, fit
        ground, ink, edge = _KINDS[kind]
        self.ground = paint(self, theme, ground, edge=edge, radius=26)
        self.label = Label(font_name=theme.font("label"), font_size=theme.font_size("label"), halign="center")
        self.label.token = ink
        self.icon = None if icon is None else Icon(theme, icon, size=22, colour=ink)
        for part in (self.icon, self.label):
            if part is not None:
                part.color = theme.colour(ink)
                self.add_widget(part)
        if fit:
            self.size_hint_x = None
        self.bind(pos=self._arrange, size=self._arrange, disabled=self._show_disabled)
        self.set(text)
        self._show_disabled()

    def set(self, text: str, *, icon: str | None = None) -> None:
        """Another text, and another icon where the button has one."""
        self._whole = text
        if self.icon is not None and icon is not None:
            self.icon.set(icon)
        self._arrange()

    @property
    def whole(self) -> str:
        return self._whole

    def _arrange(self, *_: Any) -> None:
        lead = 0 if self.icon is None else self.icon.width + (dp(10) if self._whole else 0)
        sides = dp(14) if self.kind == "plain" else dp(20)
        label = self.label
        label.text_size, label.text = (None, None), self._whole
        label.texture_update()
        if self._fit:
            self.width = max(dp(TOUCH), label.texture_size[0] + lead + 2 * sides)
        room = max(dp(20), self.width - lead - 2 * sides)
        if label.texture_size[0] > room:
            label.text_size = (room, None)
            label.text = wrapped(self._whole, room, label.font_size, lambda text: label._label.get_extents(text)[0])
            label.texture_update()
        label.size = label.texture_size
        self.height = max(dp(52), label.height + dp(20))
        group = lead + label.width
        left = (self.x + self.width / 2) - group / 2
        if self.icon is None:
            label.pos = (left, (self.y + self.height / 2) - label.height / 2)
        elif self.theme.is_rtl:
            label.pos = (left, (self.y + self.height / 2) - label.height / 2)
            self.icon.pos = (left + group - self.icon.width, (self.y + self.height / 2) - self.icon.height / 2)
        else:
            self.icon.pos = (left, (self.y + self.height / 2) - self.icon.height / 2)
            label.pos = (left + lead, (self.y + self.height / 2) - label.height / 2)

    def _show_disabled(self, *_: Any) -> None:
        ground, ink, edge = ("raised", "soft", None) if self.disabled else _KINDS[self.kind]
        self.ground.set(ground, edge)
        for part in (self.icon, self.label):
            if part is not None:
                part.token = ink
                part.color = part.disabled_color = self.theme.colour(ink)


class IconButton(_Press, Widget):
    """A round target with an icon alone. Args: name: what it does, for whoever cannot see the icon."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        on_tap: OnTap | None = None,
        *,
        colour: str = "text",
        fill: str | None = None,
        filled: bool = False,
        size: float = TOUCH,
        **options: Any,
    ) -> None:
        super().__init__(on_tap, **{"size_hint": (None, None), "size": (dp(size), dp(size))} | options)
        self.theme, self.name = theme, name
        self.ground = paint(self, theme, fill, radius=size / 2)
        self.icon = Icon(theme, icon, size=24, colour=colour, filled=filled)
        self.add_widget(self.icon)
        self.bind(pos=self._arrange, size=self._arrange)
        self._arrange()

    def _arrange(self, *_: Any) -> None:
        self.icon.pos = (self.x + (self.width - self.icon.width) / 2, self.y + (self.height - self.icon.height) / 2)


class Chip(_Press, Widget):
    """A small pill: a fact, or with on_tap a choice that can be on. The target is 48 dp high, the pill less."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        on_tap: OnTap | None = None,
        *,
        icon: str | None = None,
        fill: str = "primary_soft",
        is_on: bool = False,
    ) -> None:
        super().__init__(on_tap, size_hint=(None, None), height=dp(TOUCH if on_tap else 32))
        self.theme = theme
        pill = "primary" if is_on else fill
        ink = "on_primary" if is_on else {"raised": "text", "surface": "text"}.get(fill, f"on_{fill}")
        self.pill = Widget(size_hint=(None, None))
        paint(self.pill, theme, pill, radius=18)
        self.fill = pill
        self.label = Label(text=text, font_name=theme.font("small"), font_size=theme.font_size("small"))
        self.label.token, self.label.color = ink, theme.colour(ink)
        self.icon = None if icon is None else Icon(theme, icon, size=16, colour=ink)
        for part in (self.pill, self.icon, self.label):
            if part is not None:
                self.add_widget(part)
        self.label.texture_update()
        self.label.size = self.label.texture_size
        lead = 0 if icon is None else dp(22)
        self.width = max(dp(TOUCH if on_tap else 32), self.label.width + lead + dp(24))
        self.height = max(self.height, self.label.height + dp(8))
        self.bind(pos=self._arrange, size=self._arrange)

    def _arrange(self, *_: Any) -> None:
        height = max(dp(32), self.label.height + dp(8))
        self.pill.size, self.pill.pos = (self.width, height), (self.x, (self.y + self.height / 2) - height / 2)
        lead = 0 if self.icon is None else dp(22)
        left = (self.x + self.width / 2) - (lead + self.label.width) / 2
        if self.icon is not None:
            place = left + self.label.width + dp(6) if self.theme.is_rtl else left
            self.icon.pos = (place, (self.y + self.height / 2) - self.icon.height / 2)
        shift = 0 if self.theme.is_rtl else lead
        self.label.pos = (left + shift, (self.y + self.height / 2) - self.label.height / 2)


class Tappable(_Press, Column):
    """A column that is one target: cards and list rows with something behind them."""

    def __init__(
        self,
        theme: Theme,
        *children: Widget | None,
        on_tap: OnTap | None = None,
        fill: str | None = "surface",
        edge: str | None = None,
        radius: float = 20,
        **options: Any,
    ) -> None:
        super().__init__(on_tap, theme=theme, **options)
        self.fill_with(children)
        self.ground = paint(self, theme, fill, edge=edge, radius=radius)
