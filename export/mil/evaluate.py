"""A saved .mlpackage in, its outputs out, operator by operator in torch: parity on any machine.

    graph = load_package(Path("objects.gradient.mlpackage"))
    graph.run({"image": image, "label": label})["grad"]

This is an interpreter of what MIL's documents say, not Apple's runtime: it shows that the package says what torch
says. Which arithmetic a phone then uses is up to the phone; `activations` tries the two ends of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from export.coreml.tools import coremltools
from export.errors import ExportError
from export.mil.constants import DECOMPRESSED, as_argument
from export.mil.operators import RULES, Arguments
from mobile_app.core.runtime.graph import Port

Activations = Literal["as stored", "float32", "float64"]
_WEIGHTS = Path("Data") / "com.apple.CoreML" / "weights"


@dataclass(frozen=True)
class _Step:
    """One operator: where its arguments come from, and what is made."""

    kind: str
    constants: dict[str, Any]
    variables: dict[str, Any]  # argument -> name of a value, or a list of names and constants
    outputs: list[tuple[str, bool]]  # name, and whether it is rounded to float16


class MilGraph:
    """A program that can be run: a Graph of mobile_app.core.runtime, so that an engine can follow it."""

    def __init__(self, program: Any, activations: Activations = "as stored", name: str = "program") -> None:
        """Args: activations: "as stored" rounds to float16 what the program has as float16; the others compute in
        that width throughout, which leaves the rounding of the weights alone.

        Raises: ExportError naming an operator that has no rule.
        """
        function = program.functions["main"]
        self._width = torch.float64 if activations == "float64" else torch.float32
        rounds = activations == "as stored"
        self.name = name
        self.runtime = f"MIL evaluator, activations {activations}"
        self.inputs = {key: _port(var) for key, var in function.inputs.items()}
        self.outputs = {var.name: _port(var) for var in function.outputs}
        known: dict[str, Any] = {}
        self._steps = []
        for op in function.operations:
            if op.op_type == "const":
                known[op.outputs[0].name] = as_argument(op.outputs[0].val, self._width)
            elif op.op_type in DECOMPRESSED:
                known[op.outputs[0].name] = as_argument(DECOMPRESSED[op.op_type](op), self._width)
            else:
                self._steps.append(_step(op, known, rounds))
        self._known = known

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Whole numbers of any width go in.

        Raises: ExportError if the inputs are not those of the program, or of other shapes.
        """
        given = {name: tuple(array.shape) for name, array in inputs.items()}
        wanted = {name: port.shape for name, port in self.inputs.items()}
        if given != wanted:
            raise ExportError(f"{self.name}: expected inputs of {wanted}, found {given}")
        values = {name: as_argument(np.asarray(array), self._width) for name, array in inputs.items()}
        with torch.no_grad():
            for step in self._steps:
                arguments = {name: _looked_up(source, values) for name, source in step.variables.items()}
                made = RULES[step.kind](Arguments({**step.constants, **arguments}, self._width))
                for (name, is_half), value in zip(step.outputs, _as_list(made), strict=True):
                    values[name] = value.half().to(self._width) if is_half else value
        return {name: np.asarray(values[name] if name in values else self._known[name]) for name in self.outputs}


def load_package(path: Path, activations: Activations = "as stored") -> MilGraph:
    """Read a package from disk.

    Raises: ExportError if it is none or holds an operator without a rule.
    """
    return MilGraph(load_program(path), activations, path.stem)


def load_program(path: Path) -> Any:
    """A package as a Program of coremltools. Raises: ExportError if there is no package that holds one."""
    models = coremltools().models
    if not (path / "Manifest.json").is_file():
        raise ExportError(f"{path}: expected a Core ML package, found none; make one with `python -m export coreml`")
    spec = models.utils.load_spec(str(path))
    if spec.WhichOneof("Type") != "mlProgram":
        raise ExportError(f"{path}: expected an ML program, found a {spec.WhichOneof('Type')}")
    loader = importlib.import_module("coremltools.converters.mil.frontend.milproto.load")
    return loader.load(spec, spec.specificationVersion, str(path / _WEIGHTS))


def _step(op: Any, known: Mapping[str, Any], rounds: bool) -> _Step:
    if op.op_type not in RULES:
        raise ExportError(
            f"{op.op_type} ({op.name}): the MIL evaluator has no rule for this operator; "
            "add one in export/mil/operators"
        )
    constants, variables = {}, {}
    for name, source in op.inputs.items():
        if isinstance(source, Sequence):
            variables[name] = [known.get(var.name, var.name) for var in source]
        elif source is not None and source.name in known:
            constants[name] = known[source.name]
        elif source is not None:
            variables[name] = source.name
    outputs = [(var.name, rounds and _is_half(var)) for var in op.outputs]
    return _Step(op.op_type, constants, variables, outputs)


def _port(var: Any) -> Port:
    kinds = {"fp32": "float32", "fp16": "float16", "int32": "int32", "bool": "bool"}
    found = next(name for kind, name in kinds.items() if var.is_tensor_or_scalar_of(dtype=kind))
    return Port(tuple(int(size) for size in var.shape), found)


def _is_half(var: Any) -> bool:
    return var.is_tensor_or_scalar_of(dtype="fp16")


def _looked_up(source: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(source, list):
        return [values[one] if isinstance(one, str) else one for one in source]
    return values[source]


def _as_list(made: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [made] if isinstance(made, Tensor) else made
