"""Graphs that load and run, and the sentences for those that do not, in each runtime that a desk has."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import Port, available_backends, load_graph

ONE = np.float32([[1, 2]])


def test_a_graph_says_its_ports_and_computes(load, write):
    graph = load(write())
    assert graph.name == "log"
    assert graph.inputs == {"x": Port((1, 2), "float32")}
    assert graph.outputs == {"y": Port((1, 2), "float32")}
    np.testing.assert_allclose(graph.run({"x": ONE})["y"], np.log(ONE), rtol=1e-6)


def test_a_graph_names_what_computes_it(backend, write):
    assert load_graph(write(), backend=backend).runtime == available_backends()[backend]


def test_a_graph_can_be_given_a_name_and_threads(load, write):
    graph = load(write(), name="objects", threads=1)
    assert graph.name == "objects"
    assert graph.run({"x": ONE})["y"].shape == (1, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "int8", "uint8"])
def test_each_type_of_numbers_goes_in_and_out(load, write, dtype):
    graph = load(write("id.onnx", "Identity", dtype=dtype))
    given = np.array([[3, 100]], dtype)
    found = graph.run({"x": given})["y"]
    assert graph.inputs["x"].dtype == dtype
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, given)


def test_a_scalar_is_an_array_of_no_axes(load, write):
    graph = load(write("id.onnx", "Identity", shape=()))
    assert graph.inputs["x"] == Port((), "float32")
    assert graph.run({"x": np.array(2.5, np.float32)})["y"] == np.float32(2.5)


def test_a_length_that_the_graph_leaves_open_is_known_after_the_run(load, write):
    graph = load(write(shape=("n", 2)))
    assert graph.inputs == {"x": Port((-1, 2), "float32")}
    assert graph.run({"x": np.ones((3, 2), np.float32)})["y"].shape == (3, 2)
    np.testing.assert_allclose(graph.run({"x": ONE})["y"], np.log(ONE), rtol=1e-6)
    with pytest.raises(GraphError, match=r"expected input x as float32 \(-1, 2\), found float32 \(1, 3\)"):
        graph.run({"x": np.ones((1, 3), np.float32)})


def test_an_array_that_is_not_contiguous_is_read_in_its_order(load, write):
    graph = load(write("id.onnx", "Identity", shape=(2, 3)))
    given = np.arange(6, dtype=np.float32).reshape(3, 2).T
    np.testing.assert_array_equal(graph.run({"x": given})["y"], given)


def test_what_a_run_gave_is_not_changed_by_the_next(load, write):
    graph = load(write("id.onnx", "Identity"))
    first = graph.run({"x": ONE})["y"]
    graph.run({"x": ONE + 5})
    np.testing.assert_array_equal(first, ONE)
    first += 1  # the caller's own: it may be written to


def test_weights_in_a_file_beside_the_graph_are_found(load, write_network, tmp_path, monkeypatch):
    whole, parted = load(write_network("whole.onnx")), write_network("parted.onnx", beside=True)
    assert (tmp_path / "parted.onnx.weights").stat().st_size == 4 * 2 * 8 * 3 * 9
    monkeypatch.chdir("/")  # they are beside the graph, wherever the program was started
    image = np.random.default_rng(1).random((1, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(load(parted).run({"image": image})["out"], whole.run({"image": image})["out"])


def test_weights_that_are_not_beside_the_graph_are_missed(load, write_network, tmp_path):
    path = write_network(beside=True)
    (tmp_path / "net.onnx.weights").unlink()
    with pytest.raises(GraphError, match=r"net\.onnx: the runtime cannot load this graph"):
        load(path)


@pytest.mark.parametrize(("value", "what"), [(-1.0, "NaN"), (0.0, "infinity")])
def test_nan_or_infinity_from_a_graph_is_refused_by_the_output(load, write, value, what):
    with pytest.raises(GraphError, match="log: expected finite numbers in output y"):
        load(write()).run({"x": np.float32([[1, value]])})


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({}, "nothing"),
        ({"x": np.zeros((1, 3), np.float32)}, r"float32 \(1, 3\)"),
        ({"x": np.zeros((1, 2))}, r"float64 \(1, 2\)"),
        ({"x": np.zeros((1, 2), ">f4")}, r">f4 \(1, 2\)"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_name(load, write, inputs, found):
    with pytest.raises(GraphError, match=rf"log: expected input x as float32 \(1, 2\), found {found}"):
        load(write()).run(inputs)


def test_an_input_that_the_graph_does_not_have_is_refused_by_name(load, write):
    with pytest.raises(GraphError, match="log: expected the inputs x, found label as well"):
        load(write()).run({"x": ONE, "label": ONE})


def test_a_missing_graph_is_refused_by_name(load, tmp_path):
    with pytest.raises(GraphError, match=r"none\.onnx: expected a graph .* found none"):
        load(tmp_path / "none.onnx")


@pytest.mark.parametrize("data", [b"", b"not a graph", b"\x08\x09" * 50])
def test_a_file_that_is_no_graph_is_refused_by_name(load, tmp_path, data):
    (tmp_path / "broken.onnx").write_bytes(data)
    with pytest.raises(GraphError, match=r"broken\.onnx: the runtime cannot load this graph"):
        load(tmp_path / "broken.onnx")


def test_a_graph_cut_short_is_refused_by_name(load, write):
    path = write()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(GraphError, match=r"log\.onnx"):
        load(path)


def test_an_operator_that_the_runtime_lacks_is_refused(load, write):
    with pytest.raises(GraphError, match="NoSuchOperator"):
        load(write("new.onnx", "NoSuchOperator"))


def test_a_graph_of_words_is_refused(load, tmp_path, write):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(write("words.onnx", "Identity"))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.STRING
    onnx.save(model, tmp_path / "words.onnx")
    with pytest.raises(GraphError, match=r"words\.onnx: .*the type of x is not one of numbers"):
        load(tmp_path / "words.onnx")


def test_a_size_that_a_graph_promised_and_does_not_keep(write):
    """The C API is handed memory of that size and has to refuse; the wheel gives what there is."""
    path, given = write("promise.onnx", "Identity", shape=("n", 2), out=(1, 2)), np.ones((3, 2), np.float32)
    assert load_graph(path, backend="wheel").run({"x": given})["y"].shape == (3, 2)
    if "capi" in available_backends():
        with pytest.raises(GraphError, match="promise: the runtime stopped with an error"):
            load_graph(path, backend="capi").run({"x": given})


def test_an_error_while_running_is_a_sentence(load, tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, tensor = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "place"], ["y"])],
        "test",
        [helper.make_tensor_value_info("place", tensor.INT64, (1,))],
        [helper.make_tensor_value_info("y", tensor.FLOAT, (1,))],
        [onnx.numpy_helper.from_array(np.float32([1, 2]), "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "gather.onnx")
    graph = load(tmp_path / "gather.onnx")
    assert graph.run({"place": np.int64([1])})["y"] == 2
    with pytest.raises(GraphError, match=r"gather: the runtime stopped with an error .*(indices|index)"):
        graph.run({"place": np.int64([7])})
    assert graph.run({"place": np.int64([0])})["y"] == 1  # and it goes on
