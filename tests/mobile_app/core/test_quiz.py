"""Questions with one right answer each; boxes, streaks and scores by hand."""

from __future__ import annotations

import dataclasses
import json
import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from mobile_app.core.articles import Library
from mobile_app.core.library import load_library
from mobile_app.core.quiz import LEVELS, ROUND, Question, explanations, keys_of, make_question, make_round
from mobile_app.core.quiz_state import (
    FILE,
    REST_DAYS,
    Box,
    QuizState,
    Score,
    answered,
    finished,
    from_json,
    load_state,
    save_state,
    to_json,
)

TODAY = date(2026, 5, 20)


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library()


@pytest.fixture(scope="module")
def questions(library: Library) -> list[Question]:
    """Every question there is, each with several draws."""
    kinds = {kind for kinds, _ in LEVELS for kind in kinds}
    keys = [key for kind in sorted(kinds) for key in keys_of(library, kind)]
    return [make_question(library, key, 4, random.Random(seed), {}) for key in keys for seed in range(3)]


def is_true(library: Library, question: Question, name: str) -> bool:
    """Whether an option answers a question, worked out from the content and not from how the question was made."""
    article, other = library.articles[question.answer], library.articles[name]
    match question.kind:
        case "season":
            return question.values["month"] in other.months
        case "family":
            return other.family_latin == article.family_latin
        case "poison":
            return other.poison_to[str(question.values["whom"])] != "none"
        case "fact":
            assert question.fact is not None
            return name == question.answer or name in question.fact.also
        case _:
            return name == question.answer


def test_no_question_has_two_right_answers(library: Library, questions: list[Question]) -> None:
    assert len(questions) > 300
    for question in questions:
        right = [name for name in question.options if is_true(library, question, name)]
        assert right == [question.answer], question


def test_every_question_has_enough_options_and_none_twice(questions: list[Question]) -> None:
    for question in questions:
        assert len(set(question.options)) == len(question.options) == 4, question.key


def test_look_alikes_are_the_first_wrong_options(library: Library) -> None:
    # Coltsfoot's one look-alike among the flowers of the app is the dandelion.
    for seed in range(5):
        question = make_question(library, "name:coltsfoot", 2, random.Random(seed), {})
        assert set(question.options) == {"coltsfoot", "dandelion"}


def test_what_would_give_itself_away_is_not_asked(library: Library) -> None:
    latin, family = keys_of(library, "latin"), keys_of(library, "family")
    assert "latin:iris" not in latin  # "Which flower is Iris?"
    assert "latin:tulip" in latin
    assert "family:daisy" not in family  # "Which of these belongs to the daisy family?"
    assert "family:dandelion" in family


def test_a_flower_of_which_a_fact_is_true_as_well_is_no_option(library: Library) -> None:
    shared = dataclasses.replace(library.articles["rose"].stories[2], also=("tulip", "daisy", "iris"))
    rose = dataclasses.replace(library.articles["rose"], stories=(*library.articles["rose"].stories[:2], shared))
    changed = dataclasses.replace(library, articles={**library.articles, "rose": rose})
    for seed in range(20):
        question = make_question(changed, "fact:rose:stories.2", 4, random.Random(seed), {})
        assert not {"tulip", "daisy", "iris"} & set(question.options)


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_a_round_is_of_its_level_and_of_as_many_flowers_as_it_can(library: Library, level: int) -> None:
    questions = make_round(library, QuizState(), level, random.Random(1), TODAY)
    assert len(questions) == ROUND
    assert {question.kind for question in questions} <= set(LEVELS[level][0])
    assert len({question.answer for question in questions}) == ROUND
    assert all(len(question.options) == LEVELS[level][1] for question in questions)


def test_a_level_that_is_not_there_is_refused(library: Library) -> None:
    with pytest.raises(ValueError, match="level"):
        make_round(library, QuizState(), len(LEVELS), random.Random(1), TODAY)


def test_what_was_missed_comes_first_and_what_rests_comes_last(library: Library) -> None:
    state = QuizState()
    for name in ("rose", "tulip", "iris"):
        state = answered(state, f"name:{name}", is_right=False, today=TODAY)
    for name in ("daisy", "pansy", "crocus"):
        state = answered(state, f"name:{name}", is_right=True, today=TODAY)
    for seed in range(5):
        asked = {question.answer for question in make_round(library, state, 0, random.Random(seed), TODAY)}
        assert {"rose", "tulip", "iris"} <= asked
        assert not {"daisy", "pansy", "crocus"} & asked


def test_ones_own_photos_are_asked_about(library: Library) -> None:
    rng = random.Random(2)
    drawn = [make_question(library, "name:rose", 3, rng, {"rose": [7, 9]}).photo for _ in range(200)]
    assert set(drawn) == {7, 9, None}
    assert make_question(library, "name:daisy", 3, rng, {"rose": [7]}).photo is None


