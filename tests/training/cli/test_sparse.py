"""The sparse commands: their help, their defaults, and a sentence where something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main


@pytest.mark.parametrize("command", ["sparse-table", "sparse-cloak"])
def test_help_is_there(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_the_cloaks_help_says_that_recompression_destroys_the_change(capsys):
    with pytest.raises(SystemExit):
        main(["sparse-cloak", "--help"])
    assert "JPEG and any recompression destroy it" in " ".join(capsys.readouterr().out.split())


def test_a_table_without_its_data_says_what_is_missing(tmp_path: Path, capsys):
    assert main(["sparse-table", "--shared", str(tmp_path), "--out", str(tmp_path / "out"), "--photos", "0"]) == 1
    message = capsys.readouterr().err
    assert "no weights of a ResNet-20" in message
    assert "--shared" in message


def test_a_table_of_nothing_is_refused(tmp_path: Path, capsys):
    assert main(["sparse-table", "--images", "0", "--photos", "0", "--out", str(tmp_path)]) == 1
    assert "above 0" in capsys.readouterr().err


def test_a_cloak_of_a_photo_that_is_not_there_says_so(tmp_path: Path, capsys):
    assert main(["sparse-cloak", str(tmp_path / "none.png"), "-o", str(tmp_path / "out.png")]) == 1
    assert "no such file" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_cloak_with_a_budget_out_of_range_says_so(tmp_path: Path, capsys):
    assert main(["sparse-cloak", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--budget", "300"]) == 1
    assert "budget_levels: expected 1 to 255" in capsys.readouterr().err
