"""Flowers: a photo in; five guesses, plain doubt, what the network looked at, and a way to say that it was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.feedback import Entry, FeedbackError
from mobile_app.core.flowers import Recognition, cropped
from mobile_app.ui.herbarium import Herbarium, percent
from mobile_app.ui.naming import Naming
from mobile_app.ui.screen import Screen
from mobile_app.ui.verdicts import VerdictSheet, verdict_text
from mobile_app.ui.widgets import (
    Bar,
    Card,
    Column,
    Empty,
    IconButton,
    Notice,
    Picture,
    Row,
    Segmented,
    Spacer,
    Tappable,
    Text,
    TextButton,
    texture_of,
)

_TALLEST = 1.1  # height by width of the photo on the page


class FlowersScreen(Screen):
    """One page in three phases: choosing, working, found."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.herbarium: Herbarium = app.model(Herbarium)
        self.model: Naming = app.model(Naming)
        self.view = state.get("view", "photo")
        self.picture: Picture | None = None
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("flowers.title")

    def actions(self) -> Sequence[Widget]:
        return [IconButton(self.theme, "images", self.t("flowers.list"), lambda: self.app.go("flowers_list"))]

    def body(self) -> Iterable[Widget | None]:
        return {"choose": self._choosing, "working": self._working, "found": self._found}[self.model.phase]()

    def footer(self) -> Sequence[Widget]:
        if self.model.phase == "working":
            return [TextButton(self.theme, self.t("common.cancel"), self.model.clear, kind="outline", icon="x")]
        if self.model.phase == "found":
            return [TextButton(self.theme, self.t("flowers.another"), self.model.clear, kind="soft", icon="camera")]
        return []

    def state(self) -> dict[str, Any]:
        return {"view": self.view}

    def on_enter(self) -> None:
        self.model.on_change = self.build
        picked = self.params.pop("picked", None)  # from the list of files
        if picked:
            self._name([Path(path) for path in picked])
        elif self._built_from != self._facts():
            self.refresh()

    def build(self) -> None:
        self._built_from = self._facts()
        self._let_go()
        super().build()

    def on_gone(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Of the pixels of the photo on the page: widgets live on until Python looks for them."""
        if self.picture is not None:
            self.picture.show(None)
            self.picture = None

    def _facts(self) -> tuple[Any, ...]:
        """What the page is made from: the answer, and what was said about it, which the list can change."""
        return self.model.phase, self.model.path, self.model.found, self._entry()

    def on_leave(self) -> None:
        self.model.on_change = None

    def on_back(self) -> bool:
        """Back from an answer, or from waiting for one, leads to a new choice."""
        if self.model.phase == "choose":
            return False
        self.model.clear()
        return True

    def choose(self) -> None:
        """Open the system's picker, or the list of files where there is none."""
        if not self.app.system.has_picker:
            self.app.go("browse", many=False, to="flowers")
            return
        self.app.system.pick_photos(self._copies(), self._name, self._complain, many=False)

    def take(self) -> None:
        """Open the camera."""
        self.app.system.take_photo(self._copies(), self._name, self._complain)

    def _name(self, paths: list[Path]) -> None:
        self.view = "photo"
        self.model.name(paths)

    def _complain(self, key: str) -> None:
        self.app.complain(self.t(key))

    def _copies(self) -> Path:
        return self.app.data / "picked"

    # Choosing

    def _choosing(self) -> list[Widget | None]:
        camera = TextButton(self.theme, self.t("flowers.take"), self.take, kind="accent", icon="camera")
        library = self.herbarium.library
        strip = [self.herbarium.picture(name, size=72, radius=20) for name in ("pansy", "snowdrop", "tigerlily")]
        return [
            Spacer(8),
            Row(self.theme, Spacer(1), *strip, Spacer(1), gap=12),
            Text(self.theme, self.t("flowers.empty"), "title", align="centre"),
            Text(
                self.theme, self.t("flowers.empty_text", n=len(library.articles)), "body", colour="soft", align="centre"
            ),
            camera if self.app.system.has_camera else None,
            TextButton(self.theme, self.t("flowers.choose"), self.choose, kind="soft", icon="image"),
            Notice(self.theme, self.t("flowers.tips"), icon="lightbulb"),
            Notice(self.theme, self.t("flowers.never_eat"), kind="warning"),
        ]

    # Working

    def _working(self) -> list[Widget | None]:
        return [Empty(self.theme, "flower", self.t("flowers.working"), self.t("flowers.working_text"))]

    # Found

    def _found(self) -> Iterator[Widget | None]:
        found = self.model.found
        assert found is not None
        yield self._photo(found)
        yield self._answer(found)
        yield Notice(self.theme, self._doubt(found), kind="warning", icon="question") if found.is_unsure else None
        yield self._guesses(found)
        yield self._said()
        yield Notice(self.theme, self.t("flowers.never_eat"), kind="warning")

    def _photo(self, found: Recognition) -> Widget:
        self.picture = Picture(self.theme, ratio=self._ratio(found), radius=26)
        self._show_view(found)
        if found.heat is None:
            return self.picture
        options = [(name, self.t(f"flowers.view_{name}")) for name in ("photo", "heat")]
        self.views = Segmented(self.theme, options, self.view, self._choose_view)
        self.view_text = Text(self.theme, "", "small", colour="soft", align="centre")
        self._say_view()
        return Column(self.theme, self.picture, self.views, self.view_text, gap=10)

    def _ratio(self, found: Recognition) -> float:
        height, width = found.shown.shape[:2]
        return min(height / width, _TALLEST)

    def _choose_view(self, name: str) -> None:
        self.view = name
        if self.model.found is not None:
            self._show_view(self.model.found)
            self._say_view()

    def _say_view(self) -> None:
        self.view_text.set(self.t("flowers.heat_text") if self.view == "heat" else "")

    def _show_view(self, found: Recognition) -> None:
        heat = found.heat if self.view == "heat" else None
        assert self.picture is not None
        self.picture.show(texture_of(cropped(found.shown if heat is None else heat, self._ratio(found))))

    def _answer(self, found: Recognition) -> Widget:
        species, confidence = found.best
        herbarium = self.herbarium
        if found.is_unsure:
            lines = [
                Text(self.theme, self.t("flowers.unsure"), "title"),
                Text(self.theme, self.t("flowers.unsure_text"), "body", colour="soft"),
            ]
            return Column(self.theme, *lines, gap=4)
        lines = [
            Text(self.theme, herbarium.name(species), "display"),
            Text(self.theme, herbarium.other_names(species), "body", colour="soft"),
            Text(self.theme, self.t("flowers.sure", share=percent(confidence)), "small", colour="soft"),
        ]
        read = TextButton(
            self.theme,
            self.t("flowers.read"),
            lambda: self.app.go("learn_article", id=species),
            icon="book-open",
        )
        return Column(self.theme, *lines, Spacer(4), read, gap=4)

    def _doubt(self, found: Recognition) -> str:
        if found.none_of_them >= 0.5:
            return self.t("flowers.doubt_other", n=len(self.herbarium.library.articles))
        return self.t("flowers.doubt_poor")

    def _guesses(self, found: Recognition) -> Widget:
        title = self.t("flowers.nearest" if found.is_unsure else "flowers.guesses")
        rows = [self._guess(species, share, n == 0) for n, (species, share) in enumerate(found.guesses)]
        return Card(self.theme, Text(self.theme, title, "heading"), *rows, gap=6, padding=16)

    def _guess(self, species: str, share: float, is_best: bool) -> Widget:
        number = Text(self.theme, percent(share), "strong" if is_best else "body", fit=True, align="end")
        name = Text(self.theme, self.herbarium.name(species), "strong" if is_best else "body")
        bar = Bar(self.theme, share, colour="accent" if is_best else "primary")
        words = Column(self.theme, Row(self.theme, name, number, gap=12), bar, gap=6)
        row = Row(self.theme, self.herbarium.picture(species, size=56, radius=16), words, gap=14)
        return Tappable(
            self.theme,
            row,
            on_tap=lambda: self.app.go("learn_article", id=species),
            fill=None,
            radius=16,
            padding=(2, 4),
        )

    # What the person says

    def _said(self) -> Widget | None:
        entry = self._entry()
        if entry is None:
            return None
        if entry.verdict is not None:
            change = TextButton(
                self.theme, self.t("flowers.change"), self.open_verdict, kind="plain", icon="pencil-simple"
            )
            return Card(self.theme, Text(self.theme, verdict_text(self.herbarium, entry), "body"), change, gap=4)
        self.right_button = TextButton(
            self.theme, self.t("flowers.right"), lambda: self._say("right"), kind="soft", icon="thumbs-up"
        )
        self.wrong_button = TextButton(
            self.theme, self.t("flowers.wrong"), self.open_verdict, kind="outline", icon="thumbs-down"
        )
        return Card(
            self.theme,
            Text(self.theme, self.t("flowers.was_it_right"), "heading"),
            self.right_button,
            self.wrong_button,
            Text(self.theme, self.t("flowers.stays_here"), "small", colour="soft"),
        )

    def _entry(self) -> Entry | None:
        """The photo in the list; None if it was deleted there, or never got there."""
        try:
            return None if self.model.entry is None else self.herbarium.store.find(self.model.entry)
        except FeedbackError:
            return None  # the list itself says what is wrong

    def open_verdict(self) -> None:
        """The sheet that asks what it really is."""
        found, entry = self.model.found, self.model.entry
        if found is not None and entry is not None:
            VerdictSheet(self.app, self._say, near=[species for species, _ in found.guesses]).open()

    def _say(self, verdict: str, said: str | None = None) -> None:
        entry = self.model.entry
        if entry is None:
            return
        try:
            self.herbarium.store.say(entry, verdict, said)
        except FeedbackError as error:
            self.app.complain(str(error))
            return
        self.refresh()
        self.app.snack(self.t("flowers.thanks"))
