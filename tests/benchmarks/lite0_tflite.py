"""EfficientNet-Lite0 in torch in, the same network as the bytes of a .tflite file out: (1, 224, 224, 3) -> (1, 1000).

No converter is asked: the network is a chain of six kinds of operator, and LiteRT's own schema writes them down. Batch
norms are folded into the convolutions before them. TensorFlow's "SAME" is the padding that the network has in torch.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from training.models.efficientnet_lite import EfficientNetLite

_RELU6 = schema.ActivationFunctionType.RELU6
_NONE = schema.ActivationFunctionType.NONE
_SHIFT = 127 / 255  # the network begins with image * 255 / 128 - 127 / 128; the factor goes into the stem's weights


def to_tflite(network: EfficientNetLite) -> bytes:
    """The float32 network at its own size, in eval mode."""
    graph = _Graph()
    side = network.size_px
    x = graph.tensor("image", (1, side, side, 3))
    image = x
    shift = graph.constant("shift", np.full((1, 1, 1, 3), _SHIFT, np.float32))
    x = graph.operator("SUB", schema.SubOptionsT(), [x, shift], (1, side, side, 3))
    x = graph.convolution(x, network.conv_stem, network.bn0, relu6=True, factor=255 / 128)
    for block in network.blocks:
        y = graph.convolution(x, block.expand_conv, block.bn0, relu6=True) if block.has_expansion else x
        y = graph.convolution(y, block.depthwise_conv, block.bn1, relu6=True)
        y = graph.convolution(y, block.project_conv, block.bn2, relu6=False)
        x = graph.operator("ADD", schema.AddOptionsT(), [x, y], graph.shape(y)) if block.has_shortcut else y
    x = graph.convolution(x, network.conv_head, network.bn1, relu6=True)
    options = schema.ReducerOptionsT()
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    x = graph.operator("MEAN", options, [x, axes], (1, graph.shape(x)[-1]))
    weight, bias = (_array(part) for part in (network.fc.weight, network.fc.bias))
    inputs = [x, graph.constant("fc.weight", weight), graph.constant("fc.bias", bias)]
    x = graph.operator("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), inputs, (1, len(bias)))
    return graph.to_bytes([image], [x])


class _Graph:
    """Tensors and operators, in the order in which they run."""

    def __init__(self) -> None:
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.operatorCodes, self._model.buffers = [], [schema.BufferT()]  # the first is empty by rule
        self._part = schema.SubGraphT()
        self._part.tensors, self._part.operators = [], []
        self._codes: dict[int, int] = {}

    def tensor(self, name: str, shape: tuple[int, ...], *, dtype: str = "float32", buffer: int = 0) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name.encode(), list(shape), buffer
        made.type = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}[dtype]
        self._part.tensors.append(made)
        return len(self._part.tensors) - 1

    def constant(self, name: str, values: NDArray[Any]) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return self.tensor(name, values.shape, dtype=values.dtype.name, buffer=len(self._model.buffers) - 1)

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self._part.tensors[tensor].shape)

    def operator(self, name: str, options: Any, inputs: list[int], shape: tuple[int, ...]) -> int:
        made = schema.OperatorT()
        output = self.tensor(f"{name}_{len(self._part.operators)}", shape)
        made.inputs, made.outputs = inputs, [output]
        made.opcodeIndex = self._code(getattr(schema.BuiltinOperator, name))
        made.builtinOptions = options
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._part.operators.append(made)
        return output

    def convolution(
        self, x: int, layer: torch.nn.Conv2d, norm: torch.nn.BatchNorm2d, *, relu6: bool, factor: float = 1.0
    ) -> int:
        is_depthwise = layer.groups > 1
        name, options = "CONV_2D", schema.Conv2DOptionsT()
        if is_depthwise:
            name, options = "DEPTHWISE_CONV_2D", schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = 1
        stride = layer.stride[0]
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = _RELU6 if relu6 else _NONE
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        weight = _array(layer.weight * scale[:, None, None, None] * factor)
        weight = weight.transpose(1, 2, 3, 0) if is_depthwise else weight.transpose(0, 2, 3, 1)
        bias = _array(norm.bias - norm.running_mean * scale)
        _, rows, columns, _ = self.shape(x)
        shape = (1, -(-rows // stride), -(-columns // stride), len(bias))
        number = len(self._part.operators)
        inputs = [x, self.constant(f"weight_{number}", weight), self.constant(f"bias_{number}", bias)]
        return self.operator(name, options, inputs, shape)

    def to_bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        self._part.inputs, self._part.outputs = inputs, outputs
        self._model.subgraphs = [self._part]
        builder = flatbuffers.Builder(1 << 24)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _code(self, builtin: int) -> int:
        if builtin not in self._codes:
            made = schema.OperatorCodeT()
            made.builtinCode = made.deprecatedBuiltinCode = builtin
            made.version = 1
            self._codes[builtin] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(made)
        return self._codes[builtin]


def _array(values: torch.Tensor) -> NDArray[np.float32]:
    return values.detach().numpy().astype(np.float32)
