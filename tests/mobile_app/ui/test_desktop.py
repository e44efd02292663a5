"""The desk's platform, in a home of its own and with programs that a test puts there; the others by their text."""

from __future__ import annotations

import ast
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kivy.clock import Clock

from mobile_app.core.errors import OutputError
from mobile_app.ui.platform import Platform, desktop
from mobile_app.ui.platform.desktop import Desktop, free_name

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: its own dialogs elsewhere")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_saved_photo_goes_among_the_pictures_and_replaces_nothing(home: Path) -> None:
    (home / "Pictures").mkdir()
    system = Desktop(home)
    first = system.save_photo(b"one", "a.cloaked", "jpeg")
    second = system.save_photo(b"two", "a.cloaked", "jpeg")
    assert Path(first) == home / "Pictures" / "petalveil" / "a.cloaked.jpg"
    assert Path(second).name == "a.cloaked 2.jpg"
    assert (Path(first).read_bytes(), Path(second).read_bytes()) == (b"one", b"two")


def test_a_folder_that_cannot_be_made_is_told(home: Path) -> None:
    (home / "petalveil").write_bytes(b"a file is in the way")
    with pytest.raises(OutputError, match="cannot be made"):
        Desktop(home).save_photo(b"", "a", "png")


@linux_only
def test_what_is_kept_lies_where_programs_keep_things(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Desktop(home).data_dir() == home / ".local" / "share" / "petalveil"
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    assert Desktop(home).data_dir() == home / "data" / "petalveil"


@linux_only
def test_without_a_screen_there_is_no_dialog_and_the_app_shows_its_own_list(home: Path) -> None:
    system = Desktop(home)
    told: list[str] = []
    assert not system.has_picker
    system.pick_photos(home, no, told.append, many=True)
    assert told == ["platform.no_picker"]
    with pytest.raises(OutputError, match="no program here to show it"):
        system.share([home / "a.jpg"], "image/jpeg")


@linux_only
@pytest.mark.parametrize(("answer", "paths"), [("/a/b c.jpg\n/a/d.png\n", ["/a/b c.jpg", "/a/d.png"]), ("", [])])
def test_the_systems_dialog_gives_paths_and_none_where_it_was_closed(
    home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, paths: list[str]
) -> None:
    tool = home / "zenity"
    tool.write_text(f"#!/bin/sh\nprintf '{answer}'\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(home), prepend=os.pathsep)
    monkeypatch.setenv("DISPLAY", ":99")
    found: list[list[Path]] = []
    Desktop(home).pick_photos(home, found.append, no, many=True)
    end = time.monotonic() + 10
    while not found:
        assert time.monotonic() < end
        Clock.tick()
        time.sleep(0.01)
    assert found == [[Path(path) for path in paths]]


def test_the_language_is_that_of_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert Desktop(home).languages() == ["zh_CN.UTF-8"]


def test_a_free_name_counts_up(tmp_path: Path) -> None:
    assert free_name(tmp_path, "a", ".png").name == "a.png"
    (tmp_path / "a.png").touch()
    (tmp_path / "a 2.png").touch()
    assert free_name(tmp_path, "a", ".png").name == "a 3.png"


@pytest.mark.parametrize("module", ["android", "ios", "desktop"])
def test_every_platform_offers_what_the_app_asks_for(module: str) -> None:
    """By their text: two of them can be imported on a phone alone."""
    path = Path(desktop.__file__).with_name(f"{module}.py")
    (found,) = (node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef))
    wanted = {name: value for name, value in vars(Platform).items() if not name.startswith("_") and callable(value)}
    methods = {node.name: node for node in found.body if isinstance(node, ast.FunctionDef)}
    for name, value in wanted.items():
        assert name in methods, f"{module} lacks {name}"
        arguments = methods[name].args
        names = [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
        code = value.__code__
        assert names == list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]), name
    fields = {target.id for node in found.body if isinstance(node, ast.Assign) for target in node.targets}
    assert {"name", "has_camera", "opens_share_sheet"} <= fields


def test_no_platform_asks_for_the_network_or_for_permissions() -> None:
    for path in Path(desktop.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("INTERNET", "READ_MEDIA", "requests", "urllib", "socket", "http"):
            assert word not in text, f"{path.name}: {word}"


def no(*_facts: Any) -> None:
    raise AssertionError("this must not be called")
