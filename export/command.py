"""`python -m export gradient`: build the objective, export it, compare it with torch, write the file."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from export.errors import ExportError
from export.gradient import export_gradient, in_float64, torch_gradient
from export.parity import compare
from export.storage import round_to_half, save_graph
from mobile_app.core.bundle import reference_image
from mobile_app.core.files import write_whole
from mobile_app.core.runtime import load_graph
from training import objectives
from training.models.registry import build_network

LOWEST_COSINE = 0.999
_FRESH_IMAGES = 3


@dataclass(frozen=True, kw_only=True)
class GradientJob:
    """What to export, and where to."""

    out: Path
    network: str = "efficientnet_lite0"
    weights: Literal["pretrained", "calibrated"] = "pretrained"
    objective: str = "AwayFromLabel"
    size_px: int | None = None
    precision: Literal["float32", "float16"] = "float16"
    factory: str | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.size_px is not None and self.size_px < 1:
            raise ValueError(f"size: expected 1 or more pixels, got {self.size_px}")


def write_gradient(job: GradientJob) -> Iterator[str]:
    """Export, check against torch on images that were not traced, write; yields what happened, a line each.

    Raises: ExportError if the export is refused or unfaithful, OutputError if the file cannot be written.
    """
    objective, example = _from_factory(job.factory) if job.factory else _from_names(job)
    model = export_gradient(objective, example)
    yield f"operators: {', '.join(f'{count} {name}' for name, count in _operators(model).most_common())}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        save_graph(model, path)
        for row in compare(
            load_graph(path).run,
            _reference(objective),
            list(_fresh(example)),
            against="torch float64",
            lowest_cosine={"grad": LOWEST_COSINE},
        ):
            yield f"{row.output}: cosine {row.cosine:.6f} with {row.against}, on {row.images} images it never saw"
            if not row.ok:
                raise ExportError(
                    f"the exported gradient has cosine {row.cosine:.4f} with autograd, expected {LOWEST_COSINE}; "
                    "part of it was frozen while tracing, or the objective depends on chance"
                )
        if job.precision == "float16":
            round_to_half(model)
        save_graph(model, path)
        write_whole(job.out, path.read_bytes(), force=job.force)
    yield f"{job.out}: {job.out.stat().st_size / 1e6:.1f} MB, opset {model.opset_imports['']}"


def _from_names(job: GradientJob) -> tuple[nn.Module, dict[str, Tensor]]:
    network = build_network(job.network, weights=job.weights)
    size_px = job.size_px or int(network.size_px)  # pyright: ignore[reportArgumentType]
    image = torch.from_numpy(reference_image(size_px))
    second = {"original": image * 0.5} if job.objective == "FeatureDistance" else {"label": torch.tensor([0])}
    return getattr(objectives, job.objective)(network).eval(), {"image": image, **second}


def _from_factory(factory: str) -> tuple[nn.Module, dict[str, Tensor]]:
    module_name, _, function_name = factory.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(importlib.import_module(module_name), function_name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ExportError(f"--factory {factory}: expected MODULE:FUNCTION that can be imported ({error})") from error
    finally:
        sys.path.pop(0)
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module)):
        raise ExportError(f"--factory {factory}: expected (module, {{name: tensor}}), found {type(made).__name__}")
    return made[0], dict(made[1])


def _reference(objective: nn.Module):
    exact = objective.double()

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            return torch_gradient(exact, in_float64(inputs))
        except RuntimeError as error:
            raise ExportError(
                f"{type(objective).__name__}: torch cannot compute it in float64 to check the graph ({error}); make "
                "every network and tensor in it a submodule, parameter or buffer"
            ) from error

    return run


def _fresh(example: Mapping[str, Tensor]) -> Iterator[dict[str, np.ndarray]]:
    """Inputs unlike those that were traced: every float mixed with noise, every whole number kept."""
    rng = np.random.default_rng(0)
    for _ in range(_FRESH_IMAGES):
        yield {
            name: (0.7 * value.numpy() + 0.3 * rng.random(value.shape)).astype(value.numpy().dtype)
            if value.is_floating_point()
            else value.numpy()
            for name, value in example.items()
        }


def _operators(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)
