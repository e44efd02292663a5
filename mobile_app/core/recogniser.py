"""A classifier of the bundle with all that it needs to answer: `load_recogniser(bundle, "flowers").look(photo)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.bundle import Bundle
from mobile_app.core.classify import Classification, classify
from mobile_app.core.errors import BundleError
from mobile_app.core.preprocess import CROP
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.species import Species, load_species, named

OBJECTS, FLOWERS = "objects", "flowers"


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """A classifier with the names of its classes."""

    name: str
    graph: Graph
    labels: tuple[str, ...]
    unsure_below: float
    crop: float = CROP
    has_other: bool = False
    species: tuple[Species, ...] = ()  # one a label, for flowers

    def look(self, rgb_hwc: NDArray[np.uint8], top: int = 5) -> Classification:
        """Name what (H, W, 3) uint8 shows."""
        return classify(
            rgb_hwc,
            self.graph,
            self.labels,
            top=top,
            unsure_below=self.unsure_below,
            crop=self.crop,
            has_other=self.has_other,
        )


def classifiers(bundle: Bundle) -> list[str]:
    """The names of those that a bundle has."""
    return sorted(entry.name for entry in bundle.graphs.values() if entry.task == "classify")


def load_recogniser(
    bundle: Bundle,
    name: str = OBJECTS,
    *,
    ids: bool = False,
    threads: int | None = None,
    load: Callable[[str], Graph] | None = None,
) -> Recogniser:
    """The classifier of a name.

    Args:
        ids: label flowers by the ids of their species, which no language changes, and not by their English names.
        load: gives the bundle's graph of a name, for those who keep graphs; None loads it.
    Raises: BundleError if there is no classifier of this name or its labels do not fit, GraphError if it does not load.
    """
    if name not in classifiers(bundle):
        raise BundleError(f"{name}: no classifier of this bundle; expected one of {', '.join(classifiers(bundle))}")
    entry, labels = bundle.entry(name), tuple(bundle.labels(name))
    graph = load(name) if load else load_graph(bundle.path(name), name=name, threads=threads)
    classes = graph.outputs["logits"].shape[-1] - entry.has_other if "logits" in graph.outputs else 0
    if len(labels) != classes:
        raise BundleError(f"{name}: expected a label for each of {classes} classes, found {len(labels)}")
    known = load_species() if entry.species else {}
    species = tuple(named(label, known) for label in labels) if entry.species else ()
    return Recogniser(
        name=name,
        graph=graph,
        labels=labels if ids or not species else tuple(one.english for one in species),
        unsure_below=entry.unsure_below,
        crop=entry.crop,
        has_other=entry.has_other,
        species=species,
    )
