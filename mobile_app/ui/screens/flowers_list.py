"""The photos that were recognised on this device: look through, correct, delete, export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.feedback import Entry, FeedbackError
from mobile_app.ui.background import Task
from mobile_app.ui.herbarium import Herbarium, percent
from mobile_app.ui.screen import Screen
from mobile_app.ui.verdicts import VerdictSheet, verdict_text
from mobile_app.ui.widgets import Card, Empty, IconButton, ListRow, Notice, SwitchRow, Text, TextButton

_PAGE = 20  # photos that are shown at first, and with every "more"
EXPORT = "petalveil-flowers.json"


class FlowersListScreen(Screen):
    """The list, newest first."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.herbarium: Herbarium = app.model(Herbarium)
        self.shown = int(state.get("shown", _PAGE))
        self.entries: list[Entry] = []
        self.fault = ""
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("flowers.list")

    def state(self) -> dict[str, Any]:
        return {"shown": self.shown}

    def actions(self) -> Sequence[Widget]:
        if not self.entries:
            return []
        return [
            IconButton(self.theme, "export", self.t("flowers.export"), self.open_export),
            IconButton(self.theme, "trash", self.t("flowers.delete_all"), self.ask_delete_all),
        ]

    def build(self) -> None:
        try:
            self.entries, self.fault = self.herbarium.store.entries(), ""
        except FeedbackError as error:
            self.entries, self.fault = [], str(error)
        super().build()

    def body(self) -> Sequence[Widget | None]:
        if self.fault:
            return [Notice(self.theme, self.fault, kind="danger")]
        if not self.entries:
            start = self.t("flowers.list_start"), lambda: self.app.go("flowers")
            words = self.t("flowers.list_empty"), self.t("flowers.list_empty_text")
            return [Empty(self.theme, "images", *words, action=start[0], on_tap=start[1])]
        rows = [self._row(entry) for entry in self.entries[: self.shown]]
        more = TextButton(self.theme, self.t("flowers.more"), self._more, kind="soft")
        return [
            Notice(self.theme, self.t("flowers.list_text"), icon="lock-key"),
            Text(self.theme, self.app.t.count("flowers.list_count", len(self.entries)), "heading"),
            Card(self.theme, *rows, gap=4, padding=12),
            more if len(self.entries) > self.shown else None,
        ]

    def _row(self, entry: Entry) -> Widget:
        herbarium = self.herbarium
        shows = entry.is_of
        title = herbarium.name(shows) if shows else self.t("flowers.row_unknown" if entry.verdict else "flowers.unsure")
        when = self.t("flowers.when", year=entry.time.year, month=entry.time.month, day=entry.time.day)
        guess = self.t("flowers.row_guess", name=herbarium.name(entry.species), share=percent(entry.confidence))
        lead = herbarium.photo(entry.id, size=72, radius=18)
        text = f"{guess} · {when}\n{verdict_text(herbarium, entry)}"
        return ListRow(self.theme, title, text, lead=lead, on_tap=lambda: self.open_entry(entry))

    def _more(self) -> None:
        self.shown += _PAGE
        self.refresh()

    # One photo

    def open_entry(self, entry: Entry) -> None:
        """The sheet with what can be done to one photo."""
        shows = entry.is_of
        buttons = [
            ("right", "soft", "thumbs-up", lambda: self._say(entry, "right")),
            ("wrong", "outline", "thumbs-down", lambda: self._open_verdict(entry)),
            ("delete", "danger", "trash", lambda: self._delete(entry)),
        ]
        made = [
            TextButton(self.theme, self.t(f"flowers.{name}"), on_tap, kind=kind, icon=icon)
            for name, kind, icon, on_tap in buttons
        ]
        if shows:
            made.insert(
                2,
                TextButton(
                    self.theme, self.t("flowers.read"), lambda: self._read(shows), kind="plain", icon="book-open"
                ),
            )
        said = Text(self.theme, verdict_text(self.herbarium, entry))
        self.app.sheet(said, *made, title=self.herbarium.name(entry.species))

    def _open_verdict(self, entry: Entry) -> None:
        VerdictSheet(self.app, lambda *said: self._say(entry, *said), near=[entry.species]).open()

    def _read(self, species: str) -> None:
        self.app.close_sheet()
        self.app.go("learn_article", id=species)

    def _say(self, entry: Entry, verdict: str, said: str | None = None) -> None:
        self.app.close_sheet()
        self._change(lambda: self.herbarium.store.say(entry.id, verdict, said))

    def _delete(self, entry: Entry) -> None:
        self.app.close_sheet()
        self._change(lambda: self.herbarium.store.delete(entry.id))

    def _change(self, act: Any) -> None:
        try:
            act()
        except FeedbackError as error:
            self.app.complain(str(error))
        self.refresh()

    # All of them

    def ask_delete_all(self) -> None:
        self.app.ask(
            self.app.t.count("flowers.delete_all_text", len(self.entries)),
            self.t("flowers.delete_all"),
            lambda: self._change(self.herbarium.store.delete_all),
            title=self.t("flowers.delete_all_title"),
            danger=True,
        )

    def open_export(self) -> None:
        """Ask whether the pictures come along."""
        self.with_pictures = SwitchRow(
            self.theme, self.t("flowers.export_pictures"), self.t("flowers.export_pictures_text"), is_on=False
        )
        self.app.sheet(
            Text(self.theme, self.t("flowers.export_text"), colour="soft"),
            self.with_pictures,
            TextButton(self.theme, self.t("flowers.export_do"), self._export, icon="export"),
            title=self.t("flowers.export"),
        )

    def _export(self) -> None:
        with_thumbnails, now = self.with_pictures.is_on, self.herbarium.clock()
        target, store, system = self.herbarium.folder / EXPORT, self.herbarium.store, self.app.system
        self.app.close_sheet()

        def job(_task: Task[Any]) -> int:
            count = store.export(target, with_thumbnails=with_thumbnails, now=now)
            system.share([target], "application/json")
            return count

        def done(count: int) -> None:
            if not system.opens_share_sheet:
                self.app.snack(self.app.t.count("flowers.exported", count, name=EXPORT))

        self.app.worker.run(job, done=done, failed=self.app.complain)
