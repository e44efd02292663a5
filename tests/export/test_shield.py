"""The shield's graphs: two sizes on one file of weights, what torch computes, and no net that a phone cannot run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.bundle import make_bundle
from export.contract import GraphSpec, shield_specs
from export.errors import ExportError
from export.graphs import Checkpoints
from export.parity import ParityRow
from export.shipped import Photos, write_graph
from mobile_app.core.bundle import reference_image
from mobile_app.core.runtime import load_graph
from mobile_app.core.shield import MARGIN_PX, shielded
from training.models.comdefend import ComDefend, ComDefendConfig, build_comdefend, save_comdefend


@pytest.fixture(scope="module")
def model() -> ComDefend:
    return build_comdefend(ComDefendConfig(code_bits=4, width=16, blocks=1), seed=5)


@pytest.fixture(scope="module")
def written(model: ComDefend, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ParityRow]]:
    root = tmp_path_factory.mktemp("shield")
    stores: dict = {}
    rows = [row for spec in shield_specs(model, {"a": 1}) for row in write_graph(spec, root, stores, Photos())[0]]
    return root, rows


def test_both_sizes_are_faithful_and_share_their_weights(written: tuple[Path, list[ParityRow]]) -> None:
    root, rows = written
    assert len(rows) == 4
    assert all(row.ok and row.output == "shielded" for row in rows)
    assert sorted(path.name for path in root.iterdir()) == ["shield.256.onnx", "shield.onnx", "shield.weights"]


@pytest.mark.parametrize(("name", "size_px"), [("shield", 224), ("shield.256", 256)])
def test_a_graph_gives_what_the_model_gives(
    name: str, size_px: int, model: ComDefend, written: tuple[Path, list[ParityRow]]
) -> None:
    image = reference_image(size_px)
    with torch.no_grad():
        wanted = model(torch.from_numpy(image)).numpy()
    found = load_graph(written[0] / f"{name}.onnx").run({"image": image})["shielded"]
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).mean() < 0.01


def test_tiles_give_what_the_whole_picture_gives(
    model: ComDefend, written: tuple[Path, list[ParityRow]], rng: np.random.Generator
) -> None:
    image = rng.random((1, 3, 300, 210), np.float32)
    found = shielded(image, load_graph(written[0] / "shield.onnx"))
    around = np.pad(image, ((0, 0), (0, 0), (MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX)), mode="edge")
    with torch.no_grad():
        wanted = model(torch.from_numpy(around)).numpy()[:, :, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    by_row = np.abs(found - wanted).mean((0, 1, 3))
    assert by_row.max() < 0.01  # rounded weights turn a bit here and there; a seam would be a whole row of another kind
    assert by_row[184:200].max() < 3 * by_row.mean() + 1e-4  # tiles meet at 192


def test_operators_are_standard(written: tuple[Path, list[ParityRow]]) -> None:
    graph = onnx.load(written[0] / "shield.onnx", load_external_data=False).graph
    assert {node.domain for node in graph.node} == {""}
    assert "Greater" in {node.op_type for node in graph.node}


def test_specs_leave_the_model_as_it_is(model: ComDefend) -> None:
    specs: tuple[GraphSpec, ...] = shield_specs(model, {})
    specs[0].modules()[1].double()
    assert next(model.parameters()).dtype == torch.float32


def test_the_published_net_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.pt"
    save_comdefend(path, build_comdefend(ComDefendConfig(net="published")), {})
    with pytest.raises(ExportError, match="expected the net `phone`, found `published`"):
        make_bundle(tmp_path / "bundle", checkpoints=Checkpoints(shield=path))
