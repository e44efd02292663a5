"""`petalveil cloak`: what it writes, what it refuses, and how it goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core import files
from mobile_app.core.bundle import DEFAULT_ROOT
from mobile_app.core.engines import GradientEngine
from mobile_app.core.errors import GraphError
from mobile_app.core.photo import decode

FAST = ("--steps", 1)
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def photos_in(folder: Path) -> set[str]:
    return names(folder) - {".petalveil.jsonl"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Where outputs go


def test_an_output_in_a_folder_keeps_the_stem(run, make_photo, tmp_path):
    photo = make_photo("IMG_1.jpg")
    result = run("cloak", photo, "-o", "safe/", "--steps", 4)
    assert (result.code, result.err) == (0, "")
    assert photos_in(tmp_path / "safe") == {"IMG_1.cloaked.jpg"}
    assert "IMG_1.cloaked.jpg" in result.out
    saved = decode(tmp_path / "safe" / "IMG_1.cloaked.jpg")
    assert saved.size_px == (96, 64)
    assert (saved.rgb_hwc != decode(photo).rgb_hwc).any()


@pytest.mark.parametrize("out", ["safe", "safe/", "a/b/safe", "new.d/"])
def test_out_without_suffix_or_with_a_slash_is_a_folder(run, make_photo, tmp_path, out):
    assert run("cloak", make_photo("a.png"), "-o", out, *FAST).code == 0
    assert (tmp_path / out / "a.cloaked.png").is_file()


def test_out_that_is_a_folder_with_a_suffix_stays_a_folder(run, make_photo, tmp_path):
    (tmp_path / "photos.2026").mkdir()
    assert run("cloak", make_photo("a.png"), "-o", "photos.2026", *FAST).code == 0
    assert (tmp_path / "photos.2026" / "a.cloaked.png").is_file()


def test_out_with_a_suffix_is_the_file(run, make_photo, tmp_path):
    assert run("cloak", make_photo("a.jpg"), "-o", "b.JPEG", *FAST).code == 0
    assert decode(tmp_path / "b.JPEG").format == "JPEG"
    assert names(tmp_path) == {"a.jpg", "b.JPEG"}  # and no journal beside it


@pytest.mark.parametrize(("name", "out", "words"), [("a.jpg", "b.png", ()), ("a.png", "b.jpg", ("--format", "keep"))])
def test_a_suffix_of_another_format_is_refused(run, make_photo, tmp_path, name, out, words):
    result = run("cloak", make_photo(name), "-o", out, *words, *FAST)
    assert result.code == 1
    assert "would hold a" in result.err
    assert names(tmp_path) == {name}


def test_another_format_is_written_under_its_suffix(run, make_photo, tmp_path):
    assert run("cloak", make_photo("a.jpg"), "-o", "out", "--format", "webp", *FAST).code == 0
    assert decode(tmp_path / "out" / "a.cloaked.webp").format == "WEBP"


def test_a_file_in_a_missing_folder_is_refused(run, make_photo, tmp_path):
    result = run("cloak", make_photo("a.jpg"), "-o", "none/b.jpg", *FAST)
    assert result.code == 1
    assert "the folder none does not exist" in result.err
    assert names(tmp_path) == {"a.jpg"}


def test_out_that_is_a_file_is_refused_for_many_photos(run, make_photo):
    make_photo("out.jpg", turn=3)
    result = run("cloak", make_photo("a.jpg"), make_photo("b.jpg"), "-o", "out.jpg", *FAST)
    assert result.code == 1
    assert "a folder for the outputs was expected" in result.err


def test_a_folder_is_searched_and_its_folders_are_kept(run, make_photo, tmp_path):
    for name in ("in/b.jpg", "in/sub/deep/a.PNG", "in/.hidden.jpg", "in/.cache/x.jpg", "in/c.cloaked.jpg"):
        make_photo(name)
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    result = run("cloak", "in", "-o", "out", *FAST)
    assert (result.code, result.err) == (0, "")
    assert photos_in(tmp_path / "out") == {"b.cloaked.jpg", "sub/deep/a.cloaked.png"}


def test_outputs_inside_the_searched_folder_are_not_cloaked_again(run, make_photo, tmp_path):
    make_photo("in/a.jpg")
    assert run("cloak", "in", "-o", "in", *FAST).code == 0
    assert run("cloak", "in", "-o", "in", *FAST).code == 0
    assert photos_in(tmp_path / "in") == {"a.jpg", "a.cloaked.jpg"}


def test_a_folder_without_a_photo_is_refused(run, tmp_path):
    (tmp_path / "in").mkdir()
    result = run("cloak", "in", "-o", "out")
    assert result.code == 1
    assert "no photo in this folder" in result.err
    assert not (tmp_path / "out").exists()


def test_a_photo_named_twice_is_cloaked_once(run, make_photo):
    photo = make_photo("in/a.jpg")
    result = run("cloak", photo, "in", "in/../in/a.jpg", "-o", "out", *FAST)
    assert result.code == 0
    assert len(result.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [("x/a.jpg", "y/a.jpg", ()), ("a.jpg", "a.png", ("--format", "png")), ("a.jpg", "A.jpeg", ())],
)
def test_two_photos_for_one_output_are_refused_before_anything_is_written(
    run, make_photo, tmp_path, first, second, words
):
    result = run("cloak", make_photo(first), make_photo(second, turn=1), "-o", "out", *words, *FAST)
    assert result.code == 1
    assert first in result.err
    assert second in result.err
    assert not (tmp_path / "out").exists()


def test_two_formats_of_one_name_are_two_outputs(run, make_photo, tmp_path):
    assert run("cloak", make_photo("a.jpg"), make_photo("a.png"), "-o", "out", *FAST).code == 0
    assert photos_in(tmp_path / "out") == {"a.cloaked.jpg", "a.cloaked.png"}


def test_a_clash_that_shows_in_the_content_alone_spares_the_first(run, make_photo, tmp_path):
    png = make_photo("a.png", turn=1)
    disguised = tmp_path / "a.jpg"
    shutil.copy(make_photo("other.png"), disguised)
    result = run("cloak", png, disguised, "-o", "out", "--force", *FAST)
    assert result.code == 1
    assert "as" in result.err
    assert photos_in(tmp_path / "out") == {"a.cloaked.png"}


# What is never overwritten


@pytest.mark.parametrize("words", [(), ("--force",)])
@pytest.mark.parametrize("make_link", [None, os.symlink, os.link])
def test_the_original_is_never_overwritten(run, make_photo, tmp_path, words, make_link):
    photo = make_photo("a.jpg")
    before = sha256(photo)
    out = "a.jpg"
    if make_link:
        make_link(photo, tmp_path / "link.jpg")
        out = "link.jpg"
    result = run("cloak", photo, "-o", out, *words, *FAST)
    assert result.code == 1
    assert "never overwritten" in result.err
    assert sha256(photo) == before


def test_an_original_of_the_same_run_is_never_overwritten(run, make_photo, tmp_path):
    first, second = make_photo("out/a.jpg"), make_photo("out/a.cloaked.jpg", turn=1)
    before = sha256(second)
    result = run("cloak", first, second, "-o", "out", "--force", *FAST)
    assert result.code == 1
    assert "never overwritten" in result.err
    assert sha256(second) == before
    assert (tmp_path / "out" / "a.cloaked.cloaked.jpg").is_file()


def test_an_output_that_exists_is_left_alone_and_the_others_go_on(run, make_photo, tmp_path):
    taken = make_photo("out/a.cloaked.jpg", turn=5)
    before = sha256(taken)
    result = run("cloak", make_photo("a.jpg"), make_photo("b.jpg"), "-o", "out", *FAST)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "use --force" in result.err
    assert sha256(taken) == before
    assert (tmp_path / "out" / "b.cloaked.jpg").is_file()


def test_force_replaces_an_output(run, make_photo, tmp_path):
    taken = make_photo("out/a.cloaked.jpg", turn=5)
    before = sha256(taken)
    assert run("cloak", make_photo("a.jpg"), "-o", "out", "--force", *FAST).code == 0
    assert sha256(taken) != before


@pytest.mark.parametrize("option", ["--report", "--preview"])
@pytest.mark.parametrize("name", ["a.png", "taken.png", "none/x.png", "folder.png", "out.png"])
def test_a_report_or_preview_in_the_way_is_refused_before_anything_is_done(run, make_photo, tmp_path, option, name):
    photo, taken = make_photo("a.png"), make_photo("taken.png")
    (tmp_path / "folder.png").mkdir()
    before = sha256(photo), sha256(taken)
    result = run("cloak", photo, "-o", "out.png", option, name, *FAST)
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert (sha256(photo), sha256(taken)) == before
    assert not (tmp_path / "out.png").exists()


# Going on


def test_finished_photos_are_passed_over(run, make_photo, tmp_path):
    make_photo("in/a.jpg")
    make_photo("in/b.jpg", turn=1)
    assert run("cloak", "in", "-o", "out", *FAST).code == 0
    (tmp_path / "out" / "b.cloaked.jpg").unlink()
    times = (tmp_path / "out" / "a.cloaked.jpg").stat().st_mtime_ns
    result = run("cloak", "in", "-o", "out", *FAST)
    assert result.code == 0
    first, second = result.out.splitlines()
    assert "done before" in first
    assert "done before" not in second
    assert (tmp_path / "out" / "a.cloaked.jpg").stat().st_mtime_ns == times
    assert (tmp_path / "out" / "b.cloaked.jpg").is_file()


@pytest.mark.parametrize("words", [("--steps", 2), ("--strength", "low"), ("--quality", 50), ("--keep-metadata",)])
def test_other_settings_are_another_job(run, make_photo, words):
    photo = make_photo("a.jpg")
    assert run("cloak", photo, "-o", "out", *FAST).code == 0
    result = run("cloak", photo, "-o", "out", *FAST, *words)
    assert result.code == 1
    assert "already exists" in result.err


def test_a_budget_of_a_strength_is_the_same_job(run, make_photo):
    photo = make_photo("a.jpg")
    assert run("cloak", photo, "-o", "out", *FAST).code == 0
    assert "done before" in run("cloak", photo, "-o", "out", "--budget", 8, *FAST).out


def test_a_changed_source_or_output_is_not_taken_for_finished(run, make_photo, tmp_path):
    photo = make_photo("a.jpg")
    assert run("cloak", photo, "-o", "out", *FAST).code == 0
    make_photo("a.jpg", turn=2)
    assert "already exists" in run("cloak", photo, "-o", "out", *FAST).err
    make_photo("a.jpg")
    with open(tmp_path / "out" / "a.cloaked.jpg", "ab") as output:
        output.write(b"!")
    assert "already exists" in run("cloak", photo, "-o", "out", *FAST).err


def test_a_journal_that_was_cut_short_forgets_one_line_alone(run, make_photo, tmp_path):
    make_photo("in/a.jpg")
    make_photo("in/b.jpg", turn=1)
    assert run("cloak", "in", "-o", "out", *FAST).code == 0
    journal = tmp_path / "out" / ".petalveil.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    (tmp_path / "out" / "b.cloaked.jpg").unlink()
    result = run("cloak", "in", "-o", "out", *FAST)
    assert result.code == 0
    assert result.out.count("done before") == 1
    assert run("cloak", "in", "-o", "out", *FAST).out.count("done before") == 2


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]\n1\nnull\n{}\n", b'{"schema": 2}\n'])
def test_a_journal_of_something_else_is_an_empty_one(run, make_photo, tmp_path, content):
    photo = make_photo("a.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".petalveil.jsonl").write_bytes(content)
    assert run("cloak", photo, "-o", "out", *FAST).code == 0
    assert "done before" in run("cloak", photo, "-o", "out", *FAST).out


def test_ctrl_c_says_how_far_it_came_and_the_same_command_goes_on(run, make_photo, tmp_path, monkeypatch):
    for turn, name in enumerate("abc"):
        make_photo(f"in/{name}.jpg", turn=turn)
    perturb = GradientEngine.perturb
    calls = []

    def interrupted(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return perturb(self, *args, **kwargs)

    monkeypatch.setattr(GradientEngine, "perturb", interrupted)
    result = run("cloak", "in", "-o", "out", *FAST)
    assert result.code == 130
    assert "1 of 3 photos are done; the same command goes on from there" in result.err
    assert photos_in(tmp_path / "out") == {"a.cloaked.jpg"}
    result = run("cloak", "in", "-o", "out", *FAST)
    assert result.code == 0
    assert result.out.count("done before") == 1
    assert len(photos_in(tmp_path / "out")) == 3


@pytest.mark.parametrize("moment", ["_write_flushed", "_move_if_free"])
def test_ctrl_c_while_writing_leaves_no_half_file_and_no_lost_one(run, make_photo, tmp_path, monkeypatch, moment):
    photo = make_photo("a.jpg")

    def interrupted(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, moment, interrupted)
        assert run("cloak", photo, "-o", "out", *FAST).code == 130
    assert photos_in(tmp_path / "out") == set()
    assert run("cloak", photo, "-o", "out", *FAST).code == 0
    assert "done before" in run("cloak", photo, "-o", "out", *FAST).out


def test_ctrl_c_on_a_single_file_writes_nothing(run, make_photo, tmp_path, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(GradientEngine, "perturb", interrupted)
    result = run("cloak", make_photo("a.jpg"), "-o", "b.jpg")
    assert result.code == 130
    assert "nothing was written" in result.err
    assert names(tmp_path) == {"a.jpg"}


# Bad input


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.png", b"hello, I am text", "not a photo"),
        ("none.jpg", None, "no such file"),
        ("short.jpg", b"cut", "damaged or cut short"),
    ],
)
def test_one_bad_photo_does_not_stop_the_others(run, make_photo, tmp_path, name, data, words):
    good = make_photo("good.jpg")
    if data == b"cut":
        data = good.read_bytes()[:-400]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    result = run("cloak", name, good, "-o", "out", *FAST)
    assert result.code == 1
    assert result.err.startswith(f"petalveil: {name}: ")
    assert words in result.err
    assert result.err.count("\n") == 1
    assert photos_in(tmp_path / "out") == {"good.cloaked.jpg"}


@pytest.mark.parametrize(
    ("size", "words"),
    [((1, 1), "too few"), ((1, 5000), "too few"), ((11000, 10000), "limit"), ((16, 641), "more than 40 times")],
)
def test_a_photo_too_small_or_too_large_is_refused(run, tmp_path, size, words):
    Image.new("1", size).save(tmp_path / "a.png")
    result = run("cloak", "a.png", "-o", "out/", *FAST)
    assert result.code == 1
    assert words in result.err


def test_grey_stays_grey_and_alpha_stays(run, tmp_path, photo):
    image = Image.fromarray(photo).resize((90, 60))
    image.convert("L").save(tmp_path / "grey.jpg")
    alpha = Image.linear_gradient("L").resize((90, 60))
    image.putalpha(alpha)
    image.save(tmp_path / "alpha.png")
    assert run("cloak", "grey.jpg", "alpha.png", "-o", "out", *FAST).code == 0
    assert decode(tmp_path / "out" / "grey.cloaked.jpg").is_grey
    kept = decode(tmp_path / "out" / "alpha.cloaked.png").alpha_hw
    assert kept is not None
    np.testing.assert_array_equal(kept, np.asarray(alpha))


def test_metadata_goes_unless_it_is_asked_for(run, tmp_path, photo):
    exif = Image.Exif()
    exif[0x010F] = "camera"
    Image.fromarray(photo).resize((90, 60)).save(tmp_path / "a.jpg", exif=exif)
    assert run("cloak", "a.jpg", "-o", "b.jpg", *FAST).code == 0
    assert run("cloak", "a.jpg", "-o", "c.jpg", "--keep-metadata", *FAST).code == 0
    with Image.open(tmp_path / "b.jpg") as b, Image.open(tmp_path / "c.jpg") as c:
        assert not b.getexif()
        assert c.getexif()[0x010F] == "camera"


def test_the_budget_holds_in_a_png(run, make_photo, tmp_path):
    photo = make_photo("a.png")
    assert run("cloak", photo, "-o", "b.png", "--budget", 7.6, "--steps", 3).code == 0
    change = decode(tmp_path / "b.png").rgb_hwc.astype(int) - decode(photo).rgb_hwc
    assert 0 < np.abs(change).max() <= 7


def test_a_full_disk_leaves_the_target_whole(run, make_photo, tmp_path, monkeypatch):
    target = make_photo("b.jpg", turn=1)
    before = sha256(target)

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write_flushed", full)
    result = run("cloak", make_photo("a.jpg"), "-o", "b.jpg", "--force", *FAST)
    assert result.code == 1
    assert "the disk is full" in result.err
    assert sha256(target) == before
    assert names(tmp_path) == {"a.jpg", "b.jpg"}


@as_root
def test_no_permission_to_read_or_write_is_a_sentence(run, make_photo, tmp_path):
    secret, photo = make_photo("secret.jpg"), make_photo("a.jpg")
    secret.chmod(0)
    assert "no permission to read" in run("cloak", secret, "-o", "out/", *FAST).err
    (tmp_path / "closed").mkdir(mode=0o500)
    assert run("cloak", photo, "-o", "closed/new/", *FAST).code == 1
    assert run("cloak", photo, "-o", "closed/a.jpg", *FAST).code == 1


def test_a_folder_that_cannot_be_made_is_a_sentence(run, make_photo):
    photo = make_photo("a.jpg")
    result = run("cloak", photo, "-o", "a.jpg/out/", *FAST)
    assert result.code == 1
    assert "cannot be made" in result.err


def test_a_bundle_with_a_changed_byte_is_refused_before_anything_is_written(run, make_photo, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(DEFAULT_ROOT, bundle)
    labels = bundle / "imagenet.labels.txt"
    labels.write_bytes(labels.read_bytes().replace(b"tench", b"trench"))
    result = run("cloak", make_photo("a.jpg"), "-o", "out", "--bundle", bundle)
    assert result.code == 1
    assert result.err.startswith("petalveil: imagenet.labels.txt: expected sha256")
    assert not (tmp_path / "out").exists()


def test_a_bundle_of_a_later_schema_or_without_the_engine_is_refused(run, make_photo, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(DEFAULT_ROOT, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["graphs"] = {name: {**entry, "engine": None} for name, entry in manifest["graphs"].items()}
    manifest["universal"] = None
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    result = run("cloak", make_photo("a.jpg"), "-o", "out", "--bundle", bundle)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "expected an engine in the bundle, found none" in result.err
    assert not (tmp_path / "out").exists()
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"schema": 7}))
    assert "update petalveil" in run("cloak", make_photo("a.jpg"), "-o", "out", "--bundle", bundle).err


def test_nan_from_a_graph_is_a_sentence(run, make_photo, monkeypatch, tmp_path):
    def broken(*_args, **_kwargs):
        raise GraphError("objects.gradient: expected finite numbers in output grad, found NaN or infinity")

    monkeypatch.setattr(GradientEngine, "perturb", broken)
    result = run("cloak", make_photo("a.jpg"), "-o", "b.jpg")
    assert result.code == 1
    assert "found NaN" in result.err
    assert not (tmp_path / "b.jpg").exists()


# Report and preview


def test_the_report_has_what_its_document_says(run, make_photo, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"")
    photo = make_photo("a.png")
    assert run("cloak", photo, "bad.jpg", "-o", "out", "--report", "out/r.json", "--steps", 2).code == 1
    report = json.loads((tmp_path / "out" / "r.json").read_text(encoding="utf-8"))
    assert report["schema"] == 2
    assert set(report) == {"schema", "versions", "settings", "bundle", "peak_memory_mb", "photos", "failed"}
    assert report["settings"]["budget_levels"] == 8
    assert report["bundle"]["sha256"]["objects.onnx"] == sha256(DEFAULT_ROOT / "objects.onnx")
    assert [row["source"] for row in report["failed"]] == ["bad.jpg"]
    (row,) = report["photos"]
    assert row["output"] == str(Path("out/a.cloaked.png"))
    assert (row["size_px"], row["format"], row["steps"], row["skipped"]) == ([96, 64], "PNG", 2, False)
    assert (row["source_size_px"], row["platform"], row["engine"]) == ([96, 64], None, "gradient")
    assert set(row["seconds"]) == {"decode", "cloak", "encode"}
    assert row["composed_largest_levels"] == row["change"]["largest_levels"] <= 8  # a PNG loses nothing
    assert 0 < row["change"]["mean_levels"] < 8
    assert 30 < row["change"]["psnr_db"] < 60
    assert 0.8 < row["change"]["ssim"] < 1
    assert list(row["seen"]) == ["by", "before", "after", "jpeg75", "jpeg50", "smaller_jpeg75"]
    assert row["seen"]["smaller_jpeg75"]["long_side_px"] == 48
    for answer in ("after", "jpeg75", "jpeg50", "smaller_jpeg75"):
        assert row["seen"][answer]["changed"] == (row["seen"][answer]["label"] != row["seen"]["before"]["label"])


def test_every_field_of_the_report_is_documented(run, make_photo, root, tmp_path):
    run("cloak", make_photo("a.png"), "-o", "out", "--report", "r.json", *FAST)
    report = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    text = (root / "docs" / "report.md").read_text(encoding="utf-8")
    (row,) = report["photos"]
    fields = {*report, *report["settings"], *row, *row["change"], *row["seconds"], *row["seen"], *row["seen"]["after"]}
    assert sorted(field for field in fields if f"`{field}`" not in text) == []


def test_a_report_of_finished_photos_is_whole(run, make_photo, tmp_path):
    photo = make_photo("a.png")
    assert run("cloak", photo, "-o", "out", "--report", "1.json", *FAST).code == 0
    assert run("cloak", photo, "-o", "out", "--report", "2.json", *FAST).code == 0
    (first,), (second,) = (json.loads((tmp_path / name).read_text())["photos"] for name in ("1.json", "2.json"))
    assert second == first | {"skipped": True, "composed_largest_levels": None}


def test_the_preview_shows_three_panels_a_photo(run, make_photo, tmp_path):
    photos = [make_photo(f"{turn}.jpg", turn=turn) for turn in range(8)]
    assert run("cloak", photos[0], "-o", "out", "--preview", "one.png", *FAST).code == 0
    assert run("cloak", *photos, "-o", "all", "--preview", "many.png", *FAST).code == 0
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "many.png") as many:
        assert one.width > 3 * 600 > one.height
        assert many.width > 3 * 380
        assert many.height < 6 * 400


def test_the_preview_is_a_png(run, make_photo):
    result = run("cloak", make_photo("a.jpg"), "-o", "out", "--preview", "p.jpg", *FAST)
    assert result.code == 1
    assert "suffix .png" in result.err


def test_many_photos_are_summed_up(run, make_photo):
    for turn in range(21):
        make_photo(f"in/{turn}.jpg", turn=turn)
    result = run("cloak", "in", "-o", "out", *FAST)
    assert result.out.splitlines() == ["21 cloaked, 0 done before, 0 failed: out"]
