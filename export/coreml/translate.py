"""ONNX graph -> MIL program, operator by operator: what Core ML computes is the very graph that ships, masks included.

The graph, not torch, is what is translated: its gradient was written by export.adjoint, whose smooth masks and whose
ways around strided convolutions so come along, and coremltools' own readers of torch, which stop at such graphs, are
not needed. What Core ML has otherwise than ONNX is decided here and in export.coreml.operators alone:

- whole numbers are int32: `label` is (1,) int32 where ONNX takes (1,) int64;
- a scalar output is a vector of one: `loss` is (1,) where ONNX gives ();
- tensors have five axes at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript import optimizer

from export.adjoint.tape import constant_array, dims, origin
from export.coreml.tools import builder, coremltools, mil
from export.coreml.unshuffle import gather_unshuffles
from export.errors import ExportError

EXACT = "exact_"  # begins the names of operators that stay in float32 whatever the precision
_MOST_AXES = 5
_NO_LIMIT = 1 << 40  # of the bytes of a constant that is worked out here

Rule = Callable[[ir.Node, "Translation"], Any]


class Translation:
    """The operators of one graph, as far as they are translated. `mb` appends MIL operators."""

    def __init__(self, inputs: dict[ir.Value, Any]) -> None:
        self.mb = builder()
        self._made: dict[ir.Value, Any] = dict(inputs)
        self._exact = 0

    def __getitem__(self, value: ir.Value | None) -> Any:
        """What MIL operators take for a value: a Var, or the array of a constant."""
        assert value is not None
        if value not in self._made:
            array = constant_array(value)
            assert array is not None, f"{value.name} is read before it is made"
            self._made[value] = self._stored(array)
        return self._made[value]

    def __setitem__(self, value: ir.Value, made: Any) -> None:
        self._made[value] = made

    def exact_name(self) -> str:
        """A name for an operator that has to stay in float32."""
        self._exact += 1
        return f"{EXACT}{self._exact}"

    def _stored(self, array: np.ndarray) -> Any:
        """One constant for all that read it, so that weights that are read twice are in the file once."""
        if array.dtype in (np.float32, np.float64):
            array = array.astype(np.float32)
        elif array.dtype == np.int64:
            array = array.astype(np.int32)
        return self.mb.const(val=array if array.ndim else array[()])


def to_program(model: ir.Model, *, for_half: bool = False) -> Any:
    """Translate a graph of static shapes and float32 weights into a Program of coremltools, for iOS 16.

    The model is changed: what can be worked out beforehand is.

    Args: for_half: it will compute in float16, where a gradient needs `export.coreml.scaling`.
    Raises: ExportError naming the operator that has no translation, or that makes a tensor of too many axes.
    """
    from export.coreml import scaling
    from export.coreml.operators import RULES

    optimizer.fold_constants(model, onnx_shape_inference=False, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT)
    gather_unshuffles(model.graph)
    _refuse_unknown(model.graph, RULES)
    error, factor = scaling.error_of_loss(model.graph) if for_half else None, None
    kinds = mil()
    placeholders = {
        str(value.name): kinds.Placeholder(sym_shape=dims(value), dtype=_mil_type(value), name=value.name)
        for value in model.graph.inputs
    }
    with kinds.Function(placeholders, opset_version=coremltools().target.iOS16) as function:
        translation = Translation({value: function.inputs[value.name] for value in model.graph.inputs})
        for node in model.graph:
            if error is not None and node.outputs[0] is error:
                translation[error], factor = scaling.enlarged(translation, error)
                continue
            made = RULES[node.op_type](node, translation)
            for output, one in zip(node.outputs, made if isinstance(made, list) else [made], strict=False):
                _check(node, output, one)
                translation[output] = one
        if factor is not None:
            grad = next(value for value in model.graph.outputs if value.name == "grad")
            translation[grad] = scaling.put_right(translation, translation[grad], factor)
        names = {str(value.name) for value in model.graph.outputs}
        function.set_outputs([_as_output(translation, value, names) for value in model.graph.outputs])
    program = kinds.Program()
    program.add_function("main", function)
    return program


def _refuse_unknown(graph: ir.Graph, rules: dict[str, Rule]) -> None:
    for node in graph:
        if node.op_type not in rules:
            raise ExportError(
                f"{node.op_type} ({origin(node)}): there is no translation to Core ML for this operator; "
                "replace it in the module, or add a rule in export/coreml/operators"
            )
        for value in node.outputs:
            if value.shape is not None and len(value.shape) > _MOST_AXES:
                raise ExportError(
                    f"{node.op_type} ({origin(node)}): expected {_MOST_AXES} axes at most, which is what Core ML has, "
                    f"found {len(value.shape)}; fold two axes into one in the module"
                )


def _mil_type(value: ir.Value) -> Any:
    types = mil().types
    assert value.dtype is not None
    if value.dtype == ir.DataType.BOOL:
        return types.bool
    return types.fp32 if value.dtype.is_floating_point() else types.int32


def _check(node: ir.Node, value: ir.Value, made: Any) -> None:
    """A rule that makes another shape than ONNX does is wrong; better here than in a phone."""
    wanted = (dims(value) or (1,)) if value.shape is not None else None
    assert wanted is None or made is None or tuple(made.shape) == wanted, (
        f"{node.op_type} ({node.name}): expected {wanted}, translated to {tuple(made.shape)}"
    )


def _as_output(translation: Translation, value: ir.Value, taken: set[str]) -> Any:
    """A Var named as in ONNX; what no operator makes, or is an output already, gets an operator of its own."""
    made = translation[value]
    if made.op is None or made.op.op_type == "const" or made.name in taken:
        made = translation.mb.identity(x=made)
    made.set_name(value.name)
    return made
