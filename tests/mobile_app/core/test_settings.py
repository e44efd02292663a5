"""Settings survive a restart; a file that is damaged gives the defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobile_app.core.errors import OutputError
from mobile_app.core.settings import Settings, load_settings, read_json, save_settings, write_json


def test_settings_come_back_as_they_were_kept(tmp_path: Path) -> None:
    settings = Settings(language="zh", theme="dark", strength="high", engine="universal", posting="x", knows_app=True)
    save_settings(tmp_path / "deep" / "settings.json", settings)
    assert load_settings(tmp_path / "deep" / "settings.json") == settings


@pytest.mark.parametrize("content", ["", "{", "[]", '{"unknown": 1}', '{"language": "xx"}', '{"knows_app": "yes"}'])
def test_what_is_not_understood_has_its_default(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content, encoding="utf-8")
    assert load_settings(tmp_path / "settings.json") == Settings()


def test_one_bad_field_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"language": "xx", "theme": "dark", "later": 1}', encoding="utf-8")
    assert load_settings(tmp_path / "settings.json") == Settings(theme="dark")


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "settings.json") == Settings()


@pytest.mark.parametrize(
    ("field", "value"), [("language", "fr"), ("theme", ""), ("strength", "max"), ("knows_app", 1), ("engine", None)]
)
def test_a_wrong_choice_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        Settings(**{field: value})  # type: ignore[arg-type]


def test_json_is_readable_and_damage_is_none(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"名": [1, 2.5, None]})
    assert "名" in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"名": [1, 2.5, None]}
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{")
    assert read_json(tmp_path / "a.json") is None


def test_a_number_that_json_does_not_know_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        write_json(tmp_path / "file" / "a.json", {})
