"""A round of the quiz: a question, the answer explained at once where it was wrong, and the result at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.quiz import LEVELS, TO_PASS, Question, explanations
from mobile_app.ui.quizzing import Quizzing
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import (
    Bar,
    Card,
    Chip,
    Column,
    Grid,
    Icon,
    IconDisc,
    ListRow,
    Row,
    Spacer,
    Tappable,
    Text,
    TextButton,
    paint,
)

_RATIO = 0.85  # height by width of a picture that is asked about
_BY_PICTURE = ("picture",)  # kinds whose options are pictures


class QuizRoundScreen(Screen):
    """The question in front, or the end of the round."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.model: Quizzing = app.model(Quizzing)
        self.herbarium = self.model.herbarium
        super().__init__(app, params, state)

    def title(self) -> str:
        if self.model.phase in ("ask", "explain"):
            return self.t("quiz.question", place=self.model.place + 1, asked=len(self.model.questions))
        return self.t("quiz.title")

    def actions(self) -> Sequence[Widget]:
        run = self.model.known.run
        if run < 2 or self.model.phase not in ("ask", "explain"):
            return []
        return [Chip(self.theme, self.t("quiz.run", n=run), icon="fire", fill="warning_soft")]

    def body(self) -> Sequence[Widget | None]:
        match self.model.phase:
            case "ask" | "explain":
                return self._question(self.model.question)
            case "over":
                return self._over()
            case _:
                start = TextButton(self.theme, self.t("quiz.to_levels"), self.app.back)
                return [Text(self.theme, self.t("quiz.nothing")), start]

    def footer(self) -> Sequence[Widget]:
        if self.model.phase == "explain":
            is_last = self.model.place + 1 == len(self.model.questions)
            text = self.t("quiz.finish" if is_last else "quiz.next")
            return [TextButton(self.theme, text, self.next, kind="filled")]
        if self.model.phase == "over":
            level = min(self.model.level + self.model.opened, len(LEVELS) - 1)
            text = self.t("quiz.play", level=self.t(f"quiz.level_{level}"))
            return [
                TextButton(self.theme, text, lambda: self.again(level), kind="accent"),
                TextButton(self.theme, self.t("quiz.to_levels"), self.app.back, kind="plain"),
            ]
        return []

    def on_leave(self) -> None:
        if self.model.phase == "over":
            self.model.stop()

    # What a person does

    def choose(self, species: str) -> None:
        """Answer the question in front; nothing happens if it was answered already."""
        if self.model.phase == "ask":
            self.model.answer(species)
            self.build()

    def next(self) -> None:
        self.model.next()
        self.build()  # from the top: another page, in effect

    def again(self, level: int) -> None:
        self.model.start(level)
        self.build()

    # The question

    def _question(self, question: Question) -> list[Widget | None]:
        progress = Bar(self.theme, (self.model.place + (self.model.phase == "explain")) / len(self.model.questions))
        words = Text(self.theme, self._ask(question), "title")
        if self.model.phase == "ask":
            return [progress, self._shown(question), words, self._options(question)]
        small = None
        if question.photo is not None:
            small = self.herbarium.photo(question.photo, size=88, radius=18)
        elif question.kind == "name":
            small = self.herbarium.picture(question.answer, size=88, radius=18)
        return [
            progress,
            Row(self.theme, small, words, gap=14),
            self._verdict(question),
            self._options(question),
            *self._explained(question),
        ]

    def _shown(self, question: Question) -> Widget | None:
        if question.kind != "name":
            return None
        if question.photo is not None:
            picture = self.herbarium.photo(question.photo, ratio=_RATIO, radius=26)
            return Column(
                self.theme, picture, Text(self.theme, self.t("quiz.own_photo"), "small", colour="soft"), gap=6
            )
        return self.herbarium.picture(question.answer, ratio=_RATIO, radius=26)

    def _ask(self, question: Question) -> str:
        article = self.herbarium.library.articles[question.answer]
        language = self.app.t.language
        match question.kind:
            case "fact":
                assert question.fact is not None
                assert question.fact.ask is not None
                return question.fact.ask.of(language)
            case "picture":
                return self.t("quiz.ask_picture", name=self.herbarium.name(question.answer))
            case "season":
                return self.t("quiz.ask_season", month=self.t(f"quiz.month_{question.values['month']}"))
            case "latin":
                return self.t("quiz.ask_latin", latin=article.latin)
            case "family":
                return self.t("quiz.ask_family", family=article.family.of(language), latin=article.family_latin)
            case "poison":
                return self.t("quiz.ask_poison", whom=self.t(f"quiz.to_{question.values['whom']}"))
            case _:
                return self.t("quiz.ask_name")

    def _options(self, question: Question) -> Widget:
        """All of them; once answered, the right one and the one that was chosen."""
        names = question.options
        if self.model.phase == "explain":
            names = tuple(dict.fromkeys((question.answer, self.model.chosen)))
        if question.kind in _BY_PICTURE:
            return Grid(self.theme, *(self._picture(question, name) for name in names), column=110, most=2)
        return Column(self.theme, *(self._line(question, name) for name in names), gap=10)

    def _look(self, question: Question, name: str) -> tuple[str, str | None, str | None]:
        """Ground, edge and icon of an option."""
        if self.model.phase == "ask":
            return "surface", None, None
        if name == question.answer:
            return "primary_soft", "primary", "check-circle"
        if name == self.model.chosen:
            return "danger_soft", None, "x"
        return "surface", None, None

    def _line(self, question: Question, name: str) -> Widget:
        fill, edge, icon = self._look(question, name)
        ink = "text" if fill == "surface" else f"on_{fill}"
        lead = None
        if question.kind != "name" or self.model.phase == "explain":
            lead = self.herbarium.picture(name, size=48, radius=12)
        mark = Icon(self.theme, icon, size=24, colour=ink, filled=icon != "x") if icon else None
        words = Text(self.theme, self.herbarium.name(name), "strong", colour=ink)
        row = Row(self.theme, lead, words, mark, gap=14)
        option = Tappable(
            self.theme, row, on_tap=lambda: self.choose(name), fill=fill, edge=edge, radius=18,
            padding=(14 if lead is None else 8, 8 if lead is not None else 16),
        )  # fmt: skip
        return option

    def _picture(self, question: Question, name: str) -> Widget:
        fill, edge, icon = self._look(question, name)
        ink = "text" if fill == "surface" else f"on_{fill}"
        below = None
        if self.model.phase == "explain":
            mark = Icon(self.theme, icon, size=20, colour=ink, filled=icon != "x") if icon else None
            words = Text(self.theme, self.herbarium.name(name), "label", colour=ink)
            below = Row(self.theme, words, mark, gap=4, padding=(6, 0))
        return Tappable(
            self.theme,
            self.herbarium.picture(name, ratio=1, wide=180, radius=16),
            below,
            on_tap=lambda: self.choose(name),
            fill=fill,
            edge=edge,
            padding=6,
            gap=6,
        )

    # The answer

    def _verdict(self, question: Question) -> Widget:
        is_right = self.model.chosen == question.answer
        fill = "primary_soft" if is_right else "danger_soft"
        name = self.herbarium.name(question.answer)
        text = self.t("quiz.right") if is_right else self.t("quiz.wrong", name=name)
        row = Row(
            self.theme,
            Icon(self.theme, "check-circle" if is_right else "info", size=24, colour=f"on_{fill}", filled=True),
            Text(self.theme, text, "strong", colour=f"on_{fill}"),
            gap=12,
            padding=14,
        )
        paint(row, self.theme, fill, radius=16)
        return row

    def _explained(self, question: Question) -> list[Widget]:
        """Why, and where to read on: at length after a wrong answer."""
        language, chosen = self.app.t.language, self.model.chosen
        facts = explanations(self.herbarium.library, question, chosen)
        if chosen == question.answer:
            facts = facts[:1]
        texts = [Text(self.theme, fact.text.of(language)) for fact in facts]
        read = TextButton(
            self.theme,
            self.t("quiz.read"),
            lambda: self.app.go("learn_article", id=question.answer),
            kind="soft",
            icon="book-open",
        )
        return [Card(self.theme, Text(self.theme, self.t("quiz.why"), "heading"), *texts, read, gap=12)]

    # The end

    def _over(self) -> list[Widget | None]:
        model = self.model
        asked = len(model.questions)
        passed = model.right >= TO_PASS
        title = self.t("quiz.over_good" if passed else "quiz.over_fair")
        head = Row(self.theme, Spacer(1), IconDisc(self.theme, "trophy" if passed else "plant", size=96), Spacer(1))
        opened = self.t("quiz.opened", level=self.t(f"quiz.level_{model.known.open_level}")) if model.opened else ""
        goal = "" if passed else self.t("quiz.goal", right=TO_PASS)
        return [
            Spacer(8),
            head,
            Text(self.theme, title, "display", align="centre"),
            Text(self.theme, self.t("quiz.score", right=model.right, asked=asked), "heading", align="centre"),
            Bar(self.theme, model.right / asked, colour="accent", height=12),
            Text(self.theme, opened or goal, "body", colour="soft", align="centre") if opened or goal else None,
            self._missed(),
        ]

    def _missed(self) -> Widget | None:
        missed = tuple(dict.fromkeys(self.model.missed))
        if not missed:
            return None
        rows = [self._missed_row(name) for name in missed]
        return Card(self.theme, Text(self.theme, self.t("quiz.missed"), "heading"), *rows, gap=4)

    def _missed_row(self, name: str) -> Widget:
        herbarium = self.herbarium
        lead = herbarium.picture(name, size=52, radius=14)
        on_tap = lambda: self.app.go("learn_article", id=name)  # noqa: E731
        return ListRow(self.theme, herbarium.name(name), herbarium.other_names(name), lead=lead, on_tap=on_tap)
