"""One GraphSpec in, its files in a folder out: exported, compared with torch, stored, compared again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from export.contract import GraphSpec
from export.errors import ExportError
from export.forward import to_onnx
from export.gradient import clean, export_gradient, in_float64, torch_gradient
from export.parity import Agreement, ParityRow, agreement, compare
from export.quantise import quantise
from export.storage import WeightStore, round_to_bytes, round_to_half, save_graph
from mobile_app.core.bundle import DEFAULT_ROOT, reference_image
from mobile_app.core.files import write_whole
from mobile_app.core.photo import EXTENSIONS, decode
from mobile_app.core.preprocess import to_network_input
from mobile_app.core.runtime import load_graph

SAMPLES = DEFAULT_ROOT.parent / "samples"
MOST_PHOTOS = 512  # of a calibration folder that are read
_EVERY_KEPT_BACK = 4  # one photo of so many is for checking
_CHECKED_IN_FLOAT64 = 8


@dataclass(frozen=True, kw_only=True)
class Photos:
    """Real photos as a network sees them, each (1, 3, S, S)."""

    calibration: list[np.ndarray] = field(default_factory=list)
    held_out: list[np.ndarray] = field(default_factory=list)  # seen neither by the calibration nor by the export


def read_photos(folder: Path, *, size_px: int, crop: float) -> Photos:
    """The photos under a folder, through the phone's own preprocessing; of very many, an even selection.

    Raises: ExportError if there is no photo, PhotoError if one cannot be read.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in EXTENSIONS and path.is_file()]
    if not paths:
        raise ExportError(f"--calibration {folder}: expected a folder with photos, found none; name another")
    paths = paths[:: -(-len(paths) // MOST_PHOTOS)]
    images = [to_network_input(decode(path, name=str(path)).rgb_hwc, size_px, crop) for path in paths]
    kept_back = images[::_EVERY_KEPT_BACK]
    return Photos(
        calibration=[image for index, image in enumerate(images) if index % _EVERY_KEPT_BACK], held_out=kept_back
    )


def write_graph(
    spec: GraphSpec, root: Path, stores: dict[str, WeightStore], photos: Photos
) -> tuple[list[ParityRow], dict[str, Any]]:
    """Write the graph of a spec, and its weights, into `root`.

    Args:
        stores: by file name; the one of this spec gains its weights.
        photos: to calibrate an int8 graph on, and to check a classifier with.
    Returns: its parity rows, and what else was measured, for the manifest.
    Raises: ExportError if it cannot be exported or is not faithful.
    """
    path = root / f"{spec.name}.onnx"
    plain = root / f".{spec.name}.float32.onnx"
    model = export_spec(spec)
    save_graph(model, plain)
    rows = _parity(spec, plain, "torch float64, before the weights are rounded", spec.lowest_cosine, photos)
    measured: dict[str, Any] = {}
    if spec.precision == "int8":
        measured = _write_int8(spec, plain, path, photos)
    else:
        _write_rounded(spec, model, path, stores)
    plain.unlink()
    rows += _parity(spec, path, "torch float64, as shipped", spec.lowest_cosine_shipped, photos)
    _require_faithful(spec, rows)
    return rows, measured


def parity_inputs(spec: GraphSpec, photos: Photos) -> Iterator[dict[str, np.ndarray]]:
    """Images that the export did not trace, each with a label where the graph takes one.

    An int8 graph is made for photos, and checked with photos alone; the drawn pattern is none.
    """
    samples = [decode(path).rgb_hwc for path in sorted(SAMPLES.glob("*.jpg"))]
    images = [] if spec.precision == "int8" else [reference_image(spec.size_px)]
    images += [to_network_input(photo, spec.size_px, crop) for photo in samples for crop in (1.0, 0.875, 0.6, 0.4)]
    if spec.task == "classify":  # the photos are read at the size of the flower network; others may have another
        images += [image for image in photos.held_out if image.shape[-1] == spec.size_px][:_CHECKED_IN_FLOAT64]
    for label, image in enumerate(images):
        yield inputs_of(spec, image, label * 97 % spec.classes)


def inputs_of(spec: GraphSpec, image: np.ndarray, label: int = 0) -> dict[str, np.ndarray]:
    """What the graph of a spec is given for an image, (1, 3, S, S), and a class where it takes one."""
    if spec.before is not None:
        with torch.no_grad():
            return {spec.input: spec.before(torch.from_numpy(image)).numpy()}
    return {spec.input: image, **({"label": np.array([label])} if spec.objective else {})}


def torch_reference(spec: GraphSpec) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """What torch gives in float64 for the inputs of a graph, by the graph's own names."""
    module = copy.deepcopy(spec.modules()[1]).double()  # a copy: that of a checkpoint is not built anew

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = in_float64(inputs)
        if spec.objective is not None:
            return torch_gradient(module, tensors, smooth=spec.smooth)
        with torch.no_grad():
            results = module(tensors[spec.input])
        results = results if isinstance(results, tuple) else (results,)
        return {name: result.numpy() for name, result in zip(spec.outputs, results, strict=True)}

    return run


def export_spec(spec: GraphSpec) -> ir.Model:
    """The graph of a spec in float32, from its module."""
    _, module = spec.modules()
    image = torch.from_numpy(reference_image(spec.size_px))
    if spec.before is not None:
        with torch.no_grad():
            image = spec.before(image)
    if spec.objective is not None:
        return export_gradient(module, {"image": image, "label": torch.tensor([0])}, smooth=spec.smooth)
    model = to_onnx(module, {spec.input: image}, spec.outputs)
    clean(model)
    return model


def _write_rounded(spec: GraphSpec, model: ir.Model, path: Path, stores: dict[str, WeightStore]) -> None:
    if spec.precision == "int8 weights":
        round_to_bytes(model, spared=spec.spared)
    round_to_half(model)
    if spec.weights is None:
        save_graph(model, path)
        return
    store = stores.setdefault(spec.weights, WeightStore())
    save_graph(model, path, store, spec.weights)
    store.write(path.parent / spec.weights)


def _write_int8(spec: GraphSpec, plain: Path, path: Path, photos: Photos) -> dict[str, Any]:
    found = quantise(plain, photos.calibration)
    write_whole(path, found.model.SerializeToString(), force=True)
    agreed = agreement(_logits(path, photos.held_out), _logits(plain, photos.held_out))
    if not agreed.top1 >= spec.lowest_agreement:  # written so that NaN is refused
        raise ExportError(_too_far(spec, agreed))
    facts = {"calibrated on photos": found.photos, "operators in int8": found.in_int8, "in float": found.in_float}
    return {"agreement with float32": asdict(agreed), "quantisation": facts}


def _logits(path: Path, images: Sequence[np.ndarray]) -> np.ndarray:
    graph = load_graph(path)
    return np.concatenate([graph.run({"image": image})["logits"] for image in images])


def _too_far(spec: GraphSpec, agreed: Agreement) -> str:
    return (
        f"{spec.name}: names what the float graph names on {agreed.top1:.1%} of {agreed.photos} photos, expected "
        f"{spec.lowest_agreement:.1%}; calibrate on more photos of the kind that it is for"
    )


def _parity(spec: GraphSpec, path: Path, against: str, lowest_cosine: float, photos: Photos) -> list[ParityRow]:
    reference = torch_reference(spec)
    outputs = ("logits", "grad") if spec.objective else spec.outputs
    graph = load_graph(path, name=spec.name)
    wanted = dict.fromkeys(outputs, lowest_cosine)
    return compare(graph.run, reference, parity_inputs(spec, photos), against=against, lowest_cosine=wanted)


def _require_faithful(spec: GraphSpec, rows: Sequence[ParityRow]) -> None:
    for row in rows:
        if not row.ok:
            raise ExportError(
                f"{spec.name}: output {row.output} has cosine {row.cosine:.6f} with {row.against}, expected at least "
                f"{row.lowest_cosine}; the graph does not compute what the module computes"
            )
