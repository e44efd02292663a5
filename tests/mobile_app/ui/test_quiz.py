"""The Quiz tab: levels, rounds, explanations, streaks; a round survives the app."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

NOW = datetime(2026, 5, 20, 9, 0, tzinfo=UTC)


def quizzing(driver: Any) -> Any:
    from mobile_app.ui.quizzing import Quizzing

    found = driver.app.model(Quizzing)
    found.herbarium.clock = lambda: NOW
    found.new_rng = lambda: random.Random(4)
    return found


def round_of(driver: Any, level: int) -> Any:
    """Stand on the first question of a round."""
    model = quizzing(driver)
    driver.go("quiz")
    driver.app.navigator.current.start(level)
    driver.frames()
    return model


def name_of(driver: Any, species: str) -> str:
    return quizzing(driver).herbarium.name(species)


def wrong(question: Any) -> str:
    return next(name for name in question.options if name != question.answer)


def test_a_round_is_played_with_fingers_and_opens_the_next_level(driver: Any) -> None:
    model = quizzing(driver)
    driver.go("quiz")
    assert driver.shows("Opens with 8 right answers in “First petals”")
    driver.tap("First petals")
    for place in range(10):
        question = model.question
        driver.tap(name_of(driver, wrong(question) if place == 0 else question.answer))
        assert driver.shows("Not quite." if place == 0 else "That is right.")
        driver.tap("Next question" if place < 9 else "See the result")
    assert driver.shows("9 of 10 right")
    assert driver.shows("You have opened “Side by side”.")
    assert driver.shows("Worth another look")
    driver.check_layout()
    driver.tap("All levels")
    assert driver.shows("Best: 9 of 10")
    assert driver.shows("1 question waits to be asked again.")
    assert model.known.best_run == 9
    assert model.known.days_in_row(NOW.date()) == 1


def test_a_wrong_answer_is_explained_at_once_with_a_way_to_the_article(driver: Any) -> None:
    model = round_of(driver, 2)
    question = model.question
    driver.app.navigator.current.choose(wrong(question))
    driver.frames()
    from mobile_app.core.quiz import explanations

    for fact in explanations(model.herbarium.library, question, model.chosen):
        assert driver.shows(fact.text.en)
    driver.tap("Read the article")
    assert driver.app.navigator.current.article.id == question.answer
    driver.back()
    assert driver.shows("Next question")


def test_an_answer_counts_once(driver: Any) -> None:
    model = round_of(driver, 0)
    screen = driver.app.navigator.current
    screen.choose(model.question.answer)
    screen.choose(wrong(model.question))
    assert (model.right, model.missed) == (1, ())


@pytest.mark.parametrize("answered", [False, True])
def test_a_round_goes_on_after_the_app_was_killed(driver: Any, answered: bool) -> None:
    model = round_of(driver, 3)
    model.answer(model.question.answer)
    model.next()
    if answered:
        model.answer(wrong(model.question))
    before = (model.questions, model.place, model.right, model.chosen, model.phase, model.known)
    driver.stop(kill=True)
    driver.restart(keep=True)
    model = quizzing(driver)
    assert (model.questions, model.place, model.right, model.chosen, model.phase, model.known) == before
    assert driver.shows("2 of 10")


def test_a_round_that_was_left_can_be_taken_up(driver: Any) -> None:
    model = round_of(driver, 0)
    model.answer(model.question.answer)
    model.next()
    driver.back()
    driver.tap("Go on with your round")
    assert driver.shows("2 of 10")


def test_ones_own_photos_are_asked_about(driver: Any) -> None:
    import numpy as np

    from mobile_app.core.flowers import thumbnail
    from mobile_app.core.quiz import make_question

    model = quizzing(driver)
    entry = model.herbarium.store.add(
        species="rose", confidence=0.9, unsure=False, bundle="0.1.0", now=NOW,
        thumbnail=thumbnail(np.full((40, 40, 3), 180, np.uint8)),
    )  # fmt: skip
    library = model.herbarium.library
    model.questions = (make_question(library, "name:rose", 3, random.Random(1), {"rose": [entry]}),)
    model.phase = "ask"
    assert model.question.photo == entry
    driver.go("quiz_round")
    driver.wait(lambda: not driver.app.worker.is_busy)
    assert driver.shows("Your own photo")


def test_beginning_anew_asks_first(driver: Any) -> None:
    from mobile_app.core.quiz_state import QuizState, Score

    model = quizzing(driver)
    model._learn(QuizState(open_level=2, scores=(Score(day=NOW.date(), level=0, right=9, asked=10),)))
    driver.go("quiz")
    driver.tap("Begin anew")
    driver.back()
    assert model.known.open_level == 2
    driver.tap("Begin anew")
    driver.tap("Begin anew")
    assert model.known == QuizState()


@pytest.mark.parametrize(
    ("language", "theme", "size", "scale"),
    [("zh", "dark", (320, 640), 1.0), ("en", "light", (320, 640), 1.3), ("en", "dark", (800, 1280), 1.0)],
)
def test_nothing_is_cut_off(driver: Any, language: str, theme: str, size: tuple[int, int], scale: float) -> None:
    from mobile_app.core.quiz import keys_of, make_question
    from mobile_app.core.quiz_state import QuizState, Score

    driver.restart(language=language, theme=theme, size=size, scale=scale)
    model = quizzing(driver)
    days = [date(2026, 5, 20) - timedelta(n) for n in range(11, -1, -1)]
    scores = tuple(Score(day=day, level=0, right=n % 11, asked=10) for n, day in enumerate(days))
    model._learn(QuizState(scores=scores, run=12, best_run=128, open_level=1))
    driver.go("quiz")
    driver.check_layout()
    library = model.herbarium.library
    kinds = ("name", "picture", "fact", "season", "latin", "family", "poison")
    model.questions = tuple(
        make_question(library, keys_of(library, kind)[-1], 4, random.Random(1), {}) for kind in kinds
    )
    model.phase = "ask"
    screen = driver.go("quiz_round")
    for _ in kinds:
        driver.check_layout()
        screen.choose(wrong(model.question))
        driver.frames()
        driver.check_layout()
        screen.next()
        driver.frames()
    assert model.phase == "over"
    driver.check_layout()
