"""The C API by ctypes: whose memory is whose, what is given back, and several threads at once."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mobile_app.core import memory
from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import available_backends, capi, load_graph
from mobile_app.core.runtime.capi_library import load_library
from mobile_app.core.runtime.capi_table import _RELEASES, OrtError, Table

pytestmark = pytest.mark.skipif("capi" not in available_backends(), reason="the wheel here has no library beside it")

ONE = np.float32([[1, 2]])


@pytest.fixture
def counted(monkeypatch) -> dict[str, int]:
    """How often each kind of thing was given back."""
    counts = dict.fromkeys((name.removeprefix("Release") for name in _RELEASES), 0)
    release = Table.release

    def count(self, kind, thing):
        counts[kind] += thing != 0
        release(self, kind, thing)

    monkeypatch.setattr(Table, "release", count)
    return counts


def test_the_library_writes_into_the_arrays_that_it_gives(write, monkeypatch):
    """No copy: the array that comes back is the memory that the library was handed."""
    handed = []
    value = capi._value

    def note(library, array, element_type):
        handed.append(array)
        return value(library, array, element_type)

    monkeypatch.setattr(capi, "_value", note)
    given = ONE.copy()
    found = load_graph(write(), backend="capi").run({"x": given})["y"]
    assert [np.shares_memory(array, known) for array, known in zip(handed, (given, found), strict=True)] == [True] * 2


def test_each_value_of_a_run_is_given_back(write, counted):
    graph = load_graph(write(), backend="capi")
    before = counted["Value"]
    graph.run({"x": ONE})
    assert counted["Value"] - before == 2


def test_each_value_is_given_back_where_the_size_was_open(write, counted):
    graph = load_graph(write(shape=("n", 2)), backend="capi")
    before = dict(counted)
    graph.run({"x": ONE})
    assert counted["Value"] - before["Value"] == 2
    assert counted["TensorTypeAndShapeInfo"] - before["TensorTypeAndShapeInfo"] == 1


def test_values_and_status_are_given_back_after_an_error(write, counted):
    graph = load_graph(write("promise.onnx", "Identity", shape=("n", 2), out=(1, 2)), backend="capi")
    before = dict(counted)
    with pytest.raises(GraphError, match="promise: the runtime stopped"):
        graph.run({"x": np.ones((3, 2), np.float32)})
    assert counted["Value"] - before["Value"] == 2
    assert counted["Status"] - before["Status"] == 1


def test_a_graph_that_does_not_load_leaves_nothing_behind(tmp_path, counted):
    (tmp_path / "broken.onnx").write_bytes(b"not a graph")
    with pytest.raises(GraphError):
        load_graph(tmp_path / "broken.onnx", backend="capi")
    assert (counted["Status"], counted["SessionOptions"], counted["Session"]) == (1, 1, 0)


def test_loading_gives_back_all_but_the_session_and_that_goes_with_the_graph(write, counted):
    graph = load_graph(write(), backend="capi")
    assert (counted["SessionOptions"], counted["TypeInfo"], counted["Session"]) == (1, 2, 0)
    del graph
    gc.collect()
    assert counted["Session"] == 1


def test_a_session_is_given_back_where_its_ports_are_refused(write, tmp_path, counted):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(write("words.onnx", "Identity"))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.STRING
    onnx.save(model, tmp_path / "words.onnx")
    with pytest.raises(GraphError):
        load_graph(tmp_path / "words.onnx", backend="capi")
    gc.collect()
    assert counted["Session"] == 1
    assert counted["TypeInfo"] == 1


def test_memory_stays_as_it_is_over_a_thousand_runs(write_network):
    if memory.resident_mb() is None:
        pytest.skip("this system does not tell how much memory is in use")
    graph = load_graph(write_network(side=64), threads=1, backend="capi")
    image = np.zeros((1, 3, 64, 64), np.float32)
    wrong = np.zeros((1, 3, 64, 65), np.float32)
    for _ in range(100):
        graph.run({"image": image})
    before_mb = memory.resident_mb()
    for _ in range(1000):
        graph.run({"image": image})
        with pytest.raises(GraphError):
            graph.run({"image": wrong})
    # Were the outputs alone not given back, it would be 47 MB more; without the values, some 0.3.
    assert memory.resident_mb() - before_mb < 4


def test_memory_stays_as_it_is_over_two_hundred_loads(write_network):
    if memory.resident_mb() is None:
        pytest.skip("this system does not tell how much memory is in use")
    path = write_network(side=16)
    for _ in range(30):
        load_graph(path, threads=1, backend="capi")
    before_mb = memory.resident_mb()
    for _ in range(200):
        load_graph(path, threads=1, backend="capi")
    assert memory.resident_mb() - before_mb < 8


def test_several_threads_may_run_one_graph(write_network):
    graph = load_graph(write_network(), backend="capi")
    images = np.random.default_rng(0).random((40, 1, 3, 32, 32), np.float32)
    alone = [graph.run({"image": image})["out"] for image in images]
    with ThreadPoolExecutor(4) as executor:
        together = list(executor.map(lambda image: graph.run({"image": image})["out"], images))
    np.testing.assert_array_equal(together, alone)


def test_a_graph_may_be_loaded_run_and_dropped_in_a_worker_thread(write_network):
    path = write_network()

    def work(seed: int) -> np.ndarray:
        image = np.random.default_rng(seed).random((1, 3, 32, 32), np.float32)
        return load_graph(path, backend="capi").run({"image": image})["out"]

    with ThreadPoolExecutor(3) as executor:
        together = list(executor.map(work, range(12)))
    np.testing.assert_array_equal(together, [work(seed) for seed in range(12)])


def test_another_thread_goes_on_while_a_graph_runs(write_network):
    graph = load_graph(write_network(side=512), threads=1, backend="capi")
    image = np.zeros((1, 3, 512, 512), np.float32)
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.perf_counter()
    graph._compute([image], [np.empty_like(image)])  # the call alone: NumPy's work around it holds the lock
    ended = time.perf_counter()
    done.set()
    thread.join()
    assert sum(started < tick < ended for tick in ticks) >= 3


def test_a_library_that_is_too_old_is_refused_before_anything_is_asked_of_it():
    with pytest.raises(GraphError, match=r"expected ONNX Runtime 1\.17 or newer, found 1\.16\.3"):
        Table(_Library(b"1.16.3"))


def test_a_status_becomes_an_error_with_the_words_of_the_library():
    table = Table(load_library())
    with pytest.raises(OrtError, match="nowhere"):
        table.make("CreateSession", table.make("CreateEnv", 3, b"test"), b"/nowhere", _options(table))


def _options(table: Table) -> int:
    return table.make("CreateSessionOptions")


class _Library:
    """OrtGetApiBase of a library of some version, which has no functions to give."""

    def __init__(self, version: bytes) -> None:
        get_api = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)
        get_version = ctypes.CFUNCTYPE(ctypes.c_void_p)
        self._version = ctypes.create_string_buffer(version)
        self._functions = get_api(self._fail), get_version(lambda: ctypes.addressof(self._version))
        self._base = (ctypes.c_void_p * 2)(*(ctypes.cast(f, ctypes.c_void_p).value for f in self._functions))
        base = ctypes.cast(self._base, ctypes.POINTER(ctypes.c_void_p))

        def entry():
            return base

        self.OrtGetApiBase = entry

    def _fail(self, version: int) -> None:
        raise AssertionError("nothing should be asked of it")
