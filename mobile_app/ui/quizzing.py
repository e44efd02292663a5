"""The round of the quiz that is under way, and what was learned.

`app.model(Quizzing)` outlives pages and survives being killed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mobile_app.core.errors import OutputError
from mobile_app.core.feedback import FeedbackError
from mobile_app.core.quiz import LEVELS, TO_PASS, Question, make_round
from mobile_app.core.quiz_state import QuizState, Score, answered, finished, load_state, save_state
from mobile_app.ui.herbarium import Herbarium

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp


class Quizzing:
    """phase: "rest", "ask", "explain" or "over"."""

    def __init__(self, app: PetalveilApp) -> None:
        self.app = app
        self.herbarium: Herbarium = app.model(Herbarium)
        self.new_rng: Callable[[], random.Random] = random.Random
        self.phase = "rest"
        self.level = 0
        self.questions: tuple[Question, ...] = ()
        self.place = 0
        self.chosen = ""  # the answer that was given to the question in front
        self.right = 0
        self.missed: tuple[str, ...] = ()  # species
        self.opened = False  # the round that ended opened a level

    @cached_property
    def known(self) -> QuizState:
        """What was learned so far."""
        return load_state(self.herbarium.folder)

    @property
    def question(self) -> Question:
        return self.questions[self.place]

    def start(self, level: int) -> None:
        """Begin a round; the one under way is given up."""
        try:
            photos = self.herbarium.store.photos() if self.herbarium.store.size_bytes() else {}
        except FeedbackError as error:
            photos = {}
            self.app.snack(str(error))
        self.questions = make_round(
            self.herbarium.library, self.known, level, self.new_rng(), self.herbarium.today(), photos
        )
        self.level, self.place, self.right, self.chosen, self.missed = level, 0, 0, "", ()
        self.phase = "ask"

    def answer(self, species: str) -> bool:
        """Give an answer. Returns: whether it is right."""
        question = self.question
        is_right = species == question.answer
        self.chosen, self.phase = species, "explain"
        self.right += is_right
        if not is_right:
            self.missed = (*self.missed, question.answer)
        self._learn(answered(self.known, question.key, is_right=is_right, today=self.herbarium.today()))
        return is_right

    def next(self) -> None:
        """On to the next question, or to the end of the round."""
        self.chosen = ""
        if self.place + 1 < len(self.questions):
            self.place, self.phase = self.place + 1, "ask"
            return
        before = self.known.open_level
        score = Score(day=self.herbarium.today(), level=self.level, right=self.right, asked=len(self.questions))
        self._learn(finished(self.known, score, to_pass=TO_PASS, levels=len(LEVELS)))
        self.opened, self.phase = self.known.open_level > before, "over"

    def stop(self) -> None:
        """Leave the round; what was answered stays learned."""
        self.phase, self.questions = "rest", ()

    def forget(self) -> None:
        """Begin anew, with nothing learned."""
        self.stop()
        self._learn(QuizState())

    # Surviving

    def state(self) -> dict[str, Any]:
        if self.phase not in ("ask", "explain"):
            return {}
        rows = [[q.key, list(q.options), q.photo, dict(q.values)] for q in self.questions]
        return {
            "level": self.level, "questions": rows, "place": self.place, "right": self.right, "chosen": self.chosen,
            "missed": list(self.missed),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Take up the round again, unless a later version changed the content under it."""
        try:
            questions = tuple(self._question(*row) for row in state["questions"])
            level, place, right, chosen = (state[name] for name in ("level", "place", "right", "chosen"))
            missed = tuple(state["missed"])
        except (KeyError, TypeError, ValueError):
            return
        if not 0 <= place < len(questions):
            return
        self.questions, self.level, self.place, self.right, self.missed = questions, level, place, right, missed
        self.chosen, self.phase = chosen, "explain" if chosen else "ask"

    def _question(self, key: str, options: list[str], photo: int | None, values: dict[str, Any]) -> Question:
        kind, name, *place = key.split(":")
        article = self.herbarium.library.articles[name]
        fact = article.facts()[place[0]] if place else None
        return Question(
            key=key, kind=kind, answer=name, options=tuple(options), photo=photo, fact=fact, values=values,  # type: ignore[arg-type]
        )  # fmt: skip

    def _learn(self, known: QuizState) -> None:
        self.known = known
        try:
            save_state(self.herbarium.folder, known)
        except OutputError as error:
            self.app.snack(str(error))
