"""Does a saved package compute what torch computes? Measured so that it cannot pass by accident.

Trained weights, real photos that no export traced, torch in float64 as the reference, and a reference whose answers
differ between the photos. A gradient graph is asked twice a photo: for a class that the network does not see, and for
the one that it does, where a cloak begins and where float16 is hardest pressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_sample_image

from export.contract import GraphSpec
from export.errors import ExportError
from export.fidelity import SMALLEST_DEVIATION
from export.mil.evaluate import load_package
from export.parity import ParityRow, compare
from export.shipped import Photos, parity_inputs, torch_reference
from mobile_app.core.preprocess import to_network_input

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], Arrays]
AGAINST = "torch float64"
_SAMPLES = ("china.jpg", "flower.jpg")  # of scikit-learn


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A package as it lies on disk."""

    size_bytes: int
    rows: list[ParityRow]
    signs: float | None  # lowest share of the gradient's elements with the same sign; None for other graphs
    deviation: float  # of the reference's first output, about its mean over the photos


def size_and_parity(
    path: Path, spec: GraphSpec, precision: str = "float16", photos: Photos | None = None
) -> tuple[int, list[ParityRow]]:
    """(bytes, parity rows) of a saved package, for tables of several formats. Raises: as `measure`."""
    measured = measure(path, spec, precision, reference(spec, photos))
    return measured.size_bytes, measured.rows


@dataclass(frozen=True)
class Reference:
    """Inputs, and what torch makes of them in float64."""

    inputs: list[Arrays]
    outputs: list[Arrays]
    deviation: float


def reference(spec: GraphSpec, photos: Photos | None = None) -> Reference:
    """Raises: ExportError if the reference says about the same of all photos, as an untrained network does."""
    run = torch_reference(spec)
    inputs, outputs = [], []
    for arrays in _inputs(spec, photos or Photos()):
        inputs.append(arrays)
        outputs.append(run(arrays))
        if spec.objective is not None:
            seen = {**arrays, "label": outputs[-1]["logits"].argmax(1)}
            inputs.append(seen)
            outputs.append(run(seen))
    first = np.concatenate([output["logits" if spec.objective else spec.outputs[0]] for output in outputs])
    deviation = float(np.std(first - first.mean(0)))
    if not deviation > SMALLEST_DEVIATION:  # written so that NaN is refused
        raise ExportError(
            f"{spec.name}: its outputs differ by {deviation:.2g} between photos, expected more than "
            f"{SMALLEST_DEVIATION}; anything agrees with a network that says the same of all, so train it first"
        )
    return Reference(inputs, outputs, deviation)


def measure(path: Path, spec: GraphSpec, precision: str, wanted: Reference, run: Run | None = None) -> Measured:
    """Compare a saved package with the reference.

    Args: run: what runs it; by default the MIL evaluator, which rounds to float16 what the package has in it.
    Raises: ExportError if the package cannot be read or holds an operator without a rule.
    """
    run = run or load_package(path).run
    found = [run(inputs) for inputs in wanted.inputs]
    lowest = lowest_cosine(spec, precision)
    names = ("logits", "grad") if spec.objective else spec.outputs
    rows = compare(
        _one_by_one(found),
        _one_by_one(wanted.outputs),
        wanted.inputs,
        against=f"{AGAINST}, {precision}",
        lowest_cosine=dict.fromkeys(names, lowest),
    )
    return Measured(
        size_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        rows=rows,
        signs=_signs(found, wanted.outputs) if spec.objective else None,
        deviation=wanted.deviation,
    )


def lowest_cosine(spec: GraphSpec, precision: str) -> float:
    """What the contract asks of the graph with float32 weights, and of the one that ships."""
    return spec.lowest_cosine if precision == "float32" else spec.lowest_cosine_shipped


def _inputs(spec: GraphSpec, photos: Photos) -> Iterator[Arrays]:
    """What the bundle's graphs are checked with, and two photos more."""
    yield from parity_inputs(spec, photos)
    if spec.input == "image" and spec.before is None:
        for place, name in enumerate(_SAMPLES):
            image = to_network_input(load_sample_image(name), spec.size_px, spec.crop)
            yield {
                "image": image,
                **({"label": np.array([(place + 11) * 97 % spec.classes])} if spec.objective else {}),
            }


def _one_by_one(outputs: Sequence[Arrays]) -> Run:
    """Hands out what was computed, in order."""
    remaining = iter(outputs)
    return lambda _inputs: next(remaining)


def _signs(found: Sequence[Arrays], wanted: Sequence[Arrays]) -> float:
    shares: list[Any] = [(np.sign(a["grad"]) == np.sign(b["grad"])).mean() for a, b in zip(found, wanted, strict=True)]
    return float(min(shares))
