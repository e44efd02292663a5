"""Is a float32 gradient graph as close to the exact gradient as torch's own float32 gradient is? One row a network.

A single image says little: where a pre-activation is within rounding of zero, either side may take the other piece of
a ReLU than float64 does, and its error then jumps from 1e-6 to 1e-2. Which images that happens to differs between the
two, so what is compared is the geometric mean over images, less two standard errors: with a jump in every other image
the mean of 50 still varies by a factor of two by chance. A graph with a fault is off by far more, in every image.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from export.gradient import in_float64, torch_gradient
from export.parity import cosine, relative_error

HIGHEST_RATIO = 1.5
LOWEST_COSINE = 0.999
SMALLEST_DEVIATION = 0.05  # of the logits: a network whose logits vanish agrees with anything

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class FidelityRow:
    """Errors are ||g - g64|| / ||g64||, one an image, with g64 from torch in float64."""

    name: str
    graph_errors: tuple[float, ...]
    torch_errors: tuple[float, ...]
    cosines: tuple[float, ...]  # of the graph's gradient with g64
    logit_deviation: float

    @property
    def graph_error(self) -> float:
        """The geometric mean over the images."""
        return _geometric_mean(self.graph_errors)

    @property
    def torch_error(self) -> float:
        return _geometric_mean(self.torch_errors)

    @property
    def ratio(self) -> float:
        return self.graph_error / self.torch_error

    @property
    def ratio_at_least(self) -> float:
        """What the ratio is with near certainty, two standard errors under the one that was found."""
        logs = np.log(self.graph_errors) - np.log(self.torch_errors)
        return float(np.exp(logs.mean() - 2 * logs.std(ddof=1) / len(logs) ** 0.5))

    @property
    def ok(self) -> bool:
        """Written so that NaN fails."""
        return (
            self.logit_deviation > SMALLEST_DEVIATION
            and self.ratio_at_least <= HIGHEST_RATIO
            and min(self.cosines) >= LOWEST_COSINE
        )


def gradient_fidelity(
    name: str, run: Run, objective: nn.Module, inputs: Iterable[Mapping[str, np.ndarray]]
) -> FidelityRow:
    """Compare `run`, a loaded gradient graph, and `objective` in float32 with `objective` in float64.

    Args:
        objective: image, label -> (loss, logits), in eval mode and float32; it is left as it is.
        inputs: images and labels that the export did not trace.
    """
    exact = copy.deepcopy(objective).double()
    rows, logits = [], []
    for arrays in inputs:
        single = {key: torch.from_numpy(array) for key, array in arrays.items()}
        wanted = torch_gradient(exact, in_float64(arrays))
        found, torchs = run(arrays)["grad"], torch_gradient(objective, single)["grad"]
        rows.append(
            (
                relative_error(found, wanted["grad"]),
                relative_error(torchs, wanted["grad"]),
                cosine(found, wanted["grad"]),
            )
        )
        logits.append(wanted["logits"])
    graph_errors, torch_errors, cosines = zip(*rows, strict=True)
    return FidelityRow(name, graph_errors, torch_errors, cosines, float(np.std(np.concatenate(logits))))


def _geometric_mean(errors: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(errors)))))
