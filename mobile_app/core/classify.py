"""Photo in, the most likely classes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
) -> Classification:
    """Name what a photo shows.

    Args:
        rgb_hwc: (H, W, 3) uint8.
        graph: input `image` (1, 3, S, S) in [0, 1], output `logits` (1, classes).
        labels: a name for each class.
        top: how many guesses, at most all.
        unsure_below: a best probability under this is "not sure".
        crop: share of the short side that the network sees.
    Raises: ValueError if the labels do not fit the graph or top < 1; GraphError if the graph fails.
    """
    if top < 1:
        raise ValueError(f"top: expected 1 or more, got {top}")
    size_px = graph.inputs["image"].shape[-1]
    logits = graph.run({"image": to_network_input(rgb_hwc, size_px, crop)})["logits"][0]
    if len(labels) != len(logits):
        raise ValueError(f"labels: expected {len(logits)}, one a class, got {len(labels)}")
    probabilities = softmax(logits)
    order = [int(index) for index in np.argsort(-probabilities, kind="stable")[:top]]
    guesses = tuple(Guess(labels[index], float(probabilities[index]), index) for index in order)
    return Classification(top=guesses, unsure=guesses[0].probability < unsure_below)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """exp(z) / sum(exp(z)) of a vector, in float64, safe for large logits."""
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    return shifted / shifted.sum()
