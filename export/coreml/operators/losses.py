"""Loss operators and what their adjoints are made of: in float32 always, which tells a probability near 1 from 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import dims, integer, require_constant, text
from export.coreml.translate import Rule, Translation
from export.errors import ExportError


def softmax(node: ir.Node, to: Translation) -> Any:
    return to.mb.softmax(x=to[node.inputs[0]], axis=integer(node, "axis", -1), name=to.exact_name())


def log_softmax(node: ir.Node, to: Translation) -> Any:
    return _log_softmax(to, to[node.inputs[0]], integer(node, "axis", -1))


def one_hot(node: ir.Node, to: Translation) -> Any:
    off, on = (np.float32(value) for value in require_constant(node.inputs[2], node, "values"))
    return to.mb.one_hot(
        indices=to[node.inputs[0]],
        one_hot_vector_size=int(require_constant(node.inputs[1], node, "depth").item()),
        axis=integer(node, "axis", -1),
        on_value=on,
        off_value=off,
        name=to.exact_name(),
    )


def softmax_cross_entropy(node: ir.Node, to: Translation) -> Any:
    """-log_softmax(logits)[label], of one image; as a product with a one-hot vector, for Core ML's gather is slow."""
    scores, labels = node.inputs[0], node.inputs[1]
    assert scores is not None
    batch, classes = dims(scores)
    if batch != 1 or len(node.inputs) > 2 or text(node, "reduction", "mean") == "none":
        raise ExportError(f"{node.op_type} ({node.name}): expected the mean or sum for one image without class weights")
    hot = to.mb.one_hot(
        indices=to[labels],
        one_hot_vector_size=classes,
        on_value=np.float32(1),
        off_value=np.float32(0),
        name=to.exact_name(),
    )
    chosen = to.mb.mul(x=_log_softmax(to, to[scores], 1), y=hot, name=to.exact_name())
    total = to.mb.reduce_sum(x=chosen, axes=[1], keep_dims=False, name=to.exact_name())
    return to.mb.mul(x=total, y=np.float32(-1), name=to.exact_name())


def _log_softmax(to: Translation, scores: Any, axis: int) -> Any:
    """x - max - log(sum(exp(x - max)))."""
    highest = to.mb.reduce_max(x=scores, axes=[axis], keep_dims=True, name=to.exact_name())
    moved = to.mb.sub(x=scores, y=highest, name=to.exact_name())
    total = to.mb.reduce_log_sum_exp(x=moved, axes=[axis], keep_dims=True, name=to.exact_name())
    return to.mb.sub(x=moved, y=total, name=to.exact_name())


RULES: dict[str, Rule] = {
    "LogSoftmax": log_softmax,
    "OneHot": one_hot,
    "Softmax": softmax,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
}
