"""classify, demo, bench, selftest, and what every command shares: help, usage, exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app import __version__
from mobile_app.cli.protect import Settings
from mobile_app.core.bundle import DEFAULT_ROOT
from mobile_app.core.cloak import MEDIUM, STRENGTHS
from mobile_app.core.step import with_steps

COMMANDS = ("cloak", "classify", "demo", "bench", "selftest")

# classify


def test_classify_prints_one_array_in_the_order_given(run, make_photo):
    first, second = make_photo("b.jpg", turn=1), make_photo("a.png")
    result = run("classify", first, second, "--json", "--top", 3, "--model", "objects")
    assert result.code == 0
    assert [answer["photo"] for answer in result.json] == [str(first), str(second)]
    for answer in result.json:
        assert set(answer) == {"photo", "model", "top", "unsure"}
        probabilities = [guess["probability"] for guess in answer["top"]]
        assert len(probabilities) == 3
        assert probabilities == sorted(probabilities, reverse=True)
        assert answer["unsure"] is (probabilities[0] < 0.3)


def test_classify_sees_the_espresso(run, root):
    (answer,) = run("classify", root / "mobile_app" / "samples" / "coffee.jpg", "--json").json
    assert "espresso" in answer["top"][0]["label"]


def test_classify_goes_on_after_a_bad_photo(run, make_photo, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"")
    result = run("classify", "bad.jpg", make_photo("a.jpg"), tmp_path, "--json")
    assert result.code == 1
    assert [("error" in answer, "top" in answer) for answer in result.json] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    result = run("classify", "bad.jpg", make_photo("a.jpg"))
    assert result.code == 1
    assert result.err == "petalveil: bad.jpg: the file is empty; get a fresh copy of the photo\n"


def test_classify_prints_a_table(run, make_photo):
    lines = run("classify", make_photo("a.jpg"), "--top", 2).out.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r" +\d+\.\d%  \S.*", lines[1])


def test_classify_with_a_model_that_is_not_there_names_those_that_are(run, make_photo):
    result = run("classify", make_photo("a.jpg"), "--model", "objects.gradient")
    assert result.code == 1
    assert re.search(r"expected one of .*\bobjects\b", result.err)


def test_classify_escapes_a_name_that_is_no_text(run, make_photo, tmp_path):
    photo = make_photo("a.jpg")
    odd = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff.jpg")
    try:
        os.rename(photo, odd)
    except OSError:
        pytest.skip("needs a disk that takes any name")
    command = [sys.executable, "-m", "mobile_app", "classify", os.fsencode(odd), "--json"]
    result = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, check=True)
    assert json.loads(result.stdout)[0]["photo"] == odd


# demo


def test_demo_shows_what_happened_and_where_the_files_are(run, tmp_path):
    result = run("demo", "--out", "out")
    assert (result.code, result.err) == (0, "")
    for text in ("before", "after, JPEG 75", "after, JPEG 50", "300 px", "PSNR", "SSIM", "levels", "MB", " s in all"):
        assert text in result.out
    for name in ("coffee.cloaked.jpg", "preview.png", "report.json"):
        assert (tmp_path / "out" / name).is_file()
        assert name in result.out
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["photos"][0]["composed_largest_levels"] <= 8
    assert report["photos"][0]["seen"]["after"]["changed"]
    with Image.open(tmp_path / "out" / "preview.png") as picture:
        assert picture.width > 1800


def test_demo_replaces_its_own_files_and_no_other(run, tmp_path, monkeypatch):
    few_steps = partial(Settings, step=with_steps(MEDIUM, 2))
    monkeypatch.setattr("mobile_app.cli.demo_command.Settings", few_steps)
    assert run("demo", "--out", "out").code == 0
    assert run("demo", "--out", "out").code == 0
    mine = tmp_path / "out" / "preview.png"
    mine.write_bytes(b"mine")
    result = run("demo", "--out", "out")
    assert result.code == 1
    assert "not written by the demo" in result.err
    assert mine.read_bytes() == b"mine"


# selftest


def test_selftest_passes_on_the_shipped_bundle(run):
    result = run("selftest")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1] == "all is well"


def copied_bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "bundle"))


def test_selftest_fails_where_a_graph_gives_something_else(run, tmp_path):
    bundle = copied_bundle(tmp_path)
    with np.load(bundle / "reference.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["objects/logits"] = arrays["objects/logits"][::-1]
    np.savez(bundle / "reference.npz", **arrays)  # pyright: ignore[reportArgumentType]
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["files"]["reference.npz"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    result = run("selftest", "--bundle", bundle)
    assert result.code == 1
    assert "FAILED" in result.out
    assert "something else" in result.err


def test_selftest_refuses_a_changed_byte_by_name(run, tmp_path):
    bundle = copied_bundle(tmp_path)
    (bundle / "objects.onnx").write_bytes(b"!" + (bundle / "objects.onnx").read_bytes()[1:])
    result = run("selftest", "--bundle", bundle)
    assert result.code == 1
    assert result.err.startswith("petalveil: objects.onnx: expected sha256")


# What every command shares


def test_version(run):
    assert run("--version").out == f"petalveil {__version__}\n"


def test_help_names_every_command_and_gives_examples(run):
    result = run("--help")
    assert result.code == 0
    assert all(command in result.out for command in COMMANDS)
    assert "examples:" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command):
    result = run(command, "--help")
    assert result.code == 0
    assert f"petalveil {command}" in result.out


def test_the_help_gives_the_levels_of_the_strengths(run):
    words = " ".join(run("cloak", "--help").out.split())
    assert "low {low:g}, medium {medium:g}, high {high:g} levels".format(**STRENGTHS) in words


def test_the_help_gives_the_default_steps(run):
    words = " ".join(run("cloak", "--help").out.split())
    more = (MEDIUM.rounds - 1) * MEDIUM.steps
    assert f"default: {MEDIUM.steps}, and up to {more} more for a photo that resists" in words


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("none",),
        ("cloak",),
        ("cloak", "a.jpg"),
        ("cloak", "a.jpg", "-o", "b", "--steps", "0"),
        ("cloak", "a.jpg", "-o", "b", "--steps", "1.5"),
        ("cloak", "a.jpg", "-o", "b", "--quality", "101"),
        ("cloak", "a.jpg", "-o", "b", "--budget", "0.5"),
        ("cloak", "a.jpg", "-o", "b", "--budget", "nan"),
        ("cloak", "a.jpg", "-o", "b", "--budget", "8", "--strength", "low"),
        ("cloak", "a.jpg", "-o", "b", "--strength", "extreme"),
        ("cloak", "a.jpg", "-o", "b", "--format", "gif"),
        ("cloak", "a.jpg", "-o", "b", "--engine", "none"),
        ("cloak", "a.jpg", "-o", "b", "--engine", "universal", "--steps", "5"),
        ("cloak", "a.jpg", "-o", "b", "--steps", "5", "--engine", "generator"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "1s", "--engine", "gradient"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "1s", "--steps", "5"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "0s"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "-1s"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "2m"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "nan"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "1e9"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", "3601s"),
        ("cloak", "a.jpg", "-o", "b", "--time-budget", ""),
        ("cloak", "a.jpg", "-o", "b", "--target-platform", "instagram"),
        ("cloak", "a.jpg", "-o", "b", "--target-platform", ""),
        ("cloak", "a.jpg", "-o", "b", "--target-platform", "long-1080-q75", "--quality", "75"),
        ("cloak", "a.jpg", "-o", "b", "--target-platform", "long-1080-q75", "--format", "png"),
        ("cloak", "a.jpg", "-o", "b", "--format", "webp", "--target-platform", "long-1080-q75"),
        ("classify", "a.jpg", "--top", "0"),
        ("bench", "--threads", "1,x"),
        ("bench", "--seconds", "inf"),
        ("bench", "--photos", "1,x"),
        ("bench", "--plot", "a.jpg"),
        ("bench", "--graph", "objects", "--engine", "gradient"),
        ("bench", "--compare", "a.json"),
        ("bench", "--compare", "a.json", "b.json", "--photos", "1"),
        ("bench", "--fail-on-slower"),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(run, words):
    result = run(*words)
    assert result.code == 2
    assert result.out == ""
    assert re.fullmatch(r"petalveil: .*; see petalveil.* --help\n", result.err)


def test_help_loads_nothing_heavy():
    code = "import sys; from mobile_app.__main__ import main\ntry: main(['cloak', '--help'])\nfinally: " + (
        "assert not {'numpy', 'PIL', 'onnxruntime', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=True, stdout=subprocess.DEVNULL)


def test_cloak_loads_no_progress_bar_that_nobody_sees(make_photo, tmp_path):
    code = "import sys; from mobile_app.__main__ import main; assert main(sys.argv[1:]) == 0; assert 'rich' not in " + (
        "sys.modules"
    )
    command = [sys.executable, "-c", code, "cloak", str(make_photo("a.jpg")), "-o", str(tmp_path / "b.jpg")]
    subprocess.run([*command, "--steps", "1"], cwd=Path(__file__).parents[3], check=True, capture_output=True)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
def test_a_closed_pipe_is_no_traceback(make_photo):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "mobile_app", "classify", str(make_photo("a.jpg")), "--json"]
    result = subprocess.run(
        command, cwd=Path(__file__).parents[3], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_stdout_is_a_sentence(make_photo):
    command = [sys.executable, "-m", "mobile_app", "classify", str(make_photo("a.jpg"))]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command, cwd=Path(__file__).parents[3], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (1, "petalveil: No space left on device\n")


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_real_ctrl_c_ends_in_one_sentence(make_photo, tmp_path):
    for turn in range(30):
        make_photo(f"in/{turn}.jpg", turn=turn)
    # A program that a script starts in the background ignores Ctrl-C from the beginning, these tests among them.
    start = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start += "runpy.run_module('mobile_app', run_name='__main__')"
    command = [sys.executable, "-c", start, "cloak", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("out/*.jpg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.fullmatch(r"petalveil: stopped: \d+ of 30 photos are done; the same command goes on from there\n", err)
    assert not list((tmp_path / "out").glob("*.part"))
    for path in (tmp_path / "out").glob("*.jpg"):
        with Image.open(path) as image:
            image.load()
