"""Who counts, who is fooled, and how far chance reaches."""

from __future__ import annotations

import math

import pytest

from training.evaluate.success import Success, count_success, mean_share, wilson_interval

RIGHT, TOP5, WRONG = (7, 1, 2, 3, 4), (1, 2, 3, 4, 7), (1, 2, 3, 4, 5)  # answers where the class is 7


def test_success_worked_out_by_hand() -> None:
    cases = [
        (RIGHT, RIGHT, WRONG),  # counts, fooled, and by all five
        (RIGHT, RIGHT, TOP5),  # counts, fooled, but the class is fifth
        (RIGHT, RIGHT, RIGHT),  # counts, not fooled
        (WRONG, RIGHT, WRONG),  # wrong when clean
        (RIGHT, WRONG, WRONG),  # recompression alone did it
        (TOP5, RIGHT, WRONG),  # only the first answer makes a photo count
    ]
    clean, posted, cloaked = zip(*cases, strict=True)
    found = count_success([7] * 6, clean, posted, cloaked)
    assert found == Success(counted=3, fooled=2, fooled_top5=1)
    assert (found.share, found.share_top5) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_no_photo_that_counts_gives_no_figure() -> None:
    found = count_success([7], [WRONG], [WRONG], [WRONG])
    assert found.counted == 0
    assert math.isnan(found.share)
    assert math.isnan(mean_share([found]))


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        count_success([7, 7], [RIGHT], [RIGHT], [RIGHT])


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(0, 10, 0.0, 0.2775), (8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (0, 0, 0, 1)],
)
def test_known_wilson_intervals(successes: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(successes, count) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_more_successes_than_photos_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 3"):
        wilson_interval(4, 3)


def test_each_judge_counts_alike_in_a_mean() -> None:
    few, many = Success(counted=1, fooled=1, fooled_top5=0), Success(counted=100, fooled=50, fooled_top5=20)
    assert mean_share([few, many]) == pytest.approx(0.75)
    assert mean_share([few, many, Success(counted=0, fooled=0, fooled_top5=0)], top5=True) == pytest.approx(0.1)
