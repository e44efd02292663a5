"""`petalveil cloak --engine` and `--time-budget`: which engine runs, what the report says, and how it goes on.

The bundle here is the one that ships, with its object network as the only gradient graph, and a stand-in that writes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.progress import Progress

from mobile_app.cli import cloak_command, protect
from mobile_app.cli.arguments import parse
from mobile_app.cli.console import Console
from mobile_app.core import loading
from mobile_app.core.bundle import DEFAULT_ROOT
from mobile_app.core.cloak import MEDIUM
from mobile_app.core.engines import GradientEngine, UniversalEngine
from mobile_app.core.photo import decode
from mobile_app.core.runtime import Port, load_graph
from mobile_app.core.step import StepConfig

SIDE_PX = 64
ENGINES = ("gradient", "generator", "comreadv", "universal")


class Writer:
    """As much as the budget allows, everywhere upwards."""

    name = "writer"

    def __init__(self) -> None:
        self.inputs = {"image": Port((1, 3, SIDE_PX, SIDE_PX), "float32")}
        self.outputs = {"unit": Port((1, 1, SIDE_PX, SIDE_PX), "float32")}

    def run(self, inputs):
        return {"unit": np.ones((1, 1, SIDE_PX, SIDE_PX), np.float32)}


def write_engines(root: Path, engines: tuple[str, ...]) -> None:
    """Make the bundle at `root` one that has these engines and no others."""
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    graphs = {name: {**entry, "engine": None} for name, entry in manifest["graphs"].items() if name != "writer"}
    if "gradient" in engines:
        graphs["objects.gradient"]["engine"] = "gradient"
    if "comreadv" in engines:
        graphs["through"] = {**graphs["objects.gradient"], "engine": "comreadv"}
    if "generator" in engines:
        graphs["writer"] = {**graphs["objects.gradient"], "engine": "generator"}
    manifest["graphs"] = graphs
    manifest["universal"] = "pattern.png" if "universal" in engines else None
    pattern = np.random.default_rng(0).choice(np.uint8([1, 255]), (SIDE_PX, SIDE_PX))
    Image.fromarray(pattern).save(root / "pattern.png")
    data = (root / "pattern.png").read_bytes()
    manifest["files"]["pattern.png"] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not DEFAULT_ROOT.is_dir():
        pytest.skip("needs mobile_app/bundle; run `make bundle`")
    return Path(shutil.copytree(DEFAULT_ROOT, tmp_path_factory.mktemp("engines") / "bundle"))


@pytest.fixture
def bundle(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with all engines."""

    def load(path, *, name, threads):
        return Writer() if name == "writer" else load_graph(path, name=name, threads=threads)

    monkeypatch.setattr(loading, "load_graph", load)
    write_engines(copied, ENGINES)
    return copied


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """The time always suffices for the universal perturbation alone; [(seconds, megapixels) it was asked for]."""
    asked: list[tuple[float, float]] = []

    def engine_within(bundle, seconds, megapixels, config, *, load):
        asked.append((seconds, megapixels))
        return UniversalEngine(bundle.universal_pattern()), config

    monkeypatch.setattr(protect, "engine_within", engine_within)
    return asked


