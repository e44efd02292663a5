"""Make the bundle: every shipped graph, its labels, its parity rows, and the manifest that binds them.

    python -m export bundle
    python -m export bundle --flowers CHECKPOINT.pt --calibration FOLDER
    python -m export bundle --sensing runs/sensing-photos/model.pt
    python -m export bundle --shield runs/comdefend/phone/comdefend.pt
    python -m export bundle --lite0 runs/surrogate-lite0/model.pt --lite1 runs/surrogate-lite1/model.pt
    python -m export bundle --commodel runs/commodel-range/commodel.pt
    python -m export bundle --universal runs/universal/model.pt --generator runs/generator/model.pt

What was trained here and is not named is taken over from the present bundle, as it is, so that the first command needs
no training data. Where no generator was trained, one is made of the graphs that cloaks follow (export.generator).
The folder is filled beside its place and takes it at the end, so that a bundle is always whole.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from PIL import Image

import mobile_app
from export import generator
from export.card import model_card
from export.checkpoints import sha256_of
from export.contract import COMMAND, GraphSpec, in_turn
from export.errors import ExportError
from export.graphs import Checkpoints, every_graph
from export.parity import ParityRow
from export.shipped import Photos, read_photos, write_graph
from export.storage import WeightStore, read_where_they_lie, save_graph
from mobile_app.core.bundle import DEFAULT_ROOT, MANIFEST, SCHEMA, load_bundle, sample
from mobile_app.core.files import write_whole
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import reference_inputs
from mobile_app.core.species import load_species, named
from training.models.generator import Universal
from training.recipes.one_pass import load_one_pass
from training.torchvision_shim import ensure_torchvision

REFERENCE = "reference.npz"
MODEL_CARD = "MODEL_CARD.md"
FLOWER_LABELS = "flowers.labels.txt"
UNIVERSAL = "universal.png"
_NONE = Checkpoints()


def make_bundle(
    root: Path,
    report: Callable[[str], None] = print,
    *,
    checkpoints: Checkpoints = _NONE,
    calibration: Path | None = None,
    universal: Path | None = None,
    present: Path = DEFAULT_ROOT,
) -> list[ParityRow]:
    """Export every shipped graph into `root`, which is replaced as a whole.

    Args:
        report: is told each parity row, a line each, and how an int8 graph compares.
        checkpoints: whose graphs then replace the present ones; of `commodel` the gradient alone ships.
        calibration: a folder of photos of flowers, for the int8 graph and for checks; needed with flowers.
        universal: a model.pt of training.recipes.one_pass, whose picture then replaces the present one.
        present: the bundle from which all is taken that is not made here.
    Returns: the parity rows of what was exported.
    Raises: ExportError if a graph cannot be exported or is not faithful to torch; TrainingError for a checkpoint that
        cannot be read, PhotoError for such a photo, BundleError for a present bundle that is damaged.
    """
    photos = Photos()
    if (checkpoints.flowers is None) != (calibration is None):
        raise ExportError("--flowers and --calibration: expected both or neither; the int8 graph needs real photos")
    specs = [spec for spec in every_graph(checkpoints) if spec.task != "compress"]  # phones have the codecs themselves
    flowers = next((spec for spec in specs if spec.checkpoint is not None), None)
    if flowers is not None and calibration is not None:
        photos = read_photos(calibration, size_px=flowers.size_px, crop=flowers.crop)
    pattern = None if universal is None else _pattern_png(universal)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".bundle-") as folder:
        staging = Path(folder) / root.name
        staging.mkdir()
        rows = _fill(staging, specs, photos, pattern, present, report)
        if root.exists():
            shutil.move(root, Path(folder) / "previous")
        shutil.move(staging, root)
    return rows


@dataclass(frozen=True)
class _Kept:
    """What comes over from another bundle."""

    graphs: dict[str, Any] = field(default_factory=dict)  # entries of its manifest
    reference: dict[str, np.ndarray] = field(default_factory=dict)


def _fill(
    root: Path,
    specs: Collection[GraphSpec],
    photos: Photos,
    pattern: bytes | None,
    present: Path,
    report: Callable[[str], None],
) -> list[ParityRow]:
    stores: dict[str, WeightStore] = {}
    rows: list[ParityRow] = []
    graphs: dict[str, Any] = {}

    def told(spec: GraphSpec, found: Sequence[ParityRow]) -> None:
        rows.extend(found)
        for row in found:
            report(
                f"{spec.name} {row.output}: cosine {row.cosine:.6f}, median error {row.relative:.1e} ({row.against})"
            )

    for spec in specs:
        found, measured = write_graph(spec, root, stores, photos)
        told(spec, found)
        if "agreement with float32" in measured:
            report(f"{spec.name}, agreement with float32: {measured['agreement with float32']}")
        graphs[spec.name] = _manifest_entry(spec, found, measured)
    (root / "imagenet.labels.txt").write_text("\n".join(_imagenet_labels()) + "\n", encoding="utf-8")
    for entry in (graphs[spec.name] for spec in specs if spec.weights_in):
        _share(entry, root, root)
    kept = _keep(present, root, made=graphs)
    for checkpoint in (spec.checkpoint for spec in specs if spec.labels == FLOWER_LABELS and spec.checkpoint):
        (root / FLOWER_LABELS).write_text("\n".join(checkpoint.classes) + "\n", encoding="utf-8")
    graphs |= kept.graphs
    written = list(specs)
    if generator.SPEC.name not in graphs and generator.can_be_made(graphs):
        found, files = generator.write_generator(root, graphs)
        told(generator.SPEC, found)
        graphs[generator.SPEC.name] = _manifest_entry(generator.SPEC, found, {}) | {"data": files}
        written.append(generator.SPEC)
    graphs = {name: graphs[name] for name in in_turn(graphs)}
    (root / MODEL_CARD).write_text(model_card(graphs, _species_lines(root)), encoding="utf-8")
    _write_reference(root, written, kept.reference)
    if pattern is not None:
        write_whole(root / UNIVERSAL, pattern, force=True)
    _write_manifest(root, graphs)
    return rows


def _share(entry: Mapping[str, Any], root: Path, origin: Path) -> None:
    """Write a graph of `origin` into `root` so that it reads there, in the files of its data, what they hold of it."""
    model = ir.external_data.load_to_model(ir.load(origin / entry["file"]))
    read_where_they_lie(model, [root / file for file in entry["data"]])
    save_graph(model, root / entry["file"])


def _keep(present: Path, root: Path, made: Mapping[str, Any]) -> _Kept:
    """Copy the graphs of a bundle that were not made, with all that they need.

    One that needs no checkpoint would have been made if the contract still had it. One that reads its weights in a file
    that was made may find them at another place there, or no longer.
    """
    if not (present / MANIFEST).is_file():
        return _Kept()
    bundle = load_bundle(present)
    entries = json.loads((present / MANIFEST).read_text(encoding="utf-8"))["graphs"]
    kept = {name: entry for name, entry in entries.items() if name not in made and entry["command"] != COMMAND}
    weights_made = {file for entry in made.values() for file in entry["data"]}
    for entry in kept.values():
        if weights_made & set(entry["data"]):
            _share(entry, root, present)
            continue
        for file in (entry["file"], *entry["data"], *([entry["labels"]] if entry["labels"] else [])):
            shutil.copyfile(present / file, root / file)
    if bundle.universal is not None:
        shutil.copyfile(present / bundle.universal, root / UNIVERSAL)
    stored = bundle.reference_outputs()
    return _Kept(kept, {key: array for key, array in stored.items() if key.partition("/")[0] in kept})


def _manifest_entry(spec: GraphSpec, rows: list[ParityRow], measured: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "file": f"{spec.name}.onnx",
        "data": [file for file in (spec.weights, spec.weights_in) if file],
        "task": spec.task,
        "size_px": spec.size_px,
        "opset": spec.opset,
        "precision": spec.precision,
        "labels": spec.labels,
        "unsure_below": spec.unsure_below,
        "source": spec.source,
        "licence": spec.licence,
        "command": spec.command,
        "metrics": {"parity": [row.as_dict() for row in rows], **measured, **spec.metrics},
    }
    if spec.engine is not None:
        entry["engine"] = spec.engine
    if spec.trained_on:
        entry["trained_on"] = dict(spec.trained_on)
    if spec.checkpoint is not None:
        entry |= {
            "crop": spec.crop,
            "has_other": spec.has_other,
            "species": spec.species,
            "trained_on": dict(spec.trained_on),
        }
    return entry


def _pattern_png(path: Path) -> bytes:
    """A universal perturbation as a grey PNG: 128 is no change, 1 and 255 are the whole budget."""
    network, _ = load_one_pass(path)
    if not isinstance(network, Universal):
        raise ExportError(f"{path}: expected a universal perturbation, found a generator; name it with --generator")
    levels = np.rint(network.pattern.detach().numpy()[0, 0] * 127 + 128).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _species_lines(root: Path) -> list[str]:
    if not (root / FLOWER_LABELS).is_file():
        return []
    names = (root / FLOWER_LABELS).read_text(encoding="utf-8").splitlines()
    known = load_species()
    found = [named(name, known) for name in names]
    return [", ".join(text for text in (one.english, one.latin, one.zh) if text) for one in found]


def _write_reference(root: Path, specs: Collection[GraphSpec], kept: Mapping[str, np.ndarray]) -> None:
    """What each graph gives for the reference image here, to be compared by `petalveil selftest` elsewhere."""
    arrays = dict(kept)
    for spec in specs:
        graph = load_graph(root / f"{spec.name}.onnx")
        outputs = graph.run(reference_inputs(graph, spec.size_px))
        arrays |= {f"{spec.name}/{name}": sample(array) for name, array in outputs.items()}
    np.savez_compressed(root / REFERENCE, **arrays)  # pyright: ignore[reportArgumentType]


def _write_manifest(root: Path, graphs: dict[str, Any]) -> None:
    files = {path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in sorted(root.iterdir())}
    manifest = {
        "schema": SCHEMA,
        "version": mobile_app.__version__,
        "files": files,
        "graphs": graphs,
        "reference": REFERENCE,
        "universal": UNIVERSAL if (root / UNIVERSAL).is_file() else None,
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _imagenet_labels() -> list[str]:
    """The 1000 names in the standard order, from torchvision's metadata (BSD-3-Clause)."""
    ensure_torchvision()
    from torchvision.models import ResNet18_Weights

    return ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