def test_a_wrong_answer_is_explained_by_what_tells_the_two_apart(library: Library) -> None:
    question = make_question(library, "name:coltsfoot", 2, random.Random(0), {})
    first, between = explanations(library, question, "dandelion")
    assert first is library.articles["coltsfoot"].know[0]
    assert between is library.articles["coltsfoot"].tell_from("dandelion")


def test_boxes_rest_for_longer_each_time_and_a_miss_begins_anew() -> None:
    state, day = QuizState(), TODAY
    for number, days in ((1, 1), (2, 3), (3, 7), (4, 16), (5, 35), (5, 35)):
        state = answered(state, "name:rose", is_right=True, today=day)
        assert state.boxes["name:rose"] == Box(number=number, due=day + timedelta(days))
        day = state.boxes["name:rose"].due
    state = answered(state, "name:rose", is_right=False, today=day)
    assert state.boxes["name:rose"] == Box(number=0, due=day)
    assert REST_DAYS[0] == 0


def test_a_run_of_right_answers_ends_with_a_wrong_one_and_the_best_stays() -> None:
    state = QuizState()
    for is_right in (True, True, True, False, True):
        state = answered(state, "name:rose", is_right=is_right, today=TODAY)
    assert (state.run, state.best_run) == (1, 3)


def test_due_and_learned_are_counted() -> None:
    state = QuizState(
        boxes={
            "a": Box(number=0, due=TODAY),
            "b": Box(number=3, due=TODAY + timedelta(1)),
            "c": Box(number=5, due=TODAY - timedelta(4)),
        }
    )
    assert (state.due(TODAY), state.learned()) == (2, 2)


@pytest.mark.parametrize(("right", "level", "opens"), [(8, 0, 1), (7, 0, 0), (10, 3, 3), (9, 1, 2)])
def test_a_passed_round_opens_the_next_level(right: int, level: int, opens: int) -> None:
    state = QuizState(open_level=level)
    state = finished(state, Score(day=TODAY, level=level, right=right, asked=10), to_pass=8, levels=4)
    assert state.open_level == opens


def test_an_easy_round_closes_no_level_that_was_open() -> None:
    state = QuizState(open_level=2)
    assert finished(state, Score(day=TODAY, level=0, right=10, asked=10), to_pass=8, levels=4).open_level == 2


def test_days_in_a_row_count_up_to_today_or_yesterday() -> None:
    def played(*days_ago: int) -> QuizState:
        days = [TODAY - timedelta(days) for days in days_ago]
        return QuizState(scores=tuple(Score(day=day, level=0, right=1, asked=10) for day in days))

    assert played(3, 2, 1, 0).days_in_row(TODAY) == 4
    assert played(3, 2, 1).days_in_row(TODAY) == 3
    assert played(3, 2).days_in_row(TODAY) == 0
    assert played(2, 0, 0).days_in_row(TODAY) == 1


def test_the_best_round_of_a_level_is_the_latest_of_equals() -> None:
    scores = [Score(day=TODAY + timedelta(n), level=0, right=right, asked=10) for n, right in enumerate((5, 9, 9, 2))]
    best = QuizState(scores=tuple(scores)).best(0)
    assert best == scores[2]
    assert QuizState().best(0) is None


def test_a_state_survives_its_file(tmp_path: Path) -> None:
    state = answered(QuizState(open_level=1), "fact:rose:stories.1", is_right=True, today=TODAY)
    state = finished(state, Score(day=TODAY, level=1, right=9, asked=10), to_pass=8, levels=4)
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    assert from_json(to_json(state)) == state


@pytest.mark.parametrize(
    "fields",
    [
        {"boxes": {"a": [9, "2026-01-01"]}},
        {"boxes": {"a": 3}},
        {"scores": [["2026-01-01", 0, 11, 10]]},
        {"scores": [["yesterday", 0, 1, 10]]},
        {"run": -1},
        {"schema": 2},
        {"boxes": None},
    ],
)
def test_a_file_that_is_damaged_or_of_another_schema_begins_anew(tmp_path: Path, fields: dict[str, object]) -> None:
    content = to_json(QuizState(run=1)) | fields
    (tmp_path / FILE).write_text(json.dumps(content), encoding="utf-8")
    assert load_state(tmp_path) == QuizState()


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_file_that_is_no_state_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    assert load_state(tmp_path) == QuizState()


@pytest.mark.parametrize("fields", [{"right": 11}, {"asked": 0, "right": 0}, {"level": -1}])
def test_a_score_out_of_bounds_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="score"):
        Score(**{"day": TODAY, "level": 0, "right": 1, "asked": 10} | fields)  # type: ignore[arg-type]
