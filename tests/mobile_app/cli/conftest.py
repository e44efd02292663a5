"""The command, run in this process, and photos for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mobile_app.__main__ import main
from mobile_app.core.bundle import DEFAULT_ROOT

SAMPLE = Path(__file__).parents[3] / "mobile_app" / "samples" / "coffee.jpg"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _needs_bundle() -> None:
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("cloak", photo, "-o", out)`, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Result:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def make_photo(tmp_path: Path) -> Callable[..., Path]:
    """`make_photo("a/b.jpg", turn=1)`: a small real photo; another `turn`, another photo."""

    def make(name: str, turn: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(SAMPLE) as sample:
            sample.resize((96, 64)).rotate(10 * turn).save(path, quality=95)
        return path

    return make
