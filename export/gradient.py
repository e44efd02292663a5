"""Objective -> one ONNX graph with the loss and its gradient: autograd happens here, once, and never on the phone.

    model = export_gradient(objective, {"image": image, "label": label})

The objective is any differentiable torch module from an image (and, where needed, a label) to a scalar loss, or to
(loss, logits). The graph has the inputs `image`, (1, 3, S, S) float32 in [0, 1], and `label`, (1,) int64; the outputs
`loss`, a scalar, `grad`, shaped like the image, and `logits`. Following `grad` raises the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes
import torch
from torch import Tensor, nn

from export.adjoint import append_gradient
from export.errors import ExportError
from export.forward import to_onnx
from export.guards import refuse_train_mode
from export.polyphase import deal_out_strided_blocks
from export.steepness import fold_in
from training.objectives.smooth import SmoothMasks


def export_gradient(
    objective: nn.Module, example: Mapping[str, Tensor], *, wrt: str = "image", smooth: float | None = None
) -> ir.Model:
    """Translate an objective and append the gradient of its loss with respect to the input `wrt`.

    Args:
        objective: a module in eval mode, called with the values of `example` in order.
        example: one tensor an input, of the shapes that the graph will have.
        smooth: steepness of the masks of ReLU and ReLU6 in the backward pass, as in training.objectives.smooth; None
            for the exact gradient.
    Raises:
        ExportError: in one sentence, for a module in train mode, an operator without a translation or an adjoint
            rule, a dynamic shape, a loss that is no scalar or does not depend on the image.
    """
    if wrt not in example:
        raise ExportError(f"expected an input named {wrt}, found {', '.join(example)}; name the image so")
    if example[wrt].dtype not in (torch.float32, torch.float64):
        raise ExportError(f"input {wrt}: expected float32 in [0, 1], found {example[wrt].dtype}; convert it first")
    if smooth is not None and not smooth > 0:
        raise ExportError(f"smooth: expected a steepness above 0, or None for the exact gradient, got {smooth}")
    outputs = _output_names(objective, example)
    model = to_onnx(objective, example, outputs)
    graph = model.graph
    dtype = example[wrt].numpy().dtype
    gates = None if smooth is None else fold_in(graph, smooth, dtype)
    deal_out_strided_blocks(graph, dtype)
    image = next(value for value in graph.inputs if value.name == wrt)
    gradient = append_gradient(graph, graph.outputs[0], image, gates)
    _refuse_without_autograd(objective, example, wrt)
    graph.outputs.append(_as_output(graph, gradient, "grad"))
    clean(model)
    return model


def torch_gradient(
    objective: nn.Module, inputs: Mapping[str, Tensor], *, wrt: str = "image", smooth: float | None = None
) -> dict[str, np.ndarray]:
    """The outputs that the exported graph has to give, by torch autograd."""
    leaves = {name: value.detach().clone() for name, value in inputs.items()}
    leaves[wrt].requires_grad_()
    with nullcontext() if smooth is None else SmoothMasks(smooth):
        results = _as_tuple(objective(*leaves.values()))
    (gradient,) = torch.autograd.grad(results[0].sum(), leaves[wrt])
    named = dict(zip(("loss", "logits"), results, strict=False))
    return {name: value.detach().numpy() for name, value in {**named, "grad": gradient}.items()}


def in_float64(inputs: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """A graph's inputs as tensors for an objective in float64; labels stay whole numbers."""
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    return {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def clean(model: ir.Model) -> None:
    """Drop what nothing reads, merge what is computed twice, fill in the shapes, forget the exporter's notes."""
    for run in (
        passes.IdentityEliminationPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.ShapeInferencePass(),
        passes.ClearMetadataAndDocStringPass(),
        passes.CheckerPass(),
    ):
        run(model)
    model.metadata_props.clear()
    model.producer_name, model.producer_version = "petalveil", None


def _refuse_without_autograd(objective: nn.Module, example: Mapping[str, Tensor], wrt: str) -> None:
    """Refuse what torch itself cannot differentiate, such as a part computed in inference mode."""
    try:
        torch_gradient(objective, example, wrt=wrt)
    except RuntimeError as error:
        raise ExportError(
            f"{type(objective).__name__}: torch has no gradient of it ({str(error).partition('. ')[0]}); look for "
            "torch.inference_mode() and .data, and leave them out"
        ) from error


def _output_names(objective: nn.Module, example: Mapping[str, Tensor]) -> list[str]:
    refuse_train_mode(objective)
    with torch.no_grad():
        results = _as_tuple(objective(*example.values()))
    if not all(isinstance(result, Tensor) for result in results) or len(results) > 2:
        found = ", ".join(type(result).__name__ for result in results)
        raise ExportError(
            f"{type(objective).__name__}: expected a loss, or a loss and logits, found ({found}); return (loss, logits)"
        )
    return ["loss", "logits"][: len(results)]


def _as_tuple(results: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


def _as_output(graph: ir.Graph, value: ir.Value, name: str) -> ir.Value:
    """Name a value for use as an output; one that is an input or an output already gets an Identity of its own."""
    if value.producer() is None or value.is_graph_output():
        node = ir.node("Identity", [value])
        node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
        graph.append(node)
        value = node.outputs[0]
    value.name = name
    return value
