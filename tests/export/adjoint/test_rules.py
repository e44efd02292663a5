"""Every adjoint rule against torch autograd: in float64 by ONNX's reference implementation, in float32 by the runtime.

Each case is exported at one random input and compared at another, so a gradient that was frozen while tracing cannot
pass. The loss is a random weighting of the module's output, so that a rule has to carry a gradient that varies.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch import Tensor, nn
from torch.nn import functional as F

from export.gradient import export_gradient, torch_gradient
from mobile_app.core.runtime import load_graph

IMAGE = (1, 8, 13, 11)  # odd sides, so that strides run past the edge


class Weighted(nn.Module):
    """loss = sum(weights * module(image)) for fixed random weights."""

    def __init__(self, module: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module = module
        with torch.no_grad():
            size = module(_image(shape, seed=1)).shape
        self.register_buffer("weights", torch.randn(size, generator=torch.Generator().manual_seed(3)))

    def forward(self, image: Tensor) -> Tensor:
        return (self.weights * self.module(image)).sum()


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def _image(shape: tuple[int, ...], seed: int) -> Tensor:
    """Spread over [-4, 4], where every activation has all of its pieces."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 8 - 4


def conv(inputs: int, outputs: int, kernel: int | tuple[int, int], **options: object) -> nn.Module:
    return nn.Conv2d(inputs, outputs, kernel, **options)  # pyright: ignore[reportArgumentType]


def batch_norm() -> nn.Module:
    layer = nn.BatchNorm2d(8)
    generator = torch.Generator().manual_seed(5)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.running_mean.copy_(torch.randn(8, generator=generator))
    layer.running_var.copy_(torch.rand(8, generator=generator) + 0.5)
    nn.init.normal_(layer.weight, generator=generator)
    return layer


