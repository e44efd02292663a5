"""The command: packages with their facts, whole or not at all, and tables that say what was left out."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export import __main__ as command
from export.contract import GraphSpec
from export.coreml import job
from export.coreml.job import CoremlJob, write_coreml
from export.coreml.parity import measure, reference, size_and_parity
from export.coreml.table import _entry, write_tables
from export.coreml.tools import coremltools
from export.errors import ExportError
from export.mil.evaluate import load_package
from mobile_app.core.runtime.graph import Port


class Tinted(nn.Module):
    """A classifier that needs no training: how much of each of three colours a photo has, and three mixtures more."""

    size_px = 32

    def __init__(self, strength: float = 10.0) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, 6, 1)
        with torch.no_grad():
            self.mix.weight.copy_(torch.tensor(np.random.default_rng(1).normal(size=(6, 3, 1, 1))))
            self.mix.bias.zero_()  # pyright: ignore[reportOptionalMemberAccess]
        self.strength = strength

    def forward(self, image: Tensor) -> Tensor:
        return self.mix(image * 2 - 1).mean((2, 3)) * self.strength


def spec(module: nn.Module | None = None, **changes: object) -> GraphSpec:
    fields = {
        "name": "tinted",
        "task": "classify",
        "network": "tinted",
        "one_pass": (module or Tinted()).eval(),
        "size_px": 32,
        "source": "made by hand",
        "licence": "CC0-1.0",
        "precision": "float16",
    }
    return GraphSpec(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "graphs", lambda *_given: [spec()])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """What one run of the command leaves, and what it said."""
    out = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "graphs", lambda *_given: [spec()])
        return out, list(write_coreml(CoremlJob(out=out, precisions=("float32", "float16"))))


def test_packages_and_tables_are_written(made: tuple[Path, list[str]]) -> None:
    out, lines = made
    assert lines[0].startswith("[1/1] tinted, float32: 0.0 MB in ")
    assert lines[-1] == f"{out / 'coreml.md'}: 2 packages, checked against torch in float64"
    table = json.loads((out / "coreml.json").read_text())
    assert [(one["graph"], one["precision"], one["written"]) for one in table["packages"]] == [
        ("tinted", "float32", True),
        ("tinted", "float16", True),
    ]
    row = table["packages"][1]["parity"][0]
    assert row["images"] == 7  # a drawn pattern, four views of a sample, two photos
    assert 0.98 < row["cosine"] < 1
    text = (out / "coreml.md").read_text().splitlines()
    assert text[0].startswith("| graph | precision | MB |")
    assert len(text) == 4
    graph = load_package(out / "float16" / "tinted.mlpackage")
    assert graph.inputs == {"image": Port((1, 3, 32, 32), "float32")}
    assert graph.outputs == {"logits": Port((1, 6), "float32")}
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]


def test_a_package_says_what_it_is_and_nothing_of_this_machine(made: tuple[Path, list[str]]) -> None:
    package = made[0] / "float16" / "tinted.mlpackage"
    model = coremltools().models.MLModel(str(package), skip_model_load=True)
    assert (model.license, model.author, model.version) == ("CC0-1.0", "petalveil", "0.1.0")
    facts = dict(model.user_defined_metadata)
    assert {key: facts[key] for key in ("graph", "source", "precision")} == {
        "graph": "tinted",
        "source": "made by hand",
        "precision": "float16",
    }
    assert not [key for key in facts if "date" in key]
    assert "[0, 1]" in model.input_description["image"]
    content = b"".join(path.read_bytes() for path in package.rglob("*") if path.is_file())
    for place in (str(made[0].parent), str(Path.home()) + "/", str(Path.cwd()), sys.prefix, ".coreml-"):
        assert place.encode() not in content, place


@pytest.mark.usefixtures("only")
def test_a_second_run_replaces_its_packages_and_keeps_the_others(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for place in ("float16/tinted.mlpackage/old.txt", "float16/other.mlpackage/kept.txt"):
        (out / place).parent.mkdir(parents=True)
        (out / place).write_text("before")
    list(write_coreml(CoremlJob(out=out)))
    assert not (out / "float16/tinted.mlpackage/old.txt").exists()
    assert (out / "float16/tinted.mlpackage/Manifest.json").is_file()
    assert (out / "float16/other.mlpackage/kept.txt").read_text() == "before"


@pytest.mark.usefixtures("only")
def test_stopped_halfway_it_leaves_nothing(tmp_path: Path) -> None:
    lines: Iterator[str] = write_coreml(CoremlJob(out=tmp_path / "out", precisions=("float32", "float16")))
    assert "float32" in next(lines)
    lines.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_far_from_torch_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = spec(lowest_cosine_shipped=1.5)
    monkeypatch.setattr(job, "graphs", lambda *_given: [strict])
    out = tmp_path / "out"
    with pytest.raises(ExportError, match="tinted in float16: not written, for what it computes is too far from torch"):
        list(write_coreml(CoremlJob(out=out, precisions=("float32", "float16"))))
    assert (out / "float32/tinted.mlpackage").is_dir()
    assert not (out / "float16").exists()
    assert "left out" in (out / "coreml.md").read_text().splitlines()[-1]


def test_tables_keep_what_they_said_of_other_packages(made: tuple[Path, list[str]], tmp_path: Path) -> None:
    shutil.copyfile(made[0] / "coreml.json", tmp_path / "coreml.json")
    first, second = (_entry(one) for one in json.loads((made[0] / "coreml.json").read_text())["packages"])
    write_tables(tmp_path, [dataclasses.replace(first, size_bytes=7), dataclasses.replace(second, graph="another")])
    table = json.loads((tmp_path / "coreml.json").read_text())["packages"]
    assert [(one["graph"], one["precision"], one["bytes"]) for one in table] == [
        ("tinted", "float16", second.size_bytes),
        ("tinted", "float32", 7),
        ("another", "float16", second.size_bytes),
    ]
    (tmp_path / "coreml.json").write_text("torn")
    write_tables(tmp_path, [first])
    assert len(json.loads((tmp_path / "coreml.json").read_text())["packages"]) == 1


def test_a_network_that_says_the_same_of_all_photos_is_refused() -> None:
    with pytest.raises(
        ExportError, match=r"expected more than 0\.05; anything agrees with a network that says the same"
    ):
        reference(spec(Tinted(strength=1e-3)))


def test_a_package_of_another_network_is_found_out(made: tuple[Path, list[str]]) -> None:
    path = made[0] / "float16" / "tinted.mlpackage"
    other = Tinted()
    with torch.no_grad():
        other.mix.weight.neg_()
    size, rows = size_and_parity(path, spec())
    assert all(row.ok for row in rows)
    assert size == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert not any(row.ok for row in size_and_parity(path, spec(other))[1])
    assert not any(row.ok for row in measure(path, spec(), "float16", reference(spec()), run=_of_nothing).rows)


@pytest.mark.parametrize("precisions", [(), ("int4",)])
def test_a_precision_that_there_is_not_is_refused(precisions: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="precision: expected some of float32, float16, int8, 6bit, got"):
        CoremlJob(out=tmp_path, precisions=precisions)


def test_unknown_graphs_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["coreml", "--out", str(tmp_path / "out"), "--graphs", "objects", "flowers"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("export: --graphs flowers: expected some of objects, objects.gradient, ")
    assert "Traceback" not in said


def test_without_coremltools_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    assert command.main(["coreml", "--out", str(tmp_path / "out")]) == 1
    assert "coremltools, which is not installed; run `pip install" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def _of_nothing(_inputs: object) -> dict[str, np.ndarray]:
    return {"logits": np.full((1, 6), np.nan, np.float32)}
