"""Measurements of a comparison: each takes loaded graphs and inputs, and gives numbers that JSON holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from export.contract import GraphSpec
from export.errors import ExportError
from export.fidelity import SMALLEST_DEVIATION
from export.parity import agreement, cosine, relative_error
from export.shipped import torch_reference
from mobile_app.core.cloak import cloak
from mobile_app.core.engines import GeneratorEngine, GradientEngine
from mobile_app.core.photo import Photo
from mobile_app.core.posting import recompress
from mobile_app.core.runtime import Graph
from mobile_app.core.step import StepConfig

Inputs = Mapping[str, np.ndarray]
Arrays = dict[str, np.ndarray]

POSTING_QUALITY = 75  # of the JPEG that a cloak has to outlast


def outputs_compared(spec: GraphSpec) -> tuple[str, ...]:
    """Names of the outputs whose parity counts."""
    return ("logits", "grad") if spec.objective else spec.outputs


def exact_outputs(spec: GraphSpec, inputs: Sequence[Inputs]) -> list[Arrays]:
    """What torch gives in float64, one entry an input.

    Raises: ExportError if its logits hardly vary: everything would agree with them.
    """
    reference = torch_reference(spec)
    found: list[Arrays] = [reference(arrays) for arrays in inputs]
    first = outputs_compared(spec)[0]
    values = np.stack([outputs[first].reshape(-1) for outputs in found])
    if not (values.std() > SMALLEST_DEVIATION and values.std(0).max() > SMALLEST_DEVIATION):
        raise ExportError(
            f"{spec.name}: {first} vary by {values.std():.2g} over numbers and {values.std(0).max():.2g} over images, "
            f"expected {SMALLEST_DEVIATION} or more; with such weights any two graphs agree"
        )
    return found


def parity(graph: Graph, inputs: Sequence[Inputs], exact: Sequence[Arrays], outputs: Sequence[str]) -> dict[str, Any]:
    """By output: the lowest and the median cosine, the median relative error, and how many signs agree.

    Raises: GraphError if the graph does not run.
    """
    found = [graph.run(arrays) for arrays in inputs]
    rows: dict[str, Any] = {}
    for name in outputs:
        pairs = [(have[name], want[name]) for have, want in zip(found, exact, strict=True)]
        cosines = [cosine(*pair) for pair in pairs]
        rows[name] = {
            "images": len(pairs),
            "cosine": min(cosines),
            "median_cosine": float(np.median(cosines)),
            "relative": float(np.median([relative_error(*pair) for pair in pairs])),
            "signs": float(np.mean([sign_agreement(*pair) for pair in pairs])),
        }
    return rows


def sign_agreement(found: np.ndarray, wanted: np.ndarray) -> float:
    """Share of the numbers that have the same sign in both; where `wanted` is zero there is none to have."""
    counts = wanted != 0
    return float((np.sign(found) == np.sign(wanted))[counts].mean()) if counts.any() else float("nan")


def answers(graph: Graph, images: Sequence[np.ndarray]) -> np.ndarray:
    """(photos, classes): the logits."""
    return np.concatenate([graph.run({"image": image})["logits"] for image in images])


def accuracy(logits: np.ndarray, float_logits: np.ndarray, labels: Sequence[int] | None) -> dict[str, Any]:
    """Agreement with the float32 graph, and the share of right answers where labels are known."""
    right = None if labels is None else float((logits.argmax(1) == np.asarray(labels)).mean())
    return {**asdict(agreement(logits, float_logits)), "accuracy": right}


def interleaved_ms(
    graphs: Mapping[str, Graph],
    inputs: Inputs,
    *,
    rounds: int,
    warm_ups: int = 3,
    now: Callable[[], float] = time.process_time,
) -> dict[str, Any]:
    """Time the graphs in turn, so that what slows the machine down slows all of them down.

    Args:
        now: a clock in seconds; of the processor by default, which stands still while other programs run. The graphs
            should use one thread.
    Returns: by graph, the median and the least milliseconds, and the median of its ratios to the first one's, round by
        round.
    """
    times: dict[str, list[float]] = {name: [] for name in graphs}
    for number in range(warm_ups + rounds):
        for name, graph in graphs.items():
            started = now()
            graph.run(inputs)
            if number >= warm_ups:
                times[name].append((now() - started) * 1e3)
    first = np.asarray(next(iter(times.values())))
    return {
        name: {
            "median_ms": float(np.median(row)),
            "least_ms": float(np.min(row)),
            "ratio": float(np.median(np.asarray(row) / first)),
        }
        for name, row in times.items()
    }


def cloaked(
    graphs: Sequence[Graph], rgb_hwc: np.ndarray, config: StepConfig, recogniser: Graph | None = None
) -> np.ndarray:
    """(H, W, 3): a photo cloaked by the engine of the phone: gradients in turn, or a generator."""
    follows = "grad" in graphs[0].outputs
    engine = GradientEngine(graphs, recogniser=recogniser) if follows else GeneratorEngine(graphs[0])
    return cloak(Photo(rgb_hwc=rgb_hwc), engine, config).photo.rgb_hwc


def posted(rgb_hwc: np.ndarray) -> np.ndarray:
    """(H, W, 3): as it comes back from a site."""
    return recompress(rgb_hwc, quality=POSTING_QUALITY)
