"""A classifier and photos in, what it is worth out: accuracy, calibration, how well it knows what it does not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mobile_app.core.preprocess import CROP, to_network_input

FLOWERS_KEPT = 0.95  # share of photos of the classes that the "not sure" threshold lets through
BINS = 15  # of the calibration error, as in Guo et al. 2017


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What turns logits into an answer: the temperature, and the probability below which it is "not sure"."""

    temperature: float
    unsure_below: float


def predict(
    network: nn.Module, images: Sequence[NDArray[np.uint8]], size_px: int, *, crop: float = CROP, batch: int = 32
) -> Tensor:
    """(N, C) logits of a network in eval mode for (H, W, 3) photos, each seen as the phone sees it."""
    device = next(network.parameters()).device
    rows = []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            inputs = np.concatenate([to_network_input(image, size_px, crop) for image in images[start : start + batch]])
            tensor = torch.from_numpy(inputs).to(device, memory_format=torch.channels_last)
            rows.append(network(tensor).float().cpu())
    return torch.cat(rows)


def accuracy(logits: Tensor, labels: Tensor, classes: int) -> float:
    """Share of photos whose likeliest of the first `classes` outputs is the label."""
    return float((logits[:, :classes].argmax(1) == labels).double().mean())


def fit_temperature(logits: Tensor, labels: Tensor, classes: int) -> float:
    """The T at which the confidence that is shown errs least: mean (max softmax(logits / T) - whether it is right)^2.

    Temperature scaling as Guo et al. 2017 (arXiv:1706.04599, 4.2), by the Brier score of the likeliest class in place
    of the likelihood of all, which a few hard photos decide.
    """
    candidates = torch.exp(torch.linspace(np.log(0.1), np.log(10), 400, dtype=torch.float64))
    right = (logits[:, :classes].argmax(1) == labels).double()
    errors = torch.stack([((confidences(logits / T, classes) - right) ** 2).mean() for T in candidates])
    return float(candidates[errors.argmin()])


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """sum over bins of (share of photos) * |accuracy - mean confidence|, equal widths (Guo et al. 2017, equation 3).

    Args:
        probabilities: (N, C), of the classes.
        labels: (N,).
    """
    confidence, predicted = probabilities.double().max(1)
    right = (predicted == labels).double()
    bin_of = torch.clamp((confidence * bins).long(), max=bins - 1)
    gaps = [
        (right[bin_of == k].mean() - confidence[bin_of == k].mean()).abs() * (bin_of == k).double().mean()
        for k in range(bins)
        if bool((bin_of == k).any())
    ]
    return float(torch.stack(gaps).sum())


def calibrate_answers(logits: Tensor, labels: Tensor, classes: int) -> Calibration:
    """Temperature and threshold from validation photos of the classes.

    Args:
        logits: (N, classes), or one more where the last output means "none of these".
    """
    temperature = fit_temperature(logits, labels, classes)
    best = confidences(logits / temperature, classes)
    return Calibration(temperature=temperature, unsure_below=float(np.quantile(best.numpy(), 1 - FLOWERS_KEPT)))


def confidences(logits: Tensor, classes: int) -> Tensor:
    """(N,) probability of the likeliest class, "none of these" having its part of the whole."""
    return F.softmax(logits.double(), dim=1)[:, :classes].max(1).values


def auroc(inside: Tensor, outside: Tensor) -> float:
    """How often a photo of the classes is given more confidence than one of something else; ties count half."""
    difference = inside[:, None] - outside[None]
    return float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean())
