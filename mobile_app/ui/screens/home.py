"""Home: what the app can do, the photos protected lately, and on the first run three lines on what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kivy.metrics import dp
from kivy.uix.scrollview import ScrollView
from kivy.uix.widget import Widget

from mobile_app.ui.navigation import has_screen
from mobile_app.ui.protecting import RECENT_KEPT, recent_photos
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import (
    Card,
    Column,
    Grid,
    Icon,
    IconButton,
    IconDisc,
    Picture,
    Row,
    Spacer,
    Tappable,
    Text,
    TextButton,
)
from mobile_app.ui.widgets.bloom import SOFT_WORDS, WORDS, Bloom

JOBS = (  # page, icon, ground of the icon
    ("flowers", "flower", "accent_soft"),
    ("learn", "book-open", "primary_soft"),
    ("quiz", "graduation-cap", "warning_soft"),
    ("benchmark", "gauge", "primary_soft"),
)
_PROMISES = ("lock-key", "cloud-slash", "hand-heart")
_THUMB = 104  # dp


class HomeScreen(Screen):
    """The first page."""

    def body(self) -> Iterator[Widget | None]:
        yield self._head()
        yield self._hero()
        if not self.app.settings.knows_app:
            yield self._promises()
        yield from self._recent()
        yield Text(self.theme, self.t("home.more"), "heading")
        yield Grid(self.theme, *(self._job(*job) for job in JOBS if has_screen(job[0])), column=128, most=4)

    def on_enter(self) -> None:
        if self.is_whole and self._shown_recent != self._recent_ids():
            self.refresh()

    def _head(self) -> Widget:
        gear = IconButton(self.theme, "gear-six", self.t("settings.title"), lambda: self.app.go("settings"))
        name = Text(self.theme, "petalveil", "title", colour="primary")
        return Row(self.theme, Icon(self.theme, "flower-lotus", size=30, colour="accent", filled=True), name, gear)

    def _hero(self) -> Widget:
        self.start_button = TextButton(
            self.theme,
            self.t("home.protect"),
            lambda: self.app.go("protect", pick=True),
            kind="accent",
            icon="shield-check",
            fit=True,
        )
        is_large = self.theme.text_scale > 1.3  # then words need the whole width, and the flower steps back
        share = 1.0 if is_large else 0.66
        words = Column(
            self.theme,
            Text(self.theme, self.t("home.headline"), "display", color=WORDS),
            Text(self.theme, self.t("home.subline"), "body", color=SOFT_WORDS),
            gap=8,
            size_hint_x=share,
        )
        button = Row(self.theme, self.start_button, Spacer(1))
        beside = None if is_large else Widget(size_hint_x=1 - share, size_hint_y=None, height=1)
        return Bloom(self.theme, Row(self.theme, words, beside, gap=0), Spacer(8), button, is_faint=is_large)

    def _promises(self) -> Widget:
        rows = [
            Row(self.theme, IconDisc(self.theme, icon, size=40), Text(self.theme, self.t(f"home.promise_{n}")), gap=14)
            for n, icon in enumerate(_PROMISES, start=1)
        ]
        return Card(
            self.theme,
            Text(self.theme, self.t("home.promises"), "heading"),
            *rows,
            TextButton(self.theme, self.t("home.understood"), self._understood, kind="soft"),
            gap=12,
        )

    def _understood(self) -> None:
        self.app.change(knows_app=True)
        self.refresh()

    def _recent(self) -> list[Widget]:
        entries = recent_photos(self.app.data).entries()
        self._shown_recent = [entry["id"] for entry in entries]
        if not entries:
            return []
        strip = Row(self.theme, *(self._thumb(entry) for entry in entries[:RECENT_KEPT]), gap=10, size_hint_x=None)
        strip.bind(minimum_width=strip.setter("width"))
        scroll = ScrollView(do_scroll_y=False, size_hint_y=None, height=dp(_THUMB), bar_width=0)
        scroll.add_widget(strip)
        return [Text(self.theme, self.t("home.recent"), "heading"), scroll]

    def _recent_ids(self) -> list[str]:
        return [entry["id"] for entry in recent_photos(self.app.data).entries()]

    def _thumb(self, entry: dict[str, Any]) -> Widget:
        folder = recent_photos(self.app.data).folder / entry["id"]
        picture = Picture(self.theme, folder / "thumbnail.jpg", size=_THUMB, radius=18)
        return Tappable(
            self.theme,
            picture,
            on_tap=lambda: self.app.go("protect_result", id=entry["id"]),
            fill=None,
            size_hint_x=None,
            width=dp(_THUMB),
        )

    def _job(self, name: str, icon: str, ground: str) -> Widget:
        return Tappable(
            self.theme,
            IconDisc(self.theme, icon, fill=ground, size=48),
            Text(self.theme, self.t(f"home.job_{name}"), "strong"),
            Text(self.theme, self.t(f"home.about_{name}"), "small", colour="soft"),
            on_tap=lambda: self.app.go(name),
            gap=8,
            padding=16,
        )
