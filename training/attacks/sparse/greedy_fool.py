"""GreedyFool: grow the set of changed pixels by gradient until the answer changes, then drop what is not needed.

Dong et al., "GreedyFool: Distortion-Aware Sparse Adversarial Attack", NeurIPS 2020, arXiv:2010.13773, after the public
code's `nips_gd.py`. The weights of its distortion map do not come with this project. The map is 1 by default, which
gives the rival its fewest pixels because a map trades some for invisibility; `distortion="variance"` stands in for it
with the local contrast, treated as the code treats its map. The original chooses and counts pixels, whose channels
change together; `unit="element"` chooses single elements, which is our variant and counts as our tables do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.objectives.classification import MarginBelowRunnerUp


@dataclass(frozen=True, kw_only=True)
class GreedyFoolConfig:
    """The public code's rules; its scripts run up to 10,000 growing steps, one pixel at a time."""

    budget_levels: float = 8.0  # linf bound in 8-bit levels; below 128 each growing step adds one pixel more
    steps: int = 1000  # of growing
    reduce_tries: int = 3000
    distortion: str = "none"  # or "variance", see above
    unit: str = "pixel"  # or "element", see above

    def __post_init__(self) -> None:
        if not 0 < self.budget_levels <= 255:
            raise ValueError(f"budget_levels: expected 0 < x <= 255, got {self.budget_levels}")
        if not 1 <= self.steps <= 100_000:
            raise ValueError(f"steps: expected 1 to 100000, got {self.steps}")
        if not 0 <= self.reduce_tries <= 1_000_000:
            raise ValueError(f"reduce_tries: expected 0 to 1000000, got {self.reduce_tries}")
        if self.distortion not in ("none", "variance"):
            raise ValueError(f"distortion: expected none or variance, got {self.distortion}")
        if self.unit not in ("pixel", "element"):
            raise ValueError(f"unit: expected pixel or element, got {self.unit}")


def greedy_fool(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: GreedyFoolConfig | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Grow, then reduce.

    Args:
        images: (N, 3, H, W) float32 in [0, 1].
        labels: (N,) int64, the answers to lead away from.
        generator: unused, nothing is drawn; all rivals are called alike.
    Returns: like images; where growing failed, its last attempt.
    """
    config = config or GreedyFoolConfig()
    grown, fooled = _grow(network, images, labels, config)
    return _reduce(network, images, labels, grown, fooled, config)


def distortion_weight(images: Tensor) -> Tensor:
    """(N, 1, H, W) in [0, 1]: where a change is hard to see, from the contrast in 3 x 3 windows.

    The public code's treatment: less the 30th percentile, at least 0, over the 75th, at most 1, averaged over 3 x 3
    (the code averages over a flattened picture by mistake).
    """
    grey = images.mean(1, keepdim=True)
    mean = F.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)
    variance = F.avg_pool2d(grey.square(), 3, 1, 1, count_include_pad=False) - mean.square()
    contrast = variance.clamp(min=0).sqrt()
    contrast = (contrast - _percentile(contrast, 0.30)).clamp(min=0)
    contrast = (contrast / _percentile(contrast, 0.75).clamp(min=1e-6)).clamp(0, 1)
    return F.avg_pool2d(contrast, 3, 1, 1)


def _grow(network: nn.Module, images: Tensor, labels: Tensor, config: GreedyFoolConfig) -> tuple[Tensor, Tensor]:
    """(pictures, (N,) whether they fool): a step adds pixels of large gradients and moves all added ones."""
    bound = config.budget_levels / 255
    low, high = (images - bound).clamp(min=0), (images + bound).clamp(max=1)
    weight = distortion_weight(images) if config.distortion == "variance" else torch.ones_like(images[:, :1])
    objective = MarginBelowRunnerUp(network)
    grown = images.clone()
    added = torch.zeros_like(images if config.unit == "element" else images[:, :1], dtype=torch.bool)
    active = torch.arange(len(images), device=images.device)
    boost = config.budget_levels < 128
    for step in range(config.steps + 1):
        slope, fooled = _slope(objective, grown[active], labels[active])
        active, slope = active[~fooled], slope[~fooled]
        if not len(active) or step == config.steps:
            break
        score = _per_unit(slope, config.unit) * weight[active]
        if not boost:
            score = score.masked_fill(added[active], 0.0)
        score = score.flatten(1)
        chosen = score.topk(min(step + 1, score.shape[1]) if boost else 1, 1).indices
        added[active] = added[active].flatten(1).scatter(1, chosen, True).view_as(added[active])
        move = slope * added[active]
        move = bound / 2 * move / move.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)
        grown[active] = (grown[active] + move).clamp(low[active], high[active])
    succeeded = torch.ones_like(labels, dtype=torch.bool)
    succeeded[active] = False
    return grown, succeeded


def _reduce(
    network: nn.Module, images: Tensor, labels: Tensor, grown: Tensor, fooled: Tensor, config: GreedyFoolConfig
) -> Tensor:
    """Set the smallest change to 0 and the rest to the least amplitude that fools; if none does, try the next."""
    levels = int(config.budget_levels)
    stride = max(levels // 10, 1)
    # Amplitude 0, which the code tries too, is the image itself. Below one level only the bound is left to try.
    amplitudes = [n / 255 for n in range(stride, levels + 1, stride)] or [config.budget_levels / 255]
    bound = config.budget_levels / 255
    best = grown.clone()
    skipped = torch.zeros_like(labels)
    active = fooled.nonzero().flatten()
    for _ in range(config.reduce_tries):
        sizes = _per_unit(best[active] - images[active], config.unit).flatten(1)
        count = (sizes > 0).sum(1)
        going = (count > 1) & (skipped[active] < count)
        active, sizes = active[going], sizes[going]
        if not len(active):
            break
        order = sizes.masked_fill(sizes == 0, torch.inf).argsort(dim=1, stable=True)
        out = order.gather(1, skipped[active][:, None])
        change = _without(best[active] - images[active], out, config.unit)
        change = change / change.abs().amax((1, 2, 3), keepdim=True)
        waiting = torch.arange(len(active), device=images.device)
        for amplitude in amplitudes:
            tried = images[active][waiting] + (amplitude * change[waiting]).clamp(-bound, bound)
            tried = tried.clamp(0, 1)
            with torch.no_grad():
                wrong = network(tried).argmax(1) != labels[active][waiting]
            best[active[waiting[wrong]]] = tried[wrong]
            waiting = waiting[~wrong]
            if not len(waiting):
                break
        skipped[active[waiting]] += 1
    return best


def _slope(objective: MarginBelowRunnerUp, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient that leads away from the label, and (N,) whether the network is fooled already."""
    pictures = pictures.detach().requires_grad_()
    value, logits = objective(pictures, labels)
    (slope,) = torch.autograd.grad(value, pictures)
    return slope, logits.detach().argmax(1) != labels


def _per_unit(values: Tensor, unit: str) -> Tensor:
    """(N, 1, H, W) mean magnitude over channels for pixels, (N, 3, H, W) magnitudes for elements."""
    return values.abs() if unit == "element" else values.abs().mean(1, keepdim=True)


def _without(change: Tensor, out: Tensor, unit: str) -> Tensor:
    """The change with the element or pixel at index out (N, 1) set to 0."""
    keep = torch.ones_like(change if unit == "element" else change[:, :1]).flatten(1).scatter(1, out, 0.0)
    return change * keep.view(len(change), -1, *change.shape[2:])


def _percentile(values: Tensor, share: float) -> Tensor:
    return values.flatten(1).quantile(share, dim=1).view(-1, 1, 1, 1)
