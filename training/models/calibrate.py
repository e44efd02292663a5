"""Random weights that behave like trained ones: for checks of export where no trained weights are at hand.

A network fresh from its constructor has logits near 1e-9, with which any graph agrees. Here the statistics of every
BatchNorm are measured, and what ends without one is scaled, until the logits differ by about as much as trained ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LOGIT_DEVIATION = 3.0


def calibrate(network: nn.Module, *, seed: int = 0, size_px: int = 224) -> nn.Module:
    """Set BatchNorm statistics from smooth random images and scale the last layer; return the network in eval mode."""
    images = smooth_images(8, size_px, seed)
    network.eval()  # all but the norms: dropout and stochastic depth would make the statistics those of another network
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # a plain average over what is shown
            part.reset_running_stats()
            part.train()
    last = [part for part in network.modules() if isinstance(part, nn.Linear | nn.Conv2d)][-1]
    with torch.no_grad():
        network(images)
        network.eval()
        logits = network(images)
        centred = logits - logits.mean(0, keepdim=True)
        last.weight.mul_(_LOGIT_DEVIATION / centred.std())
        if last.bias is not None:
            last.bias.zero_()
            last.bias.sub_(network(images).mean(0))
    return network


def smooth_images(count: int, size_px: int, seed: int) -> Tensor:
    """(count, 3, S, S) in [0, 1]: blurred noise of several scales, roughly the spectrum of photos."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(count, 3, size_px, size_px)
    for cells in (4, 16, 64):
        noise = torch.rand(count, 3, cells, cells, generator=generator) - 0.5
        image += nn.functional.interpolate(noise, size=(size_px, size_px), mode="bicubic") * 4 / cells**0.5
    return (image + 0.5).clamp(0, 1)
