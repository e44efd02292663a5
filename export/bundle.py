"""Make the bundle: every shipped graph, its labels, its parity rows, and the manifest that binds them.

    python -m export bundle

The folder is filled beside its place and takes it at the end, so that a bundle is always whole.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import nn

import mobile_app
from export.contract import SHIPPED, GraphSpec
from export.errors import ExportError
from export.forward import to_onnx
from export.gradient import clean, export_gradient, in_float64, torch_gradient
from export.parity import ParityRow, compare
from export.storage import WeightStore, round_to_half, save_graph
from mobile_app.core.bundle import DEFAULT_ROOT, MANIFEST, SCHEMA, reference_image, sample
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import reference_inputs
from training import objectives
from training.models.registry import build_network
from training.torchvision_shim import ensure_torchvision

COMMAND = "python -m export bundle"
REFERENCE = "reference.npz"
MODEL_CARD = "MODEL_CARD.md"
SAMPLES = DEFAULT_ROOT.parent / "samples"


def make_bundle(root: Path, report: Callable[[str], None] = print) -> list[ParityRow]:
    """Export every shipped graph into `root`, which is replaced as a whole.

    Args:
        report: is told each parity row, a line each.
    Returns: all parity rows.
    Raises: ExportError if a graph cannot be exported or is not faithful to torch.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".bundle-") as folder:
        staging = Path(folder) / root.name
        staging.mkdir()
        rows = _fill(staging, report)
        if root.exists():
            shutil.move(root, Path(folder) / "previous")
        shutil.move(staging, root)
    return rows


def network_and_objective(spec: GraphSpec) -> tuple[nn.Module, nn.Module]:
    """The classifier of a spec, and the module that is exported: the classifier itself or an objective over it."""
    network = build_network(spec.network)
    if spec.objective is None:
        return network, network
    return network, getattr(objectives, spec.objective)(network).eval()


def parity_inputs(spec: GraphSpec) -> Iterator[dict[str, np.ndarray]]:
    """Images that the export did not trace, each with a label where the graph takes one."""
    photos = [decode(path).rgb_hwc for path in sorted(SAMPLES.glob("*.jpg"))]
    images = [reference_image(spec.size_px)]
    images += [to_network_input(photo, spec.size_px, crop) for photo in photos for crop in (1.0, 0.875, 0.6, 0.4)]
    for label, image in enumerate(images):
        yield {"image": image, **({"label": np.array([label * 97 % 1000])} if spec.objective else {})}


def _fill(root: Path, report: Callable[[str], None]) -> list[ParityRow]:
    stores: dict[str, WeightStore] = {}
    rows: list[ParityRow] = []
    graphs: dict[str, Any] = {}
    for spec in SHIPPED:
        model = _export(spec)
        plain = root / f".{spec.name}.float32.onnx"
        save_graph(model, plain)
        exact = _parity(spec, plain, "torch float64, before the weights are rounded", spec.lowest_cosine)
        plain.unlink()
        round_to_half(model)
        path = root / f"{spec.name}.onnx"
        store = stores.setdefault(spec.weights, WeightStore())
        save_graph(model, path, store, spec.weights)
        store.write(root / spec.weights)
        shipped = _parity(spec, path, "torch float64, as shipped", spec.lowest_cosine_shipped)
        for row in (*exact, *shipped):
            report(
                f"{spec.name} {row.output}: cosine {row.cosine:.6f}, median error {row.relative:.1e} ({row.against})"
            )
        _require_faithful(spec, [*exact, *shipped])
        rows += [*exact, *shipped]
        graphs[spec.name] = _manifest_entry(spec, [*exact, *shipped])
    (root / "imagenet.labels.txt").write_text("\n".join(_imagenet_labels()) + "\n", encoding="utf-8")
    (root / MODEL_CARD).write_text(_model_card(graphs), encoding="utf-8")
    _write_reference(root)
    _write_manifest(root, graphs)
    return rows