def positive(function: Callable[[Tensor], Tensor]) -> nn.Module:
    """A function that is defined on positive numbers, fed with x^2 + 1/2."""
    return Function(lambda x: function(x * x + 0.5))


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv_1x1": (lambda: conv(8, 5, 1), IMAGE),
    "conv_3x3": (lambda: conv(8, 6, 3), IMAGE),
    "conv_padded": (lambda: conv(8, 6, 3, padding=1), IMAGE),
    "conv_padded_beyond_the_kernel": (lambda: conv(8, 6, 3, padding=4), IMAGE),
    "conv_padded_unevenly": (lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 2, 1)), conv(8, 6, 3)), IMAGE),
    "conv_even_kernel": (lambda: conv(8, 6, 4, padding=2), IMAGE),
    "conv_rectangular": (lambda: conv(8, 6, (1, 5), padding=(0, 2)), IMAGE),
    "conv_stride_2": (lambda: conv(8, 6, 3, stride=2, padding=1), IMAGE),
    "conv_stride_3_past_the_edge": (lambda: conv(8, 6, 2, stride=3), IMAGE),
    "conv_1x1_stride_2": (lambda: conv(8, 6, 1, stride=2), IMAGE),
    "conv_mixed_strides": (lambda: conv(8, 6, 3, stride=(2, 1), padding=1), IMAGE),
    "conv_dilated": (lambda: conv(8, 6, 3, dilation=2, padding=2), IMAGE),
    "conv_dilated_stride_2": (lambda: conv(8, 6, 3, dilation=2, stride=2, padding=1), IMAGE),
    "conv_grouped": (lambda: conv(8, 12, 3, groups=4, padding=1), IMAGE),
    "conv_grouped_stride_2": (lambda: conv(8, 12, 3, groups=4, stride=2), IMAGE),
    "conv_on_one_pixel": (lambda: conv(8, 6, 3, padding=1), (1, 8, 1, 1)),
    "conv_stride_2_on_one_pixel": (lambda: conv(8, 6, 3, stride=2, padding=1), (1, 8, 1, 1)),
    "depthwise": (lambda: conv(8, 8, 3, groups=8, padding=1), IMAGE),
    "depthwise_multiplier": (lambda: conv(8, 16, 3, groups=8, padding=1), IMAGE),
    "depthwise_multiplier_stride_2": (lambda: conv(8, 16, 3, groups=8, padding=1, stride=2), IMAGE),
    "depthwise_stride_2": (lambda: conv(8, 8, 3, groups=8, stride=2, padding=1), IMAGE),
    "depthwise_stride_2_even": (lambda: conv(8, 8, 5, groups=8, stride=2, padding=2), (1, 8, 12, 16)),
    "depthwise_stride_2_same": (
        lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), conv(8, 8, 3, groups=8, stride=2)),
        (1, 8, 12, 16),
    ),
    "depthwise_stride_3": (lambda: conv(8, 8, 5, groups=8, stride=3, padding=1), IMAGE),
    "depthwise_stride_wider_than_kernel": (lambda: conv(8, 8, 2, groups=8, stride=3), IMAGE),
    "depthwise_dilated": (lambda: conv(8, 8, 3, groups=8, dilation=2, padding=2), IMAGE),
    "depthwise_of_a_batch": (lambda: conv(8, 8, 3, groups=8, stride=2, padding=1), (2, 8, 12, 16)),
    "conv_transpose": (lambda: nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1), IMAGE),
    "conv_transpose_grouped": (lambda: nn.ConvTranspose2d(8, 6, 4, stride=2, groups=2), IMAGE),
    "conv_transpose_stride_wider": (lambda: nn.ConvTranspose2d(8, 6, 2, stride=3, output_padding=1), IMAGE),
    "conv_one_axis": (lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(8, 6, 5, 2, 2)), IMAGE),
    "conv_padded_by_reflection": (lambda: conv(8, 6, 3, padding=1, padding_mode="reflect"), IMAGE),
    "conv_on_one_pixel_without_padding": (lambda: conv(8, 6, 1, stride=2), (1, 8, 1, 1)),
    "depthwise_on_one_row": (lambda: conv(8, 8, 3, groups=8, stride=2, padding=1), (1, 8, 1, 9)),
    "depthwise_mixed_strides": (lambda: conv(8, 8, 3, groups=8, stride=(1, 2), padding=1), IMAGE),
    "depthwise_dilated_stride_2": (lambda: conv(8, 8, 3, groups=8, stride=2, dilation=2, padding=2), IMAGE),
    "depthwise_padded_beyond_the_kernel": (lambda: conv(8, 8, 3, groups=8, stride=2, padding=5), IMAGE),
    "linear": (lambda: nn.Linear(11, 5), IMAGE),
    "linear_of_a_vector": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(24, 5)), (1, 24)),
    "matmul": (lambda: Function(lambda x: x @ x.transpose(2, 3)), IMAGE),
    "matmul_broadcast": (lambda: Function(lambda x: x[:, :1] @ x.transpose(2, 3)), IMAGE),
    "batch_norm": (batch_norm, IMAGE),
    "batch_norm_folded": (lambda: nn.Sequential(conv(8, 8, 3), batch_norm()), IMAGE),
    "layer_norm": (lambda: nn.LayerNorm((13, 11)), IMAGE),
    "group_norm": (lambda: nn.GroupNorm(2, 8), IMAGE),
    "instance_norm": (lambda: nn.InstanceNorm2d(8, affine=True), IMAGE),
    "instance_norm_with_running_statistics": (
        lambda: nn.InstanceNorm2d(8, affine=True, track_running_stats=True),
        IMAGE,
    ),
    "rms_norm": (lambda: nn.RMSNorm(11), IMAGE),
    "local_response_norm": (lambda: nn.LocalResponseNorm(3), IMAGE),
    "unit_length": (lambda: Function(lambda x: F.normalize(x, dim=1)), IMAGE),
    "relu": (nn.ReLU, IMAGE),
    "relu_in_place": (lambda: Function(lambda x: F.relu(x * 2, inplace=True)), IMAGE),
    "threshold": (lambda: nn.Threshold(0.5, 0.1), IMAGE),
    "softsign": (nn.Softsign, IMAGE),
    "log_sigmoid": (nn.LogSigmoid, IMAGE),
    "glu": (lambda: nn.GLU(1), IMAGE),
    "relu6": (lambda: Function(lambda x: F.relu6(x * 3)), IMAGE),
    "clamp": (lambda: Function(lambda x: x.clamp(-1, 2)), IMAGE),
    "clamp_below": (lambda: Function(lambda x: x.clamp(min=-1)), IMAGE),
    "clamp_at_zero": (lambda: Function(lambda x: x.clamp(min=0) * x), IMAGE),
    "clamp_above_at_zero": (lambda: Function(lambda x: x.clamp(max=0) * x), IMAGE),
    "maximum": (lambda: Function(lambda x: torch.maximum(x, x.flip(1) * 0.5)), IMAGE),
    "leaky_relu": (lambda: nn.LeakyReLU(0.125), IMAGE),
    "prelu": (lambda: nn.PReLU(8, init=0.2), IMAGE),
    "elu": (lambda: nn.ELU(0.75), IMAGE),
    "hardswish": (nn.Hardswish, IMAGE),
    "hardsigmoid": (nn.Hardsigmoid, IMAGE),
    "silu": (nn.SiLU, IMAGE),
    "gelu": (nn.GELU, IMAGE),
    "gelu_tanh": (lambda: nn.GELU(approximate="tanh"), IMAGE),
    "mish": (nn.Mish, IMAGE),
    "softplus": (nn.Softplus, IMAGE),
    "sigmoid": (nn.Sigmoid, IMAGE),
    "tanh": (nn.Tanh, IMAGE),
    "softmax": (lambda: nn.Softmax(1), IMAGE),
    "log_softmax": (lambda: nn.LogSoftmax(-1), IMAGE),
    "logsumexp": (lambda: Function(lambda x: x.logsumexp(1)), IMAGE),
    "max_pool": (lambda: nn.MaxPool2d(3, 2, 1), IMAGE),
    "max_pool_ceil": (lambda: nn.MaxPool2d(3, 2, ceil_mode=True), IMAGE),
    "max_pool_overlapping": (lambda: nn.MaxPool2d(3, 1), IMAGE),
    "average_pool": (lambda: nn.AvgPool2d(3, 2, 1), IMAGE),
    "average_pool_without_padding_counted": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGE),
    "average_pool_ceil": (lambda: nn.AvgPool2d(2, 2, ceil_mode=True), IMAGE),
    "average_pool_ceil_padded": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (1, 8, 12, 10)),
    "adaptive_average_pool": (lambda: nn.AdaptiveAvgPool2d((5, 4)), IMAGE),
    "adaptive_average_pool_to_one": (lambda: nn.AdaptiveAvgPool2d(1), IMAGE),
    "adaptive_max_pool_to_one": (lambda: nn.AdaptiveMaxPool2d(1), IMAGE),
    "max_pool_on_one_pixel": (lambda: nn.MaxPool2d(3, 2, 1), (1, 8, 1, 1)),
    "max_pool_dilated": (lambda: nn.MaxPool2d(3, 2, 1, dilation=2), IMAGE),
    "average_pool_on_one_pixel": (lambda: nn.AvgPool2d(3, 2, 1), (1, 8, 1, 1)),
    "average_pool_stride_wider_than_kernel": (lambda: nn.AvgPool2d(2, 3), IMAGE),
    "adaptive_average_pool_to_more_bins": (lambda: nn.AdaptiveAvgPool2d((16, 12)), IMAGE),
    "global_mean": (lambda: Function(lambda x: x.mean((2, 3))), IMAGE),
    "mean_of_all": (lambda: Function(lambda x: x.mean() * x.square().mean()), IMAGE),
    "deviation": (lambda: Function(lambda x: x.std((2, 3))), IMAGE),
    "sum_over_one_axis": (lambda: Function(lambda x: x.sum(1)), IMAGE),
    "amax": (lambda: Function(lambda x: x.amax((2, 3), keepdim=True)), IMAGE),
    "amin": (lambda: Function(lambda x: x.amin(1)), IMAGE),
    "norm": (lambda: Function(lambda x: x.norm(dim=1)), IMAGE),
    "norm_l1": (lambda: Function(lambda x: x.abs().sum((1, 2))), IMAGE),
    "add_broadcast": (lambda: Function(lambda x: x + x[:, :, :1]), IMAGE),
    "subtract": (lambda: Function(lambda x: 3 - x * 2 - x[:, :1]), IMAGE),
    "multiply_broadcast": (lambda: Function(lambda x: x * x.mean((2, 3), keepdim=True)), IMAGE),
    "divide": (lambda: positive(lambda x: x / (x[:, :1] + 1)), IMAGE),
    "power": (lambda: positive(lambda x: x**1.5 + x**2), IMAGE),
    "exp_log_sqrt": (lambda: positive(lambda x: (-x).exp() + x.log() + x.sqrt() + 1 / x), IMAGE),
    "normalise": (lambda: Function(lambda x: (x - 0.5) / 0.25), IMAGE),
    "where": (lambda: Function(lambda x: torch.where(x > 0.5, x, 0.125 * x * x)), IMAGE),
    "squeeze_and_excitation": (
        lambda: Function(lambda x: x * F.hardsigmoid(x.mean((2, 3), keepdim=True) * 2)),
        IMAGE,
    ),
    "attention": (lambda: Function(lambda x: F.scaled_dot_product_attention(x, x * 0.5, x)), IMAGE),
    "minimum": (lambda: Function(lambda x: torch.minimum(x, 1 - x)), IMAGE),
    "mean_squared_error": (lambda: Function(lambda x: F.mse_loss(x, torch.full_like(x, 0.25))), IMAGE),
    "smooth_l1": (lambda: Function(lambda x: F.smooth_l1_loss(x, torch.full_like(x, 0.25))), IMAGE),
    "cosine_similarity": (lambda: Function(lambda x: F.cosine_similarity(x, x.flip(1) * 2 + 1)), IMAGE),
    "concat": (lambda: Function(lambda x: torch.cat([x, x * 2, x[:, :3]], 1)), IMAGE),
    "slice": (lambda: Function(lambda x: x[:, 1:7, :5, 2:]), IMAGE),
    "slice_with_steps": (lambda: Function(lambda x: x[:, ::2, 1:9:3]), IMAGE),
    "slice_past_the_edge": (lambda: Function(lambda x: x[:, 5:99, -3:]), IMAGE),
    "stack": (lambda: Function(lambda x: torch.stack([x, x * x])), IMAGE),
    "roll": (lambda: Function(lambda x: x.roll(2, 3)), IMAGE),
    "unfold": (lambda: nn.Unfold(3), IMAGE),
    "flip": (lambda: Function(lambda x: x.flip(1)), IMAGE),
    "chunk": (lambda: Function(lambda x: x.chunk(2, 1)[0] * x.chunk(2, 1)[1]), IMAGE),
    "chunk_with_one_unread": (lambda: Function(lambda x: x.chunk(4, 1)[2] ** 2), IMAGE),
    "index": (lambda: Function(lambda x: x[:, [3, 1, 1, 7]]), IMAGE),
    "pad": (lambda: Function(lambda x: F.pad(x, (1, 2, 0, 3))), IMAGE),
    "pad_negative": (lambda: Function(lambda x: F.pad(x, (1, -2, -1, 3))), IMAGE),
    "pad_reflect": (lambda: Function(lambda x: F.pad(x, (1, 2, 3, 1), mode="reflect")), IMAGE),
    "pad_replicate": (lambda: Function(lambda x: F.pad(x, (1, 2, 3, 1), mode="replicate")), IMAGE),
    "pad_circular": (lambda: Function(lambda x: F.pad(x, (1, 2, 3, 1), mode="circular")), IMAGE),
    "pad_with_a_number": (lambda: Function(lambda x: F.pad(x, (1, 2, 0, 3), value=0.5) ** 2), IMAGE),
    "reshape_and_permute": (lambda: Function(lambda x: x.reshape(1, 4, 2, -1).permute(0, 3, 2, 1)), IMAGE),
    "expand": (lambda: Function(lambda x: x[:, :1].expand(1, 6, 13, 11) ** 2), IMAGE),
    "pixel_shuffle": (lambda: nn.PixelShuffle(2), IMAGE),
    "pixel_unshuffle": (lambda: nn.PixelUnshuffle(2), (1, 8, 12, 10)),
    "resize_down": (lambda: Function(lambda x: F.interpolate(x, size=(7, 5), mode="bilinear")), IMAGE),
    "resize_up": (lambda: Function(lambda x: F.interpolate(x, size=(20, 30), mode="bilinear")), IMAGE),
    "resize_to_one_pixel": (lambda: Function(lambda x: F.interpolate(x, size=(1, 1), mode="bilinear")), IMAGE),
    "resize_from_one_pixel": (
        lambda: Function(lambda x: F.interpolate(x, size=(3, 4), mode="bilinear")),
        (1, 8, 1, 1),
    ),
    "resize_antialiased": (
        lambda: Function(lambda x: F.interpolate(x, size=(5, 4), mode="bilinear", antialias=True)),
        IMAGE,
    ),
    "resize_align_corners": (
        lambda: Function(lambda x: F.interpolate(x, size=(7, 20), mode="bilinear", align_corners=True)),
        IMAGE,
    ),
    "resize_nearest": (lambda: Function(lambda x: F.interpolate(x, scale_factor=2)), IMAGE),
    "resize_bicubic": (lambda: Function(lambda x: F.interpolate(x, size=(26, 22), mode="bicubic")), IMAGE),
}


