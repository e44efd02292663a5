"""`petalveil bench`: what it measures, prints, writes, draws and compares."""

from __future__ import annotations

import io
import json
import re
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mobile_app.__main__ import main
from mobile_app.cli import bench_child, bench_command
from mobile_app.cli.bench_child import ChildError, measure_apart
from mobile_app.core import memory
from mobile_app.core.bench import BenchConfig, rows
from mobile_app.core.bench.schema import misfits
from mobile_app.core.bundle import DEFAULT_ROOT, MANIFEST, load_bundle
from mobile_app.core.cloak import MEDIUM
from mobile_app.core.step import with_steps

QUICK = ("--threads", "1", "--seconds", 0.05)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The JSON of one graph's result."""
    path = tmp_path_factory.mktemp("bench") / "a.json"
    assert main(["bench", "--graph", "objects", "--threads", "1", "--seconds", "0.3", "--json", str(path)]) == 0
    return path.read_text(encoding="utf-8")


@pytest.fixture
def measured(written: str) -> dict[str, Any]:
    """That result with the times of an idle machine: what is asked of `--compare` is not to hang on who else works."""
    result = json.loads(written)
    result["rows"] = [with_times(row, [10 + 0.1 * (run % 3) for run in range(30)]) for row in result["rows"]]
    return result


def with_times(row: dict[str, Any], times_ms: list[float]) -> dict[str, Any]:
    middle = statistics.median(times_ms)
    latency = {**dict.fromkeys(row["latency"], middle), "n": len(times_ms), "std_ms": 0.1}
    return {**row, "times_ms": times_ms, "latency": latency, "cpu_ms_per_run": middle, "waited_ms_per_run": 0.0}


def test_bench_prints_and_writes_figures_that_its_document_names(run, root, monkeypatch):
    monkeypatch.setattr(rows, "ONE_ROUND", with_steps(MEDIUM, 2))  # 19 take a second each time
    result = run("bench", *QUICK, "--photos", "none", "--json", "b.json", "--plot", "b.svg")
    assert result.code == 0, result
    content = json.loads(Path("b.json").read_text(encoding="utf-8"))
    assert list(misfits(content)) == []
    here = [(row["kind"], row["name"], row["megapixels"]) for row in content["rows"]]
    engines = [name for kind, name, _ in here if kind == "engine"]
    assert {"gradient", "universal"} <= set(engines)
    assert here == [
        *(("graph", name, None) for name in load_bundle().graphs),
        *(("engine", name, None) for name in engines),
    ]
    assert "objects.gradient takes" in result.out
    ratios = {(ratio["gradient"], ratio["forward"]) for ratio in content["gradient_by_forward"]}
    assert ("objects.gradient", "objects") in ratios
    _check_named_in(root / "docs" / "report.md", content)
    lines = [line for line in result.out.splitlines() if "not to be trusted" not in line]
    assert max(len(line) for line in lines) <= 100
    assert Path("b.svg").read_bytes().startswith(b"<svg")


def _check_photo(row: dict[str, Any]) -> None:
    assert set(row["parts_ms"]) == {"decode", "cloak", "encode", "write"}
    assert sum(row["parts_ms"].values()) == pytest.approx(row["latency"]["p50_ms"], rel=0.5)
    assert row["parity_ok"] is None
    if row["memory_before_mb"] is not None:
        assert row["memory_peak_mb"] >= row["memory_before_mb"]  # of its own process


def _check_named_in(document: Path, content: dict[str, Any]) -> None:
    text, row = document.read_text(encoding="utf-8"), content["rows"][0]
    parts = (content, content["environment"], content["settings"], row, row["latency"], row["parity"][0])
    fields = {field for part in (*parts, content["gradient_by_forward"][0]) for field in part} - {"output"}
    assert sorted(field for field in fields if f"`{field}`" not in text) == []


def test_bench_can_print_json_alone(run):
    content = run("bench", "--graph", "objects", "--threads", "1,1", "--seconds", 0.05, "--json", "-").json
    assert [row["name"] for row in content["rows"]] == ["objects"]
    assert content["gradient_by_forward"] == []


def test_bench_of_one_engine_measures_its_photos_alone(run):
    content = run("bench", "--engine", "universal", "--photos", "0.2,0.1", *QUICK, "--json", "-").json
    here = [(row["kind"], row["name"], row["megapixels"]) for row in content["rows"]]
    assert here == [("engine", "universal", None), ("photo", "universal", 0.2), ("photo", "universal", 0.1)]
    for row in content["rows"][1:]:
        _check_photo(row)
    assert list(misfits(content)) == []


