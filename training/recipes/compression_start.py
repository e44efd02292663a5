"""A start for the curves of a ComModel's transform: least squares on pairs, seconds where descent takes hours.

The transform is orthonormal to begin with, so what a codec did to each coefficient can be read off pairs, and a curve
of fixed kinks is linear in its weights. Descent then moves everything, to the least absolute error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from training.data.codecs import KINDS, CodecRange, parse_range
from training.data.pairs import PhotoPair
from training.models.commodel import ComModel
from training.models.commodel_transform import BlockTransform, Curves

Crops = Callable[[Sequence[PhotoPair], Sequence[CodecRange]], Iterable[tuple[Tensor, Tensor]]]

BLOCK_PX = {"jpeg": 8, "webp": 4}  # of brightness
# The strength whose condition is 0, and how fast the logarithm of the steps of a codec grows along the condition: JPEG
# has its factor there, WebP's (quality to step in libwebp) was read off at 25, 50 and 75.
_MIDDLE = {"jpeg": 50, "webp": 50}
_SLOPES = {"jpeg": 3 * math.log(2), "webp": 0.7}
_REACH = 4.0  # mean magnitudes of a coefficient from 0 to its outermost kink
_LEAST_REACH, _MOST_REACH = 0.25, 6.0  # in units of the transform
_RIDGE = 1e-3  # share of a piece's mean square that is added on the diagonal: pieces that no value reaches stay 0


def start_network(network: ComModel, photos: Sequence[PhotoPair], ranges: Sequence[CodecRange], crops: Crops) -> None:
    """Fit each transform of a new network to the codecs that it is for.

    A network for several settings begins as a switch: a transform answers to its own kind of codec alone, its curves
    fitted at the strength that a condition calls 0 and stretched from there.

    Args:
        crops: pairs of random crops of the photos through codecs.
    """
    for transform in (part for part in network.transforms if isinstance(part, BlockTransform)):
        if not network.config.condition_values:
            fit_transform(transform, crops(photos, ranges))
            continue
        own = [kind for kind, side_px in BLOCK_PX.items() if side_px == transform.luma.kernel_size[0]]
        found = [codec for codec in ranges if codec.lowest.steps and codec.lowest.steps[-1].kind in own]
        if found:
            kind = found[0].lowest.steps[-1].kind
            middle = parse_range(f"{kind}:{_MIDDLE[kind]}")
            fit_transform(transform, crops(photos, [middle]))
            _switch(transform, kind, middle.lowest.condition())


@torch.no_grad()
def fit_transform(transform: BlockTransform, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Set the curves of a new transform by least squares on (originals, returned) batches of one codec.

    Args:
        pairs: (N, 3, H, W) in [0, 1], sides multiples of twice the block.
    """
    luma, colour, details = [], [], []
    for originals, returned in pairs:
        before, after = (_parts(transform, images) for images in (originals, returned))
        for found, old, new in zip((luma, colour, details), before, after, strict=True):
            values, changes = (part.transpose(0, 1).flatten(1) for part in (old, new - old))
            found.append((values, changes))
    _fit(transform.luma_curves, *_joined(luma))
    _fit(transform.colour_curves, *_joined(colour))
    values, changes = _joined(details)
    share = -(values * changes).mean(1) / (values.square().mean(1) + 1e-9)
    transform.lose.weight.copy_(share.view(-1, 1, 1, 1))


@torch.no_grad()
def _switch(transform: BlockTransform, kind: str, condition: NDArray[np.float32]) -> None:
    """Let a fitted transform answer to `kind` alone; `condition` is that of the codec that it was fitted to."""
    others = [column for column, name in enumerate(KINDS) if name.split(":")[0] != kind]
    for curves in (transform.luma_curves, transform.colour_curves):
        assert curves.weigh is not None
        assert curves.size is not None
        curves.weigh.weight[:, others] = -1
        curves.size.weight[:, -1] = _SLOPES[kind]
    assert transform.lose_at is not None
    transform.lose_at.weight[:, int(condition[:-1].argmax())] = transform.lose.weight.flatten()


def _parts(transform: BlockTransform, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    luma, colour = transform.to_ycc(images - 0.5).split([1, 2], dim=1)
    small = transform.shrink(colour)
    return transform.luma(luma), transform.colour(small), colour - transform.enlarge(small)


def _joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    values, changes = zip(*parts, strict=True)
    return torch.cat(values, dim=1), torch.cat(changes, dim=1)


def _fit(curves: Curves, values: Tensor, changes: Tensor) -> None:
    """values, changes: (channels, samples). Kinks go where the values of each channel are."""
    channels = len(values)
    reach = (_REACH * values.abs().mean(1, keepdim=True)).clamp(_LEAST_REACH, _MOST_REACH)
    away, bias = curves.rise.weight.view(channels, -1), curves.rise.bias
    assert bias is not None
    bias.copy_((bias.view(channels, -1) * reach / curves.reach).flatten())
    kinks = bias.view(channels, -1)
    count = kinks.shape[1]
    squares = torch.zeros(channels, count + 1, count + 1, dtype=torch.float64)
    products = torch.zeros(channels, count + 1, dtype=torch.float64)
    for some, wanted in zip(values.split(4096, dim=1), changes.split(4096, dim=1), strict=True):
        pieces = F.relu(away[:, :, None] * some[:, None] + kinks[:, :, None])
        pieces = torch.cat([pieces, torch.ones_like(some)[:, None]], dim=1)
        squares += (pieces @ pieces.mT).double()
        products += (pieces @ wanted[:, :, None])[..., 0].double()
    diagonal = squares.diagonal(dim1=1, dim2=2)
    diagonal += _RIDGE * diagonal.mean(1, keepdim=True) + 1e-6
    weights = torch.linalg.solve(squares, products).float()
    curves.sum.weight.copy_(weights[:, :-1].reshape(curves.sum.weight.shape))
    assert curves.sum.bias is not None
    curves.sum.bias.copy_(weights[:, -1])
