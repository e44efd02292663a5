"""Keeps a gradient from vanishing in float16: it flows back as large as float16 likes, and is put right at the end.

The gradient begins as softmax(logits) - one_hot(label). For a network that is sure of the label, which is where every
cloak begins, that is small in all its elements, and what float16 cannot hold of the rest of the way is zero: of a photo
that SqueezeNet was 99.99 % sure of, 96 % of the gradient vanished. The way back is linear, so it may begin with any
multiple: here its largest element is GAIN, and the multiple is taken out of `grad` in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from export.coreml.translate import Translation

GAIN = np.float32(64)
_SMALLEST = np.float32(1e-30)  # so that an error of exactly zero is divided by something
_PASSES_ON = ("Identity", "Neg", "Reshape", "Squeeze", "Mul")  # between the loss of one image and the output


def error_of_loss(graph: ir.Graph) -> ir.Value | None:
    """softmax(logits) - one_hot(label) in a gradient graph, if all of its gradient comes through it, else None."""
    errors = [node.outputs[0] for node in graph if node.op_type == "Sub" and _producers(node) == ["Softmax", "OneHot"]]
    outputs = {value.name: value for value in graph.outputs}
    if len(errors) != 1 or "grad" not in outputs or "loss" not in outputs:
        return None
    source = outputs["loss"].producer()
    while source is not None and source.op_type in _PASSES_ON and source.inputs[0] is not None:
        source = source.inputs[0].producer()
    return errors[0] if source is not None and source.op_type == "SoftmaxCrossEntropyLoss" else None


def enlarged(to: Translation, error: ir.Value) -> tuple[Any, Any]:
    """The error with GAIN as its largest element, and what `grad` has then to be multiplied by."""
    node = error.producer()
    assert node is not None
    exact = to.mb.sub(x=to[node.inputs[0]], y=to[node.inputs[1]], name=to.exact_name())
    size = to.mb.abs(x=exact, name=to.exact_name())
    largest = to.mb.reduce_max(x=size, axes=[1], keep_dims=True, name=to.exact_name())
    factor = to.mb.mul(x=to.mb.add(x=largest, y=_SMALLEST, name=to.exact_name()), y=1 / GAIN, name=to.exact_name())
    return to.mb.real_div(x=exact, y=factor, name=to.exact_name()), factor


def put_right(to: Translation, grad: Any, factor: Any) -> Any:
    """`grad` times the factor, which has two axes, (1, 1)."""
    by = to.mb.reshape(x=factor, shape=[1] * len(grad.shape), name=to.exact_name())
    return to.mb.mul(x=grad, y=by, name=to.exact_name())


def _producers(node: ir.Node) -> list[str]:
    return [source.op_type for value in node.inputs if value is not None and (source := value.producer()) is not None]
