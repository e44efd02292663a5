"""The widget set: what a finger does to it, how it lies in both directions, how Chinese text is broken into lines."""

from __future__ import annotations

from typing import Any

import pytest

from mobile_app.ui.widgets.viewport import Viewport, cut
from mobile_app.ui.widgets.wrapping import wrapped


def five_a_letter(text: str) -> float:
    return 5.0 * len(text)


def test_chinese_text_is_broken_at_the_width() -> None:
    assert wrapped("一二三四五六七", 30, 10, five_a_letter) == "一二三\n四五六\n七"


def test_a_stop_never_begins_a_line_and_an_opening_quote_never_ends_one() -> None:
    assert wrapped("一二三。四", 30, 10, five_a_letter) == "一二\n三。四"
    assert wrapped("一二《三四》", 30, 10, five_a_letter) == "一二\n《三\n四》"


def test_latin_words_in_chinese_text_stay_whole() -> None:
    assert wrapped("一二word三", 40, 10, five_a_letter) == "一二word\n三"
    assert wrapped("一二三word四", 40, 10, five_a_letter) == "一二三\nword四"


def test_text_without_chinese_is_left_to_kivy() -> None:
    assert wrapped("a long line of words", 30, 10, five_a_letter) == "a long line of words"


def test_a_last_line_of_one_character_gets_company() -> None:
    text = "一二三四五六七八九十一二三四五六七八九十一"
    assert wrapped(text, 100, 10, five_a_letter) == "一二三四五六七八九\n十一二三四五六七八\n九十一"
    assert wrapped(text + "二三", 100, 10, five_a_letter) == f"{text[:10]}\n{text[10:20]}\n一二三"  # it had enough


def test_breaks_of_the_text_itself_are_kept() -> None:
    assert wrapped("一二\n三", 100, 10, five_a_letter) == "一二\n三"


def test_a_picture_is_fitted_into_its_place_and_centred() -> None:
    view = Viewport(size=(400, 300), ratio=2.0)
    assert view.picture == (0, 50, 400, 250)
    assert view.seen == (0, 0, 1, 1)


def test_zoom_keeps_what_is_under_the_finger() -> None:
    view = Viewport(size=(400, 200), ratio=2.0)
    before = view.at(100, 150)
    assert view.zoomed(3, 100, 150).at(100, 150) == pytest.approx(before)
    assert before == (0.25, 0.25)


def test_zoom_ends_at_its_bounds_and_leaves_no_gap_at_the_edge() -> None:
    view = Viewport(size=(400, 200), ratio=2.0)
    assert view.zoomed(1e9, 0, 0).zoom == 16
    assert view.zoomed(0, 0, 0) == view
    moved = view.zoomed(2, 200, 100).moved(10_000, -10_000)
    assert moved.picture == pytest.approx((0, -200, 800, 200))  # its upper left corner at that of the place
    assert moved.seen == pytest.approx((0, 0, 0.5, 0.5))


def test_moving_goes_with_the_finger() -> None:
    view = Viewport(size=(400, 200), ratio=2.0).zoomed(2, 200, 100)
    held = view.at(200, 100)
    assert view.moved(30, -20).at(230, 80) == pytest.approx(held)


def test_a_part_lies_where_it_belongs() -> None:
    view = Viewport(size=(400, 200), ratio=2.0)
    assert view.place((0, 0, 0.5, 0.5)) == (0, 100, 200, 200)
    assert cut((0, 0, 10, 10), (5, 5, 20, 20)) == (5, 5, 10, 10)
    assert cut((0, 0, 10, 10), (10, 0, 20, 20)) is None


def test_a_row_is_mirrored_where_the_language_is(driver: Any) -> None:
    from mobile_app.ui.theme import make_theme
    from mobile_app.ui.widgets import Icon, Row, Text

    def order(is_rtl: bool) -> tuple[bool, str]:
        theme = make_theme(dark=False, is_rtl=is_rtl)
        icon, text = Icon(theme, "leaf"), Text(theme, "a word")
        row = Row(theme, icon, text, size_hint_x=None, width=300)
        driver.app.navigator.current.scroll.content.add_widget(row)
        driver.frames()
        return icon.x < text.x, text.halign

    assert order(False) == (True, "left")
    assert order(True) == (False, "right")


def test_a_segment_is_chosen_by_a_tap_and_tells_it_once(driver: Any) -> None:
    from mobile_app.ui.widgets import Segmented

    told: list[str] = []
    segmented = Segmented(driver.app.theme, [("a", "First"), ("b", "Second")], "a", told.append)
    show(driver, segmented)
    driver.tap("Second")
    driver.tap("Second")
    assert (segmented.value, told) == ("b", ["b"])


