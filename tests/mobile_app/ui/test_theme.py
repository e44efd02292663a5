"""Colours are read with ease in both themes, and text follows the system's size."""

from __future__ import annotations

import pytest

from mobile_app.ui.theme import DARK, EDGES, LIGHT, PAIRS, Palette, contrast, make_theme, rgb, tokens
from mobile_app.ui.widgets.bloom import HERO, HERO_DARK, SOFT_WORDS, WORDS


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_is_readable_on_every_ground_that_it_may_stand_on(palette: Palette) -> None:
    faint = {
        (text, ground): round(found, 2)
        for text, ground in PAIRS
        if not (found := contrast(getattr(palette, text), getattr(palette, ground))) >= 4.5
    }
    assert not faint


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_edges_of_controls_stand_out(palette: Palette) -> None:
    faint = {
        (edge, ground): round(found, 2)
        for edge, ground in EDGES
        if not (found := contrast(getattr(palette, edge), getattr(palette, ground))) >= 3
    }
    assert not faint


@pytest.mark.parametrize("ground", [HERO, HERO_DARK])
def test_the_words_on_the_green_of_the_first_page_are_readable(ground: str) -> None:
    for words in (WORDS, SOFT_WORDS):
        assert contrast("#" + "".join(f"{round(part * 255):02x}" for part in words[:3]), ground) >= 4.5


def test_contrast_is_that_of_the_guideline() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # a well-known failure, by a hair
    assert contrast("#ffffff", "#777777") == contrast("#777777", "#ffffff")


def test_every_token_is_a_colour_and_both_palettes_differ() -> None:
    assert len(tokens()) > 15
    for palette in (LIGHT, DARK):
        for token in tokens():
            assert len(rgb(getattr(palette, token))) == 3
    assert LIGHT.ground != DARK.ground


def test_text_grows_with_the_system_and_headlines_grow_less() -> None:
    usual, large = make_theme(dark=False), make_theme(dark=False, text_scale=2.0)
    assert large.font_size("body") == pytest.approx(2 * usual.font_size("body"))
    assert usual.font_size("display") < large.font_size("display") < 2 * usual.font_size("display")
    assert make_theme(dark=False, text_scale=9).font_size("body") == large.font_size("body")


def test_a_language_from_right_to_left_begins_at_the_right() -> None:
    assert make_theme(dark=False).start == "left"
    assert make_theme(dark=False, is_rtl=True).start == "right"
