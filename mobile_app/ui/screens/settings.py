"""Settings and About: language, looks, strength, what is stored and how to erase it, what the app is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kivy.uix.widget import Widget

from mobile_app import __version__
from mobile_app.core.history import folder_bytes
from mobile_app.core.settings import STRENGTHS, THEMES
from mobile_app.ui.language import LANGUAGES
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import Card, Column, Icon, ListRow, Row, Rule, Segmented, Text, TextButton

_ABOUT = (("models", "cpu"), ("hashes", "fingerprint"), ("licences", "scales"))
_KNOWN = {
    "recent": "images",
    "picked": "camera",
    "flowers": "flower",
    "benchmarks": "chart-bar",
}  # folders of the data folder, icons


class SettingsScreen(Screen):
    """Every choice takes effect at once."""

    def title(self) -> str:
        return self.t("settings.title")

    def body(self) -> Iterator[Widget | None]:
        settings = self.app.settings
        languages = [("system", self.t("settings.as_system")), *LANGUAGES.items()]
        themes = [(name, self.t(f"settings.theme_{name}")) for name in THEMES]
        strengths = [(name, self.t(f"protect.strength_{name}")) for name in STRENGTHS]
        yield self._choice("language", languages, settings.language)
        yield self._choice("theme", themes, settings.theme)
        yield self._choice("strength", strengths, settings.strength)
        yield self._stored()
        yield self._about()

    def _choice(self, name: str, options: Sequence[tuple[str, str]], value: str) -> Widget:
        segmented = Segmented(self.theme, options, value, lambda chosen: self.app.change(**{name: chosen}))
        return Card(self.theme, Text(self.theme, self.t(f"settings.{name}"), "heading"), segmented)

    def _stored(self) -> Widget:
        rows = [
            Row(
                self.theme,
                Icon(self.theme, icon, size=22, colour="primary"),
                Text(self.theme, self.t(f"settings.stored_{name}")),
                Text(self.theme, _megabytes(size), "small", colour="soft", fit=True),
                gap=14,
            )
            for name, icon, size in _stored(self.app.data)
        ]
        keeping = [(name, self.t(f"settings.keeps_flowers_{name}")) for name in ("yes", "no")]
        keeps = "yes" if self.app.settings.keeps_flowers else "no"
        erase = TextButton(self.theme, self.t("settings.erase"), self._ask_to_erase, kind="outline", icon="trash")
        return Card(
            self.theme,
            Text(self.theme, self.t("settings.stored"), "heading"),
            Text(self.theme, self.t("settings.stored_text"), "small", colour="soft"),
            *rows,
            Text(self.theme, self.t("settings.keeps_flowers"), "small", colour="soft"),
            Segmented(self.theme, keeping, keeps, lambda chosen: self.app.change(keeps_flowers=chosen == "yes")),
            erase,
            gap=12,
        )

    def _ask_to_erase(self) -> None:
        self.app.ask(
            self.t("settings.erase_ask"),
            self.t("settings.erase_yes"),
            self._erase,
            title=self.t("settings.erase"),
            danger=True,
        )

    def _erase(self) -> None:
        self.app.erase()
        self.app.snack(self.app.t("settings.erased"))

    def _about(self) -> Widget:
        rows = [
            ListRow(
                self.theme,
                self.t(f"settings.about_{name}"),
                self.t(f"settings.about_{name}_text"),
                lead=icon,
                on_tap=lambda name=name: self.app.go("document", name=name),
            )
            for name, icon in _ABOUT
        ]
        version = Column(
            self.theme,
            Text(self.theme, "petalveil", "title", colour="primary"),
            Text(self.theme, self.t("settings.version", version=__version__), "small", colour="soft"),
            Text(self.theme, self.t("settings.caution"), "small", colour="soft"),
            gap=4,
        )
        return Card(self.theme, version, Rule(self.theme), *rows, gap=8)


def _stored(data: Path) -> list[tuple[str, str, int]]:
    """(name, icon, bytes) of what lies in the data folder; what has no name of its own is summed up as "other"."""
    sizes = {name: folder_bytes(data / name) for name in _KNOWN}
    rest = max(0, folder_bytes(data) - sum(sizes.values()))
    return [*((name, _KNOWN[name], size) for name, size in sizes.items()), ("other", "database", rest)]


def _megabytes(size: Any) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} KB"
