"""`petalveil app`: a sentence where Kivy is missing, the size of the window where it is not."""

from __future__ import annotations

import pytest

from mobile_app.__main__ import main
from mobile_app.ui import start


def test_a_missing_kivy_is_told_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["app"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("petalveil: the app needs kivy and filetype")
    assert "make app" in said
    assert said.count("\n") == 1


def test_the_window_gets_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, int]] = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(start, "run", opened.append)
    assert main(["app", "--size", "800x1280"]) == 0
    assert main(["app"]) == 0
    assert opened == [(800, 1280), start.SIZE_PX]


@pytest.mark.parametrize("size", ["800", "x", "100x100", "800x", "axb"])
def test_a_size_that_is_none_is_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["app", "--size", size])
    assert end.value.code == 2
    assert "argument --size: expected" in capsys.readouterr().err
