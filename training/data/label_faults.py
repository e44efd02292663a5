"""Wrong labels: found by a model that has not seen the photo, judged by eye, and kept in a list by content.

`suspects` proposes (confident learning, Northcutt et al. 2021, arXiv:1911.00068: a label that out-of-fold predictions
find unlikely); a person looks and writes the verdict into flower_label_faults.csv; `without_faults` applies the list.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.class_folders import LabelledPhoto
from training.errors import TrainingError

FLOWER_FAULTS = Path(__file__).with_name("flower_label_faults.csv")
DROP = "drop"


@dataclass(frozen=True)
class Suspect:
    """A photo whose label looks wrong: how likely the given label and the best other one are."""

    index: int
    given_probability: float
    suggested: int
    suggested_probability: float


def suspects(features: NDArray[np.floating], labels: NDArray[np.integer], *, folds: int = 5) -> list[Suspect]:
    """Labels that a linear model on frozen features, fitted without the photo's fold, does not predict.

    Args:
        features: (N, D), one row a photo.
        labels: (N,) class numbers 0 .. C-1.
    Returns: the photos whose likeliest class is not the given one, the least likely label first.
    Raises: ValueError if a class has fewer photos than folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    smallest = int(np.bincount(labels).min())
    if smallest < folds:
        raise ValueError(f"folds: expected at most {smallest}, the photos of the smallest class, got {folds}")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    model = LogisticRegression(max_iter=300)
    probabilities = cross_val_predict(model, features, labels, cv=splitter, method="predict_proba")
    given = probabilities[np.arange(len(labels)), labels]
    best = probabilities.argmax(axis=1)
    order = [int(index) for index in np.argsort(given, kind="stable") if best[index] != labels[index]]
    return [Suspect(i, float(given[i]), int(best[i]), float(probabilities[i].max())) for i in order]


def read_faults(path: Path = FLOWER_FAULTS) -> dict[str, str]:
    """sha256 of a photo -> "drop", or the class that it shows. Raises: TrainingError for a file without the columns."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"sha256", "verdict"} <= rows[0].keys():
        raise TrainingError(f"{path}: expected the columns sha256 and verdict, found {', '.join(rows[0])}")
    return {row["sha256"]: row["verdict"] for row in rows}


def without_faults(photos: Sequence[LabelledPhoto], faults: dict[str, str]) -> list[LabelledPhoto]:
    """The photos that are left, those with another class moved there."""
    kept = [photo for photo in photos if faults.get(photo.sha256) != DROP]
    return [replace(photo, label=faults.get(photo.sha256, photo.label)) for photo in kept]