def _export(spec: GraphSpec) -> ir.Model:
    _, objective = network_and_objective(spec)
    image = torch.from_numpy(reference_image(spec.size_px))
    if spec.objective is not None:
        return export_gradient(objective, {"image": image, "label": torch.tensor([0])})
    model = to_onnx(objective, {"image": image}, ["logits"])
    clean(model)
    return model


def _parity(spec: GraphSpec, path: Path, against: str, lowest_cosine: float) -> list[ParityRow]:
    network, objective = network_and_objective(spec)
    objective = objective.double()

    def reference(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = in_float64(inputs)
        if spec.objective is not None:
            return torch_gradient(objective, tensors)
        with torch.no_grad():
            return {"logits": network(tensors["image"]).numpy()}

    wanted = {"logits": lowest_cosine, **({"grad": lowest_cosine} if spec.objective else {})}
    graph = load_graph(path, name=spec.name)
    return compare(graph.run, reference, parity_inputs(spec), against=against, lowest_cosine=wanted)


def _require_faithful(spec: GraphSpec, rows: list[ParityRow]) -> None:
    for row in rows:
        if not row.ok:
            raise ExportError(
                f"{spec.name}: output {row.output} has cosine {row.cosine:.6f} with {row.against}, expected at least "
                f"{row.lowest_cosine}; the graph does not compute what the module computes"
            )


def _manifest_entry(spec: GraphSpec, rows: list[ParityRow]) -> dict[str, Any]:
    return {
        "file": f"{spec.name}.onnx",
        "data": [spec.weights],
        "task": spec.task,
        "size_px": spec.size_px,
        "opset": spec.opset,
        "precision": spec.precision,
        "labels": spec.labels,
        "unsure_below": spec.unsure_below,
        "source": spec.source,
        "licence": spec.licence,
        "command": COMMAND,
        "metrics": {"parity": [row.as_dict() for row in rows]},
    }


def _write_reference(root: Path) -> None:
    """What each graph gives for the reference image here, to be compared by `petalveil selftest` elsewhere."""
    arrays = {}
    for spec in SHIPPED:
        graph = load_graph(root / f"{spec.name}.onnx")
        outputs = graph.run(reference_inputs(graph, spec.size_px))
        arrays |= {f"{spec.name}/{name}": sample(array) for name, array in outputs.items()}
    np.savez_compressed(root / REFERENCE, **arrays)  # pyright: ignore[reportArgumentType]


def _write_manifest(root: Path, graphs: dict[str, Any]) -> None:
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in sorted(root.iterdir())
    }
    manifest = {
        "schema": SCHEMA,
        "version": mobile_app.__version__,
        "files": files,
        "graphs": graphs,
        "reference": REFERENCE,
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _imagenet_labels() -> list[str]:
    """The 1000 names in the standard order, from torchvision's metadata (BSD-3-Clause)."""
    ensure_torchvision()
    from torchvision.models import ResNet18_Weights

    return ResNet18_Weights.IMAGENET1K_V1.meta["categories"]


def _model_card(graphs: Mapping[str, Any]) -> str:
    lines = [
        "# Model card",
        "",
        f"Made by `{COMMAND}`. Labels: torchvision's ImageNet names (BSD-3-Clause).",
        "",
    ]
    for name, entry in graphs.items():
        lines += [
            f"## {name}",
            "",
            f"- task: {entry['task']}; input {entry['size_px']} x {entry['size_px']} px, RGB in [0, 1]",
            f"- source: {entry['source']}; licence {entry['licence']}",
            f"- trained on ImageNet-1k by its authors, nothing was trained here; stored as {entry['precision']}",
            f"- operators: standard ONNX, opset {entry['opset']}",
            "",
            "| output | compared with | images | lowest cosine | median relative error |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['output']} | {row['against']} | {row['images']} | {row['cosine']:.6f} | {row['relative']:.1e} |"
            for row in entry["metrics"]["parity"]
        ]
        lines.append("")
    lines += [
        "## Limits",
        "",
        "The classifier knows the 1000 classes of ImageNet, none of them a person; it is wrong on about a quarter of",
        "photos in the wild. The gradient graph misleads the network it was made from; how far that carries over to",
        "others is measured in the README.",
        "",
    ]
    return "\n".join(lines)