# The format keeps attributes and the exporter keeps constants as float32, so 1/6 and sqrt(2) are rounded to 7 digits.
ROUNDED_CONSTANTS = {"hardsigmoid", "hardswish", "gelu", "squeeze_and_excitation"}


@pytest.mark.parametrize("name", CASES)
def test_rule_equals_autograd_in_float64(name: str) -> None:
    objective, shape = _objective(name)
    objective = objective.double()
    model = export_gradient(objective, {"image": _image(shape, seed=1).double()})
    image = _image(shape, seed=2).double()
    wanted = torch_gradient(objective, {"image": image})["grad"]
    reference = ReferenceEvaluator(ir.to_proto(model), new_ops=[ConvTranspose, MaxPool, Pad])
    (grad,) = reference.run(["grad"], {"image": image.numpy()})
    assert _relative_error(np.asarray(grad), wanted) <= (1e-7 if name in ROUNDED_CONSTANTS else 1e-10)


@pytest.mark.parametrize("name", CASES)
def test_rule_equals_autograd_in_the_runtime(name: str, tmp_path: Path) -> None:
    objective, shape = _objective(name)
    ir.save(export_gradient(objective, {"image": _image(shape, seed=1)}), tmp_path / "graph.onnx")
    image = _image(shape, seed=2)
    wanted = torch_gradient(objective.double(), {"image": image.double()})["grad"]
    grad = load_graph(tmp_path / "graph.onnx").run({"image": image.numpy()})["grad"]
    assert _relative_error(grad, wanted) <= 1e-5


