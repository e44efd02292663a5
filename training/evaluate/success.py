"""Answers of a judge in, how often a cloak worked out: a share, what it is a share of, how far chance may move it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Answer = tuple[int, ...]  # class indices, the likeliest first

_Z = 1.959963984540054  # 95 % of a normal distribution lies within so many deviations


@dataclass(frozen=True, kw_only=True)
class Success:
    """On how many photos a judge was fooled, of those that count."""

    counted: int  # photos that the judge has right when clean and after the same recompression, both without a cloak
    fooled: int  # of these, its first answer to the cloaked photo is wrong
    fooled_top5: int  # of these, none of its first five answers is right

    @property
    def share(self) -> float:
        """NaN where no photo counts."""
        return self.fooled / self.counted if self.counted else math.nan

    @property
    def share_top5(self) -> float:
        """NaN where no photo counts."""
        return self.fooled_top5 / self.counted if self.counted else math.nan


def count_success(
    labels: Sequence[int], clean: Sequence[Answer], posted: Sequence[Answer], cloaked: Sequence[Answer]
) -> Success:
    """Count over photos; all four have one entry a photo.

    Args:
        labels: the class of each photo.
        clean: answers to the photos as they are.
        posted: answers to the photos without a cloak after a recompression.
        cloaked: answers to the cloaked photos after the same recompression.
    Raises: ValueError if the lengths differ.
    """
    counted = fooled = fooled_top5 = 0
    for label, before, without, after in zip(labels, clean, posted, cloaked, strict=True):
        if before[0] == without[0] == label:
            counted += 1
            fooled += after[0] != label
            fooled_top5 += label not in after[:5]
    return Success(counted=counted, fooled=fooled, fooled_top5=fooled_top5)


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share: Wilson 1927, doi:10.1080/01621459.1927.10502953. (0, 1) where nothing counts.

    (p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n)

    Raises: ValueError unless 0 <= successes <= count.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"successes: expected 0 to {count}, got {successes}")
    if count == 0:
        return 0.0, 1.0
    p, square = successes / count, _Z**2
    centre = p + square / (2 * count)
    reach = _Z * math.sqrt(p * (1 - p) / count + square / (4 * count**2))
    low, high = ((centre + side * reach) / (1 + square / count) for side in (-1, 1))
    return max(0.0, low), min(1.0, high)


def mean_share(successes: Sequence[Success], *, top5: bool = False) -> float:
    """Mean over judges, each counting alike; those for whom no photo counts are left out. NaN where none is left."""
    shares = [one.share_top5 if top5 else one.share for one in successes if one.counted]
    return sum(shares) / len(shares) if shares else math.nan
