"""The comparison of precisions: its rule and numbers by hand, and a run that is stopped and goes on."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import export.compare.graph
import export.compare.run
import export.shipped
from export.__main__ import main
from export.bundle import make_bundle
from export.compare.cells import Cells
from export.compare.cloaks import engines
from export.compare.config import CompareConfig
from export.compare.graph import graph_path
from export.compare.measure import exact_outputs, interleaved_ms, parity, sign_agreement
from export.compare.photos import calibration_images, labelled_photos, sample_crops
from export.compare.run import compare_precisions
from export.compare.table import Row, as_csv, as_markdown, objection, with_verdicts
from export.contract import GraphSpec
from export.errors import ExportError
from export.precisions.variants import Variant
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from mobile_app.core.runtime import Port
from training.models.calibrate import calibrate

SIZE_PX = 32
PRECISIONS = ("float32", "float16", "int8 weights", "int8")


class _Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, stride=4, padding=1)
        self.norm = nn.BatchNorm2d(32)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.head = nn.Linear(32, 40)

    def forward(self, image: Tensor) -> Tensor:
        x = nn.functional.relu6(self.norm(self.first(image)))
        return self.head(nn.functional.relu6(self.second(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def spec() -> GraphSpec:
    """A classifier that is exported in a second."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = calibrate(_Network(), size_px=SIZE_PX)
    return GraphSpec(
        name="small", task="classify", network="none", one_pass=network, size_px=SIZE_PX, source="here", licence="none",
        weights="small.weights",
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled photos: crops of the sample pictures."""
    root = tmp_path_factory.mktemp("labelled")
    lines = ["file,class_index"]
    for index, crop in enumerate(sample_crops(12, np.random.default_rng(3))):
        Image.fromarray(crop).resize((64, 64)).save(root / f"{index}.png")
        lines.append(f"{index}.png,{index % 3}")
    (root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return root


def test_run_writes_every_precision_and_a_second_run_makes_nothing(
    spec: GraphSpec, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.setattr(export.compare.run, "graphs", lambda *_given: [spec])
    monkeypatch.setattr(export.compare.run, "_shipped", lambda: {"small": ["float16"]})
    config = _config(tmp_path, folder)
    calls: list[str] = []
    real = export.compare.graph.write_variant

    def stopped(plain: Path, out: Path, precision: str, **options: Any) -> Variant:
        calls.append(precision)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(plain, out, precision, **options)

    monkeypatch.setattr(export.compare.graph, "write_variant", stopped)
    with pytest.raises(KeyboardInterrupt):
        compare_precisions(config, facts={}, report=lambda _line: None)
    assert not (tmp_path / "out" / "table.md").exists()
    rows = compare_precisions(config, facts={"made by": "a test"}, report=lambda _line: None)
    assert calls == ["float32", "float16", "int8 weights", "int8 weights", "int8"]  # the first two are kept
    assert [row.precision for row in rows] == list(PRECISIONS)
    assert all(row.failure == "" and row.parity_ok for row in rows)
    assert [row.ships_now for row in rows] == [False, True, False, False]
    assert rows[0].accuracy["top1"] == 1
    assert rows[0].parity["logits"]["images"] == rows[3].parity["logits"]["images"] + 1  # int8 sees photos alone
    assert all((tmp_path / "out" / "graphs" / f"small.{name.replace(' ', '-')}.onnx").is_file() for name in PRECISIONS)
    table = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "- made by: a test" in table
    assert "| **float16** |" in table
    assert len(json.loads((tmp_path / "out" / "table.json").read_text(encoding="utf-8"))["rows"]) == 4

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    for name in ("write_variant", "export_spec", "exact_outputs", "answers", "interleaved_ms"):
        monkeypatch.setattr(export.compare.graph, name, never)
    assert compare_precisions(config, facts={}, report=lambda _line: None) == rows
    graph_path(tmp_path / "out" / "graphs", "small", "int8").unlink()
    with pytest.raises(AssertionError, match="made again"):
        compare_precisions(config, facts={}, report=lambda _line: None)


def test_command_refuses_unknown_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--precisions", "float32", "int3", "--out", str(tmp_path)]) == 1
    assert "precisions: expected some of float32, float16" in capsys.readouterr().err
    assert main(["compare", "--precisions", "int8", "--out", str(tmp_path)]) == 1
    assert "expected float32 among them" in capsys.readouterr().err
    assert main(["compare", "--graphs", "bears", "--out", str(tmp_path)]) == 1
    assert "--graphs bears: expected some of objects" in capsys.readouterr().err


# Nothing ships whose parity row fails: the bundle is made by write_graph, which has the last word.
def test_bundle_is_refused_where_rounding_spoils_a_graph(
    spec: GraphSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    def spoil(model: Any) -> None:
        for value in model.graph.initializers.values():
            if value.const_value is not None and value.name.startswith("head"):
                value.const_value = type(value.const_value)(value.const_value.numpy()[::-1].copy(), name=value.name)

    monkeypatch.setattr("export.graphs.SHIPPED", (replace(spec, one_pass=copy.deepcopy(spec.one_pass)),))
    monkeypatch.setattr(export.shipped, "round_to_half", spoil)
    root = tmp_path / "bundle"
    with pytest.raises(ExportError, match=r"^small: output logits has cosine -?0\.\d+ with torch float64, as shipped"):
        make_bundle(root, lambda _line: None, present=tmp_path / "none")
    assert not root.exists()


def test_parity_row_with_nan_is_not_ok() -> None:
    assert not _row("float16", cosine=math.nan).parity_ok
    assert not replace(_row("float16"), parity={}).parity_ok


def test_smallest_that_is_fit_ships() -> None:
    rows = [
        _row("float32", size=400),
        _row("float16", size=200),
        _row("int8 weights", size=100, ratio=1.8),
        _row("float16 compute", size=100, agreed=0.9),
        _row("int8", size=90, cosine=0.5),
    ]
    verdicts = {row.precision: row.verdict for row in with_verdicts(rows)}
    assert verdicts["float16"] == "ships by the rule"
    assert verdicts["float32"] == "fit, but the set is larger or slower with it"
    assert verdicts["int8 weights"] == "1.80 times as slow as float32"
    assert verdicts["float16 compute"] == "names what float32 names on 90.0%, expected 95%"
    assert verdicts["int8"] == "parity: cosine 0.500, expected 0.9"


def test_weights_that_graphs_share_decide_for_the_set() -> None:
    """Alone int8 is the smaller one of each; together float16 is, whose weights are one and the same."""
    rows = [
        _row(precision, graph=graph, tensors=tensors)
        for graph in ("forward", "gradient")
        for precision, tensors in (("float16", {"weights": 150}), ("int8", {f"{graph} in int8": 100}))
    ]
    chosen = [(row.graph, row.precision) for row in with_verdicts(rows) if row.verdict == "ships by the rule"]
    assert chosen == [("forward", "float16"), ("gradient", "float16")]


def test_graphs_that_share_no_weights_are_chosen_apart() -> None:
    """All together there would be 4^20 sets to look at."""
    sizes = {"float32": 400, "float16": 200, "float16 compute": 199, "int8": 100}
    rows = [
        _row(precision, graph=f"graph {number}", tensors={f"{number} in {precision}": size})
        for number in range(20)
        for precision, size in sizes.items()
    ]
    chosen = [row.precision for row in with_verdicts(rows) if row.verdict == "ships by the rule"]
    assert chosen == ["int8"] * 20


def test_graphs_are_of_one_group_where_a_third_shares_weights_with_both() -> None:
    """Alone `a` is smaller as "int8"; as float16 it costs nothing, for `c` holds its weights, and those of `b`."""
    rows = [
        _row("float16", graph="a", tensors={"first": 150}),
        _row("int8", graph="a", tensors={"first in int8": 100}),
        _row("float16", graph="b", tensors={"second": 150}),
        _row("int8", graph="b", tensors={"second in int8": 100}),
        _row("float16", graph="c", tensors={"first": 150, "second": 150}),
    ]
    chosen = {row.graph: row.precision for row in with_verdicts(rows) if row.verdict == "ships by the rule"}
    assert chosen == {"a": "float16", "b": "float16", "c": "float16"}


def test_cloaks_are_made_by_the_engine_and_by_every_other_graph_that_can(spec: GraphSpec) -> None:
    followed = [replace(spec, name=name, task="gradient", engine="gradient") for name in ("one", "two")]
    alone = [
        replace(spec, name="through", task="gradient"),
        replace(spec, name="generator", task="generate", engine="generator"),
    ]
    none = [spec, replace(spec, name="shield", task="shield")]
    made = {name: [one.name for one in specs] for name, specs in engines([*none, *followed, *alone]).items()}
    assert made == {"engine": ["one", "two"], "through": ["through"], "generator": ["generator"]}
    assert engines(none) == {}


def test_command_fails_where_a_graph_of_the_bundle_fails_its_parity_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [replace(_row("float16", cosine=0.5), ships_now=True), _row("int8", cosine=0.5)]
    monkeypatch.setattr("export.compare.command.compare_precisions", lambda *_, **__: rows)
    assert main(["compare", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "export: graph in float16: in the bundle, but its parity row fails; make it anew\n"
    )
    rows[0] = replace(_row("float16"), ships_now=True)
    assert main(["compare", "--out", str(tmp_path)]) == 0


def test_of_sets_of_one_size_the_quicker_ships() -> None:
    rows = with_verdicts([_row("float16", size=200, ratio=1.05), _row("int8", size=201, ratio=0.5)])
    assert [row.verdict == "ships by the rule" for row in rows] == [False, True]


def test_what_makes_worse_cloaks_or_answers_must_not_ship() -> None:
    before, after = ({"lite2": {"counted": 10, "fooled": count, "attacked": False}} for count in (8, 6))
    attacked = {"lite0": {"counted": 10, "fooled": 0, "attacked": True}}
    reference = replace(_row("float32"), cloaks=before)
    assert "20% fewer" in objection(replace(_row("int8"), cloaks={**after, **attacked}), reference)
    assert objection(replace(_row("int8"), cloaks={**before, **attacked}), reference) == ""
    right = [
        replace(_row(name), accuracy={"top1": 1.0, "accuracy": share}) for name, share in (("a", 0.9), ("b", 0.88))
    ]
    assert objection(right[1], right[0]) == "88.0% right, against 90.0% in float32"
    assert objection(replace(_row("int8"), failure="no kernel"), reference) == "no kernel"


def test_tables_hold_every_row_and_name_what_stays_float() -> None:
    variant = Variant(bytes=10, tensors={}, in_int8=3, photos=9, in_float={"Mul: why": 2, "Conv: why": 1})
    rows = [_row("float32"), replace(_row("int8"), variant=variant), replace(_row("float16"), failure="none")]
    page = as_markdown(rows, {"date": "today"})
    assert "- 3 x Conv, Mul: why" in page
    assert "In int8: 3 operators, calibrated on 9 photos." in page
    lines = list(csv.DictReader(io.StringIO(as_csv(rows).decode())))
    assert [line["precision"] for line in lines] == ["float32", "int8", "float16"]
    assert lines[0]["logits_cosine"] == "0.99"


def test_cell_is_made_once_and_again_if_damaged_or_no_longer_valid(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    seen: list[str] = []
    cells = Cells(tmp_path, seen.append)
    assert [cells.get("kind", ["key"], make) for _ in range(2)] == [1, 1]
    assert cells.get("kind", ["other key"], make) == 2
    for path in tmp_path.iterdir():
        path.write_text("{", encoding="utf-8")
    assert cells.get("kind", ["key"], make) == 3
    assert cells.get("kind", ["key"], make, lambda content: content != 3) == 4
    assert seen == ["kind"] * 5


def test_signs_by_hand() -> None:
    assert sign_agreement(np.array([1.0, -2.0, 3.0, 5.0]), np.array([2.0, 2.0, 1.0, 0.0])) == pytest.approx(2 / 3)
    assert math.isnan(sign_agreement(np.ones(2), np.zeros(2)))


def test_graphs_are_timed_in_turn_and_compared_round_by_round() -> None:
    clock = [0.0]
    order: list[str] = []
    costs = {"float32": [9, 9, 1, 2, 4], "int8": [9, 9, 2, 1, 2]}  # seconds, the first two warm up
    graphs = {name: _Fake(name, costs[name], clock, order) for name in costs}
    found = interleaved_ms(graphs, {}, rounds=3, warm_ups=2, now=lambda: clock[0])
    assert order == ["float32", "int8"] * 5
    assert found["int8"] == {"median_ms": 2000.0, "least_ms": 1000.0, "ratio": 0.5}  # of 2/1, 1/2 and 2/4
    assert found["float32"]["ratio"] == 1


def test_parity_by_hand() -> None:
    graph = _Fake("any", [0, 0], [0.0], [], outputs=[np.array([3.0, 4.0]), np.array([1.0, 1.0])])
    exact = [{"logits": np.array([3.0, 4.0])}, {"logits": np.array([1.0, -1.0])}]
    row = parity(graph, [{}, {}], exact, ["logits"])["logits"]
    assert (row["images"], row["signs"]) == (2, 0.75)
    assert row["cosine"] == pytest.approx(0)
    assert row["median_cosine"] == pytest.approx(0.5)
    assert row["relative"] == pytest.approx(math.sqrt(2) / 2)


def test_graph_whose_logits_hardly_vary_is_refused(spec: GraphSpec) -> None:
    images = [{"image": np.full((1, 3, SIZE_PX, SIZE_PX), value, np.float32)} for value in (0.2, 0.8)]
    assert len(exact_outputs(spec, images)) == 2
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE_PX**2, 10)).eval()
    torch.nn.init.zeros_(flat[1].weight)
    with pytest.raises(ExportError, match=r"^small: logits vary by .* any two graphs agree"):
        exact_outputs(replace(spec, one_pass=flat), images)


def test_calibration_goes_through_the_preprocessing_of_the_phone(folder: Path) -> None:
    found = calibration_images(folder, size_px=16, crop=0.875, most=100, seed=0)
    wanted = [to_network_input(decode(path).rgb_hwc, 16, 0.875) for path in sorted(folder.glob("*.png"))]
    assert np.array_equal(np.concatenate(found), np.concatenate(wanted))
    assert len(calibration_images(folder, size_px=16, crop=1.0, most=5, seed=0)) == 4  # every third of twelve


def test_sample_crops_are_drawn_from_the_seed() -> None:
    first, again, other = (calibration_images(None, size_px=16, crop=1.0, most=8, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(np.concatenate(first), np.concatenate(other))
    assert {image.shape for image in first} == {(1, 3, 16, 16)}


def test_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="expected a folder with photos, found none"):
        calibration_images(tmp_path, size_px=16, crop=1.0, most=5, seed=0)


def test_labelled_photos_are_drawn_from_the_seed(folder: Path) -> None:
    first, again, other = (labelled_photos(folder, most=5, seed=seed) for seed in (0, 0, 1))
    assert [photo.name for photo in first] == [photo.name for photo in again] != [photo.name for photo in other]
    assert all(photo.label == int(photo.name.partition(".")[0]) % 3 for photo in first)
    assert labelled_photos(None, most=5, seed=0) == []


class _Fake:
    """A graph that takes as long as it is told."""

    def __init__(self, name: str, costs: list[int], clock: list[float], order: list[str], outputs: Any = None) -> None:
        self.name, self._costs, self._clock, self._order = name, iter(costs), clock, order
        self._outputs = iter(outputs or [])
        self.inputs: dict[str, Port] = {}
        self.outputs: dict[str, Port] = {}

    def run(self, inputs: Any, /) -> dict[str, np.ndarray]:
        self._clock[0] += next(self._costs)
        self._order.append(self.name)
        return {"logits": next(self._outputs, np.zeros(1))}


def _config(tmp_path: Path, folder: Path) -> CompareConfig:
    return CompareConfig(
        out=tmp_path / "out", precisions=PRECISIONS, labelled=folder, photos=6, cloaks=0, rounds=3, calibration_photos=9
    )


def _row(
    precision: str,
    *,
    graph: str = "graph",
    size: int = 100,
    tensors: dict[str, int] | None = None,
    cosine: float = 0.99,
    ratio: float = 1.0,
    agreed: float = 1.0,
) -> Row:
    tensors = tensors or {}
    return Row(
        graph=graph,
        task="classify",
        precision=precision,
        ships_now=False,
        variant=Variant(bytes=sum(tensors.values()) or size, tensors=tensors),
        lowest_cosine=0.9,
        lowest_agreement=0.95,
        parity={"logits": {"images": 3, "cosine": cosine, "median_cosine": cosine, "relative": 0.1, "signs": 1.0}},
        accuracy={"top1": agreed},
        latency={"median_ms": 2.0, "ratio": ratio},
    )
