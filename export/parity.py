"""Does a graph compute what torch computes? Rows that can be printed, saved and tested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from mobile_app.core.classify import softmax

Outputs = Mapping[str, np.ndarray]
Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ParityRow:
    """One output of one graph against a reference, over several images."""

    output: str
    against: str
    images: int
    cosine: float  # the lowest over the images
    relative: float  # the median of ||found - wanted|| / ||wanted||
    lowest_cosine: float  # what `cosine` has to reach

    @property
    def ok(self) -> bool:
        return self.cosine >= self.lowest_cosine  # written so that NaN fails

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def compare(
    run: Callable[[Inputs], Outputs],
    reference: Callable[[Inputs], Outputs],
    images: Iterable[Inputs],
    *,
    against: str,
    lowest_cosine: Mapping[str, float],
) -> list[ParityRow]:
    """Run both on every image; one row for each output that `lowest_cosine` names."""
    found: dict[str, list[tuple[float, float]]] = {output: [] for output in lowest_cosine}
    for inputs in images:
        have, want = run(inputs), reference(inputs)
        for output in lowest_cosine:
            found[output].append((cosine(have[output], want[output]), relative_error(have[output], want[output])))
    return [
        ParityRow(
            output=output,
            against=against,
            images=len(pairs),
            cosine=min(pair[0] for pair in pairs),
            relative=float(np.median([pair[1] for pair in pairs])),
            lowest_cosine=lowest_cosine[output],
        )
        for output, pairs in found.items()
    ]


def cosine(found: np.ndarray, wanted: np.ndarray) -> float:
    """Of the angle between two arrays taken as vectors, in float64."""
    a, b = (array.astype(np.float64).reshape(-1) for array in (found, wanted))
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def relative_error(found: np.ndarray, wanted: np.ndarray) -> float:
    """||found - wanted|| / ||wanted||, in float64."""
    a, b = (array.astype(np.float64) for array in (found, wanted))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often, and how closely, two classifiers say the same of photos."""

    photos: int
    top1: float  # share on which both find the same class most likely
    mean_difference: float  # of a photo's probabilities, the largest difference of one class; the mean over the photos
    largest_difference: float  # the largest over the photos


def agreement(found: np.ndarray, wanted: np.ndarray) -> Agreement:
    """Compare the logits (photos, classes) of two classifiers by what they answer."""
    differences = np.abs(_probabilities(found) - _probabilities(wanted)).max(1)
    return Agreement(
        photos=len(found),
        top1=float((found.argmax(1) == wanted.argmax(1)).mean()),
        mean_difference=float(differences.mean()),
        largest_difference=float(differences.max()),
    )


def _probabilities(logits: np.ndarray) -> np.ndarray:
    return np.stack([softmax(row) for row in logits])
