"""Graphs through Core ML, by messages to Apple's objects: the last in the order, on iOS and macOS alone.

Never run on Apple hardware: written from the documentation of MLModel and MLMultiArray, and tried against a stand-in
for them. It reads a Core ML model and no .onnx file: for objects.onnx it looks beside it, and in a folder coreml there,
for objects.mlmodelc, which Xcode makes, and objects.mlpackage, which it has the system compile at each load.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mobile_app.core.errors import GraphError
from mobile_app.core.runtime.coreml_arrays import DTYPES, as_multi_array, copied
from mobile_app.core.runtime.graph import (
    Graph,
    Port,
    Runtime,
    RuntimeMissing,
    cannot_load,
    first_line,
    port,
    refuse_misfits,
    refuse_not_finite,
    stopped,
)
from mobile_app.core.runtime.objc import Objc, ObjcError

SUFFIXES = (".mlmodelc", ".mlpackage")  # the compiled one first
FOLDER = "coreml"  # in the bundle, where the staged app has such models
_MULTI_ARRAY = 5  # MLFeatureTypeMultiArray


def is_model(path: Path) -> bool:
    """Whether a path names a Core ML model and no .onnx file."""
    return path.suffix in SUFFIXES


def open_runtime() -> Runtime:
    """Raises: RuntimeMissing anywhere but on iOS and macOS."""
    if sys.platform not in ("darwin", "ios"):
        raise RuntimeMissing("not on iOS or macOS")
    try:
        return CoreML(Objc())
    except OSError as error:
        raise RuntimeMissing(f"Core ML does not load, {first_line(error)}") from error


class CoreML:
    """See Runtime. `threads` mean nothing to it."""

    def __init__(self, objc: Objc) -> None:
        self.objc = objc
        with objc.pool():
            system = objc.send(objc.send("NSProcessInfo", "processInfo"), "operatingSystemVersionString")
            self.label = f"Core ML, {objc.text(system)}"

    def load(self, path: Path, *, name: str, threads: int | None) -> Graph:
        objc, model_path = self.objc, _model_path(path)
        with objc.pool():
            try:
                url = objc.send("NSURL", "fileURLWithPath:", objc.string(str(model_path)))
                if model_path.suffix == ".mlpackage":
                    url = objc.ask("MLModel", "compileModelAtURL:error:", url)
                settings = objc.send(objc.send("MLModelConfiguration", "new"), "autorelease")
                model = objc.ask("MLModel", "modelWithContentsOfURL:configuration:error:", url, settings)
            except ObjcError as error:
                raise cannot_load(model_path, error) from error
            description = objc.send(model, "modelDescription")
            inputs = self._ports(path.name, objc.send(description, "inputDescriptionsByName"))
            outputs = self._ports(path.name, objc.send(description, "outputDescriptionsByName"))
            return _CoreMLGraph(name, self, objc.retain(model), inputs, outputs)

    def _ports(self, file: str, features: int) -> dict[str, Port]:
        objc, ports = self.objc, {}
        for key in objc.items(objc.send(features, "allKeys")):
            feature, name = objc.send(features, "objectForKey:", key), objc.text(key)
            shape, dtype = (), None
            if objc.send(feature, "type") == _MULTI_ARRAY:
                constraint = objc.send(feature, "multiArrayConstraint")
                shape = objc.numbers(objc.send(constraint, "shape"))
                dtype = DTYPES.get(objc.send(constraint, "dataType"))
            ports[name] = port(file, name, shape, dtype)
        return dict(sorted(ports.items()))  # a dictionary of Apple's has no order


class _CoreMLGraph:
    def __init__(
        self, name: str, core_ml: CoreML, model: int, inputs: Mapping[str, Port], outputs: Mapping[str, Port]
    ) -> None:
        weakref.finalize(self, core_ml.objc.release, model).atexit = False
        self.name = name
        self.runtime = core_ml.label
        self.inputs = inputs
        self._objc = core_ml.objc
        self._model = model
        self._lock = threading.Lock()  # a model is to be used by one thread at a time
        self.outputs = outputs
        if not all(port.shape for port in outputs.values()):  # a model need not say the sizes: what one run gives
            zeros = {name: np.zeros(port.shape, port.dtype) for name, port in inputs.items()}
            self.outputs = {name: Port(array.shape, array.dtype.name) for name, array in self._compute(zeros).items()}

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        refuse_misfits(self.name, self.inputs, inputs)
        outputs = self._compute(inputs)
        refuse_not_finite(self.name, outputs)
        return outputs

    def _compute(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        objc = self._objc
        with self._lock, objc.pool():
            try:
                held = {name: as_multi_array(objc, inputs[name]) for name in self.inputs}
                features = objc.send("NSMutableDictionary", "dictionary")
                for name, (_, array) in held.items():
                    value = objc.send("MLFeatureValue", "featureValueWithMultiArray:", array)
                    objc.send(features, "setObject:forKey:", value, objc.string(name))
                provider = objc.send("MLDictionaryFeatureProvider", "alloc")
                provider = objc.send(objc.ask(provider, "initWithDictionary:error:", features), "autorelease")
                result = objc.ask(self._model, "predictionFromFeatures:error:", provider)
            except ObjcError as error:
                raise stopped(self.name, error) from error
            return {name: self._output(result, name) for name in self.outputs}

    def _output(self, result: int, name: str) -> np.ndarray:
        value = self._objc.send(result, "featureValueForName:", self._objc.string(name))
        array = self._objc.send(value, "multiArrayValue") if value else 0
        if not array:
            raise GraphError(f"{self.name}: expected output {name} as an array, found none")
        return copied(self._objc, array)


def _model_path(path: Path) -> Path:
    if is_model(path):
        return path
    names = [path.with_suffix(suffix).name for suffix in SUFFIXES]
    for folder in (path.parent, path.parent / FOLDER):
        for name in names:
            if (folder / name).exists():
                return folder / name
    wanted = " or ".join(names)
    raise GraphError(f"{path.name}: Core ML needs {wanted} at {path.parent}, found none; export it for Core ML")
