"""One graph in float32 in, the same graph in every precision out, each a file of its own.

- `float32`: as exported.
- `float16`: weights of 16 bits, each followed by a Cast; what runs is float32. Shipped, with the weights in a file that
  several graphs share.
- `float16 compute`: weights and everything in between in float16.
- `int8 weights`: kernels of 8 bits, each followed by a Cast and a Mul, as export.storage.round_to_bytes writes them.
- `int8`: QDQ, weights and activations in 8 bits (export.quantise); of a gradient graph, the forward pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from export.precisions.gradient import quantise_gradient
from export.precisions.half import compute_in_half
from export.quantise import Quantised, quantise
from export.storage import SMALLEST_SHARED_BYTES, round_to_bytes, round_to_half, save_graph

PRECISIONS = ("float32", "float16", "float16 compute", "int8 weights", "int8")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A graph in one precision, on disk."""

    bytes: int
    tensors: dict[str, int]  # hash of each large constant -> bytes, by which graphs may share a file of weights
    in_int8: int = 0  # operators
    photos: int = 0  # that it was calibrated on
    in_float: dict[str, int] = field(default_factory=dict)  # "operator: reason" -> how many

    @property
    def own_bytes(self) -> int:
        """Without the large constants."""
        return self.bytes - sum(self.tensors.values())


def write_variant(
    plain: Path,
    out: Path,
    precision: str,
    *,
    images: Sequence[np.ndarray] = (),
    smooth: float | None = None,
    spared: str = "",
) -> Variant:
    """Write the float32 graph at `plain` to `out` in a precision.

    Args:
        images: (1, 3, S, S) each, to calibrate "int8" on.
        smooth: of a gradient graph, steepness of its masks.
        spared: of "int8 weights", the kernels that keep sixteen bits: those whose names begin with it.
    Raises: ExportError if the graph cannot be had in that precision, ValueError for an unknown one.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    found: Quantised | None = None
    if precision == "int8":
        is_gradient = "grad" in {value.name for value in ir.load(plain).graph.outputs}
        found = quantise_gradient(plain, images, smooth=smooth) if is_gradient else quantise(plain, images)
        model = ir.from_proto(found.model)
    else:
        model = ir.load(plain)
    if precision == "int8 weights":
        round_to_bytes(model, spared=spared)
    if precision == "float16 compute":
        compute_in_half(model)
    elif precision != "float32":
        round_to_half(model)
    save_graph(model, out)
    return measured(out, found)


def measured(path: Path, found: Quantised | None = None) -> Variant:
    """What a file without outside weights holds."""
    model = onnx.load(path)
    tensors = {
        hashlib.sha256(bytes(tensor.data_type) + tensor.raw_data).hexdigest()[:16]: len(tensor.raw_data)
        for tensor in model.graph.initializer
        if len(tensor.raw_data) >= SMALLEST_SHARED_BYTES
    }
    reasons: dict[str, int] = {}
    for reason in found.in_float.values() if found else ():
        reasons[reason] = reasons.get(reason, 0) + 1
    return Variant(
        bytes=path.stat().st_size,
        tensors=tensors,
        in_int8=found.in_int8 if found else 0,
        photos=found.photos if found else 0,
        in_float=reasons,
    )


def bytes_together(variants: Sequence[Variant]) -> int:
    """What several graphs take where each different large constant is stored once."""
    shared = {key: size for variant in variants for key, size in variant.tensors.items()}
    return sum(variant.own_bytes for variant in variants) + sum(shared.values())
