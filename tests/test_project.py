"""The repository itself: what it pins, what it names, how large the bundle is, what its commands call."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

BUNDLE_LIMIT_BYTES = 30_000_000

# Built from halves, so that this file does not name what it looks for.
HOSTS = ("py" + "pi.org", "python" + "hosted", "registry.npm" + "js", "deb.deb" + "ian")
FOLDERS = ("/wo" + "rk/", "/fa" + "rm/", ".lib" + "rary/", "/opt/" + "wheels", "/opt/py" + "pi", "/ro" + "ot/")
OF_A_MACHINE = re.compile("|".join(re.escape(text) for text in (*HOSTS, *FOLDERS)))

PIN = re.compile(r"(?P<name>[a-z0-9-]+)==[0-9][0-9a-z.]*( *; *python_version .+)?")


def test_constraints_are_plain_pins(root: Path) -> None:
    lines = _pins(root)
    assert len(lines) > 20
    assert [line for line in lines if not PIN.fullmatch(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "numpy>=2",
        "numpy",
        "torch==2.13.0+cpu",
        "torch @ https://example.org/torch.whl",
        "rich==15.0.0 --hash=sha256:00",
        "--index-url https://example.org",
    ],
)
def test_anything_but_a_plain_pin_is_found(line: str) -> None:
    assert not PIN.fullmatch(line)


def test_constraints_pin_every_direct_dependency_of_demo_and_test(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["heic"], *extras["train"], *extras["test"]]
    names = {re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in wanted}
    pinned = {line.partition("==")[0] for line in _pins(root)}
    assert names <= pinned, f"not in constraints.txt: {sorted(names - pinned)}"


def test_the_light_set_is_light(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in project["dependencies"]}
    assert names == {"numpy", "onnxruntime", "pillow", "rich"}


def test_no_second_lock_file_competes_with_the_constraints(root: Path) -> None:
    assert [name for name in ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock") if (root / name).exists()] == []


def test_continuous_integration_runs_make_test(root: Path) -> None:
    script = root / ".ci" / "run"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "make test" in lines
    assert os.access(script, os.X_OK)


def test_the_bundle_is_small_enough_to_ship(root: Path) -> None:
    bundle = root / "mobile_app" / "bundle"
    if not bundle.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    assert sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) <= BUNDLE_LIMIT_BYTES


def test_every_folder_with_code_is_a_package(root: Path) -> None:
    folders = {
        path.parent for package in ("mobile_app", "training", "export") for path in root.glob(f"{package}/**/*.py")
    }
    missing = [str(folder.relative_to(root)) for folder in folders if not (folder / "__init__.py").is_file()]
    assert not missing, f"an install would leave these out: {missing}; add an __init__.py"


def test_no_file_names_a_registry_or_a_path_of_one_machine(project_files: list[Path]) -> None:
    faults = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in project_files
        if (text := _text(path)) is not None
        for number, line in enumerate(text.splitlines(), start=1)
        if OF_A_MACHINE.search(line)
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("text", [*HOSTS, *FOLDERS])
def test_each_name_of_a_registry_or_a_machine_is_found(text: str) -> None:
    assert OF_A_MACHINE.search(f"see {text} for more")


def _pins(root: Path) -> list[str]:
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _text(path: Path) -> str | None:
    """The text of a file, or None where it is not text."""
    data = path.read_bytes()
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
