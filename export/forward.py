"""Torch module -> ONNX graph of standard operators with fixed shapes: what the reverse sweep differentiates.

torch.onnx does the translation; what stands here refuses what it would translate into something wrong.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr

import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.guards import (
    refuse_broken_scales,
    refuse_dynamic_shape,
    refuse_frozen,
    refuse_train_calls,
    refuse_train_mode,
)

_ADAPTIVE_POOLING = torch.ops.aten.adaptive_avg_pool2d.default
OPSET = 18  # the first one that torch.onnx writes; every runtime of the last years reads it


def to_onnx(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> ir.Model:
    """Translate `module(*inputs.values())` at the shapes of `inputs`; name its results `outputs`.

    BatchNorm that follows a convolution is folded into it.

    Raises:
        ExportError: naming what is in train mode, the operator that ONNX lacks or that has no fixed shape, or the place
            where a tensor was cut off from its gradient.
    """
    refuse_train_mode(module)
    with quiet_exporter():
        try:
            program = torch.export.export(module, tuple(inputs.values()), strict=False)
        except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
            raise ExportError(
                f"{type(module).__name__}: torch.export cannot trace it ({_summary(error)}); keep to torch operations "
                "on the image, without .numpy(), .item(), float() or an `if` on its values"
            ) from error
        refuse_train_calls(program)
        refuse_broken_scales(program)
        refuse_frozen(program)
        _write_global_pooling_as_means(program)
        if any(node.target == _ADAPTIVE_POOLING for node in program.graph.nodes):  # it takes as long as all the rest
            program = program.run_decompositions({_ADAPTIVE_POOLING: _adaptive_average_pool})
        try:
            translated = torch.onnx.export(
                program,
                dynamo=True,
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise ExportError(_missing_operator(error)) from error
    assert translated is not None
    model = translated.model
    for node in model.graph:
        if node.domain:
            raise ExportError(f"{node.op_type}: expected a standard ONNX operator, found one of {node.domain}")
        refuse_dynamic_shape(node)
    for value in model.graph.initializers.values():  # copied, or a later `module.double()` would reach into the graph
        if value.const_value is not None:
            value.const_value = ir.tensor(value.const_value.numpy().copy(), name=value.name)
    return model


_CHATTY = ("torch.onnx", "onnxscript", "onnx_ir", "torch.fx.experimental.symbolic_shapes")


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence what torch's exporter says about its own internals."""
    levels = {name: logging.getLogger(name).level for name in _CHATTY}
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _write_global_pooling_as_means(program: torch.export.ExportedProgram) -> None:
    """In place: a node that pools a whole picture is a mean, and most networks have no other adaptive pooling."""
    for node in program.graph.nodes:
        if node.target == _ADAPTIVE_POOLING and all(bins == 1 for bins in node.args[1]):
            node.target, node.args = torch.ops.aten.mean.dim, (node.args[0], [-2, -1], True)


def _adaptive_average_pool(image: Tensor, size: Sequence[int]) -> Tensor:
    """Adaptive pooling as the means of slices, axis by axis; torch.onnx writes dozens of gathers instead."""
    for axis, bins in zip((-2, -1), size, strict=True):
        length = image.shape[axis]
        edges = [(index * length // bins, -(-(index + 1) * length // bins)) for index in range(bins)]
        means = [image.narrow(axis, start, stop - start).mean(axis, keepdim=True) for start, stop in edges]
        image = means[0] if bins == 1 else torch.cat(means, axis)
    return image


def _missing_operator(error: BaseException) -> str:
    messages = []
    cause: BaseException | None = error
    while cause is not None:
        messages.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    match = re.search(r"No ONNX function found for <?(?:OpOverload\(op=')?([\w.:]+)", "\n".join(messages))
    if match:
        return f"{match.group(1)}: ONNX has no operator for it; replace it in the module by standard operations"
    return f"torch.onnx cannot translate the module ({_summary(error)})"


def _summary(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip()[:300] if lines else type(error).__name__
