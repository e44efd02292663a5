"""`make android` and `make ios`: where something is missing, a sentence; where it is there, the right commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Container
from pathlib import Path

import pytest

from export.phones import (
    ANDROID_TOOLS,
    IOS_TOOLS,
    RECIPES,
    ROOT,
    XCFRAMEWORK,
    Machine,
    android_steps,
    ios_steps,
    lack_for_android,
    lack_for_ios,
    main,
)


def machine(system: str, tools: Container[str]) -> Machine:
    return Machine(system=system, which=lambda name: f"/bin/{name}" if name in tools else None)


@pytest.mark.parametrize("phone", ["android", "ios"])
def test_make_says_what_is_missing_in_a_sentence_and_fails(root: Path, phone: str, tmp_path: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("needs make")
    for name in ("make", "sh", "cat", "env"):  # an empty machine, but for what the Makefile itself runs
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    command = ["make", "--no-print-directory", phone, f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    sentence, *rest = done.stderr.splitlines()
    assert done.returncode != 0
    assert sentence.startswith(f"make {phone}: needs ")
    assert sentence.endswith("see docs/phones.md")
    assert "Traceback" not in done.stderr
    assert all(line.startswith("make: ***") for line in rest)
    assert done.stdout == ""


def test_every_missing_tool_is_named() -> None:
    assert lack_for_android(machine("linux", ANDROID_TOOLS)) is None
    sentence = lack_for_android(machine("linux", set(ANDROID_TOOLS) - {"cmake", "javac"})) or ""
    assert "missing here: a JDK 17, cmake; see" in sentence
    assert "WSL" in (lack_for_android(machine("win32", ANDROID_TOOLS)) or "")


def test_an_iphone_needs_a_mac_then_its_tools_then_the_runtime(tmp_path: Path) -> None:
    assert "no Mac" in (lack_for_ios(machine("linux", IOS_TOOLS), tmp_path) or "")
    assert "missing here: kivy-ios" in (lack_for_ios(machine("darwin", set(IOS_TOOLS) - {"toolchain"}), tmp_path) or "")
    assert XCFRAMEWORK in (lack_for_ios(machine("darwin", IOS_TOOLS), tmp_path) or "")
    (tmp_path / XCFRAMEWORK).mkdir()
    assert lack_for_ios(machine("darwin", IOS_TOOLS), tmp_path) is None


def test_an_apk_is_built_in_the_folder_that_was_staged_before(tmp_path: Path) -> None:
    (first, stage), (second, build) = android_steps(tmp_path)
    assert (first, stage[1:]) == (ROOT, ["-m", "export", "stage", "--out", str(tmp_path / "app")])
    assert (second, build) == (tmp_path / "app", ["buildozer", "android", "debug"])


def test_the_project_is_made_once_and_then_kept(tmp_path: Path) -> None:
    commands = [command for _, command in ios_steps(tmp_path)]
    assert commands[1][:2] == ["toolchain", "build"]
    assert set(RECIPES) <= set(commands[1])
    recipe = Path(commands[1][-1])
    assert (recipe.name, (recipe / "__init__.py").is_file()) == ("pillow", True)  # kivy-ios takes the folder's name
    assert commands[2] == ["toolchain", "create", "petalveil", "app"]
    assert commands[3][1:3] == ["-m", "export.ios"]
    (tmp_path / "petalveil-ios").mkdir()
    assert [command for _, command in ios_steps(tmp_path)][2][:2] == ["toolchain", "update"]


def test_core_ml_models_are_compiled_before_they_are_staged(tmp_path: Path) -> None:
    (tmp_path / "coreml" / "flowers.mlpackage").mkdir(parents=True)
    first, second = [command for _, command in ios_steps(tmp_path)][:2]
    assert first[:3] == ["xcrun", "coremlcompiler", "compile"]
    assert second[-2:] == ["--coreml", str(tmp_path / "coreml")]


def test_the_python_of_kivy_ios_writes_the_project(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("toolchain", "python3"):
        (tmp_path / "bin" / name).touch()
    *_, (_, command) = ios_steps(tmp_path, str(tmp_path / "bin" / "toolchain"))
    assert command[0] == str(tmp_path / "bin" / "python3")


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_a_build_that_stops_is_told_and_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tool = tmp_path / "buildozer"
    tool.write_text("#!/bin/sh\necho no SDK >&2\nexit 7\n", encoding="utf-8")
    tool.chmod(0o755)
    here = Machine(system="linux", which=lambda name: str(tool) if name in ANDROID_TOOLS else shutil.which(name))
    assert main(["android", "--build", str(tmp_path / "build")], here) == 1
    said = capfd.readouterr().err.splitlines()
    assert said == ["no SDK", "make android: stopped at `buildozer android debug`, which said why above"]
    assert (tmp_path / "build" / "app" / "main.py").is_file()


def test_the_check_builds_nothing(tmp_path: Path) -> None:
    assert main(["android", "--check", "--build", str(tmp_path / "b")], machine("linux", ANDROID_TOOLS)) == 0
    assert not (tmp_path / "b").exists()
