"""Search, the flower of the day, favourites."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from mobile_app.core.articles import Article, Both, Library, Source
from mobile_app.core.browse import (
    FAVOURITES,
    flower_of_the_day,
    folded,
    in_season,
    load_favourites,
    save_favourites,
    search,
    toggled,
)
from mobile_app.core.library import load_library


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library()


def ids(articles: list[Article]) -> list[str]:
    return [article.id for article in articles]


def test_a_text_is_taken_in_the_language_and_in_english_elsewhere() -> None:
    text = Both(en="rose", zh="蔷薇")
    assert (text.of("zh"), text.of("en"), text.of("fr")) == ("蔷薇", "rose", "rose")


def test_a_source_is_cited_with_what_is_known_of_it() -> None:
    assert Source(title="T", publisher="P", author="A", year=1999).line() == "A: T. P, 1999."
    assert Source(title="T", publisher="P").line() == "T. P."


def test_accents_capitals_and_ligatures_do_not_matter() -> None:
    assert folded("Flór É cū-slyppe dæges") == "flor e cu-slyppe daeges"


@pytest.mark.parametrize(
    ("query", "first"),
    [("ROSE", "rose"), ("蒲公英", "dandelion"), ("Galanthus", "snowdrop"), ("muguet", "lily_of_the_valley")],
)
def test_a_name_in_any_language_finds_its_flower_first(library: Library, query: str, first: str) -> None:
    assert ids(search(library, query))[0] == first


def test_a_word_of_the_story_finds_its_flower(library: Library) -> None:
    assert ids(search(library, "Odysseus")) == ["snowdrop"]
    assert ids(search(library, "奥德修斯")) == ["snowdrop"]


def test_every_word_has_to_be_there(library: Library) -> None:
    assert ids(search(library, "odysseus tulip")) == []


def test_no_query_finds_all(library: Library) -> None:
    assert ids(search(library, "  ")) == list(library.articles)


def test_the_flower_of_the_day_is_the_same_all_day_and_another_tomorrow(library: Library) -> None:
    day = date(2026, 1, 1)
    for offset in range(1200):
        today, tomorrow = (flower_of_the_day(library, day + timedelta(offset + n)).id for n in (0, 1))
        assert today != tomorrow, day + timedelta(offset)
    assert flower_of_the_day(library, day).id == flower_of_the_day(load_library(), day).id


def test_the_flower_of_the_day_is_in_season_where_enough_are(library: Library) -> None:
    for month in (3, 4, 5, 6, 7, 8):
        blooming = set(ids(in_season(library, month)))
        assert len(blooming) >= 7
        for day in range(2, 29):
            assert flower_of_the_day(library, date(2027, month, day)).id in blooming


def test_a_month_without_flowers_still_has_one_a_day_and_more_than_one(library: Library) -> None:
    assert in_season(library, 12) == []
    assert len({flower_of_the_day(library, date(2026, 12, day)).id for day in range(1, 32)}) >= 7


def test_favourites_are_kept_in_the_order_in_which_they_were_marked(library: Library, tmp_path: Path) -> None:
    marked = toggled(toggled((), "tulip"), "daisy")
    save_favourites(tmp_path, marked)
    assert load_favourites(tmp_path, library) == ("tulip", "daisy")
    assert toggled(marked, "tulip") == ("daisy",)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', '["orchid", 3, "daisy", "daisy"]'])
def test_favourites_that_are_damaged_are_left_out(library: Library, tmp_path: Path, text: str) -> None:
    (tmp_path / FAVOURITES).write_text(text, encoding="utf-8")
    assert load_favourites(tmp_path, library) in ((), ("daisy",))
