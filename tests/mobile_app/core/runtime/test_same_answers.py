"""The wheel and the C API on the same photo: the same ports and the same bits, for every graph that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.bundle import load_bundle
from mobile_app.core.preprocess import from_uint8
from mobile_app.core.runtime import available_backends, load_graph
from mobile_app.core.selftest import reference_inputs

pytestmark = pytest.mark.skipif("capi" not in available_backends(), reason="the wheel here has no library beside it")


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture(scope="module")
def photo(root: Path) -> Image.Image:
    """One of the app's own sample photos."""
    return Image.open(sorted((root / "mobile_app" / "samples").glob("*.jpg"))[0]).convert("RGB")


def test_there_are_graphs_to_compare(bundle):
    assert {"float16", "int8", "int8 weights"} <= {entry.precision for entry in bundle.graphs.values()}


@pytest.mark.parametrize("name", sorted(load_bundle().graphs))
@pytest.mark.parametrize("threads", [1, 2])
def test_a_graph_of_the_bundle_gives_the_same_bits(bundle, photo, name, threads):
    wheel, c_api = (load_graph(bundle.path(name), threads=threads, backend=backend) for backend in ("wheel", "capi"))
    assert list(wheel.inputs.items()) == list(c_api.inputs.items())
    assert list(wheel.outputs.items()) == list(c_api.outputs.items())
    size_px = bundle.graphs[name].size_px
    inputs = reference_inputs(wheel, size_px)
    if "image" in inputs:
        inputs["image"] = from_uint8(np.asarray(photo.resize((size_px, size_px))))
    expected, found = wheel.run(inputs), c_api.run(inputs)
    answer = next(output for output in ("logits", *expected) if output in expected)
    assert float(np.std(expected[answer])) > 0.05  # a graph that sees nothing agrees with anything
    for output, array in expected.items():
        assert found[output].dtype == array.dtype
        np.testing.assert_array_equal(found[output], array, err_msg=output)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("beside", [False, True])
def test_a_small_network_gives_the_same_bits(write_network, dtype, beside):
    path = write_network(dtype=dtype, beside=beside)
    image = np.random.default_rng(0).random((1, 3, 32, 32)).astype(dtype)
    expected, found = (load_graph(path, backend=name).run({"image": image})["out"] for name in ("wheel", "capi"))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_a_network_in_int8_gives_the_same_bits(write_network, tmp_path):
    quantisation = pytest.importorskip("onnxruntime.quantization")

    class Photos(quantisation.CalibrationDataReader):
        left = 4

        def get_next(self):
            self.left -= 1
            return {"image": np.random.default_rng(self.left).random((1, 3, 32, 32), np.float32)} if self.left else None

    quantisation.quantize_static(write_network(), tmp_path / "int8.onnx", Photos())
    image = np.random.default_rng(9).random((1, 3, 32, 32), np.float32)
    graphs = [load_graph(tmp_path / "int8.onnx", backend=backend) for backend in ("wheel", "capi")]
    expected, found = (graph.run({"image": image})["out"] for graph in graphs)
    whole = load_graph(tmp_path / "net.onnx").run({"image": image})["out"]
    assert 0 < np.abs(expected - whole).max() < 0.1  # it is in int8, and the same network
    np.testing.assert_array_equal(found, expected)