def report_of(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


# --engine


@pytest.mark.parametrize(("engine", "words", "steps"), [("gradient", ("--steps", 2), 2), ("generator", (), None)])
def test_an_engine_cloaks_inside_the_budget_and_is_named(run, make_photo, bundle, tmp_path, engine, words, steps):
    check_engine(run, make_photo, bundle, tmp_path, engine, words, steps)


def test_comreadv_cloaks_inside_the_budget_and_its_steps_are_counted(run, make_photo, bundle, tmp_path):
    check_engine(run, make_photo, bundle, tmp_path, "comreadv", ("--steps", 2), 2)


def test_the_universal_engine_cloaks_inside_the_budget_and_is_named(run, make_photo, bundle, tmp_path):
    check_engine(run, make_photo, bundle, tmp_path, "universal", (), None)


def check_engine(run, make_photo, bundle, tmp_path, engine, words, steps) -> None:
    photo = make_photo("a.png")
    words = ("--engine", engine, "--bundle", bundle, "--strength", "low", "--report", "r.json", *words)
    result = run("cloak", photo, "-o", "b.png", *words)
    assert (result.code, result.err) == (0, "")
    assert (f", {engine}, 2 steps, " if steps else f", {engine}, ") in result.out
    change = np.abs(decode(tmp_path / "b.png").rgb_hwc.astype(int) - decode(photo).rgb_hwc)
    assert 0 < change.max() <= 4
    report = report_of(tmp_path / "r.json")
    (row,) = report["photos"]
    assert (row["engine"], row["steps"]) == (engine, steps)
    assert (report["settings"]["engine"], report["settings"]["time_budget_s"]) == (engine, None)


def test_without_engine_and_steps_it_is_the_gradient_engine_by_its_own_defaults_and_fewer_steps_go_as_far():
    settings = cloak_command._settings(parse(["cloak", "a.jpg", "-o", "b"]))
    assert settings.engine == "gradient"
    assert settings.step == MEDIUM == StepConfig(rounds=3)
    few = cloak_command._settings(parse(["cloak", "a.jpg", "-o", "b", "--steps", "5", "--strength", "low"]))
    assert few.step == StepConfig(steps=5, budget_levels=4, whole_at=3.0 * 5 / 19)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_the_bundle_lacks_is_one_sentence_before_anything_is_written(
    run, make_photo, bundle, tmp_path, engine
):
    others = tuple(name for name in ENGINES if name != engine)
    write_engines(bundle, others)
    make_photo("in/b.jpg", turn=1)
    make_photo("in/a.jpg")
    result = run("cloak", "in", "-o", "out", "--engine", engine, "--bundle", bundle)
    assert result.code == 1
    assert result.err == (
        f"petalveil: engine {engine}: expected one that the bundle has, which is {' or '.join(others)}; "
        "choose another or restore the bundle\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_time_budget_without_any_engine_is_one_sentence_before_anything_is_written(run, make_photo, bundle, tmp_path):
    write_engines(bundle, ())
    result = run("cloak", make_photo("a.jpg"), "-o", "out", "--time-budget", "1s", "--bundle", bundle)
    assert (result.code, result.err.count("\n")) == (1, 1)
    assert "expected an engine in the bundle, found none" in result.err
    assert not (tmp_path / "out").exists()


def test_another_engine_is_another_job(run, make_photo, bundle):
    photo = make_photo("a.jpg")
    words = ("-o", "out", "--bundle", bundle, "--engine")
    assert run("cloak", photo, *words, "universal").code == 0
    assert "done before" in run("cloak", photo, *words, "universal").out
    assert "already exists" in run("cloak", photo, *words, "generator").err


def test_the_bar_comes_to_its_end_whatever_the_engine_takes(run, make_photo, bundle, monkeypatch):
    seen: list[tuple[int, int]] = []

    class Watched:
        def __enter__(self):
            return lambda _name, _done, step, steps: seen.append((step, steps))

        def __exit__(self, *_error):
            return None

    monkeypatch.setattr(Console, "progress", lambda *_: Watched())
    photo = make_photo("a.jpg")  # 96 x 64, so three squares of 64
    assert run("cloak", photo, "-o", "b.jpg", "--bundle", bundle, "--engine", "generator").code == 0
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_bar_waits_for_a_photo_that_gets_another_round_and_never_goes_back(monkeypatch):
    shown: list[float] = []
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(Progress, "update", lambda *_, completed, **__: shown.append(completed))
    with Console().progress(2) as on_step:
        for step, steps in ((1, 2), (2, 2), (3, 4), (4, 4)):
            on_step("a.jpg", 0, step, steps)
        on_step("b.jpg", 1, 1, 2)
    assert shown == [0.5, 1, 1, 1, 1.5]


# --time-budget


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("800ms", 0.8), ("1.5", 1.5), ("0.25s", 0.25), (" 2 ", 2), ("1ms", 0.001), ("3600", 3600)],
)
def test_a_time_is_read_in_seconds_or_milliseconds(text, seconds):
    assert parse(["cloak", "a.jpg", "-o", "b", "--time-budget", text]).time_budget == pytest.approx(seconds)


