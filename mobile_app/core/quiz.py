"""Questions about the flowers: the articles in, a round of questions out. What a person knows already is in quiz_state.

Every question has one right answer: wrong options are flowers of which the statement is not true, look-alikes first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from mobile_app.core.articles import WHOM, Article, Fact, Library
from mobile_app.core.quiz_state import QuizState

Kind = Literal["name", "picture", "fact", "season", "latin", "family", "poison"]

ROUND = 10
TO_PASS = 8  # right answers of a round that open the next level
# What is asked at each level, and among how many options.
LEVELS: tuple[tuple[tuple[Kind, ...], int], ...] = (
    (("name",), 3),
    (("name", "picture"), 4),
    (("picture", "fact", "season"), 4),
    (("fact", "latin", "family", "poison"), 4),
)
_OWN_PHOTO = 0.6  # of the picture questions about a flower of which the person has photos


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question with its options; what it says is up to the screen, by `kind` and `values`, or `fact`."""

    key: str  # what is learned: kind:species, or fact:species:place
    kind: Kind
    answer: str  # id of a species
    options: tuple[str, ...]  # ids, the answer among them
    photo: int | None = None  # one of the person's own, instead of the drawn picture
    fact: Fact | None = None
    values: Mapping[str, int | str] = field(default_factory=dict)  # month, whom


def make_round(
    library: Library,
    state: QuizState,
    level: int,
    rng: random.Random,
    today: date,
    photos: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Question, ...]:
    """The questions of a round: what is due for repetition first, then what was never asked, then the rest.

    Args:
        level: from 0, of LEVELS.
        photos: the person's own recognised photos, by species.
    Raises: ValueError if there is no such level.
    """
    if not 0 <= level < len(LEVELS):
        raise ValueError(f"level: expected 0 to {len(LEVELS) - 1}, got {level}")
    kinds, options = LEVELS[level]
    keys = [key for kind in kinds for key in keys_of(library, kind)]
    rng.shuffle(keys)
    keys.sort(key=lambda key: state.urgency(key, today))
    chosen: list[str] = []
    for spare in (False, True):  # no flower twice while there are others
        for key in keys:
            is_new_flower = all(_species(key) != _species(other) for other in chosen)
            if len(chosen) < ROUND and key not in chosen and (is_new_flower or spare):
                chosen.append(key)
    rng.shuffle(chosen)
    return tuple(make_question(library, key, options, rng, photos or {}) for key in chosen)


def keys_of(library: Library, kind: Kind) -> list[str]:
    """Everything of one kind that can be asked; what would give itself away in English is left out."""
    articles = library.articles.values()
    match kind:
        case "fact":
            return [f"fact:{one.id}:{place}" for one in articles for place, fact in one.facts().items() if fact.ask]
        case "latin":
            return [f"latin:{one.id}" for one in articles if one.latin.casefold() != one.name.en.casefold()]
        case "family":
            return [f"family:{one.id}" for one in articles if one.name.en not in one.family.en]
        case "poison":
            return [f"poison:{one.id}" for one in articles if _endangered(one)]
        case _:
            return [f"{kind}:{one.id}" for one in articles]


def make_question(
    library: Library, key: str, options: int, rng: random.Random, photos: Mapping[str, Sequence[int]]
) -> Question:
    """The question of a key, with that many options, or fewer where fewer are surely wrong.

    Raises: ValueError if the key is of no kind.
    """
    kind, name, *place = key.split(":")
    article = library.articles[name]
    values: dict[str, int | str] = {}
    fact: Fact | None = None
    photo: int | None = None
    match kind:
        case "name":
            own = photos.get(name, ())
            photo = rng.choice(list(own)) if own and rng.random() < _OWN_PHOTO else None
            is_wrong = _any
        case "picture" | "latin":
            is_wrong = _any
        case "fact":
            fact = article.facts()[place[0]]
            true_of = {name, *fact.also}
            is_wrong = lambda other: other.id not in true_of  # noqa: E731
        case "season":
            month = _telling_month(library, article, options, rng)
            values = {"month": month}
            is_wrong = lambda other: month not in other.months  # noqa: E731
        case "family":
            is_wrong = lambda other: other.family_latin != article.family_latin  # noqa: E731
        case "poison":
            whom = rng.choice(_endangered(article))
            values = {"whom": whom}
            is_wrong = lambda other: other.poison_to[whom] == "none"  # noqa: E731
        case _:
            raise ValueError(f"key: expected the kind of a question, got {key!r}")
    wrong = distractors(library, article, options - 1, is_wrong, rng)
    shown = [name, *(other.id for other in wrong)]
    rng.shuffle(shown)
    return Question(key=key, kind=kind, answer=name, options=tuple(shown), photo=photo, fact=fact, values=values)


def distractors(
    library: Library, article: Article, count: int, is_wrong: Callable[[Article], bool], rng: random.Random
) -> list[Article]:
    """Flowers that are no answer: look-alikes first, then those of its family, then others by lot."""
    alike = {one.id for one in article.lookalikes} | {
        other.id for other in library.articles.values() if article.id in {one.id for one in other.lookalikes}
    }

    def nearness(other: Article) -> tuple[int, float]:
        kin = 0 if other.id in alike else 1 if other.family_latin == article.family_latin else 2
        return kin, rng.random()

    wrong = [other for other in library.articles.values() if other.id != article.id and is_wrong(other)]
    return sorted(wrong, key=nearness)[:count]


def explanations(library: Library, question: Question, chosen: str) -> list[Fact]:
    """What to read after a wrong answer: the fact that was asked, and how the two flowers are told apart."""
    article = library.articles[question.answer]
    match question.kind:
        case "fact" if question.fact is not None:
            first = question.fact
        case "season":
            first = article.season
        case "poison":
            first = article.poison
        case _:
            first = article.know[0]
    between = article.tell_from(chosen) or library.articles[chosen].tell_from(question.answer)
    is_of_looks = question.kind in ("name", "picture", "fact")
    return [first, *([between] if between is not None and between is not first and is_of_looks else [])]


def _telling_month(library: Library, article: Article, options: int, rng: random.Random) -> int:
    """A month of its season in which enough others are not in flower; else that in which most are not."""
    resting = {month: sum(month not in other.months for other in library.articles.values()) for month in article.months}
    enough = [month for month, count in resting.items() if count >= options - 1]
    return rng.choice(enough) if enough else max(resting, key=resting.__getitem__)


def _endangered(article: Article) -> list[str]:
    return [whom for whom in WHOM if article.poison_to[whom] == "dangerous"]


def _species(key: str) -> str:
    return key.split(":")[1]


def _any(_other: Article) -> bool:
    return True
