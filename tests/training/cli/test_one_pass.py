"""The commands `universal` and `generator`: their options, what they hand on, and one sentence for what is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from training.__main__ import main
from training.cli import one_pass as cli
from training.recipes import one_pass, surrogates
from training.recipes.one_pass import OnePassConfig, Surrogate

KINDS = ("universal", "generator")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run is told, without the run."""
    found: dict[str, Any] = {}

    def train(config: OnePassConfig, photos: list[str], chosen: list[Surrogate], out: Path, **given: Any) -> nn.Module:
        found.update(config=config, photos=photos, surrogates=chosen, out=out, **given)
        return nn.Identity()

    monkeypatch.setattr(one_pass, "train_one_pass", train)
    monkeypatch.setattr(surrogates, "open_surrogates", lambda names, shared: [*names, shared])
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_help_says_what_goes_in_and_out(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([kind, "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "FOLDER[:BYTE]" in said
    assert "goes on where it stopped" in said
    assert ("--universal" in said) == (kind == "generator")


def test_the_options_are_the_fields_of_the_config() -> None:
    config = OnePassConfig()
    assert cli._NUMBERS == {item.name: getattr(config, item.name) for item in fields(config) if item.name != "kind"}


def test_the_default_classifiers_are_known() -> None:
    assert set(cli._SURROGATES) <= set(surrogates.NAMES)


@pytest.mark.parametrize("kind", KINDS)
def test_without_options_a_run_is_that_of_the_config(kind: Any, told: dict[str, Any], tmp_path: Path) -> None:
    assert main([kind, "--photos", "a", "b:48"]) == 0
    assert told["config"] == OnePassConfig(kind=kind)
    assert told["photos"] == ["a", "b:48"]
    assert told["surrogates"] == ["lite0", "lite1", "squeezenet", Path("../shared")]
    assert told["out"] == Path(f"runs/{kind}")
    assert told["universal"] is None


def test_options_reach_the_run(told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generator", "--photos", "a", "--universal", "u.pt", "--out", str(tmp_path), "--steps", "7"]
    arguments += ["--learning-rate", "1e-3", "--surrogates", "lite0", "--shared", "s"]
    assert main(arguments) == 0
    assert told["config"] == OnePassConfig(kind="generator", steps=7, learning_rate=1e-3)
    assert (told["universal"], told["out"]) == (Path("u.pt"), tmp_path)
    assert told["surrogates"] == ["lite0", Path("s")]
    assert told["command"].startswith("python -m training ")
    assert f"written: {tmp_path / 'model.pt'}" in capsys.readouterr().out


def test_a_folder_of_photos_that_is_not_there_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    monkeypatch.setattr(surrogates, "open_surrogates", lambda _names, _shared: [Surrogate(name="x", network=network)])
    monkeypatch.chdir(tmp_path)
    assert main(["universal", "--photos", "no/such:48"]) == 1
    error = capsys.readouterr().err
    assert "no/such: no such folder of photos; check the path" in error
    assert error.count("\n") == 1


def test_photos_have_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["universal"])
    assert ended.value.code == 2
    assert "--photos" in capsys.readouterr().err
