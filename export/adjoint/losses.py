"""Adjoints of loss operators."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from export.adjoint.tape import Tape, dims, text
from export.errors import ExportError


def softmax_cross_entropy(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """g * (softmax(logits) - one_hot(label)), divided by the batch for the mean; nothing to the label."""
    logits = node.inputs[0]
    assert logits is not None
    error = tape.like("Sub", tape.like("Softmax", logits, axis=1), _one_hot(node, tape))
    return [tape.like("Mul", error, _grad_of_row(node, grad, tape)), None]


def negative_log_likelihood(node: ir.Node, grad: ir.Value, tape: Tape) -> list[ir.Value | None]:
    """-g at the label, divided by the batch for the mean; nothing to the label."""
    return [tape.like("Mul", tape.scale(_one_hot(node, tape), -1), _grad_of_row(node, grad, tape)), None]


def _one_hot(node: ir.Node, tape: Tape) -> ir.Value:
    scores, labels, *weights = node.inputs
    assert scores is not None
    if len(dims(scores)) != 2 or any(weight is not None for weight in weights):
        raise ExportError(
            f"{node.op_type} ({node.name}): expected scores (N, classes) and no class weights, found scores "
            f"{dims(scores)} and {len(weights)} weights; write the loss with log_softmax and sums"
        )
    values = tape.constant(np.array([0, 1], tape.dtype))
    return tape.op("OneHot", labels, tape.constant([dims(scores)[1]]), values, shape=dims(scores), axis=1)


def _grad_of_row(node: ir.Node, grad: ir.Value, tape: Tape) -> ir.Value:
    """(N, 1) or (1, 1): what each row's own loss weighs."""
    assert node.inputs[0] is not None
    batch = dims(node.inputs[0])[0]
    reduction = text(node, "reduction", "mean")
    if reduction == "mean":
        grad = tape.scale(grad, 1 / batch)
    return tape.reshape(grad, [batch if reduction == "none" else 1, 1])


RULES = {"SoftmaxCrossEntropyLoss": softmax_cross_entropy, "NegativeLogLikelihoodLoss": negative_log_likelihood}
