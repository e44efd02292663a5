"""Biases that take back what rounding the weights does on average, before a graph is quantised.

With weights W rounded to W + dW, a convolution is off by dW * x; its mean over photos is the sum of dW over the kernel
times the mean of x, a number for each output channel, and the bias can take it off (Nagel et al. 2019,
arXiv:1906.04721, section 4.2). Padding is left out of account.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from export.storage import save_graph
from mobile_app.core.runtime import load_graph

MOST_IMAGES = 64


def correct_biases(path: Path, out: Path, images: Sequence[np.ndarray], *, keep: Collection[str], levels: int) -> None:
    """Write the graph at `path` to `out`, with other biases.

    Args:
        images: (1, C, H, W) each, of the graph's first input.
        keep: names of convolutions whose weights will not be rounded.
        levels: the weights of an output channel will be rounded to -levels .. levels times largest / levels.
    """
    model = ir.load(path)
    convolutions = [
        node for node in model.graph if node.op_type == "Conv" and node.name not in keep and len(node.inputs) == 3
    ]
    means = _channel_means(path, [_name(node, 0) for node in convolutions], images[:MOST_IMAGES])
    for node in convolutions:
        weights, bias = (_constant(node, index) for index in (1, 2))
        shift = mean_error(weights, means[_name(node, 0)], levels)
        value = ir.Value(name=f"{node.name}_bias", shape=ir.Shape(bias.shape), type=ir.TensorType(ir.DataType.FLOAT))
        value.const_value = ir.tensor((bias - shift).astype(np.float32), name=value.name)
        model.graph.register_initializer(value)
        old = node.inputs[2]
        node.replace_input_with(2, value)
        if old is not None and old.name and not old.uses():
            del model.graph.initializers[old.name]
    save_graph(model, out)


def mean_error(weights: np.ndarray, means: np.ndarray, levels: int) -> np.ndarray:
    """(C,): by how much rounding the weights changes the output channels of a convolution on average.

    Args:
        weights: (C, channels / groups, h, w).
        means: (channels,), of the input.
    """
    error = (rounded(weights, levels) - weights).sum((2, 3), dtype=np.float64)
    inputs = means.reshape(-1, weights.shape[1])  # a row a group
    groups = error.reshape(len(inputs), -1, weights.shape[1])
    return np.einsum("gci,gi->gc", groups, inputs).reshape(-1)


def rounded(weights: np.ndarray, levels: int) -> np.ndarray:
    """(C, ...): each channel rounded to whole multiples of its largest absolute value / levels, float64."""
    largest = np.abs(weights).reshape(len(weights), -1).max(1).reshape(-1, *[1] * (weights.ndim - 1))
    scale = np.where(largest > 0, largest, 1) / np.float64(levels)
    return np.rint(weights / scale) * scale


def _channel_means(path: Path, names: Sequence[str], images: Sequence[np.ndarray]) -> Mapping[str, np.ndarray]:
    """(channels,) of each value, the mean over images and positions, from a run of the graph with more outputs."""
    watched = ir.load(path)
    outputs = {value.name for value in watched.graph.outputs}
    for node in list(watched.graph):
        for value in node.outputs:
            if value.name in names and value.name not in outputs:
                watched.graph.outputs.append(value)
    with tempfile.TemporaryDirectory() as folder:
        save_graph(watched, Path(folder) / "watched.onnx")
        graph = load_graph(Path(folder) / "watched.onnx")
        given = watched.graph.inputs[0].name or ""
        sums = dict.fromkeys(names, np.float64(0))
        for image in images:
            found = {given: image, **graph.run({given: image})}
            sums = {name: total + found[name].mean((0, 2, 3), dtype=np.float64) for name, total in sums.items()}
    return {name: np.asarray(total / len(images)) for name, total in sums.items()}


def _name(node: ir.Node, index: int) -> str:
    value = node.inputs[index]
    assert value is not None
    assert value.name is not None
    return value.name


def _constant(node: ir.Node, index: int) -> np.ndarray:
    value = node.inputs[index]
    assert value is not None
    assert value.const_value is not None
    return value.const_value.numpy()
