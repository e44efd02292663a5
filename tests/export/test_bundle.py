"""The bundle that ships is the one that this code makes: exported anew and compared file by file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.bundle import make_bundle
from export.contract import FOLLOWED, SHIPPED
from export.errors import ExportError
from export.parity import ParityRow, cosine
from mobile_app.core.bundle import DEFAULT_ROOT, MANIFEST, load_bundle, sample
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import LOWEST_COSINE_IN_STEPS, reference_inputs

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

LIMIT_BYTES = 30_000_000
NAMES = [spec.name for spec in SHIPPED]
ALL_NAMES = list(load_bundle().graphs)
OUTPUTS = {
    "classify": {"logits"},
    "generate": {"unit"},
    "gradient": {"logits", "grad"},
    "measure": {"measurements"},
    "reconstruct": {"image"},
    "shield": {"shielded"},
}


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ParityRow], list[str]]:
    """(folder, parity rows, lines reported) of a bundle made by this code."""
    root = tmp_path_factory.mktemp("made") / "bundle"
    lines: list[str] = []
    return root, make_bundle(root, lines.append), lines


def test_files_are_those_that_ship(anew) -> None:
    assert _names(anew[0]) == _names(DEFAULT_ROOT)


@pytest.mark.parametrize("weights", sorted({spec.weights for spec in SHIPPED if spec.weights}))
def test_weights_are_those_that_ship_to_the_byte(weights: str, anew) -> None:
    assert _sha256(anew[0] / weights) == _sha256(DEFAULT_ROOT / weights)


@pytest.mark.parametrize("name", NAMES)
def test_graph_gives_what_the_shipped_one_gives(name: str, anew) -> None:
    found, shipped = (_outputs(root, name) for root in (anew[0], DEFAULT_ROOT))
    assert found.keys() == shipped.keys()
    for output, array in shipped.items():
        assert cosine(found[output].reshape(-1), array.reshape(-1)) >= _lowest(output), output


@pytest.mark.parametrize("name", ALL_NAMES)
def test_shipped_graph_gives_its_reference_outputs(name: str) -> None:
    bundle = load_bundle()
    reference = bundle.reference_outputs()
    for output, array in _outputs(DEFAULT_ROOT, name).items():
        assert cosine(sample(array), reference[f"{name}/{output}"]) >= _lowest(output), output


@pytest.mark.parametrize("name", ALL_NAMES)
def test_shipped_graph_has_standard_operators_of_the_stated_opset_alone(name: str) -> None:
    bundle = load_bundle()
    model = onnx.load(bundle.path(name), load_external_data=False)
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", bundle.entry(name).opset)}
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions


@pytest.mark.parametrize("name", ALL_NAMES)
def test_shipped_graph_tells_nothing_about_the_machine_that_made_it(name: str) -> None:
    content = load_bundle().path(name).read_bytes()
    for telltale in (".py", "site-" + "packages", "File ", "/home/", "/" + "work", "/" + "root/"):
        assert telltale.encode() not in content


def test_bundle_is_small_enough() -> None:
    assert sum(path.stat().st_size for path in DEFAULT_ROOT.iterdir()) < LIMIT_BYTES


def test_manifest_lists_every_file_with_its_hash() -> None:
    manifest = json.loads((DEFAULT_ROOT / MANIFEST).read_text(encoding="utf-8"))
    assert set(manifest["files"]) == set(_names(DEFAULT_ROOT)) - {MANIFEST}
    for name, facts in manifest["files"].items():
        assert facts == {"sha256": _sha256(DEFAULT_ROOT / name), "bytes": (DEFAULT_ROOT / name).stat().st_size}


@pytest.mark.parametrize("name", ALL_NAMES)
def test_manifest_says_where_a_graph_comes_from_and_how_faithful_it_is(name: str) -> None:
    entry = load_bundle().entry(name)
    assert all((entry.source, entry.licence, entry.command, entry.precision, entry.task))
    rows = entry.metrics["parity"]
    outputs = OUTPUTS[entry.task] | ({"evidence"} if entry.species and entry.task == "classify" else set())
    assert {row["output"] for row in rows} == outputs
    stages = 1 if entry.task == "generate" else 2  # before and after the weights were rounded; its own already are
    assert len(rows) == stages * len(outputs)
    assert all(row["cosine"] >= row["lowest_cosine"] and row["images"] >= 2 for row in rows)


def test_model_card_has_a_section_for_every_graph_and_says_what_the_robust_ones_are_for() -> None:
    card = (DEFAULT_ROOT / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")][: len(ALL_NAMES)] == ALL_NAMES
    assert "tuned here on photos of flowers" in card
    assert "- codec jpeg:30:420, photos 33, mae levels 2.942, " in card  # the rows of a table, a line each


def test_graphs_that_cloaks_follow_come_in_the_engine_s_order_though_some_are_kept(anew) -> None:
    followed = [name for name, entry in load_bundle(anew[0]).graphs.items() if entry.engine == "gradient"]
    assert tuple(followed) == FOLLOWED


def test_the_generator_reads_its_weights_in_the_files_of_what_it_is_made_of() -> None:
    bundle = load_bundle()
    entry = bundle.entry("generator")
    assert set(entry.data) == {"efficientnet_lite0.weights", *(f"{name}.onnx" for name in FOLLOWED)}
    assert bundle.path("generator").stat().st_size < 600_000


@pytest.mark.parametrize("root", ["shipped", "anew"])
def test_the_network_behind_the_stand_in_reads_its_weights_where_that_without_one_has_them(root: str, anew) -> None:
    """Kept beside weights that were made anew it finds them there, or its answers would be others."""
    bundle = load_bundle(anew[0] if root == "anew" else DEFAULT_ROOT)
    entry = bundle.entry("commodel.gradient")
    assert (entry.data, entry.engine) == (("efficientnet_lite0.weights",), "comreadv")
    assert bundle.path(entry.name).stat().st_size < 300_000
    for output, array in _outputs(bundle.root, entry.name).items():
        assert cosine(sample(array), load_bundle().reference_outputs()[f"{entry.name}/{output}"]) >= 0.9999


def test_every_parity_row_passes_and_is_reported(anew) -> None:
    _, rows, lines = anew
    assert rows
    assert all(row.ok for row in rows)
    assert len(lines) == len(rows)


def test_unfaithful_graph_is_refused_and_the_bundle_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "bundle"
    root.mkdir()
    (root / "mine.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr("export.graphs.SHIPPED", (replace(SHIPPED[0], lowest_cosine=1.01),))
    with pytest.raises(ExportError, match=r"^objects: output logits has cosine .*expected at least 1\.01"):
        make_bundle(root, lambda _: None)
    assert (root / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def _lowest(output: str) -> float:
    """Of a cosine, on this machine or another; the bundle's `unit` is that of a graph that takes steps."""
    return LOWEST_COSINE_IN_STEPS if output == "unit" else 0.9999


def _names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _outputs(root: Path, name: str) -> dict[str, np.ndarray]:
    graph = load_graph(root / f"{name}.onnx", threads=1)
    return graph.run(reference_inputs(graph, load_bundle(root).entry(name).size_px))
