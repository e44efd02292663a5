"""Photo in, the most likely classes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.preprocess import CROP, to_network_input
from mobile_app.core.runtime import Graph


@dataclass(frozen=True)
class Guess:
    """One class and how likely the network finds it."""

    label: str
    probability: float
    index: int


@dataclass(frozen=True)
class Classification:
    """The best guesses, best first; unsure if even the best is not likely enough to be said."""

    top: tuple[Guess, ...]
    unsure: bool
    none_of_them: float = 0.0  # probability that it is none of the classes; 0 from a graph that does not tell
    # (h, w), in logits: where in the square that was seen lies what speaks for the best guess; None if the graph has no
    # such output.
    evidence: NDArray[np.float32] | None = field(default=None, compare=False)

    @property
    def best(self) -> Guess:
        return self.top[0]


def classify(
    rgb_hwc: NDArray[np.uint8],
    graph: Graph,
    labels: Sequence[str],
    *,
    top: int = 5,
    unsure_below: float = 0.0,
    crop: float = CROP,
    has_other: bool = False,
) -> Classification:
    """Name what a photo shows.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        graph: input `image` (1, 3, S, S) in [0, 1]; output `logits` (1, outputs), and perhaps `evidence`, a map
            (1, outputs, h, w) of where the logits come from.
        labels: a name for each class.
        top: how many guesses, at most all.
        unsure_below: a best probability under this is "not sure".
        crop: share of the short side that the network sees.
        has_other: the graph has one more output than labels, the last, for what is none of them. It takes its share
            of the probability and is never a guess.
    Raises: ValueError if the labels do not fit the graph or top < 1; GraphError if the graph fails.
    """
    if top < 1:
        raise ValueError(f"top: expected 1 or more, got {top}")
    size_px = graph.inputs["image"].shape[-1]
    outputs = graph.run({"image": to_network_input(rgb_hwc, size_px, crop)})
    logits = outputs["logits"][0]
    if len(labels) != len(logits) - has_other:
        raise ValueError(f"labels: expected {len(logits) - has_other}, one a class, got {len(labels)}")
    probabilities = softmax(logits)
    none_of_them = float(probabilities[-1]) if has_other else 0.0
    probabilities = probabilities[: len(labels)]
    order = [int(index) for index in np.argsort(-probabilities, kind="stable")[:top]]
    guesses = tuple(Guess(labels[index], float(probabilities[index]), index) for index in order)
    return Classification(
        top=guesses,
        unsure=guesses[0].probability < unsure_below,
        none_of_them=none_of_them,
        evidence=outputs["evidence"][0, order[0]] if "evidence" in outputs else None,
    )


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """exp(z) / sum(exp(z)) of a vector, in float64, safe for large logits."""
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    return shifted / shifted.sum()
