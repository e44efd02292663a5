"""The command line: help that loads nothing heavy, one sentence for what is wrong, options that match the configs."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from training.__main__ import main
from training.cli import flowers
from training.recipes.flowers import FlowersConfig

COMMANDS = (
    "flowers",
    "flower-labels",
    "advmask-table",
    "advmask-maps",
    "sparse-table",
    "sparse-cloak",
    "evaluate",
    "compression",
    "comreadv-table",
    "comdefend",
    "comdefend-table",
    "universal",
    "generator",
    "surrogate",
    "sensing",
    "sensing-table",
    "sensing-photos",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


def test_help_does_not_load_torch(root: Path) -> None:
    script = "import sys, training.__main__ as m\ntry: m.main(['--help'])\nexcept SystemExit: pass\n"
    script += "assert 'torch' not in sys.modules and 'accelerate' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_recipe_says_what_it_is(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert not re.search(r"--[a-z-]+ (\[?[A-Z.\] \[]+|\{[a-z,]+\}) \(default", words)


def test_the_options_of_a_run_are_the_fields_of_its_config() -> None:
    config = FlowersConfig()
    assert flowers._DEFAULTS == {item.name: getattr(config, item.name) for item in fields(config)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["flowers", "--data", "no/such/folder"], "no/such/folder: expected a folder with a folder a class"),
        (["flowers", "--data", "x", "--epochs", "-1"], "epochs: expected 0"),
        (["flowers", "--data", "x", "--others-share", "2"], "others_share"),
        (["advmask-table", "--data", "x", "--methods", "blur"], "methods"),
        (["advmask-maps", "--data", "x", "--models", "nothing"], "expected NAME=CHECKPOINT"),
        (["advmask-maps", "--data", "x", "--models", "a=no.pt"], "no.pt"),
        (["compression", "--photos", "no/such"], "no/such: expected a folder of photos"),
        (["compression", "--photos", ".", "--codec", "jpeg:500"], "quality: expected 1 to 100, got 500"),
        (["compression", "--pairs", "no/a", "no/b"], "no/a: expected a folder of photos"),
        (["comreadv-table", "--models", "no.pt"], "no.pt: expected a compression model, found no file"),
        (["comreadv-table", "--attacks", "pgd"], "attacks: expected some of fgsm, bim, mi_fgsm"),
        (["comreadv-table", "--codecs", "gif"], "codec 'gif': expected jpeg:QUALITY"),
        (["universal", "--photos", "x", "--steps", "0"], "steps: expected 1 to 10000000, got 0"),
        (["generator", "--photos", "x", "--margin", "-1"], "margin: expected 0 to 100, got -1.0"),
        (["universal", "--photos", "x", "--surrogates", "net"], "surrogates: expected some of lite0, lite1"),
        (
            ["universal", "--photos", "x", "--surrogates", "darknet_tiny", "--shared", "none"],
            "darknet_tiny.py: missing",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("training: ")
    assert error.count("\n") == 1


def test_a_stop_says_that_the_same_command_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_options: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(flowers, "run_config", stop)
    assert main(["flowers", "--data", "x"]) == 130
    assert "goes on" in capsys.readouterr().err