def test_segments_that_do_not_fit_stand_under_one_another(driver: Any) -> None:
    from mobile_app.ui.widgets import Segmented

    options = [(str(n), f"A rather long option, the number {n}") for n in range(3)]
    segmented = Segmented(driver.app.theme, options, "0")
    show(driver, segmented)
    tops = [segmented.segment(key).to_window(0, segmented.segment(key).y)[1] for key in "012"]
    assert tops == sorted(tops, reverse=True)
    assert len(set(tops)) == 3
    driver.check_layout()


def test_a_switch_is_turned_by_its_whole_row(driver: Any) -> None:
    from mobile_app.ui.widgets import SwitchRow

    told: list[bool] = []
    show(driver, SwitchRow(driver.app.theme, "A fact", on_change=told.append))
    driver.tap("A fact")
    driver.tap("A fact")
    assert told == [True, False]


def test_a_disabled_button_does_nothing_and_looks_it(driver: Any) -> None:
    from mobile_app.ui.widgets import TextButton

    told: list[str] = []
    button = TextButton(driver.app.theme, "Press", lambda: told.append("pressed"))
    show(driver, button)
    button.disabled = True
    driver.tap("Press")
    assert told == []
    assert button.fill == "raised"
    button.disabled = False
    driver.tap("Press")
    assert told == ["pressed"]


def test_a_field_tells_what_is_typed_and_is_emptied_by_its_button(driver: Any) -> None:
    from mobile_app.ui.widgets import Field

    told: list[str] = []
    field = Field(driver.app.theme, "Search", told.append)
    show(driver, field)
    field.input.text = "rose"
    driver.tap(field.clear)
    assert told == ["rose", ""]


def test_cells_of_a_line_have_one_height_and_a_lone_one_its_own_width(driver: Any) -> None:
    from mobile_app.ui.widgets import Card, Grid, Text

    theme = driver.app.theme
    cells = [
        Card(theme, Text(theme, text)) for text in ("short", "a text of so many words that it takes some lines", "x")
    ]
    show(driver, Grid(theme, *cells, column=150))
    assert cells[0].height == cells[1].height > cells[2].height
    assert cells[2].width == cells[0].width


def test_two_fingers_enlarge_the_photo(driver: Any) -> None:
    from kivy.tests.common import UnitTestTouch

    compare = shown_compare(driver)
    x, y = compare.to_window(compare.x + 100, compare.y + 100)
    one, two = UnitTestTouch(x - 20, y), UnitTestTouch(x + 20, y)
    one.touch_down()
    two.touch_down()
    two.touch_move(x + 60, y)
    driver.frames()
    assert compare.view.zoom == pytest.approx(2, abs=0.1)
    for finger in (one, two):
        finger.touch_up()
    driver.frames()


def test_the_page_still_scrolls_under_a_finger_on_the_photo(driver: Any) -> None:
    compare = shown_compare(driver)
    scroll = driver.app.navigator.current.scroll
    x, y = compare.to_window(compare.x + 30, compare.y + 60)
    before = scroll.scroll_y
    driver.touch(x, y, to=(x, y + 150))
    assert scroll.scroll_y < before
    assert compare.split == 0.5


def test_a_plot_draws_a_point_for_each_value(driver: Any) -> None:
    from mobile_app.ui.widgets.plots import LinePlot

    plot = LinePlot(driver.app.theme, [10, 20, 15])
    show(driver, plot)
    points = plot._line.points
    assert len(points) == 6
    low, high = plot._grid[0].points[1], plot._grid[2].points[1]
    assert (points[3] - low) / (high - low) == pytest.approx(1 / 1.15)  # of 20, the largest
    assert (points[1] - low) / (high - low) == pytest.approx(0.5 / 1.15)


def test_a_damaged_picture_shows_nothing(driver: Any, tmp_path: Any, sample: Any) -> None:
    from mobile_app.ui.widgets import load_texture

    for name, data in (("a.jpg", b"no picture"), ("b.png", b""), ("c.jpg", sample.read_bytes()[:300])):
        (tmp_path / name).write_bytes(data)
        assert load_texture(tmp_path / name) is None
    assert load_texture(tmp_path / "missing.jpg") is None
    assert load_texture(sample).size == (600, 400)


def show(driver: Any, widget: Any) -> None:
    page = driver.app.navigator.current
    page.scroll.content.clear_widgets()
    page.scroll.content.add_widget(widget)
    driver.frames()


def shown_compare(driver: Any) -> Any:
    from kivy.uix.widget import Widget

    from mobile_app.ui.widgets.compare import Compare

    page = driver.app.navigator.current
    compare = Compare(driver.app.theme, ("Before", "After"), ratio=1.5, height=240)
    page.scroll.content.clear_widgets()
    for widget in (compare, Widget(size_hint_y=None, height=2000)):
        page.scroll.content.add_widget(widget)
    page.scroll.first.append(compare)
    driver.frames()
    page.scroll.scroll_y = 1
    driver.frames()
    return compare