def test_a_time_budget_is_measured_at_the_first_photo_and_holds_for_all(run, make_photo, bundle, within, tmp_path):
    make_photo("in/a.jpg")
    make_photo("in/b.jpg", turn=1)
    result = run("cloak", "in", "-o", "out", "--time-budget", "800ms", "--bundle", bundle, "--report", "r.json")
    assert (result.code, result.err) == (0, "")
    assert within == [(0.8, pytest.approx(96 * 64 / 1e6))]
    report = report_of(tmp_path / "r.json")
    assert [(row["engine"], row["steps"]) for row in report["photos"]] == [("universal", None)] * 2
    assert (report["settings"]["engine"], report["settings"]["time_budget_s"]) == (None, 0.8)


def test_fewer_steps_that_fit_are_those_of_the_row(run, make_photo, bundle, monkeypatch, tmp_path):
    def engine_within(bundle, seconds, megapixels, config, *, load):
        return loading.load_engine(bundle, load=load), StepConfig(steps=3, budget_levels=config.budget_levels)

    monkeypatch.setattr(protect, "engine_within", engine_within)
    words = ("--time-budget", "3600s", "--budget", 6, "--bundle", bundle, "--report", "r.json")
    result = run("cloak", make_photo("a.jpg"), "-o", "b.jpg", *words)
    assert ", 6 levels, gradient, 3 steps, " in result.out
    assert "over the time budget" not in result.out
    (row,) = report_of(tmp_path / "r.json")["photos"]
    assert (row["engine"], row["steps"], row["budget_levels"]) == ("gradient", 3, 6)


def test_the_same_time_budget_goes_on_though_the_machine_would_choose_another_engine(
    run, make_photo, bundle, within, monkeypatch, tmp_path
):
    make_photo("in/a.jpg")
    make_photo("in/b.jpg", turn=1)
    words = ("cloak", "in", "-o", "out", "--bundle", bundle, "--report")
    assert run(*words, "1.json", "--time-budget", "1s").code == 0
    (tmp_path / "out" / "b.cloaked.jpg").unlink()

    def idle_machine(bundle, seconds, megapixels, config, *, load):
        return loading.load_engine(bundle, load=load), StepConfig(steps=1)

    monkeypatch.setattr(protect, "engine_within", idle_machine)
    result = run(*words, "2.json", "--time-budget", "1000ms")
    assert (result.code, result.err) == (0, "")
    assert [("done before" in line) for line in result.out.splitlines()] == [True, False]
    rows = report_of(tmp_path / "2.json")["photos"]
    assert [(row["engine"], row["steps"]) for row in rows] == [("universal", None), ("gradient", 1)]


@pytest.mark.parametrize("words", [("--time-budget", "2s"), ("--engine", "universal"), ()])
def test_another_time_or_an_engine_by_name_is_another_job(run, make_photo, bundle, within, words):
    photo = make_photo("a.jpg")
    assert run("cloak", photo, "-o", "out", "--bundle", bundle, "--time-budget", "1s").code == 0
    result = run("cloak", photo, "-o", "out", "--bundle", bundle, *words)
    assert result.code == 1
    assert "already exists" in result.err


def test_the_clock_decides_in_earnest(run, make_photo, bundle, monkeypatch):
    """A thousandth of a second is enough for no gradient on any machine."""
    calls = []
    perturb = GradientEngine.perturb

    def counted(self, *args, **kwargs):
        calls.append(1)
        return perturb(self, *args, **kwargs)

    monkeypatch.setattr(GradientEngine, "perturb", counted)
    result = run("cloak", make_photo("a.jpg"), "-o", "b.jpg", "--bundle", bundle, "--time-budget", "1ms")
    assert (result.code, result.err) == (0, "")
    assert ", universal, " in result.out
    assert len(calls) == 1  # the measurement
    assert result.out.endswith(" s; over the time budget\n")  # decoding alone takes longer
