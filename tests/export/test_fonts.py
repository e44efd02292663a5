"""The characters that the fonts of the app hold, and the picture that is drawn for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.art import bloom, icon
from export.fonts import common_hanzi, icon_codes, shown_characters, subset


def test_every_character_of_the_texts_is_wanted_and_so_is_latin(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.json").write_text(json.dumps({"key": "花\nü"}), encoding="utf-8")
    (tmp_path / "b.json").write_text('{"x": "叶"}', encoding="utf-8")
    (tmp_path / "c.txt").write_text("根", encoding="utf-8")
    found = shown_characters(tmp_path)
    assert {"叶", "ü", "A", "é", "…", "。"} <= found
    assert not {"根", "\n"} & found
    assert "叶" not in shown_characters(tmp_path, leave_out=("b.json",))


def test_the_common_characters_are_those_of_the_standard() -> None:
    found = common_hanzi()
    assert len(found) == 3755
    assert {"啊", "座"} <= found  # the first and the last
    assert "亍" not in found  # the first of level 2


def test_icons_are_read_from_their_table(tmp_path: Path) -> None:
    table = tmp_path / "icons.py"
    table.write_text('CODES = {\n    "leaf": 0xE2DA,\n    "x": 0xE4F6,\n}\n', encoding="utf-8")
    assert icon_codes(table) == {"leaf": 0xE2DA, "x": 0xE4F6}


def test_a_part_of_a_font_holds_what_was_asked_for_alone(root: Path, tmp_path: Path) -> None:
    tools = pytest.importorskip("fontTools.ttLib", reason="needs fonttools: pip install fonttools")
    data = subset(root / "mobile_app" / "ui" / "fonts" / "sans-bold.otf", [ord("A"), ord("é")])
    (tmp_path / "part.otf").write_bytes(data)
    with tools.TTFont(tmp_path / "part.otf") as font:
        assert set(font.getBestCmap()) == {ord("A"), ord("é")}
    assert len(data) < 10_000


def test_the_flower_stands_on_nothing_and_the_icon_on_green() -> None:
    flower, mark = bloom(60), icon(32)
    assert (flower.size, mark.size) == ((60, 60), (32, 32))
    assert flower.getpixel((1, 58)) == (0, 0, 0, 0)
    red, green, _, alpha = flower.getpixel((42, 30))
    assert red > green  # a petal
    assert alpha > 200
    assert mark.getpixel((16, 1)) == (27, 83, 64, 255)
    assert mark.getpixel((0, 0))[3] == 0
