"""Learn: the flower of the day, search, favourites, and all the flowers with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.articles import Article
from mobile_app.core.browse import flower_of_the_day, in_season, search
from mobile_app.ui.evengrid import EvenGrid
from mobile_app.ui.gradually import gradually
from mobile_app.ui.herbarium import Herbarium
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import (
    Column,
    Empty,
    Field,
    Icon,
    Notice,
    Row,
    Segmented,
    Spacer,
    Tappable,
    Text,
)

_SHELVES = ("all", "season", "favourites")
_AT_ONCE = 4  # cells: what a phone shows below the flower of the day


class LearnScreen(Screen):
    """The list of articles. Typing changes what is under the field and leaves the field alone."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.herbarium: Herbarium = app.model(Herbarium)
        shelf = state.get("shelf")
        self.shelf = shelf if shelf in _SHELVES else _SHELVES[0]
        self.query = str(state.get("query", ""))
        self.shown_favourites: tuple[str, ...] = ()
        self.has_articles = False
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("learn.title")

    def state(self) -> dict[str, Any]:
        return {"shelf": self.shelf, "query": self.query}

    def on_enter(self) -> None:
        if self.has_articles and self.shown_favourites != self.herbarium.favourites:
            self._show()

    def body(self) -> Sequence[Widget | None]:
        if not self.herbarium.library.articles:
            return [Notice(self.theme, self.herbarium.fault, kind="danger")]
        self.has_articles = True
        self.field = Field(self.theme, self.t("learn.search"), self._type)
        self.found = Column(self.theme, gap=12)
        self.shelves = Segmented(
            self.theme, [(name, self.t(f"learn.shelf_{name}")) for name in _SHELVES], self.shelf, self._choose_shelf
        )
        self.front = Column(self.theme, gap=16)
        self.day = flower_of_the_day(self.herbarium.library, self.herbarium.today())
        self.field.input.text = self.query
        self._show()  # the field is in no page yet, and has not called _type
        return [self.field, self.front, self.found]

    def _type(self, text: str) -> None:
        self.query = text
        self._show()

    def _choose_shelf(self, name: str) -> None:
        self.shelf = name
        self._show()

    def _show(self) -> None:
        """Fill what is under the field."""
        self.shown_favourites = self.herbarium.favourites
        is_searching = bool(self.query.strip())
        self.front.fill_with([] if is_searching else [self._day(self.day), self.shelves])
        articles = search(self.herbarium.library, self.query) if is_searching else self._on_shelf()
        if not articles:
            self.found.fill_with([self._nothing(is_searching)])
            return
        grid = EvenGrid(self.theme, column=132, most=4)
        self.found.fill_with([grid])
        gradually(grid, [lambda article=article: self._cell(article) for article in articles], at_once=_AT_ONCE)

    def _on_shelf(self) -> list[Article]:
        articles = self.herbarium.library.articles
        match self.shelf:
            case "favourites":
                return [articles[name] for name in self.herbarium.favourites]
            case "season":
                return in_season(self.herbarium.library, self.herbarium.today().month)
            case _:
                return sorted(articles.values(), key=lambda article: self.herbarium.name(article.id))

    def _nothing(self, is_searching: bool) -> Widget:
        what = "search" if is_searching else self.shelf
        icon = {"search": "magnifying-glass", "favourites": "heart", "season": "calendar"}[what]
        return Empty(self.theme, icon, self.t(f"learn.none_{what}"), self.t(f"learn.none_{what}_text"))

    def _day(self, article: Article) -> Widget:
        herbarium = self.herbarium
        picture = Column(self.theme, herbarium.picture(article.id, ratio=0.8, radius=20), Spacer(), gap=0)
        words = Column(
            self.theme,
            Text(self.theme, self.t("learn.flower_of_the_day"), "label", colour="accent"),
            Text(self.theme, herbarium.name(article.id), "display"),
            Text(self.theme, article.latin, "small", colour="soft"),
            Text(self.theme, article.lead.of(self.app.t.language), "body"),
            Spacer(),
            gap=6,
            padding=(18, 8, 18, 18),
        )
        return Tappable(
            self.theme,
            EvenGrid(self.theme, picture, words, column=250, most=2, gap=4),
            on_tap=lambda: self.app.go("learn_article", id=article.id),
        )

    def _cell(self, article: Article) -> Widget:
        herbarium = self.herbarium
        is_marked = article.id in herbarium.favourites
        heart = Icon(self.theme, "heart", size=18, colour="accent", filled=True) if is_marked else None
        name = Row(self.theme, Text(self.theme, herbarium.name(article.id), "strong"), heart, gap=4)
        words = Column(
            self.theme, name, Text(self.theme, article.latin, "small", colour="soft"), gap=2, padding=(12, 0, 12, 12)
        )
        return Tappable(
            self.theme,
            herbarium.picture(article.id, ratio=0.9, wide=180, radius=20),
            words,
            Spacer(),
            on_tap=lambda: self.app.go("learn_article", id=article.id),
            gap=8,
        )