def test_bench_overwrites_nothing(run, tmp_path):
    (tmp_path / "b.json").write_text("mine")
    assert run("bench", *QUICK, "--json", "b.json").code == 1
    assert run("bench", *QUICK, "--plot", "none/b.svg").code == 1
    assert (tmp_path / "b.json").read_text() == "mine"


def test_bench_of_what_is_not_there_names_what_is(run):
    result = run("bench", "--graph", "none")
    assert result.code == 1
    assert re.search(r"expected one of .*\bobjects\b", result.err)


def test_bench_of_an_engine_that_the_bundle_lacks_names_those_that_it_has(run, tmp_path):
    manifest = json.loads((DEFAULT_ROOT / MANIFEST).read_text(encoding="utf-8"))
    shutil.copytree(DEFAULT_ROOT, tmp_path / "bundle")
    del manifest["graphs"]["generator"]
    (tmp_path / "bundle" / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    result = run("bench", "--engine", "generator", "--bundle", "bundle")
    assert result.code == 1
    assert "gradient" in result.err


def test_rows_are_measured_apart_where_the_peak_cannot_be_forgotten(run, monkeypatch):
    monkeypatch.setattr(memory, "forget_peak", lambda: False)
    kinds = []

    def apart(job: dict[str, Any], config: BenchConfig) -> dict[str, Any]:
        kinds.append(job["kind"])
        return measure_apart(job, config)

    monkeypatch.setattr(bench_command, "measure_apart", apart)
    content = run("bench", "--engine", "universal", "--photos", "none", *QUICK, "--json", "-").json
    assert kinds == ["engine"]
    assert list(misfits(content)) == []


def test_what_stops_the_other_process_is_one_sentence():
    job = {"kind": "graph", "name": "none", "threads": 1, "bundle": str(DEFAULT_ROOT)}
    with pytest.raises(ChildError, match=r"^graph none: graph none: expected one of .*objects"):
        measure_apart(job, BenchConfig())


def test_a_process_that_dies_is_one_sentence(monkeypatch):
    monkeypatch.setattr(bench_child.sys, "executable", "/bin/false")
    with pytest.raises(ChildError, match=r"photo gradient: the process ended with 1; perhaps memory ran out"):
        measure_apart({"kind": "photo", "name": "gradient"}, BenchConfig())


def test_a_plot_is_a_picture_with_a_strip_a_row(run):
    assert run("bench", "--graph", "objects", "--threads", "1", "--seconds", 0.2, "--plot", "b.png").code == 0
    with Image.open(io.BytesIO(Path("b.png").read_bytes())) as image:
        assert (image.format, image.size) == ("PNG", (2000, 240))
        assert len(image.convert("RGB").getcolors(1 << 16) or ()) > 10


def test_compare_of_a_result_with_itself_says_that_nothing_changed(run, measured, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(measured))
    result = run("bench", "--compare", "a.json", "a.json", "--margin", 50, "--fail-on-slower")
    assert result.code == 0
    assert "0 slower, 0 faster" in result.out
    assert max(len(line) for line in result.out.splitlines() if not line.startswith("    ")) <= 100


def test_compare_finds_what_takes_twice_as_long_and_fails_where_asked(run, measured, tmp_path):
    after = {**measured, "rows": [with_times(row, [2 * ms for ms in row["times_ms"]]) for row in measured["rows"]]}
    (tmp_path / "a.json").write_text(json.dumps(measured))
    (tmp_path / "b.json").write_text(json.dumps(after))
    result = run("bench", "--compare", "a.json", "b.json")
    assert (result.code, "SLOWER" in result.out) == (0, True)
    assert run("bench", "--compare", "a.json", "b.json", "--fail-on-slower").code == 1
    assert run("bench", "--compare", "b.json", "a.json", "--fail-on-slower").code == 0


def test_compare_of_two_machines_says_so_and_never_calls_one_slower(run, measured, tmp_path):
    after = json.loads(json.dumps(measured))
    after["environment"]["cores"] = 999
    (tmp_path / "a.json").write_text(json.dumps(measured))
    (tmp_path / "b.json").write_text(json.dumps(after))
    result = run("bench", "--compare", "a.json", "b.json")
    assert result.code == 0
    assert "999 cores: what differs may be the machine" in result.out
    result = run("bench", "--compare", "a.json", "b.json", "--fail-on-slower")
    assert result.code == 1
    assert re.fullmatch(r"petalveil: a\.json is of .*; leave out --fail-on-slower\n", result.err)


def test_compare_of_a_file_that_is_no_result_is_one_sentence(run, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    result = run("bench", "--compare", "a.json", "b.json")
    assert (result.code, result.out) == (1, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith("petalveil: a.json: expected a result of the bench, found other JSON")
