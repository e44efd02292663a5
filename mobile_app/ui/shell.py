"""The frame around the pages: the bar of tabs (a rail at the side on a wide screen), and the layer that lies over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kivy.animation import Animation
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from mobile_app.ui.navigation import TAB_ICONS
from mobile_app.ui.platform import Insets
from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets import Overlays, Spacer, paint
from mobile_app.ui.widgets.text import Icon, Text
from mobile_app.ui.widgets.touch import Tappable

RAIL_FROM = 720  # dp: a window this wide has the tabs at its side
RAIL = 96  # dp


class Shell(FloatLayout):
    """Args: tabs: (name, text) of each; on_tab: called with the name of the one that was tapped."""

    def __init__(
        self, theme: Theme, tabs: Sequence[tuple[str, str]], on_tab: Callable[[str], Any], insets: Insets
    ) -> None:
        super().__init__()
        self.theme, self._insets, self._is_wide = theme, insets, None
        paint(self, theme, "ground")
        self.frame = BoxLayout()
        self.place = BoxLayout()
        self.tabs = {name: _Tab(theme, TAB_ICONS[name], text, lambda name=name: on_tab(name)) for name, text in tabs}
        self.bar = BoxLayout()
        paint(self.bar, theme, "surface")
        self.overlays = Overlays(theme)
        self.add_widget(self.frame)
        self.add_widget(self.overlays)
        self.bind(size=self._arrange)
        self._arrange()

    def show(self, screen: Widget, tab: str) -> None:
        """Put a page in front."""
        self.overlays.close_sheet()
        self.place.clear_widgets()
        if screen.parent is not None:
            screen.parent.remove_widget(screen)
        self.place.add_widget(screen)
        for name, one in self.tabs.items():
            one.set_on(name == tab)
        if self.theme.moves:
            screen.opacity = 0.0
            Animation(opacity=1, duration=0.12).start(screen)

    @property
    def bar_height(self) -> float:
        """What the bar takes of the lower edge, in pixels."""
        return 0 if self._is_wide else self.bar.height

    def _arrange(self, *_: Any) -> None:
        is_wide = self.width >= dp(RAIL_FROM)
        insets = self._insets
        self.frame.padding = (insets.left, insets.top, insets.right, 0 if not is_wide else insets.bottom)
        if is_wide == self._is_wide:
            return
        self._is_wide = is_wide
        for widget in (self.frame, self.bar):
            widget.clear_widgets()
        if is_wide:
            self.frame.orientation, self.bar.orientation = "horizontal", "vertical"
            self.bar.size_hint, self.bar.width = (None, 1), dp(RAIL)
            self.bar.padding, self.bar.spacing = (dp(8), dp(16)), dp(8)
            parts = [*self.tabs.values(), Spacer()]
        else:
            self.frame.orientation, self.bar.orientation = "vertical", "horizontal"
            self.bar.size_hint = (1, None)
            self.bar.padding, self.bar.spacing = (dp(2), dp(4), dp(2), dp(4) + insets.bottom), 0
            parts = list(self.tabs.values())
        for part in reversed(parts) if self.theme.is_rtl and not is_wide else parts:
            self.bar.add_widget(part)
        if not is_wide:
            self._fit_bar()
            for tab in self.tabs.values():
                tab.bind(minimum_height=self._fit_bar)
        order = [self.bar, self.place] if is_wide and not self.theme.is_rtl else [self.place, self.bar]
        for widget in order:
            self.frame.add_widget(widget)

    def _fit_bar(self, *_: Any) -> None:
        if not self._is_wide:
            highest = max((tab.minimum_height for tab in self.tabs.values()), default=0)
            self.bar.height = highest + dp(8) + self._insets.bottom


class _Tab(Tappable):
    def __init__(self, theme: Theme, icon: str, text: str, on_tap: Callable[[], Any]) -> None:
        self._name = icon
        self.icon = Icon(theme, icon, size=24, colour="soft")
        self.pill = FloatLayout(size_hint=(None, None), size=(dp(56), dp(32)), pos_hint={"center_x": 0.5})
        self._pill_ground = paint(self.pill, theme, None, radius=16)
        self.icon.pos_hint = {"center_x": 0.5, "center_y": 0.5}
        self.pill.add_widget(self.icon)
        size = min(theme.font_size("small"), dp(12 * 1.3))  # five of them have to fit; the icon says the same
        self.text = Text(
            theme, text, "small", colour="soft", align="centre", font_size=min(size, dp(12) * theme.text_scale)
        )
        super().__init__(theme, self.pill, self.text, on_tap=on_tap, fill=None, radius=16, gap=1, padding=(0, 3))

    def set_on(self, is_on: bool) -> None:
        self._pill_ground.set("primary_soft" if is_on else None)
        self.icon.set(colour="on_primary_soft" if is_on else "soft", filled=is_on)
        self.text.set(self.text.whole, colour="text" if is_on else "soft")
