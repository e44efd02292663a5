"""`petalveil cloak --target-platform`: the size and the JPEG of a preset, and what does not go with it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from mobile_app.core import platforms
from mobile_app.core.bundle import DEFAULT_ROOT
from mobile_app.core.photo import decode

PRESET = ("--target-platform", "long-1080-q75")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that ships with a universal perturbation of noise, which is quick."""
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    root = Path(shutil.copytree(DEFAULT_ROOT, tmp_path_factory.mktemp("platform") / "bundle"))
    Image.fromarray(np.random.default_rng(0).choice(np.uint8([1, 255]), (224, 224))).save(root / "pattern.png")
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    data = (root / "pattern.png").read_bytes()
    manifest["files"]["pattern.png"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest["universal"] = "pattern.png"
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root


@pytest.fixture
def cloak(run, bundle):
    """`cloak("a.png", "-o", "out", ...)` by the universal perturbation, to the preset unless another one is named."""

    def cloak(*words):
        preset = () if "--target-platform" in words else PRESET
        return run("cloak", *words, *preset, "--engine", "universal", "--bundle", bundle)

    return cloak


def make(path: Path, size: tuple[int, int], coffee: np.ndarray, **options) -> Path:
    Image.fromarray(coffee).resize(size).save(path, **options)
    return path


def tables(image) -> dict:
    return dict(image.quantization)


def test_a_large_photo_becomes_the_jpeg_of_the_preset(cloak, coffee, tmp_path):
    photo = make(tmp_path / "a.png", (1500, 1000), coffee)
    result = cloak(photo, "-o", "out", "--report", "r.json")
    assert (result.code, result.err) == (0, "")
    assert "1500 x 1000 to 1080 x 720" in result.out
    expected = io.BytesIO()
    Image.fromarray(coffee).save(expected, "JPEG", quality=75, subsampling="4:2:0")
    with Image.open(tmp_path / "out" / "a.cloaked.jpg") as written, Image.open(expected) as like:
        assert (written.format, written.size, get_sampling(written)) == ("JPEG", (1080, 720), 2)
        assert tables(written) == tables(like)
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    (row,) = report["photos"]
    assert (row["platform"], row["source_size_px"], row["size_px"]) == ("long-1080-q75", [1500, 1000], [1080, 720])
    assert row["composed_largest_levels"] <= 8
    assert row["change"]["psnr_db"] > 25  # against the photo at the size that was cloaked
    settings = report["settings"]
    assert (settings["platform"], settings["long_side_px"]) == ("long-1080-q75", 1080)
    assert (settings["format"], settings["quality"], settings["subsampling"]) == ("jpeg", 75, "4:2:0")


def test_a_small_photo_keeps_its_size_and_its_own_tables_go(cloak, coffee, tmp_path):
    photo = make(tmp_path / "a.jpg", (96, 64), coffee, quality=95, subsampling="4:4:4")
    assert cloak(photo, "-o", "b.jpg", "--format", "jpeg", "--report", "r.json").code == 0
    with Image.open(tmp_path / "b.jpg") as written, Image.open(photo) as original:
        assert (written.size, get_sampling(written)) == ((96, 64), 2)
        assert tables(written) != tables(original)
    (row,) = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["photos"]
    assert row["source_size_px"] == row["size_px"] == [96, 64]


def test_a_grey_photo_becomes_a_grey_jpeg(cloak, coffee, tmp_path):
    Image.fromarray(coffee).convert("L").resize((1200, 800)).save(tmp_path / "a.png")
    assert cloak("a.png", "-o", "b.jpg").code == 0
    found = decode(tmp_path / "b.jpg")
    assert (found.is_grey, found.size_px) == (True, (1080, 720))


def test_the_report_of_a_finished_photo_is_whole_and_another_preset_is_another_job(cloak, coffee, tmp_path):
    photo = make(tmp_path / "a.png", (1200, 800), coffee)
    assert cloak(photo, "-o", "out", "--report", "1.json").code == 0
    assert "done before" in cloak(photo, "-o", "out", "--report", "2.json").out
    (first,), (second,) = (json.loads((tmp_path / name).read_text())["photos"] for name in ("1.json", "2.json"))
    assert second == first | {"skipped": True, "composed_largest_levels": None}
    result = cloak(photo, "-o", "out", "--target-platform", "long-2048-q75")
    assert (result.code, "already exists" in result.err) == (1, True)


def test_a_transparent_photo_is_refused_in_one_sentence_and_the_others_go_on(cloak, coffee, tmp_path):
    image = Image.fromarray(coffee).resize((96, 64))
    image.save(tmp_path / "b.png")
    image.putalpha(100)
    image.save(tmp_path / "a.png")
    result = cloak("a.png", "b.png", "-o", "out")
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert result.err.startswith("petalveil: a.png: transparent, which the JPEG of --target-platform cannot be")
    assert [path.name for path in (tmp_path / "out").glob("*.jpg")] == ["b.cloaked.jpg"]


def test_a_name_of_another_format_is_refused(cloak, coffee, tmp_path):
    result = cloak(make(tmp_path / "a.png", (96, 64), coffee), "-o", "b.png")
    assert result.code == 1
    assert "would hold a JPEG" in result.err


def test_two_photos_that_would_become_one_jpeg_are_refused(cloak, coffee, tmp_path):
    photos = [make(tmp_path / name, (96, 64), coffee) for name in ("a.png", "a.webp")]
    result = cloak(*photos, "-o", "out")
    assert (result.code, "both would become" in result.err) == (1, True)


def test_list_names_every_preset_with_what_it_sets_and_needs_no_photo(run):
    result = run("cloak", "--target-platform", "list")
    assert (result.code, result.err) == (0, "")
    for name, platform in platforms.load_platforms().items():
        line = next(line for line in result.out.splitlines() if line.startswith(f"{name} "))
        assert f"{platform.long_side_px} px" in line
        assert f"quality {platform.quality}, {platform.subsampling}" in line
    assert "may be out of date" in " ".join(result.out.split())
    assert "none of this is a promise" in result.out


def test_an_unknown_name_is_answered_with_those_that_there_are(run):
    result = run("cloak", "a.jpg", "-o", "b", "--target-platform", "instagram")
    assert result.code == 2
    assert "expected list or one of long-1080-q75, " in result.err
    assert "got 'instagram'" in result.err


def test_damaged_presets_are_one_sentence(run, monkeypatch, tmp_path):
    (tmp_path / "platforms.json").write_text('{"a": {}}')
    defaults = (tmp_path / "platforms.json",)
    monkeypatch.setattr(platforms.load_platforms, "__defaults__", defaults)
    result = run("cloak", "a.jpg", "-o", "b", *PRESET)
    assert result.code == 1
    assert result.err.startswith("petalveil: platforms.json: a: expected the fields long_side_px")
