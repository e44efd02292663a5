"""The folder that goes to a phone build: complete, without what is the desk's, and never over something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.__main__ import main
from export.errors import ExportError
from export.stage import stage


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    out = tmp_path_factory.mktemp("build") / "app"
    return out, stage(out)


def test_what_a_build_needs_stands_where_it_looks(staged: tuple[Path, list[Path]]) -> None:
    names = {path.as_posix() for path in staged[1]}
    needed = {"main.py", "buildozer.spec", "mobile_app/bundle/manifest.json", "mobile_app/intent_filters.xml"}
    assert needed <= names
    assert not [name for name in names if name.startswith("mobile_app/cli") or name.endswith((".pyc", "__main__.py"))]


def test_the_staged_bundle_cloaks_with_nothing_else_on_the_path(staged: tuple[Path, list[Path]]) -> None:
    script = """
import numpy as np
from mobile_app.core.bundle import load_bundle
from mobile_app.core.cloak import cloak
from mobile_app.core.loading import load_engine
from mobile_app.core.photo import Photo
import mobile_app, sys
photo = Photo(rgb_hwc=np.random.default_rng(0).integers(0, 256, (240, 260, 3), np.uint8))
assert (cloak(photo, load_engine(load_bundle(), "universal")).photo.rgb_hwc != photo.rgb_hwc).any()
assert not {"torch", "onnx", "training", "export"} & set(sys.modules)
print(mobile_app.__file__)
"""
    environment = {**os.environ, "PYTHONPATH": str(staged[0])}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=staged[0], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(staged[0] / "mobile_app" / "__init__.py")


def test_staging_again_replaces_the_staged_app_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    stage(tmp_path / "app")
    (tmp_path / "app" / "mobile_app" / "old.py").write_text("")
    stage(tmp_path / "app")
    assert not (tmp_path / "app" / "mobile_app" / "old.py").exists()
    assert os.listdir(tmp_path) == ["app"]


def test_a_folder_of_something_else_is_left_alone_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ExportError, match="found something else"):
        stage(tmp_path)
    assert main(["stage", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_core_ml_models_go_along_where_they_are_named_and_the_compiled_one_of_two(tmp_path: Path) -> None:
    models = tmp_path / "coreml"
    for name in ("flowers.mlpackage", "flowers.mlmodelc", "objects.mlpackage"):
        (models / name).mkdir(parents=True)
        (models / name / "data").write_text(name)
    (models / "notes.txt").write_text("not a model")
    stage(tmp_path / "app", coreml=models)
    staged = {path.name for path in (tmp_path / "app" / "mobile_app" / "bundle" / "coreml").iterdir()}
    assert staged == {"flowers.mlmodelc", "objects.mlpackage"}
    assert main(["stage", "--out", str(tmp_path / "app")]) == 0
    assert not (tmp_path / "app" / "mobile_app" / "bundle" / "coreml").exists()


def test_a_folder_without_core_ml_models_is_told_and_nothing_is_staged(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="expected Core ML models"):
        stage(tmp_path / "app", coreml=tmp_path / "no")
    assert not (tmp_path / "app").exists()


def test_what_a_build_left_beside_the_staged_folder_stays(tmp_path: Path) -> None:
    stage(tmp_path / "app")
    (tmp_path / "buildozer").mkdir()
    (tmp_path / "buildozer" / "an hour of compiling").write_text("")
    stage(tmp_path / "app")
    assert (tmp_path / "buildozer" / "an hour of compiling").is_file()
