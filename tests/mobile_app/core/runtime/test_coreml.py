"""Core ML against a stand-in for Apple's objects: what is sent and made of the answers, not the system itself."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mobile_app.core.errors import GraphError
from mobile_app.core.runtime import Port, load_graph
from mobile_app.core.runtime.coreml import CoreML
from mobile_app.core.runtime.objc import Objc

FLOAT32, FLOAT16, INT32 = 65568, 65552, 131104
NUMPY = {FLOAT32: np.float32, FLOAT16: np.float16, INT32: np.int32}
ONE = np.float32([[1, 2]])


class Apple(Objc):
    """Answers each message that coreml.py sends, from objects kept by their address; any other message is an error."""

    def __init__(self, inputs: dict, outputs: dict, compute: Callable[..., dict[str, np.ndarray]]) -> None:
        self.things: dict[int, Any] = {}
        self.model = SimpleNamespace(kind="model", inputs=inputs, outputs=outputs, compute=compute)
        self.sent: list[str] = []
        self.pools = 0
        self.held = 0  # retained, less released
        self.fail_with: dict[str, str] = {}  # selector -> what its NSError says

    def put(self, thing: Any) -> int:
        address = 1000 + len(self.things)
        self.things[address] = thing
        return address

    def send(self, receiver: int | str, selector: str, *arguments: int) -> int:
        assert self.pools, "outside a pool"
        self.sent.append(selector)
        if selector in self.fail_with:
            error = self.put(SimpleNamespace(said=self.fail_with[selector]))
            ctypes.cast(arguments[-1], ctypes.POINTER(ctypes.c_void_p))[0] = error
            return 0
        target = receiver if isinstance(receiver, str) else self.things.get(receiver)
        if target is None:
            return 0  # a message to nil
        result = getattr(self, "on_" + selector.rstrip(":").replace(":", "_"))(target, *arguments)
        return result if isinstance(result, int) else self.put(result)

    def retain(self, thing: int) -> int:
        self.held += 1
        return thing

    def release(self, thing: int) -> None:
        assert self.things[thing] is self.model
        self.held -= 1

    @contextmanager
    def pool(self):
        self.pools += 1
        try:
            yield
        finally:
            self.pools -= 1

    def text(self, string: int) -> str:
        return self.things[string]

    def string(self, text: str) -> int:
        return self.put(text)

    def array(self, things: Sequence[int]) -> int:
        return self.put([self.things[thing] for thing in things])

    def items(self, array: int) -> list[int]:
        return [self.put(item) for item in self.things[array]]

    def on_processInfo(self, target):
        return "process"

    def on_operatingSystemVersionString(self, target):
        return "Version 26.1 (Build 23B85)"

    def on_localizedDescription(self, error):
        return error.said

    def on_fileURLWithPath(self, target, path):
        return Path(self.things[path])

    def on_compileModelAtURL_error(self, target, url, error):
        return self.things[url].with_suffix(".mlmodelc")

    def on_new(self, target):
        return SimpleNamespace(kind=target)

    on_alloc = on_new

    def on_autorelease(self, target):
        return target

    def on_modelWithContentsOfURL_configuration_error(self, target, url, settings, error):
        assert self.things[url].suffix == ".mlmodelc"
        assert self.things[settings].kind == "MLModelConfiguration"
        return self.model

    def on_modelDescription(self, model):
        return model

    def on_inputDescriptionsByName(self, model):
        return model.inputs

    def on_outputDescriptionsByName(self, model):
        return model.outputs

    def on_allKeys(self, dictionary):
        return list(dictionary)

    def on_objectForKey(self, dictionary, key):
        return dictionary[self.things[key]]

    def on_type(self, feature):
        return 5 if feature else 3

    def on_multiArrayConstraint(self, feature):
        return feature

    def on_shape(self, thing):
        return list(thing[0]) if isinstance(thing, tuple) else list(thing.array.shape)

    def on_dataType(self, thing):
        return thing[1] if isinstance(thing, tuple) else thing.number

    def on_strides(self, thing):
        return [stride // thing.array.itemsize for stride in thing.array.strides]

    def on_dataPointer(self, thing):
        return thing.array.ctypes.data

    def on_longLongValue(self, number):
        return number

    def on_numberWithLongLong(self, target, number):
        return self.put(int(number))

    def on_initWithDataPointer_shape_dataType_strides_deallocator_error(
        self, target, pointer, shape, number, strides, block, error
    ):
        assert target.kind == "MLMultiArray"
        assert block == 0
        shape, strides, dtype = self.things[shape], self.things[strides], np.dtype(NUMPY[number])
        memory = (ctypes.c_char * int(np.prod(shape) * dtype.itemsize)).from_address(pointer)
        steps = [stride * dtype.itemsize for stride in strides]
        return SimpleNamespace(array=np.ndarray(shape, dtype, memoryview(memory), strides=steps), number=number)

    def on_featureValueWithMultiArray(self, target, array):
        return self.things[array]

    def on_dictionary(self, target):
        return {}

    def on_setObject_forKey(self, dictionary, value, key):
        dictionary[self.things[key]] = self.things[value]
        return 0

    def on_initWithDictionary_error(self, target, dictionary, error):
        assert target.kind == "MLDictionaryFeatureProvider"
        return self.things[dictionary]

    def on_predictionFromFeatures_error(self, model, provider, error):
        found = model.compute(**{name: value.array for name, value in self.things[provider].items()})
        numbers = {np.dtype(kind).name: number for number, kind in NUMPY.items()}
        return {name: SimpleNamespace(array=array, number=numbers[array.dtype.name]) for name, array in found.items()}

    def on_featureValueForName(self, result, name):
        return result.get(self.things[name], 0)

    def on_multiArrayValue(self, value):
        return value


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    (tmp_path / "log.mlmodelc").mkdir()
    return tmp_path / "log.mlmodelc"


def log_of(x: np.ndarray) -> dict[str, np.ndarray]:
    return {"y": np.log(x)}


def apple(compute=log_of, outputs=None) -> Apple:
    return Apple({"x": ((1, 2), FLOAT32)}, {"y": ((1, 2), FLOAT32)} if outputs is None else outputs, compute)


def load(system: Apple, path: Path):
    return CoreML(system).load(path, name="log", threads=None)


def test_a_graph_says_its_ports_and_computes(model_path):
    graph = load(apple(), model_path)
    assert graph.runtime == "Core ML, Version 26.1 (Build 23B85)"
    assert (graph.inputs, graph.outputs) == ({"x": Port((1, 2), "float32")}, {"y": Port((1, 2), "float32")})
    np.testing.assert_array_equal(graph.run({"x": ONE})["y"], np.log(ONE))


def test_core_ml_reads_the_memory_of_the_array_itself(model_path):
    places = []

    def note(x):
        places.append(x.ctypes.data)
        return log_of(x)

    given = ONE.copy()
    load(apple(note), model_path).run({"x": given})
    assert places == [given.ctypes.data]


def test_sizes_that_the_model_does_not_say_are_those_of_a_first_run(model_path):
    graph = load(apple(lambda x: {"y": x + np.ones((3, 1), np.float32)}, {"y": ((), FLOAT32)}), model_path)
    assert graph.outputs == {"y": Port((3, 2), "float32")}


def test_rows_with_gaps_between_them_are_read_as_rows(model_path):
    wide = np.zeros((2, 16), np.float16)
    wide[:, :3] = [[1, 2, 3], [4, 5, 6]]
    graph = load(apple(lambda x: {"y": wide[:, :3]}, {"y": ((2, 3), FLOAT16)}), model_path)
    found = graph.run({"x": ONE})["y"]
    assert found.dtype == np.float16
    assert found.tolist() == [[1, 2, 3], [4, 5, 6]]
    wide[:] = 0
    assert found.tolist() == [[1, 2, 3], [4, 5, 6]]  # a copy


def test_a_label_is_int64_outside_and_int32_inside(model_path):
    system = Apple({"label": ((1,), INT32)}, {"y": ((1,), INT32)}, lambda label: {"y": label + np.int32(1)})
    graph = load(system, model_path)
    assert graph.inputs == {"label": Port((1,), "int64")}
    found = graph.run({"label": np.int64([41])})["y"]
    assert (found.dtype, found.tolist()) == (np.int64, [42])


def test_a_package_is_compiled_and_a_compiled_model_is_not(tmp_path, model_path):
    system = apple()
    load(system, model_path)
    assert "compileModelAtURL:error:" not in system.sent
    (tmp_path / "raw.mlpackage").mkdir()
    load(system, tmp_path / "raw.mlpackage")
    assert "compileModelAtURL:error:" in system.sent


def test_the_model_beside_an_onnx_file_is_taken(tmp_path, model_path):
    (tmp_path / "log.onnx").write_bytes(b"")
    assert load(apple(), tmp_path / "log.onnx").run({"x": ONE})["y"].shape == (1, 2)
    with pytest.raises(GraphError, match=r"flowers\.onnx: Core ML needs flowers\.mlmodelc or flowers\.mlpackage at"):
        load(apple(), tmp_path / "flowers.onnx")


def test_the_model_in_the_folder_of_the_staged_app_is_taken(tmp_path):
    (tmp_path / "log.onnx").write_bytes(b"")
    (tmp_path / "coreml" / "log.mlpackage").mkdir(parents=True)
    system = apple()
    load(system, tmp_path / "log.onnx")
    assert "compileModelAtURL:error:" in system.sent


def test_a_model_that_does_not_load_is_refused_with_the_words_of_the_system(model_path):
    system = apple()
    system.fail_with["modelWithContentsOfURL:configuration:error:"] = "Unable to parse model"
    with pytest.raises(GraphError, match=r"log\.mlmodelc: the runtime cannot load this graph \(Unable to parse model"):
        load(system, model_path)


def test_a_run_that_fails_is_refused_and_the_next_one_works(model_path):
    system = apple()
    graph = load(system, model_path)
    system.fail_with["predictionFromFeatures:error:"] = "Error in ANE"
    with pytest.raises(GraphError, match=r"log: the runtime stopped with an error \(Error in ANE\)"):
        graph.run({"x": ONE})
    system.fail_with.clear()
    assert graph.run({"x": ONE})["y"].shape == (1, 2)


def test_an_output_that_is_no_array_is_refused(model_path):
    with pytest.raises(GraphError, match="log: expected output y as an array, found none"):
        load(apple(lambda x: {}), model_path).run({"x": ONE})
    with pytest.raises(GraphError, match="the type of y is not one of numbers"):
        load(apple(outputs={"y": ()}), model_path)


def test_nan_and_misfits_are_refused(model_path):
    graph = load(apple(lambda x: {"y": x * np.float32("nan")}), model_path)
    with pytest.raises(GraphError, match="log: expected finite numbers in output y"):
        graph.run({"x": ONE})
    with pytest.raises(GraphError, match="log: expected input x as float32"):
        graph.run({"x": ONE.astype(np.float64)})


def test_the_model_is_held_as_long_as_the_graph(model_path):
    system = apple()
    graph = load(system, model_path)
    assert system.held == 1
    del graph
    gc.collect()
    assert system.held == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # coremltools warns of what it finds beside it
@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML runs on Apple's systems alone")
def test_core_ml_itself_doubles_a_picture(tmp_path):
    image = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    graph = load_graph(_doubling(tmp_path / "double.mlpackage"))
    assert graph.runtime.startswith("Core ML, ")
    np.testing.assert_allclose(graph.run({"image": image})["out"], image * 2, rtol=1e-3)


def _doubling(path: Path) -> Path:
    tools = pytest.importorskip("coremltools", reason="needs coremltools")
    builder = tools.converters.mil.Builder

    @builder.program(input_specs=[builder.TensorSpec(shape=(1, 3, 8, 8))], opset_version=tools.target.iOS16)
    def program(image):
        return builder.mul(x=image, y=np.float32(2), name="out")

    made = tools.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=tools.target.iOS16,
        compute_precision=tools.precision.FLOAT32,
        skip_model_load=True,
    )
    made.save(str(path))
    return path
