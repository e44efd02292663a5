"""The sheet that asks what a photo really shows, and what was said as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mobile_app.core.feedback import Entry
from mobile_app.ui.herbarium import Herbarium
from mobile_app.ui.widgets import Column, IconDisc, ListRow, Rule, Text

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp


class VerdictSheet:
    """Args: say: called with the verdict, and with the species for "other"; near: what to offer first."""

    def __init__(self, app: PetalveilApp, say: Callable[..., Any], *, near: Sequence[str] = ()) -> None:
        self.app, self._say, self._near = app, say, near
        self.herbarium: Herbarium = app.model(Herbarium)

    def open(self) -> None:
        theme, t = self.app.theme, self.app.t
        known = self.herbarium.library.articles
        names = [*(name for name in self._near if name in known), *(name for name in known if name not in self._near)]
        rows = [self._row(name) for name in names]
        none = ListRow(
            theme,
            t("flowers.none_of_these"),
            t("flowers.none_text"),
            lead=IconDisc(theme, "x", filled=False),
            on_tap=self._none,
        )
        self.app.sheet(
            Text(theme, t("flowers.verdict_text"), colour="soft"),
            none,
            Rule(theme),
            Column(theme, *rows, gap=2),
            title=t("flowers.verdict_title"),
        )

    def _row(self, name: str) -> ListRow:
        def choose() -> None:
            self.app.close_sheet()
            self._say("other", name)

        herbarium = self.herbarium
        lead = herbarium.picture(name, size=52, radius=14)
        return ListRow(self.app.theme, herbarium.name(name), herbarium.other_names(name), lead=lead, on_tap=choose)

    def _none(self) -> None:
        self.app.close_sheet()
        self._say("none")


def verdict_text(herbarium: Herbarium, entry: Entry) -> str:
    """What the person said about a photo."""
    t = herbarium.app.t
    match entry.verdict:
        case "right":
            return t("flowers.said_right")
        case "other":
            return t("flowers.said_other", name=herbarium.name(entry.said or ""))
        case "none":
            return t("flowers.said_none")
        case _:
            return t("flowers.said_nothing")
