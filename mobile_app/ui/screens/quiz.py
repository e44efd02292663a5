"""Quiz: levels, what waits for repetition, streaks and the scores so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kivy.metrics import dp
from kivy.uix.widget import Widget

from mobile_app.core.quiz import LEVELS, TO_PASS
from mobile_app.core.quiz_state import Score
from mobile_app.ui.evengrid import EvenGrid
from mobile_app.ui.quizzing import Quizzing
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import (
    Bar,
    Card,
    Column,
    Icon,
    IconDisc,
    Notice,
    Row,
    Spacer,
    Tappable,
    Text,
    TextButton,
    paint,
)

_ICONS = ("flower-tulip", "flower", "book-open", "graduation-cap")
_SHOWN_SCORES = 12


class QuizScreen(Screen):
    """The page between rounds."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.model: Quizzing = app.model(Quizzing)
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("quiz.title")

    def on_enter(self) -> None:
        if self._built_from != (self.model.phase, self.model.known):
            self.refresh()

    def build(self) -> None:
        self._built_from = (self.model.phase, self.model.known)
        super().build()

    def body(self) -> Iterator[Widget | None]:
        if not self.model.herbarium.library.articles:
            yield Notice(self.theme, self.model.herbarium.fault, kind="danger")
            return
        if self.model.phase in ("ask", "explain"):
            yield TextButton(self.theme, self.t("quiz.go_on"), self._go_on, kind="accent", icon="play")
        yield self._numbers()
        yield self._due()
        yield Text(self.theme, self.t("quiz.levels"), "heading")
        for level in range(len(LEVELS)):
            yield self._level(level)
        yield self._scores()

    def _go_on(self) -> None:
        self.app.go("quiz_round")

    def start(self, level: int) -> None:
        """Begin a round of a level that is open."""
        self.model.start(level)
        self.app.go("quiz_round")

    def _numbers(self) -> Widget:
        known, today = self.model.known, self.model.herbarium.today()
        facts = (
            ("fire", "warning_soft", known.days_in_row(today), "quiz.days"),
            ("target", "accent_soft", known.best_run, "quiz.best_run"),
            ("brain", "primary_soft", known.learned(), "quiz.learned"),
        )
        return EvenGrid(self.theme, *(self._number(*fact) for fact in facts), column=84, most=3, gap=10)

    def _number(self, icon: str, fill: str, count: int, key: str) -> Widget:
        disc = IconDisc(self.theme, icon, fill=fill, size=40)
        holder = Row(self.theme, Spacer(1), disc, Spacer(1))
        return Card(
            self.theme,
            holder,
            Text(self.theme, str(count), "title", align="centre"),
            Text(self.theme, self.app.t.count(key, count), "small", colour="soft", align="centre"),
            Spacer(),
            gap=4,
            padding=(8, 14),
        )

    def _due(self) -> Widget | None:
        due = self.model.known.due(self.model.herbarium.today())
        if not due:
            return None
        return Notice(self.theme, self.app.t.count("quiz.due", due), kind="petal", icon="arrow-clockwise")

    def _level(self, level: int) -> Widget:
        known = self.model.known
        is_open = level <= known.open_level
        best = known.best(level)
        if not is_open:
            about = self.t("quiz.locked", right=TO_PASS, level=self.t(f"quiz.level_{level - 1}"))
        elif best is None:
            about = self.t(f"quiz.about_{level}")
        else:
            about = self.t("quiz.best", right=best.right, asked=best.asked)
        title = Text(self.theme, self.t(f"quiz.level_{level}"), "strong")
        words = Column(
            self.theme,
            title,
            Text(self.theme, about, "small", colour="soft"),
            Bar(self.theme, best.right / best.asked, colour="accent") if best is not None and is_open else None,
            gap=4,
        )
        disc = IconDisc(self.theme, _ICONS[level] if is_open else "lock", fill="accent_soft" if is_open else "raised")
        end = Icon(self.theme, "caret-left" if self.theme.is_rtl else "caret-right", size=18, colour="soft")
        row = Row(self.theme, disc, words, end if is_open else None, gap=14)
        if not is_open:
            return Card(self.theme, row, padding=16)
        return Tappable(self.theme, row, on_tap=lambda: self.start(level), padding=16)

    def _scores(self) -> Widget | None:
        scores = self.model.known.scores[-_SHOWN_SCORES:]
        if not scores:
            return None
        last = scores[-1]
        said = self.t("quiz.last", right=last.right, asked=last.asked, level=self.t(f"quiz.level_{last.level}"))
        anew = TextButton(self.theme, self.t("quiz.forget"), self.ask_forget, kind="plain", icon="arrow-clockwise")
        return Card(
            self.theme,
            Text(self.theme, self.app.t.count("quiz.history", len(scores)), "heading"),
            ScoreBars(self, scores),
            Text(self.theme, said, "small", colour="soft"),
            anew,
        )

    def ask_forget(self) -> None:
        """Ask before everything learned is forgotten."""
        self.app.ask(
            self.t("quiz.forget_text"),
            self.t("quiz.forget"),
            self._forget,
            title=self.t("quiz.forget_title"),
            danger=True,
        )

    def _forget(self) -> None:
        self.model.forget()
        self.refresh()


class ScoreBars(Row):
    """Rounds as upright bars, the latest last; a bar that reached the goal has the accent's colour."""

    HEIGHT = 96  # dp

    def __init__(self, screen: QuizScreen, scores: Sequence[Score]) -> None:
        super().__init__(screen.theme, gap=6)
        for score in [None] * (_SHOWN_SCORES - len(scores)) + list(scores):
            self.add_widget(self._bar(screen, score))

    def _bar(self, screen: QuizScreen, score: Score | None) -> Widget:
        theme = screen.theme
        share = 0.0 if score is None else score.right / score.asked
        holder = Widget(size_hint_y=None, height=dp(self.HEIGHT))
        paint(holder, theme, "raised", radius=6)
        if score is not None:
            done = Widget()
            paint(done, theme, "accent" if score.right >= TO_PASS else "primary", radius=6)
            holder.add_widget(done)

            def place(*_: Any) -> None:
                done.pos, done.size = holder.pos, (holder.width, max(dp(8), holder.height * share))

            holder.bind(pos=place, size=place)
        number = Text(theme, "" if score is None else str(score.right), "small", colour="soft", align="centre")
        number.font_size = min(number.font_size, dp(14))
        return Column(theme, holder, number, gap=4)