class ConvTranspose(OpRun):
    """ONNX's reference lacks groups."""

    def _run(
        self, x, weight, bias=None, pads=None, strides=None, dilations=None, output_padding=None, group=1, **_unused
    ):
        transposed = {3: F.conv_transpose1d, 4: F.conv_transpose2d}[x.ndim]
        full = transposed(
            torch.tensor(x),
            torch.tensor(weight),
            None if bias is None else torch.tensor(bias),
            stride=strides or 1,
            dilation=dilations or 1,
            groups=group,
        )
        rank = x.ndim - 2
        pads, extra = pads or [0] * 2 * rank, output_padding or [0] * rank
        rims = [(-pads[axis], extra[axis] - pads[rank + axis]) for axis in reversed(range(rank))]
        return (F.pad(full, [size for rim in rims for size in rim]).numpy(),)


class MaxPool(OpRun):
    """ONNX's reference gives wrong indices for overlapping windows."""

    def _run(self, x, kernel_shape=None, pads=None, strides=None, dilations=None, ceil_mode=0, **_unused):
        pooled, indices = F.max_pool2d(
            torch.tensor(x),
            kernel_shape,
            strides,
            pads[:2],
            dilations or 1,
            ceil_mode=bool(ceil_mode),
            return_indices=True,
        )
        first = torch.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], 1, 1) * x.shape[2] * x.shape[3]
        return pooled.numpy(), (indices + first).numpy()


class Pad(OpRun):
    """ONNX's reference lacks negative pads."""

    def _run(self, x, pads, constant_value=None, axes=None, mode="constant"):
        for axis, (before, after) in enumerate(pads.reshape(2, -1).T):
            x = np.take(x, range(max(-before, 0), x.shape[axis] - max(-after, 0)), axis)
        rims = [(max(before, 0), max(after, 0)) for before, after in pads.reshape(2, -1).T]
        return (np.pad(x, rims, mode=mode),)


def _objective(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    build, shape = CASES[name]
    torch.manual_seed(7)
    return Weighted(build().eval(), shape).eval(), shape


def _relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    assert np.abs(wanted).max() > 0
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
