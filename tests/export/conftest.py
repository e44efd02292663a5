"""What the tests of export share: objectives from functions, a graph in the runtime, and a faster exporter."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx_ir as ir
import pytest
from torch import Tensor, nn
from torch.export import decomp_utils, exported_program
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


@pytest.fixture(scope="session", autouse=True)
def _libraries_read_once() -> Iterator[None]:
    """torch reads its whole library of translations, and of operators, at every export: most of a small one's time.

    Both are the same every time; that of operators is said never to be changed by who reads it.
    """
    translations = _registration.ONNXRegistry.from_torchlib
    operators = getattr(exported_program, "_collect_all_valid_cia_ops", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", staticmethod(functools.cache(translations)))
        if operators is not None:  # a later torch may do without
            for module in (exported_program, decomp_utils):
                patch.setattr(module, "_collect_all_valid_cia_ops", functools.cache(operators), raising=False)
        yield
