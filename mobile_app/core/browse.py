"""Finding one's way in the articles: search, the flower of the day, favourites."""

from __future__ import annotations

import calendar
import random
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from mobile_app.core.articles import LANGUAGES, Article, Library
from mobile_app.core.settings import read_json, write_json

FAVOURITES = "favourites.json"
_POOL = 7  # flowers at least among which that of the day is taken, so that January is not all snowdrops


def search(library: Library, query: str) -> list[Article]:
    """The articles that have every word of a query, in any language, accents and capitals aside.

    Those with the word in a name come first, and before them those whose name begins with it. An empty query finds
    all, in their order.
    """
    words = folded(query).split()
    if not words:
        return list(library.articles.values())
    scored = []
    for place, article in enumerate(library.articles.values()):
        names = [folded(name) for name in all_names(article)]
        body = folded(" ".join(_body(article)))
        scores = [_score(word, names, body) for word in words]
        if all(scores):
            scored.append((-min(scores), place, article))
    return [article for *_, article in sorted(scored, key=lambda row: row[:2])]


def folded(text: str) -> str:
    """Small letters without accents: Flór becomes flor; ligatures come apart."""
    spread = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in spread if not unicodedata.combining(sign)).casefold().replace("æ", "ae")


def all_names(article: Article) -> list[str]:
    """What a flower is called, in all three languages, its family last."""
    further = [name for language in LANGUAGES for name in article.also[language]]
    return [
        article.name.en,
        article.name.zh,
        article.latin,
        *further,
        article.family_latin,
        article.family.en,
        article.family.zh,
    ]


def flower_of_the_day(library: Library, today: date) -> Article:
    """One flower a day, the same for everybody, in season if enough are: none comes twice on two successive days.

    A month goes through the flowers in bloom in an order of its own; where they are few, the ones whose season is
    nearest join them.
    """
    chosen = _of_month(library, today)
    if today.day == 1 and chosen is _of_month(library, today - timedelta(days=1)):
        return _of_month(library, today, shift=2)  # by one it would be tomorrow's
    return chosen


def in_season(library: Library, month: int) -> list[Article]:
    """What is in flower in a month, 1 to 12."""
    return [article for article in library.articles.values() if month in article.months]


def load_favourites(folder: Path, library: Library) -> tuple[str, ...]:
    """The ids that were marked, first marked first; none if the file is missing or damaged."""
    content = read_json(folder / FAVOURITES)
    known = content if isinstance(content, list) else []
    return tuple(dict.fromkeys(name for name in known if isinstance(name, str) and name in library.articles))


def save_favourites(folder: Path, favourites: Iterable[str]) -> None:
    """Raises: OutputError if the file cannot be written."""
    write_json(folder / FAVOURITES, list(favourites))


def toggled(favourites: Sequence[str], name: str) -> tuple[str, ...]:
    """The favourites with a flower added, or without it if it was among them."""
    return tuple(one for one in favourites if one != name) if name in favourites else (*favourites, name)


def _of_month(library: Library, day: date, shift: int = 0) -> Article:
    pool = sorted(library.articles.values(), key=lambda article: (_distance(article, day.month), article.id))
    size = max(_POOL, len(in_season(library, day.month)))
    pool = pool[:size]
    random.Random(f"{day.year}-{day.month}").shuffle(pool)
    return pool[(day.day - 1 + shift) % len(pool)]


def _distance(article: Article, month: int) -> int:
    """Months from a month to the nearest in which it flowers, round the year."""
    return min(min((month - one) % 12, (one - month) % 12) for one in article.months)


def _score(word: str, names: list[str], body: str) -> int:
    if any(name.startswith(word) or f" {word}" in name for name in names):
        return 3
    if any(word in name for name in names):
        return 2
    return 1 if word in body else 0


def _body(article: Article) -> Iterable[str]:
    texts = [article.lead, *(fact.text for fact in article.facts().values()), *(one.name for one in article.lookalikes)]
    for text in texts:
        yield text.en
        yield text.zh
    yield from (calendar.month_name[month] for month in article.months)
