"""Presets for posting: what ships is well formed and named by setting, and what is wrong is refused by its field."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mobile_app.core.errors import BundleError
from mobile_app.core.platforms import DEFAULT_PATH, Platform, load_platforms

REPORTS = [{"source": "a thread", "strength": "weak"}, {"source": "a page", "strength": "weaker"}]
GOOD = {"long_side_px": 1080, "quality": 75, "subsampling": "4:2:0", "known_from": REPORTS}


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "platforms.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_preset_is_read_as_it_stands(tmp_path):
    names = {"long-1080-q75": GOOD, "long-2000-q90-444": {**GOOD, "long_side_px": 2000, "quality": 90}}
    names["long-2000-q90-444"]["subsampling"] = "4:4:4"
    first, second = load_platforms(written(tmp_path, names)).values()
    note = "a thread (weak); a page (weaker)"
    assert first == Platform(name="long-1080-q75", long_side_px=1080, quality=75, subsampling="4:2:0", note=note)
    assert (second.name, second.subsampling) == ("long-2000-q90-444", "4:4:4")


def test_the_presets_that_ship_are_named_by_setting_and_no_note_promises_anything():
    shipped = load_platforms()
    assert "long-1080-q75" in shipped
    for name, platform in shipped.items():
        assert re.fullmatch(r"long-\d+-q\d+(-444|-422)?", name), name
        assert platform.name == name
    content = json.loads(DEFAULT_PATH.read_text(encoding="utf-8"))
    reports = [report for fields in content.values() for report in fields["known_from"]]
    assert [report for report in reports if not report["strength"].endswith("; may be out of date")] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("long_side_px", 99),
        ("long_side_px", 65_501),
        ("long_side_px", 1080.0),
        ("long_side_px", True),
        ("long_side_px", "1080"),
        ("long_side_px", None),
        ("quality", 0),
        ("quality", 101),
        ("subsampling", "4:1:1"),
        ("subsampling", ["4:2:0"]),
        ("known_from", []),
        ("known_from", "a thread"),
        ("known_from", [{"source": "a thread"}]),
        ("known_from", [{"source": "a thread", "strength": " "}]),
        ("known_from", [{"source": "a thread", "strength": 3}]),
        ("known_from", [None]),
    ],
)
def test_a_wrong_value_is_refused_by_preset_and_field(tmp_path, field, value):
    path = written(tmp_path, {"long-1080-q75": GOOD | {field: value}})
    with pytest.raises(BundleError, match=rf"^platforms\.json: long-1080-q75: {field}: expected .* got .*restore"):
        load_platforms(path)


@pytest.mark.parametrize("fields", [None, [], {}, {**GOOD, "brand": "x"}, {"quality": 75}])
def test_missing_and_unknown_fields_are_refused(tmp_path, fields):
    with pytest.raises(
        BundleError, match=r"^platforms\.json: long-1080-q75: expected the fields long_side_px, quality"
    ):
        load_platforms(written(tmp_path, {"long-1080-q75": fields}))


@pytest.mark.parametrize("name", ["instagram", "long-1080-q76", "long-1081-q75", "long-1080-q75-444"])
def test_a_name_that_does_not_say_the_settings_is_refused(tmp_path, name):
    with pytest.raises(BundleError, match="name: expected long-1080-q75, after the settings, got"):
        load_platforms(written(tmp_path, {name: GOOD}))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "3"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    with pytest.raises(BundleError, match=r"^platforms\.json: .*restore the file"):
        load_platforms(written(tmp_path, content))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"^none\.json: cannot be read"):
        load_platforms(tmp_path / "none.json")


def test_reading_the_presets_loads_nothing_heavy(root):
    code = "import sys; from mobile_app.core.platforms import load_platforms; load_platforms(); "
    code += "assert not {'numpy', 'PIL', 'onnxruntime'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
