"""The stack of pages, with pages that only remember what happened to them."""

from __future__ import annotations

from typing import Any

import pytest

from mobile_app.ui.navigation import TAB_ICONS, TABS, Navigator, Place, has_screen, screen_class


class Page:
    def __init__(self, place: Place) -> None:
        self.name, self.params, self.kept = place.name, place.params, place.state
        self.keeps_back = False
        self.events: list[str] = []

    def on_enter(self) -> None:
        self.events.append("enter")

    def on_leave(self) -> None:
        self.events.append("leave")

    def on_gone(self) -> None:
        self.events.append("gone")

    def on_back(self) -> bool:
        return self.keeps_back

    def state(self) -> dict[str, Any]:
        return {"seen": len(self.events)}


@pytest.fixture
def navigator() -> Navigator:
    shown: list[str] = []
    made = Navigator(Page, lambda page, _forward: shown.append(page.name))  # type: ignore[arg-type]
    made.start()
    return made


def test_back_leads_through_the_tab_to_home_and_then_out(navigator: Navigator) -> None:
    navigator.go("learn")
    navigator.go("learn_article", id="rose")
    assert navigator.names == ["home", "learn", "learn_article"]
    assert navigator.tab == "learn"
    assert [navigator.back(), navigator.back(), navigator.back()] == [True, True, False]
    assert navigator.names == ["home"]


def test_another_tab_takes_the_place_of_the_one_before(navigator: Navigator) -> None:
    navigator.go("learn")
    navigator.go("learn_article")
    navigator.go("quiz")
    assert navigator.names == ["home", "quiz"]


def test_a_tab_is_found_as_it_was_left(navigator: Navigator) -> None:
    page = navigator.go("learn")
    navigator.go("home")
    assert navigator.go("learn") is page
    assert page.events == ["enter", "leave", "enter"]  # type: ignore[attr-defined]


def test_a_tab_with_params_is_made_anew(navigator: Navigator) -> None:
    page = navigator.go("protect")
    assert navigator.go("protect", picked=["a.jpg"]) is not page
    assert navigator.current.params == {"picked": ["a.jpg"]}


def test_a_page_may_keep_the_back_key_for_itself(navigator: Navigator) -> None:
    navigator.go("browse").keeps_back = True  # type: ignore[attr-defined]
    assert navigator.back()
    assert navigator.names == ["home", "browse"]


def test_rebuilding_makes_every_page_anew_with_its_state(navigator: Navigator) -> None:
    old = navigator.go("learn")
    navigator.rebuild()
    assert navigator.current is not old
    assert navigator.current.kept == {"seen": 2}


def test_what_was_written_down_is_taken_up_again(navigator: Navigator) -> None:
    navigator.go("protect")
    navigator.go("settings")
    saved = navigator.saved()
    again = Navigator(Page, lambda _page, _forward: None)  # type: ignore[arg-type]
    again.start(saved)
    assert again.names == ["home", "protect", "settings"]
    assert again.current.kept == {"seen": 1}


@pytest.mark.parametrize(
    "saved",
    [None, 3, [], ["home"], [{"name": "nowhere", "params": {}, "state": {}}], [{"name": "home"}], {"name": "home"}],
)
def test_a_damaged_note_leads_home(saved: Any) -> None:
    navigator = Navigator(Page, lambda _page, _forward: None)  # type: ignore[arg-type]
    navigator.start(saved)
    assert navigator.names == ["home"]


def test_every_tab_has_an_icon_and_a_page_is_found_by_its_name() -> None:
    assert set(TABS) == set(TAB_ICONS)
    assert has_screen("protect_result")
    assert not has_screen("nowhere")
    assert not has_screen("../settings")
    assert screen_class("protect_result").__name__ == "ProtectResultScreen"
