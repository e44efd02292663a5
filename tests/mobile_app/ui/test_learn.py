"""The Learn tab: flower of the day, search, favourites, articles with their dangers, seasons and sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

NOW = datetime(2026, 4, 12, 9, 0, tzinfo=UTC)
LONGEST = "lily_of_the_valley"  # name, dangers and look-alikes


def herbarium(driver: Any) -> Any:
    from mobile_app.ui.herbarium import Herbarium

    found = driver.app.model(Herbarium)
    found.clock = lambda: NOW
    return found


def learn(driver: Any) -> Any:
    herbarium(driver)
    return driver.go("learn")


def article(driver: Any, name: str) -> Any:
    """Stand on an article, all of it."""
    screen = driver.go("learn_article", id=name)
    driver.wait(lambda: screen.is_whole)
    return screen


def test_the_flower_of_the_day_leads_to_its_article(driver: Any) -> None:
    from mobile_app.core.browse import flower_of_the_day

    learn(driver)
    known = herbarium(driver)
    day = flower_of_the_day(known.library, NOW.date())
    assert 4 in day.months
    assert driver.shows("Flower of the day")
    driver.tap(day.lead.en)
    assert driver.app.navigator.current.article is day


def test_typing_finds_and_leaves_the_field_alone(driver: Any) -> None:
    screen = learn(driver)
    field = screen.field
    for query, finds, leaves in (
        ("moly", "Snowdrop", "Rose"),
        ("蒲公英", "Dandelion", "Iris"),
        ("xyz", "Nothing found", "Iris"),
    ):
        field.input.text = query
        driver.frames()
        assert driver.shows(finds)
        assert not driver.shows(leaves)
        assert not driver.shows("Flower of the day")
        driver.check_layout()
    field.input.text = "moly"
    driver.frames()
    driver.tap("Snowdrop")
    assert driver.app.navigator.names[-1] == "learn_article"
    driver.back()
    assert driver.app.navigator.current.field is field
    assert field.input.text == "moly"


def test_a_favourite_is_kept_over_a_restart(driver: Any) -> None:
    learn(driver)
    driver.go("learn_article", id="iris")
    driver.tap("Add to favourites")
    driver.stop()
    driver.restart(keep=True)
    screen = learn(driver)
    screen.shelves.choose("favourites")
    driver.frames()
    assert driver.shows("Iris")
    assert not driver.shows("Tulip")
    driver.go("learn_article", id="iris")
    driver.tap("Remove from favourites")
    driver.back()
    assert driver.shows("No favourites yet")


def test_the_shelf_of_the_season_follows_the_month(driver: Any) -> None:
    screen = learn(driver)
    screen.shelves.choose("season")
    driver.frames()
    assert driver.shows("Bluebell")
    assert not driver.shows("Sunflower")


def test_the_page_is_as_it_was_after_the_app_was_killed(driver: Any) -> None:
    screen = learn(driver)
    screen.shelves.choose("season")
    screen.field.input.text = "stars"
    driver.frames()
    driver.stop(kill=True)
    driver.restart(keep=True)
    assert driver.app.navigator.names[-1] == "learn"
    assert driver.app.navigator.current.state() == {"shelf": "season", "query": "stars"}


def test_the_danger_is_said_above_everything_else(driver: Any) -> None:
    titles = {
        "tigerlily": "Dangerously poisonous",
        "buttercup": "Mildly poisonous",
        "daisy": "Not known to be poisonous",
    }
    for name, title in titles.items():
        article(driver, name)
        texts = driver.texts()
        assert texts.index(title) < texts.index("How to know it")
        assert ("To: cats" in texts) == (name == "tigerlily")


def test_every_source_that_a_text_points_to_is_listed(driver: Any) -> None:
    import re

    article(driver, "tulip")
    texts = driver.texts()
    listed = {int(found[1]) for text in texts if (found := re.match(r"\[(\d+)\] ", text))}
    marks = {int(n) for text in texts for group in re.findall(r" \[([\d,]+)\]$", text) for n in group.split(",")}
    assert listed == set(range(1, len(listed) + 1)) == marks


def test_a_look_alike_leads_to_its_own_article(driver: Any) -> None:
    article(driver, "coltsfoot")
    driver.tap("Dandelion")
    assert driver.app.navigator.current.article.id == "dandelion"
    driver.back()
    assert driver.app.navigator.current.article.id == "coltsfoot"


def test_content_that_is_damaged_is_a_sentence_on_every_page(driver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import mobile_app.ui.herbarium
    from mobile_app.core.errors import BundleError

    def broken() -> Any:
        raise BundleError("rose.json: cannot be read; restore the file")

    monkeypatch.setattr(mobile_app.ui.herbarium, "load_library", broken)
    for page, params in (("learn", {}), ("learn_article", {"id": "rose"}), ("quiz", {})):
        driver.go(page, **params)
        assert driver.shows("rose.json: cannot be read; restore the file")
    driver.go("flowers")
    assert driver.shows("Which flower is this?")


def test_a_list_that_was_left_half_made_is_finished_when_it_comes_back(driver: Any) -> None:
    first = driver.app.go("learn")
    driver.app.go("learn_article", id="iris")
    driver.frames(12)
    driver.back()
    assert driver.app.navigator.current is first
    driver.wait(lambda: driver.shows("Windflower"), 5)


def test_an_article_that_is_not_there_is_a_sentence(driver: Any) -> None:
    driver.go("learn_article", id="orchid")
    assert driver.shows("There is no article about this flower.")


@pytest.mark.parametrize(
    ("language", "theme", "size", "scale"),
    [
        ("en", "light", (412, 915), 1.0),
        ("zh", "dark", (320, 640), 1.0),
        ("en", "dark", (320, 640), 1.3),
        ("zh", "light", (800, 1280), 1.0),
    ],
)
def test_nothing_is_cut_off(driver: Any, language: str, theme: str, size: tuple[int, int], scale: float) -> None:
    driver.restart(language=language, theme=theme, size=size, scale=scale)
    learn(driver)
    driver.frames(20)
    driver.check_layout()
    article(driver, LONGEST)
    driver.check_layout()
