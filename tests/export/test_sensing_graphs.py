"""The graphs of compressed sensing: faithful to torch, small, of standard operators, one with the tiles of the core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.contract import sensing_specs
from export.shipped import Photos, write_graph
from mobile_app.core.quality import psnr_db
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import reference_inputs
from mobile_app.core.sensing import DECODER, ENCODER, MEASURED_BY, TILE_PX, Codec, SensingConfig, measure, reconstruct
from mobile_app.core.sensing_format import MEASUREMENTS, RATES, STEP_UNIT
from training.models.sensing_photo import SensingCodec, with_edges

LARGEST_BYTES = 1_300_000


def random_codec(photo: np.ndarray) -> SensingCodec:
    """Samples what explains this photo; its deep part does something, by chance."""
    torch.manual_seed(0)
    codec = SensingCodec().eval()
    height, width = (side // 32 * 32 for side in photo.shape[:2])
    image = torch.from_numpy(photo[:height, :width].transpose(2, 0, 1)[None].astype(np.float32) / 255)
    codec.encoder.start_at_principal_components(image)
    codec.decoder.start_at(codec.encoder)
    with torch.no_grad():
        codec.decoder.deep[-1].weight.normal_(0, 0.02)
    return codec


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SensingCodec, list]:
    from skimage.data import chelsea

    codec = random_codec(chelsea())
    root = tmp_path_factory.mktemp("graphs")
    rows = [row for spec in sensing_specs(codec, {}) for row in write_graph(spec, root, {}, Photos())[0]]
    codec.float()
    return root, codec, rows


def test_both_graphs_are_as_torch_has_them_and_small(written: tuple[Path, SensingCodec, list]) -> None:
    root, _, rows = written
    assert [row.output for row in rows] == ["measurements"] * 2 + ["image"] * 2
    assert all(row.ok for row in rows)
    assert min(row.cosine for row in rows[::2]) > 0.999999
    assert sum((root / f"{name}.onnx").stat().st_size for name in (ENCODER, DECODER)) <= LARGEST_BYTES


def test_the_operators_are_standard_and_the_tile_is_fixed(written: tuple[Path, SensingCodec, list]) -> None:
    root, _, _ = written
    for name in (ENCODER, DECODER):
        model = onnx.load(root / f"{name}.onnx")
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        graph = load_graph(root / f"{name}.onnx")
        ports = {**graph.inputs, **graph.outputs}
        assert ports["measurements"].shape == (1, MEASUREMENTS, TILE_PX // 32, TILE_PX // 32)
        assert ports["image"].shape == (1, 3, TILE_PX, TILE_PX) if "image" in ports else True
        assert list(graph.run(reference_inputs(graph, TILE_PX))) == ["measurements" if name == ENCODER else "image"]


def test_the_two_graphs_know_each_other() -> None:
    first, second = sensing_specs(SensingCodec().eval(), {"known": 1}, sha256="ab")
    assert first.trained_on[MEASURED_BY] == second.trained_on[MEASURED_BY]
    assert first.trained_on["checkpoint sha256"] == "ab"
    other = SensingCodec().eval()
    assert sensing_specs(other, {})[0].trained_on[MEASURED_BY] != first.trained_on[MEASURED_BY]


@pytest.mark.parametrize("rate", RATES)
def test_a_photo_in_tiles_is_what_torch_makes_of_the_whole(
    written: tuple[Path, SensingCodec, list], chelsea: np.ndarray, rate: float
) -> None:
    root, codec, _ = written
    on_phone = Codec(model=bytes(4), load=lambda name: load_graph(root / f"{name}.onnx", threads=1))
    measured = measure(chelsea, on_phone, SensingConfig(rate=rate, step_levels=8))
    found = reconstruct(measured, on_phone)
    assert found.shape == chelsea.shape
    whole = torch.zeros(1, MEASUREMENTS, *measured.levels.shape[1:])
    luma, chroma = RATES[rate]
    values = torch.from_numpy(measured.levels * np.float32(measured.step * STEP_UNIT))
    whole[0, :luma], whole[0, 307 : 307 + chroma] = values[:luma], values[luma:]
    with torch.no_grad():
        wanted = with_edges(codec.decoder, whole)[0, :, :300, :451].clamp(0, 1)
    pixels = (wanted * 255).round().byte().permute(1, 2, 0).numpy()
    assert psnr_db(found, pixels) > 38  # weights of eight bits
    difference = np.abs(found.astype(int) - pixels)
    for seam in (208, 432):  # where tiles meet, the two differ by no more than elsewhere
        if seam < 451:
            assert difference[:, seam - 2 : seam + 2].mean() < 2 * difference.mean() + 0.2
