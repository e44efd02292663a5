"""Where the evidence for each class lies: logits and their class activation maps from one forward pass.

A network that ends in a mean over positions and a linear layer gives the same logits if the layer is applied first, at
every position, and the mean taken then: logit_c = mean_yx(w_c . f_yx) + b_c. The terms under the mean are the class
activation map of Zhou et al. 2016 (arXiv:1512.04150, equation 2), so the map adds up to the logit exactly.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from training.models.efficientnet_lite import EfficientNetLite


class WithEvidence(nn.Module):
    """An EfficientNetLite that also says where it looked.

    (N, 3, S, S) in [0, 1] -> logits (N, C), and evidence (N, C, S / 32, S / 32) in units of logits: a positive value
    speaks for the class. logits = evidence.mean((2, 3)) + the bias of the last layer.
    """

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.network = network
        self.size_px = network.size_px

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        head = self.network.fc
        evidence = F.conv2d(self.network.features(image), head.weight[:, :, None, None])
        return evidence.mean((2, 3)) + head.bias, evidence
