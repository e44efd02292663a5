"""Cloaking objectives: torch modules from an image to a scalar loss that rises as the image is understood less.

Each is called with `image`, (1, 3, S, S) in [0, 1], and where needed `label`, (1,) int64; it returns the loss, or the
loss and the network's logits. What these modules compute, export differentiates.
"""

from training.objectives.classification import AwayFromLabel, MarginBelowRunnerUp, TowardsLabel
from training.objectives.features import FeatureDistance

__all__ = ["AwayFromLabel", "FeatureDistance", "MarginBelowRunnerUp", "TowardsLabel"]
