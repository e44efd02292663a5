"""The commands `comdefend` and `comdefend-table`: options that match the configs, one sentence for what is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.cli import comdefend as cli
from training.models.comdefend import ComDefendConfig
from training.recipes import comdefend, comdefend_data, comdefend_table
from training.recipes.comdefend import ComDefendRun
from training.recipes.comdefend_attacks import AttackConfig
from training.recipes.comdefend_classifier import TuneConfig
from training.recipes.comdefend_table import TableConfig


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run is told, without the run."""
    found: dict[str, Any] = {}

    def train(config: ComDefendRun, patches: object, out: Path, **given: Any) -> None:
        found.update(config=config, patches=patches, out=out, **given)

    def table(shared: Path, out: Path, config: TableConfig, **given: Any) -> Path:
        found.update(config=config, shared=shared, out=out, **given)
        return out / "table.md"

    monkeypatch.setattr(comdefend, "train_comdefend", train)
    monkeypatch.setattr(comdefend_data, "read_patches", lambda data, seed: (*data, seed))
    monkeypatch.setattr(comdefend_table, "comdefend_table", table)
    return found


@pytest.mark.parametrize("command", ["comdefend", "comdefend-table"])
def test_help_says_that_it_goes_on(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "goes on where it stopped" in " ".join(capsys.readouterr().out.split())


def test_the_options_are_the_fields_of_the_configs() -> None:
    shape, run, attack = ComDefendConfig(), ComDefendRun(), AttackConfig()
    assert cli._SHAPE == {item.name: getattr(shape, item.name) for item in fields(shape) if item.name != "net"}
    assert cli._NUMBERS == {
        item.name: getattr(run, item.name) for item in fields(run) if item.name not in ("model", "bf16")
    }
    assert {name: default for name, (default, _) in cli._ATTACK.items()}.items() <= vars(attack).items()
    assert {name: default for name, (default, _) in cli._TABLE.items()}.items() <= vars(TableConfig()).items()


def test_without_options_a_run_is_that_of_the_config(told: dict[str, Any]) -> None:
    assert main(["comdefend", "--data", "a", "b:48"]) == 0
    assert told["config"] == ComDefendRun()
    assert told["patches"] == ("a", "b:48", 0)
    assert told["out"] == Path("runs/comdefend")


def test_the_net_and_its_shape_are_handed_on(told: dict[str, Any]) -> None:
    assert main(["comdefend", "--data", "a", "--net", "published", "--noise", "0", "--code-bits", "6", "--bf16"]) == 0
    assert told["config"] == ComDefendRun(model=ComDefendConfig(net="published", noise=0.0, code_bits=6), bf16=True)


def test_without_options_a_table_is_that_of_the_config(told: dict[str, Any]) -> None:
    assert main(["comdefend-table", "--phone", "m.pt"]) == 0
    assert told["config"] == TableConfig()
    assert (told["phone"], told["published"], told["shared"]) == (Path("m.pt"), None, Path("../shared"))


def test_what_is_left_out_is_left_out(told: dict[str, Any]) -> None:
    assert main(["comdefend-table", "--no-cloak", "--no-tuning", "--sets", "cifar10", "--tuning-pictures", "50"]) == 0
    assert told["config"] == TableConfig(cloak=False, tune=None, sets=("cifar10",))
    assert main(["comdefend-table", "--tuning-pictures", "50"]) == 0
    assert told["config"].tune == TuneConfig(pictures=50)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["comdefend", "--data", "no/such"], "no/such: no such folder of photos"),
        (["comdefend", "--data", "no.npz"], "no.npz: no such file"),
        (["comdefend", "--data", "x", "--steps", "0"], "steps: expected 1"),
        (["comdefend", "--data", "x", "--code-bits", "99"], "code_bits: expected 1 to 64, got 99"),
        (["comdefend-table", "--sets", "mnist"], "sets: expected some of cifar10, nips17, got mnist"),
        (["comdefend-table", "--white", "cloak"], "attacks: expected some of fgsm"),
        (["comdefend-table", "--shared", "no/such"], "no/such/weights/cifar10_resnets: expected resnet20"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    said = capsys.readouterr().err
    assert said.startswith("training: ")
    assert sentence in said
    assert len(said.splitlines()) == 1
