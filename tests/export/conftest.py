"""What the tests of export share: objectives from functions, a graph in the runtime, and a faster exporter."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx_ir as ir
import pytest
import torch
from torch import Tensor, nn
from torch.onnx._internal.exporter import _registration

from export.storage import save_graph
from mobile_app.core.runtime import Graph, load_graph


class Objective(nn.Module):
    """A function of the inputs as a module."""

    def __init__(self, function: Callable[..., Tensor | tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.function(*inputs)


@pytest.fixture
def objective() -> Callable[[Callable[..., Tensor | tuple[Tensor, ...]]], nn.Module]:
    """Makes a module in eval mode from a function."""
    return lambda function: Objective(function).eval()


@pytest.fixture
def in_runtime(tmp_path: Path) -> Callable[[ir.Model], Graph]:
    """Loads an exported model as a phone would."""

    def load(model: ir.Model) -> Graph:
        save_graph(model, tmp_path / "in_runtime.onnx")
        return load_graph(tmp_path / "in_runtime.onnx")

    return load


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread: several wait for each other for minutes where another process wants the same cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def _translations_read_once() -> Iterator[None]:
    """torch.onnx reads its whole library of translations at every export, which is half the time of a small one."""
    original = _registration.ONNXRegistry.from_torchlib
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", staticmethod(functools.cache(original)))
        yield
