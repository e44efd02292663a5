"""One article: a flower, its dangers, its season, how it is told from its look-alikes, its stories and the sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.articles import WHOM, Article, Fact, LookAlike
from mobile_app.core.feedback import FeedbackError
from mobile_app.ui.evengrid import EvenGrid
from mobile_app.ui.herbarium import Herbarium
from mobile_app.ui.screen import Screen
from mobile_app.ui.season import SeasonBar
from mobile_app.ui.widgets import (
    Card,
    Column,
    Grid,
    Icon,
    IconButton,
    Notice,
    Row,
    Rule,
    Spacer,
    Tappable,
    Text,
    paint,
)

_POISON = {  # ground, icon
    "none": ("primary_soft", "leaf"),
    "mild": ("warning_soft", "warning"),
    "dangerous": ("danger_soft", "skull"),
}


class LearnArticleScreen(Screen):
    """params: id, of a species."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.herbarium: Herbarium = app.model(Herbarium)
        self.article: Article | None = self.herbarium.article(str(params.get("id", "")))
        self._cited: list[str] = []
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("learn.article")

    def actions(self) -> Sequence[Widget]:
        if self.article is None:
            return []
        is_marked = self.article.id in self.herbarium.favourites
        name = self.t("learn.unmark" if is_marked else "learn.mark")
        self.heart = IconButton(self.theme, "heart", name, self._toggle, colour="accent", filled=is_marked)
        return [self.heart]

    def _toggle(self) -> None:
        assert self.article is not None
        is_marked = self.herbarium.toggle(self.article.id)
        self.heart.icon.set(filled=is_marked)
        self.heart.name = self.t("learn.unmark" if is_marked else "learn.mark")
        self.app.snack(self.t("learn.marked" if is_marked else "learn.unmarked"))

    def body(self) -> Iterator[Widget | None]:
        article = self.article
        if article is None:
            yield Notice(self.theme, self.herbarium.fault or self.t("learn.unknown"), kind="warning")
            return
        self._cited = []
        picture = Column(self.theme, self.herbarium.picture(article.id, ratio=0.92, radius=28), Spacer(), gap=0)
        yield EvenGrid(self.theme, picture, self._names(article), column=250, most=2, gap=16)
        yield self._poison(article)
        yield Text(self.theme, self._said(article.lead))
        yield self._season(article)
        yield self._facts(self.t("learn.know"), article.know, "eye")
        yield self._alikes(article)
        yield self._facts(self.t("learn.where"), (article.habitat, article.range), "map-pin")
        yield self._facts(self.t("learn.stories"), article.stories, "book-open")
        yield self._own_photos(article)
        yield self._sources()

    def _names(self, article: Article) -> Widget:
        language = self.app.t.language
        further = [name for name in article.also[language] if name != article.name.of(language)]
        other = article.name.of("en" if language == "zh" else "zh")
        names = (self.t("learn.and").join(further), self.t("learn.also_called"))
        return Column(
            self.theme,
            Text(self.theme, self.herbarium.name(article.id), "display"),
            Text(self.theme, f"{article.latin} · {other}", "strong", colour="primary"),
            Text(self.theme, f"{article.family.of(language)} ({article.family_latin})", "small", colour="soft"),
            Text(self.theme, f"{names[1]} {names[0]}", "small", colour="soft") if further else None,
            Spacer(),
            gap=4,
        )

    def _poison(self, article: Article) -> Widget:
        level = article.poison_level
        fill, icon = _POISON[level]
        ink, advice = f"on_{fill}", self.herbarium.library.advice[level]
        head = Row(
            self.theme,
            Icon(self.theme, icon, size=26, colour=ink, filled=level == "dangerous"),
            Text(self.theme, self._said(advice.title), "heading", colour=ink),
            gap=12,
        )
        worst = [self.t(f"learn.to_{whom}") for whom in WHOM if article.poison_to[whom] == level]
        for_whom = self.t("learn.poison_to", whom=self.t("learn.and").join(worst)) if level != "none" else ""
        self.poison = Column(
            self.theme,
            head,
            Text(self.theme, for_whom, "strong", colour=ink) if for_whom else None,
            Text(self.theme, self._with_marks(article.poison), "body", colour=ink),
            Text(self.theme, self._said(advice.todo) + self._marks(advice.sources), "small", colour=ink),
            gap=8,
            padding=18,
        )
        paint(self.poison, self.theme, fill, radius=20)
        return self.poison

    def _season(self, article: Article) -> Widget:
        names = self.t("learn.months").split()
        bar = SeasonBar(self.theme, names, article.months, self.herbarium.today().month)
        return Card(
            self.theme,
            self._head(self.t("learn.season"), "calendar"),
            bar,
            Text(self.theme, self._with_marks(article.season)),
        )

    def _facts(self, title: str, facts: Sequence[Fact], icon: str) -> Widget:
        texts = [Text(self.theme, self._with_marks(fact)) for fact in facts]
        return Card(self.theme, self._head(title, icon), *texts, gap=12)

    def _head(self, title: str, icon: str) -> Widget:
        return Row(
            self.theme,
            Icon(self.theme, icon, size=22, colour="accent"),
            Text(self.theme, title, "heading"),
            gap=10,
        )

    def _alikes(self, article: Article) -> Widget:
        rows: list[Widget] = [self._head(self.t("learn.alikes"), "scales")]
        for n, one in enumerate(article.lookalikes):
            rows += [Rule(self.theme)] if n else []
            rows.append(self._pair(article, one) if one.id is not None else self._stranger(one))
        return Card(self.theme, *rows, gap=14)

    def _pair(self, article: Article, one: LookAlike) -> Widget:
        """Two pictures side by side, the other one leads to its article."""
        other = one.id
        assert other is not None
        here = Column(
            self.theme,
            self.herbarium.picture(article.id, ratio=0.9, wide=180, radius=16),
            Text(self.theme, self.t("learn.this_one"), "small", colour="soft", align="centre"),
            gap=6,
        )
        there = Tappable(
            self.theme,
            self.herbarium.picture(other, ratio=0.9, wide=180, radius=16),
            Text(self.theme, self.herbarium.name(other), "label", colour="primary", align="centre"),
            on_tap=lambda: self.app.go("learn_article", id=other),
            fill=None,
            radius=16,
            gap=6,
        )
        pair = Row(self.theme, here, there, gap=12)
        for side in (here, there):
            side.pos_hint = {"top": 1}
        return Column(self.theme, pair, Text(self.theme, self._with_marks(one.tell)), gap=8)

    def _stranger(self, one: LookAlike) -> Widget:
        name = one.name.of(self.app.t.language)
        return Column(
            self.theme,
            Text(self.theme, name[:1].upper() + name[1:], "strong"),
            Text(self.theme, one.latin, "small", colour="soft"),
            Text(self.theme, self._with_marks(one.tell)),
            gap=4,
        )

    def _own_photos(self, article: Article) -> Widget | None:
        try:
            photos = self.herbarium.store.photos(each=4).get(article.id, []) if self._has_store() else []
        except FeedbackError:
            return None  # the list itself says what is wrong
        if not photos:
            return None
        cells = [self.herbarium.photo(entry, ratio=1, radius=14) for entry in photos]
        return Card(
            self.theme,
            self._head(self.t("learn.own"), "camera"),
            Grid(self.theme, *cells, column=64, most=4, gap=8),
        )

    def _has_store(self) -> bool:
        return self.herbarium.store.size_bytes() > 0

    def _sources(self) -> Widget:
        rows: list[Widget] = [self._head(self.t("learn.sources"), "file-text")]
        for number, key in enumerate(self._cited, start=1):
            source = self.herbarium.library.sources[key]
            address = source.url.partition("://")[2].rstrip("/")
            rows.append(Text(self.theme, f"[{number}] {source.line()}", "small"))
            if address:
                rows.append(Text(self.theme, address, "small", colour="soft"))
        own_words = Text(self.theme, self.t("learn.own_words"), "small", colour="soft")
        return Card(self.theme, *rows, Spacer(2), own_words, gap=6)

    # Facts with the numbers of their sources

    def _said(self, both: Any) -> str:
        return both.of(self.app.t.language)

    def _with_marks(self, fact: Fact) -> str:
        return self._said(fact.text) + self._marks(fact.sources)

    def _marks(self, sources: Sequence[str]) -> str:
        for key in sources:
            if key not in self._cited:
                self._cited.append(key)
        numbers = sorted(self._cited.index(key) + 1 for key in sources)
        return f" [{','.join(map(str, numbers))}]"  # without spaces, at which a line could end
