"""What the phone build is told: no permission, the version without telemetry, every kind of file that the app reads."""

from __future__ import annotations

import configparser
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mobile_app import __version__

NOT_ON_THE_PHONE = {".spec", ".xml", ".pyc"}


@pytest.fixture(scope="module")
def spec(root: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(root / "mobile_app" / "buildozer.spec", encoding="utf-8")
    return parser["app"]


def test_no_permission_is_asked_for(root: Path, spec: configparser.SectionProxy) -> None:
    assert spec["android.permissions"] == ""
    text = (root / "mobile_app" / "buildozer.spec").read_text(encoding="utf-8")
    assert "INTERNET" not in text
    assert "CAMERA" not in text


def test_the_runtime_is_the_last_one_without_telemetry(spec: configparser.SectionProxy) -> None:
    assert spec["android.gradle_dependencies"] == "com.microsoft.onnxruntime:onnxruntime-android:1.28.0"


def test_every_file_that_the_app_reads_goes_along(root: Path, spec: configparser.SectionProxy) -> None:
    taken = {f".{suffix}" for suffix in spec["source.include_exts"].split(",")}
    found = {path.suffix for path in (root / "mobile_app").rglob("*") if path.is_file() and "cli" not in path.parts}
    assert found - NOT_ON_THE_PHONE <= taken


def test_the_spec_names_files_that_are_there(root: Path, spec: configparser.SectionProxy) -> None:
    for name in ("icon.filename", "presplash.filename", "version.filename", "android.manifest.intent_filters"):
        assert (root / spec[name].replace("%(source.dir)s/", "")).is_file(), name


def test_the_version_is_found_where_the_spec_looks_for_it(root: Path, spec: configparser.SectionProxy) -> None:
    text = (root / "mobile_app" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(spec["version.regex"], text)
    assert found is not None
    assert found[1] == __version__


def test_kivy_is_the_version_of_the_desk(root: Path, spec: configparser.SectionProxy) -> None:
    pins = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert next(line for line in pins if line.startswith("kivy==")) in spec["requirements"].split(",")


def test_other_apps_may_send_photos(root: Path) -> None:
    text = (root / "mobile_app" / "intent_filters.xml").read_text(encoding="utf-8")
    tree = ET.fromstring(f'<x xmlns:android="http://schemas.android.com/apk/res/android">{text}</x>')
    space = "{http://schemas.android.com/apk/res/android}"
    assert {node.get(f"{space}name") for node in tree.iter("action")} == {
        "android.intent.action.SEND",
        "android.intent.action.SEND_MULTIPLE",
    }
    assert next(tree.iter("data")).get(f"{space}mimeType") == "image/*"
