"""A flower checkpoint and photos in, every figure of its card out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from training.data.flowers import PhotoSet
from training.evaluate.classifier import accuracy, auroc, confidences, expected_calibration_error, predict
from training.models.checkpoint import Checkpoint, build


def measure_flowers(
    checkpoint: Checkpoint, photos: PhotoSet, others: Sequence[NDArray[np.uint8]] = (), *, split: str = "test"
) -> dict[str, Any]:
    """What the checkpoint gives on one split, and on photos that show none of its classes.

    Returns: accuracy, top5, ece, shares kept and refused at the checkpoint's threshold, accuracy of what is kept, area
        under the ROC curve of flowers against others, and the accuracy of each class; shares are 0 to 1.
    """
    network, classes = build(checkpoint), len(checkpoint.classes)
    rows = photos.rows(split)
    logits = predict(network, [photos.images[row] for row in rows], checkpoint.size_px, crop=checkpoint.crop)
    labels = torch.from_numpy(photos.labels[rows])
    probabilities = F.softmax(logits.double(), dim=1)[:, :classes]
    inside = confidences(logits, classes)
    kept = inside >= checkpoint.unsure_below
    top5 = logits[:, :classes].topk(min(5, classes)).indices
    right = logits[:, :classes].argmax(1) == labels
    figures: dict[str, Any] = {
        "photos": len(rows),
        "accuracy": accuracy(logits, labels, classes),
        "top5": float((top5 == labels[:, None]).any(1).double().mean()),
        "ece": expected_calibration_error(probabilities, labels),
        "kept": float(kept.double().mean()),
        "accuracy_of_kept": float(right[kept].double().mean()),
        "classes": {
            name: float(right[labels == number].double().mean())
            for number, name in enumerate(checkpoint.classes)
            if bool((labels == number).any())
        },
    }
    if others:
        outside = confidences(predict(network, others, checkpoint.size_px, crop=checkpoint.crop), classes)
        figures["others"] = len(others)
        figures["refused"] = float((outside < checkpoint.unsure_below).double().mean())
        figures["auroc"] = auroc(inside, outside)
    return figures


def wrong_answers(checkpoint: Checkpoint, photos: PhotoSet, *, split: str = "test") -> list[dict[str, Any]]:
    """The photos of a split that are taken for another class, the surest mistakes first."""
    rows = photos.rows(split)
    logits = predict(build(checkpoint), [photos.images[r] for r in rows], checkpoint.size_px, crop=checkpoint.crop)
    probabilities = F.softmax(logits.double(), dim=1)[:, : len(checkpoint.classes)]
    best = probabilities.argmax(1).tolist()
    wrong = [
        {
            "file": photos.files[row],
            "label": photos.classes[int(photos.labels[row])],
            "answer": checkpoint.classes[best[position]],
            "probability": float(probabilities[position, best[position]]),
        }
        for position, row in enumerate(rows)
        if best[position] != int(photos.labels[row])
    ]
    return sorted(wrong, key=lambda row: -row["probability"])


def as_markdown(figures: dict[str, Any], checkpoint: Checkpoint, title: str) -> str:
    """The figures as a short page."""
    lines = [f"# {title}", "", "| figure | value |", "|---|---|"]
    lines.append(f"| photos of the test split | {figures['photos']} |")
    for name in ("accuracy", "top5", "ece", "kept", "accuracy_of_kept", "refused", "auroc"):
        if name in figures:
            lines.append(f"| {_NAMES[name]} | {figures[name]:.4f} |")
    if "others" in figures:
        lines.append(f"| photos of other things | {figures['others']} |")
    lines += ["", "| species | accuracy |", "|---|---|"]
    lines += [f"| {name} | {value:.3f} |" for name, value in figures["classes"].items()]
    return "\n".join(lines) + "\n"


_NAMES = {
    "accuracy": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "ece": "expected calibration error",
    "kept": "flowers answered at the threshold",
    "accuracy_of_kept": "top-1 accuracy of those",
    "refused": "other things refused at the threshold",
    "auroc": "area under the ROC curve, flowers against other things",
}
