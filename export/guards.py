"""What export refuses before it translates: train mode, frozen gradients, shapes that are not fixed."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.adjoint.tape import dims, origin
from export.errors import ExportError


def refuse_train_mode(module: nn.Module) -> None:
    """Raises: ExportError naming the first module in train mode, whose BatchNorm and Dropout would export wrong."""
    for name, part in module.named_modules():
        if part.training:
            where = f"its part `{name}`" if name else "the outermost module"
            raise ExportError(
                f"{type(module).__name__}: {where} ({type(part).__name__}) is in train mode; "
                "call .eval() on the outermost module"
            )


def refuse_train_calls(program: torch.export.ExportedProgram) -> None:
    """Refuse functions called in train mode, which `.eval()` does not reach and the translation takes for eval mode.

    A BatchNorm without running statistics is one of them.

    Raises: ExportError naming the operator and the line that calls it.
    """
    for node in program.graph.nodes:
        arguments = _arguments(node)
        if any(arguments.get(name) is True for name in ("training", "train")):
            raise ExportError(
                f"{node.target}{_place(node)}: runs in train mode even though the module does not; pass "
                "training=False, and let a BatchNorm track its running statistics"
            )


def refuse_broken_scales(program: torch.export.ExportedProgram) -> None:
    """Refuse resizing by a scale that ends between two pixels: torch and its exporter read it each in its own way.

    Raises: ExportError naming the operator and the line that calls it.
    """
    for node in program.graph.nodes:
        scales = _arguments(node).get("scale_factors")
        if not scales:
            continue
        before, after = (value.meta["val"].shape[2:] for value in (node.args[0], node))
        if any(abs(scale * size - resized) > 1e-3 for scale, size, resized in zip(scales, before, after, strict=True)):
            raise ExportError(
                f"{node.target}{_place(node)}: expected scales that give whole pixels, found {tuple(before)} times "
                f"{', '.join(f'{scale:.4g}' for scale in scales)}; pass size= in place of scale_factor="
            )


def refuse_frozen(program: torch.export.ExportedProgram) -> None:
    """Refuse what cuts the first output off from its gradient in torch: the translation would join it again.

    Raises: ExportError naming the cut and the line or module that makes it.
    """
    inputs = set(program.graph_signature.user_inputs)
    from_input: set[torch.fx.Node] = set()
    for node in program.graph.nodes:
        if _is_float(node) and (node.name in inputs or any(source in from_input for source in node.all_input_nodes)):
            from_input.add(node)
    to_loss = _leading_to(_first_output(program), from_input)
    for node in program.graph.nodes:
        if node in to_loss and (cut := _cut(node)) is not None:
            raise ExportError(
                f"{cut}{_place(node)}: what it cuts off has no gradient in torch, and the exported graph would give it "
                "one; leave the cut out, or pass the tensor as an input or a buffer"
            )


def refuse_dynamic_shape(node: ir.Node) -> None:
    """Raises: ExportError naming the operator whose output has no fixed shape."""
    try:
        for output in node.outputs:
            dims(output)
    except ExportError as error:
        raise ExportError(
            f"{node.op_type} ({origin(node)}): expected an output of a fixed shape, found one whose shape depends on "
            "the values of the image; multiply by a mask instead of selecting elements"
        ) from error


def _arguments(node: torch.fx.Node) -> dict[str, Any]:
    """What an operator was called with, by the names of its schema."""
    schema = getattr(node.target, "_schema", None)
    names = [argument.name for argument in schema.arguments] if schema else []
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _first_output(program: torch.export.ExportedProgram) -> torch.fx.Node | None:
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    results = output.args[0]
    first = results[0] if isinstance(results, list | tuple) and results else results
    return first if isinstance(first, torch.fx.Node) else None


def _leading_to(end: torch.fx.Node | None, among: set[torch.fx.Node]) -> set[torch.fx.Node]:
    """The nodes of `among` that reach `end` through nodes of `among` alone."""
    found: set[torch.fx.Node] = set()
    waiting = [] if end is None else [end]
    while waiting:
        node = waiting.pop()
        if node in among and node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found


def _is_float(node: torch.fx.Node) -> bool:
    """Whether a gradient can pass: not through whole numbers and truth values."""
    value = node.meta.get("val")
    return value.is_floating_point() if isinstance(value, Tensor) else not isinstance(value, int | torch.SymInt)


def _cut(node: torch.fx.Node) -> str | None:
    """How the author of the module wrote what stops the gradient here, if anything does."""
    target = str(node.target)
    if target.startswith("aten.detach"):
        return ".detach()"
    if target.startswith(("aten.item", "aten._local_scalar_dense")):
        return ".item()"
    return "torch.no_grad()" if target == "wrap_with_set_grad_enabled" and node.args[0] is False else None


def _place(node: torch.fx.Node) -> str:
    """The line of source that a node came from, or its module, as far as torch noted either."""
    stack = (node.meta.get("stack_trace") or "").strip().splitlines()
    if stack:
        return f" at `{stack[-1].strip()}`"
    modules = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
    return f" in `{modules[-1]}`" if modules and modules[-1] else ""
