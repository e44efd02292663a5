"""What buildozer is told, by the staged spec: parsed here, and by buildozer itself where it is installed."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from export.stage import stage

# Recipes of python-for-android v2026.05.09 that the app's requirements may name, and what each brings that it needs.
RECIPES = {
    "python3": "3.14.2, with sqlite3, openssl and libffi",
    "kivy": "2.3.1",
    "pillow": "11.3.0",
    "libwebp": "1.1.0",
    "numpy": "2.3.0",
    "pyjnius": "1.7.0",
    "android": "the activity and its events",
}
PURE_PYTHON = {"filetype"}  # Kivy 2.3.1 imports it
NEEDED = {"python3", "kivy", "pillow", "libwebp", "numpy", "pyjnius", "android", "filetype"}
NOT_READ_BY_THE_APP = {"buildozer.spec", "mobile_app/intent_filters.xml"}  # by the build alone
ANDROID = "{http://schemas.android.com/apk/res/android}"

ASK_BUILDOZER = """
import json, os, sys
from buildozer import Buildozer
import buildozer.buildops as buildops

builder = Buildozer("buildozer.spec")
builder.check_configuration_tokens()
builder.set_target("android")
builder.target.check_configuration_tokens()
builder._copy_application_sources()
found = [os.path.relpath(os.path.join(folder, name), builder.app_dir)
         for folder, _, names in os.walk(builder.app_dir) for name in names]
target = builder.target
print(json.dumps({
    "version": builder.get_version(), "package": builder.package_full_name, "files": sorted(found),
    "api": target.android_api, "minapi": target.android_minapi, "ndk": target.android_ndk_version,
    "archs": target._archs, "folder": builder.buildozer_dir, "out": builder.bin_dir,
    "arguments": target.extra_p4a_args, "permissions": builder.config.getlist("app", "android.permissions", []),
    "keys": [key for key in builder.config.options("app")],
}))
"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build") / "app"
    stage(out)
    return out


@pytest.fixture(scope="module")
def spec(staged: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()  # with interpolation, as buildozer reads it
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(staged / "buildozer.spec", encoding="utf-8")
    return parser


def test_the_versions_of_android_are_the_ones_that_were_decided(spec: configparser.ConfigParser) -> None:
    app = spec["app"]
    assert app["android.api"] == "35"
    assert app["android.minapi"] == app["android.ndk_api"] == "24"  # ONNX Runtime and NumPy begin here
    assert app["android.ndk"] == "28c"  # libraries for memory pages of 16 KB
    assert app["android.archs"] == "arm64-v8a"
    assert app["p4a.branch"] == "v2026.05.09"
    assert app["p4a.bootstrap"] == "sdl2"  # webview would ask for the network


def test_nothing_is_asked_for(spec: configparser.ConfigParser) -> None:
    assert spec["app"]["android.permissions"] == ""
    assert not [
        key for key in spec["app"] if key.startswith(("android.extra_manifest", "android.features", "services"))
    ]
    assert spec["app"]["android.allow_backup"] == "False"


def test_every_requirement_is_a_recipe_or_pure_python(spec: configparser.ConfigParser) -> None:
    names = {requirement.partition("==")[0].strip() for requirement in spec["app"]["requirements"].split(",")}
    assert names == NEEDED
    assert names <= RECIPES.keys() | PURE_PYTHON


def test_every_file_that_the_app_reads_is_taken(staged: Path, spec: configparser.ConfigParser) -> None:
    taken = tuple(f".{suffix.strip()}" for suffix in spec["app"]["source.include_exts"].split(","))
    files = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}
    left = {name for name in files if not name.endswith(taken)}
    assert left == NOT_READ_BY_THE_APP


def test_the_paths_of_the_spec_are_there_in_the_staged_folder(staged: Path, spec: configparser.ConfigParser) -> None:
    for name in ("icon.filename", "presplash.filename", "version.filename", "android.manifest.intent_filters"):
        assert (staged / spec["app"][name]).is_file(), name


def test_what_a_build_leaves_lies_beside_the_staged_folder(spec: configparser.ConfigParser) -> None:
    """Staging replaces the folder, and with it everything that a build had compiled."""
    for name in ("build_dir", "bin_dir"):
        assert spec["buildozer"][name].startswith("../")


def test_photos_of_other_apps_are_taken_in_by_the_one_window(staged: Path, spec: configparser.ConfigParser) -> None:
    text = (staged / spec["app"]["android.manifest.intent_filters"]).read_text(encoding="utf-8")
    activity = ElementTree.fromstring(f'<activity xmlns:android="{ANDROID[1:-1]}">{text}</activity>')
    (one,) = activity
    assert one.tag == "intent-filter"
    actions = {node.get(f"{ANDROID}name") for node in one.iter("action")}
    assert actions == {"android.intent.action.SEND", "android.intent.action.SEND_MULTIPLE"}
    assert [node.get(f"{ANDROID}name") for node in one.iter("category")] == ["android.intent.category.DEFAULT"]
    assert [dict(node.attrib) for node in one.iter("data")] == [{f"{ANDROID}mimeType": "image/*"}]
    assert spec["app"]["android.manifest.launch_mode"] == "singleTask"


def test_the_platform_starts_no_activity_that_another_app_would_have_to_be_seen_for(root: Path) -> None:
    """To ask which apps there are needs <queries> in the manifest; to start one and catch a refusal does not."""
    text = (root / "mobile_app" / "ui" / "platform" / "android.py").read_text(encoding="utf-8")
    assert not re.search(r"resolveActivity|queryIntentActivities|getInstalledPackages|FileProvider\.", text)


@pytest.fixture(scope="module")
def told(staged: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What buildozer makes of the staged folder, in a home of its own."""
    if importlib.util.find_spec("buildozer") is None:
        pytest.skip("needs buildozer, which `make test` installs")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path_factory.mktemp("home"))}
    command = [sys.executable, "-c", ASK_BUILDOZER]
    done = subprocess.run(command, cwd=staged, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    *said, answer = done.stdout.strip().splitlines()
    return {**json.loads(answer), "said": "\n".join(said) + done.stderr}


def test_buildozer_accepts_the_spec(told: dict) -> None:
    from mobile_app import __version__

    assert "error" not in told["said"].lower()
    assert "deprecated" not in told["said"].lower()
    assert (told["version"], told["package"]) == (__version__, "org.petalveil.petalveil")
    assert (told["api"], told["minapi"], told["ndk"], told["archs"]) == ("35", "24", "28c", ["arm64-v8a"])
    assert not any(told["permissions"])
    assert "--ndk-api=24" in told["arguments"]


def test_buildozer_packs_every_staged_file_that_the_app_reads(told: dict, staged: Path) -> None:
    files = {path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file()}
    assert set(told["files"]) == files - NOT_READ_BY_THE_APP


def test_buildozer_builds_beside_the_staged_folder(told: dict, staged: Path) -> None:
    assert Path(told["folder"]) == staged.parent / "buildozer"
    assert Path(told["out"]) == staged.parent / "bin"


def test_buildozer_knows_every_key_of_the_spec(told: dict) -> None:
    """A key that is misspelt would be passed over without a word."""
    spec = importlib.util.find_spec("buildozer")
    assert spec is not None
    assert spec.origin is not None
    default = (Path(spec.origin).parent / "default.spec").read_text(encoding="utf-8")
    known = set(re.findall(r"^#? ?([a-z0-9][\w.-]*) ?=", default, re.MULTILINE))
    assert {"android.api", "source.include_exts"} <= known
    assert set(told["keys"]) - known == set()
