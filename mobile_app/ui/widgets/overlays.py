"""What lies over a page for a while: Sheet, Dialog, Snackbar. All live in the layer that the shell keeps for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.animation import Animation
from kivy.clock import Clock
from kivy.graphics import Color, Rectangle
from kivy.metrics import dp
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets.base import Column, Row, Spacer, paint
from mobile_app.ui.widgets.text import Text
from mobile_app.ui.widgets.touch import TextButton

WIDEST = 560  # dp
SNACK_SECONDS = 4.0


class Overlays(FloatLayout):
    """The layer: at most one sheet and one snackbar."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.sheet: Sheet | None = None
        self.snack: Snackbar | None = None

    def show_sheet(self, sheet: Sheet) -> None:
        self.close_sheet()
        self.sheet = sheet
        self.add_widget(sheet)
        sheet.appear()

    def close_sheet(self) -> bool:
        """Whether there was one."""
        sheet, self.sheet = self.sheet, None
        if sheet is None:
            return False
        self.remove_widget(sheet)
        if sheet.on_close is not None:
            sheet.on_close()
        return True

    def show_snack(
        self, text: str, action: str = "", on_tap: Callable[[], Any] | None = None, *, lift: float = 0
    ) -> None:
        self.close_snack()
        self.snack = Snackbar(self.theme, text, action, on_tap, close=self.close_snack, lift=lift)
        self.add_widget(self.snack)

    def close_snack(self, *_: Any) -> None:
        if self.snack is not None:
            self.snack.over()
            self.remove_widget(self.snack)
            self.snack = None


class Sheet(FloatLayout):
    """A panel from the lower edge (in the middle on a wide screen) over a dimmed page; a tap beside it closes it.

    Args:
        close: what takes it away; on_close: called when it went, by whichever way.
    """

    def __init__(
        self,
        theme: Theme,
        *children: Widget | None,
        title: str = "",
        close: Callable[[], Any],
        on_close: Callable[[], Any] | None = None,
        inset: float = 0,
    ) -> None:
        super().__init__()
        self.theme, self._close, self.on_close, self._inset = theme, close, on_close, inset
        with self.canvas.before:
            Color(0, 0, 0, 0.5)
            self._shade = Rectangle()
        handle = Widget(size_hint=(None, None), size=(dp(40), dp(4)))
        paint(handle, theme, "edge", radius=2)
        self.content = Column(
            theme,
            Row(theme, Spacer(4), handle, Spacer(4)),
            Text(theme, title, "title") if title else None,
            *children,
            gap=14,
            padding=(22, 12, 22, 22),
        )
        self.panel = ScrollView(do_scroll_x=False, size_hint=(None, None), bar_width=dp(3))
        paint(self.panel, theme, "surface", radius=26)
        self.panel.add_widget(self.content)
        self.add_widget(self.panel)
        self.bind(pos=self._place, size=self._place)
        self.content.bind(height=self._place)

    def appear(self) -> None:
        if self.theme.moves:
            self.opacity = 0
            Animation(opacity=1, duration=0.15).start(self)

    def _place(self, *_: Any) -> None:
        self._shade.pos, self._shade.size = self.pos, self.size
        width = min(self.width - dp(16), dp(WIDEST))
        height = min(self.content.height, self.height - dp(32))
        self.panel.size = (width, height)
        is_wide = self.width > dp(WIDEST) + dp(80)
        bottom = (self.height - height) / 2 if is_wide else dp(8) + self._inset
        self.panel.pos = ((self.x + self.width / 2) - width / 2, self.y + bottom)

    def on_touch_down(self, touch: Any) -> bool:
        if not self.panel.collide_point(*touch.pos):
            self._close()
            return True
        super().on_touch_down(touch)
        return True

    def on_touch_move(self, touch: Any) -> bool:
        super().on_touch_move(touch)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        super().on_touch_up(touch)
        return True


class Snackbar(FloatLayout):
    """A sentence at the lower edge that goes by itself, with one action perhaps."""

    def __init__(
        self,
        theme: Theme,
        text: str,
        action: str = "",
        on_tap: Callable[[], Any] | None = None,
        *,
        close: Callable[[], Any],
        lift: float = 0,
        seconds: float = SNACK_SECONDS,
    ) -> None:
        super().__init__()
        self._lift = lift

        def act() -> None:
            close()
            if on_tap is not None:
                on_tap()

        self.text = Text(theme, text, "small", colour="on_primary_soft")
        self.action = TextButton(theme, action, act, kind="plain", fit=True) if action else None
        self.bar = Row(
            theme, self.text, self.action, gap=8, padding=(18, 12, 8 if action else 18, 12), size_hint_x=None
        )
        paint(self.bar, theme, "primary_soft", edge="edge", radius=18)
        if self.action is not None:
            self.action.label.token, self.action.label.color = "on_primary_soft", theme.colour("on_primary_soft")
        self.add_widget(self.bar)
        self.bind(pos=self._place, size=self._place)
        self.bar.bind(height=self._place)
        self._timer = Clock.schedule_once(lambda _dt: close(), seconds + len(text) / 30)

    def over(self) -> None:
        self._timer.cancel()

    def _place(self, *_: Any) -> None:
        self.bar.width = min(self.width - dp(24), dp(WIDEST))
        self.bar.pos = ((self.x + self.width / 2) - self.bar.width / 2, self.y + self._lift + dp(12))

    def on_touch_down(self, touch: Any) -> bool:
        return self.bar.collide_point(*touch.pos) and (super().on_touch_down(touch) or True)


def question(
    theme: Theme,
    text: str,
    yes: str,
    no: str,
    on_yes: Callable[[], Any],
    close: Callable[[], Any],
    *,
    danger: bool = False,
) -> list[Widget]:
    """The content of a sheet that asks for a yes or a no."""

    def agree() -> None:
        close()
        on_yes()

    return [
        Text(theme, text),
        Spacer(4),
        TextButton(theme, yes, agree, kind="danger" if danger else "filled"),
        TextButton(theme, no, close, kind="plain"),
    ]
