"""What every page is: a bar with a title and a way back, a body that scrolls, perhaps buttons that stay in place."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from mobile_app.ui.theme import COLUMN, MARGIN, Theme
from mobile_app.ui.widgets import Card, Column, IconButton, Row, Scroll, Text, paint

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp

BUILD_SECONDS = 0.008  # of a frame, for making a page; its layout takes as long again

NEXT_FRAME: Any = object()


class Screen(BoxLayout):
    """A page. A subclass says `title()` and `body()`, and what else it needs; it is made anew on a change of theme.

    Args:
        params: what `app.go(name, **params)` was given; JSON values.
        state: what `state()` returned before the page was made anew; empty at first.
    """

    gap = 16.0  # dp, between the widgets of the body
    widest = COLUMN  # dp, of the body

    def __init__(self, app: PetalveilApp, params: dict[str, Any], state: dict[str, Any]) -> None:
        super().__init__(orientation="vertical")
        self.app, self.params, self.kept = app, params, state
        self.scroll: Scroll | None = None
        self.foot: Widget | None = None
        self._rest: Iterator[Widget | None] | None = None
        self._more = Clock.create_trigger(self._fill, 0)
        paint(self, self.theme, "ground")
        self.build()

    # What a page may say

    def title(self) -> str:
        """Shown in the bar; empty for none."""
        return ""

    def body(self) -> Iterable[Widget | None]:
        """The widgets of the page, from top to bottom. Called again by `refresh`.

        A body that yields its widgets is made over several frames where it is long, so that no frame waits for it. It
        may yield None as well, between the parts of a widget that it fills bit by bit (see `card_of`), and NEXT_FRAME
        before a widget that is enough for a frame of its own.
        """
        return ()

    def actions(self) -> Sequence[Widget]:
        """Icon buttons at the end of the bar."""
        return ()

    def footer(self) -> Sequence[Widget]:
        """What stays at the lower edge: the one or two buttons that matter."""
        return ()

    def state(self) -> dict[str, Any]:
        """What has to survive rotation, a change of theme and being killed, as JSON values; see `kept`."""
        return {}

    def on_enter(self) -> None:
        """The page came to the front."""

    def on_leave(self) -> None:
        """Another page came to the front, or the app is put aside."""

    def on_gone(self) -> None:
        """The page left the stack for good: let go of pixels. Kivy's widgets hold one another until Python looks."""

    def on_back(self) -> bool:
        """Back was pressed: True if the page dealt with it itself."""
        return False

    # What a page may use

    def name_is(self, name: str) -> bool:
        """Whether this is the page of that name."""
        return type(self).__module__.rpartition(".")[2] == name

    @property
    def theme(self) -> Theme:
        return self.app.theme

    def t(self, key: str, /, **values: Any) -> str:
        """A sentence of the catalogue."""
        return self.app.t(key, **values)

    @property
    def is_whole(self) -> bool:
        """Whether all of the body is there."""
        return self._rest is None

    def refresh(self, *, at_once: bool = True) -> None:
        """Make body, bar and footer anew where they are; the page stays scrolled as it is.

        at_once: in one frame, so that nothing flickers; False for what is new on the page as a whole.
        """
        place = self.scroll.scroll_y if self.scroll is not None else 1
        top = self._scrolled_px()
        self.build()
        if at_once or place < 1:
            self._fill(seconds=None)
        if self.scroll is not None and place < 1:
            self.scroll.content.bind(height=lambda *_: self._scroll_to(top))

    def build(self) -> None:
        self.clear_widgets()
        if (bar := self._bar()) is not None:
            self.add_widget(bar)
        self.scroll = Scroll(self.theme, gap=self.gap, widest=self.widest)
        self.add_widget(self.scroll)
        self._more.cancel()
        self._rest = iter(self.body())
        self._fill()
        buttons = self.footer()
        self.foot = _Footer(self.theme, *buttons) if buttons else None
        if self.foot is not None:
            self.add_widget(self.foot)

    def _fill(self, *_: Any, seconds: float | None = BUILD_SECONDS) -> None:
        """Put the next widgets into the body, for as long as a frame may take, and go on in the next one."""
        if self._rest is None or self.scroll is None:
            return
        self.app.worker.page_is_made()
        end = None if seconds is None else time.perf_counter() + seconds
        for widget in self._rest:
            is_pause = widget is NEXT_FRAME
            if widget is not None and not is_pause:
                self.scroll.content.add_widget(widget)
            if end is not None and (is_pause or time.perf_counter() > end):
                self._more()
                return
        self._rest = None

    def _bar(self) -> Widget | None:
        title, actions = self.title(), self.actions()
        if not title and not actions:
            return None
        back = None
        if self.app.can_go_back(self):
            icon = "arrow-right" if self.theme.is_rtl else "arrow-left"
            back = IconButton(self.theme, icon, self.app.t("common.back"), self.app.back)
        words = Text(self.theme, title, "title")
        strut = Widget(size_hint=(None, None), size=(0, dp(48)))  # as high with buttons as without
        return Row(self.theme, back, words, *actions, strut, gap=4, padding=(8 if back else MARGIN, 8, 8, 4))

    def _scrolled_px(self) -> float:
        scroll = self.scroll
        return 0 if scroll is None else (1 - scroll.scroll_y) * max(0, scroll.content.height - scroll.height)

    def _scroll_to(self, top: float) -> None:
        scroll = self.scroll
        assert scroll is not None
        spare = scroll.content.height - scroll.height
        scroll.scroll_y = 1 if spare <= 0 else min(1, max(0, 1 - top / spare))


def card_of(theme: Theme, parts: Iterable[Widget]) -> Iterator[Widget | None]:
    """For a body: a card whose parts are made one by one, so that a long one takes several frames as well."""
    card = Card(theme, gap=12)
    yield card
    for part in parts:
        card.add_widget(part)
        yield None


class _Footer(BoxLayout):
    def __init__(self, theme: Theme, *buttons: Widget) -> None:
        super().__init__(size_hint_y=None, padding=(dp(MARGIN), dp(8), dp(MARGIN), dp(12)))
        paint(self, theme, "ground")
        column = Column(theme, *buttons, gap=8)
        self.add_widget(column)
        self.bind(minimum_height=self.setter("height"), width=self._margins)

    def _margins(self, *_: Any) -> None:
        side = max(dp(MARGIN), (self.width - dp(COLUMN)) / 2)
        self.padding = (side, dp(8), side, dp(12))
