"""Convolutions, matrix products, normalisation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from export.errors import ExportError
from export.mil.operators.arguments import Arguments, Rule


def conv(given: Arguments) -> Tensor:
    x, weight = given.tensor("x"), given.tensor("weight")
    _require_images(x, "conv")
    return F.conv2d(
        F.pad(x, pads_for_torch(given)),
        weight,
        given.optional("bias"),
        stride=given.ints("strides", (1, 1)),
        dilation=given.ints("dilations", (1, 1)),
        groups=given.integer("groups", 1),
    )


def conv_transpose(given: Arguments) -> Tensor:
    """The whole result, from which `pad` is cut off."""
    x, weight = given.tensor("x"), given.tensor("weight")
    _require_images(x, "conv_transpose")
    whole = F.conv_transpose2d(
        x,
        weight,
        given.optional("bias"),
        stride=given.ints("strides", (1, 1)),
        dilation=given.ints("dilations", (1, 1)),
        groups=given.integer("groups", 1),
    )
    left, right, top, bottom = pads_for_torch(given)
    made = whole[:, :, top : whole.shape[2] - bottom, left : whole.shape[3] - right]
    if (wanted := given.ints("output_shape", made.shape)) != list(made.shape):
        raise ExportError(
            f"conv_transpose: expected output_shape {list(made.shape)}, which its pads give, found {wanted}"
        )
    return made


def linear(given: Arguments) -> Tensor:
    return F.linear(given.tensor("x"), given.tensor("weight"), given.optional("bias"))


def matmul(given: Arguments) -> Tensor:
    x, y = given.tensor("x"), given.tensor("y")
    x = x.transpose(-1, -2) if given.flag("transpose_x", False) else x
    return x @ (y.transpose(-1, -2) if given.flag("transpose_y", False) else y)


def batch_norm(given: Arguments) -> Tensor:
    gamma, beta = given.optional("gamma"), given.optional("beta")
    mean, variance = given.tensor("mean"), given.tensor("variance")
    return F.batch_norm(given.tensor("x"), mean, variance, gamma, beta, eps=given.number("epsilon", 1e-5))


def softmax(given: Arguments) -> Tensor:
    return torch.softmax(given.tensor("x"), given.integer("axis", -1))


def one_hot(given: Arguments) -> Tensor:
    """A label out of range has the off value everywhere."""
    labels, size = given.tensor("indices"), given.integer("one_hot_vector_size", 0)
    axis = given.integer("axis", -1) % (labels.ndim + 1)
    places = torch.arange(size).reshape([size if one == axis else 1 for one in range(labels.ndim + 1)])
    on, off = (torch.as_tensor(given.number(name, default)) for name, default in (("on_value", 1), ("off_value", 0)))
    return torch.where(labels.unsqueeze(axis) == places, on, off).to(given.width)


def pads_for_torch(given: Arguments) -> list[int]:
    """[left, right, top, bottom] as F.pad takes it, from [top, bottom, left, right]."""
    kind = given.text("pad_type", "valid")
    if kind not in ("valid", "custom"):
        raise ExportError(f"pad_type: expected valid or custom, found {kind}")
    top, bottom, left, right = given.ints("pad", (0, 0, 0, 0)) if kind == "custom" else [0] * 4
    return [left, right, top, bottom]


def _require_images(x: Tensor, kind: str) -> None:
    if x.ndim != 4:
        raise ExportError(
            f"{kind}: expected images (N, C, H, W), found {tuple(x.shape)}; the MIL evaluator has no others"
        )


RULES: dict[str, Rule] = {
    "batch_norm": batch_norm,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": linear,
    "matmul": matmul,
    "one_hot": one_hot,
    "softmax": softmax,
}
