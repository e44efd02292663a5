"""Deletion and insertion on networks whose answer is known."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

from training.evaluate.insertion import blur, deletion_insertion

BLACK = (0.0, 0.0, 0.0)


class BrightCorner(nn.Module):
    """Class 1 is certain where the upper left 4 x 4 pixels are bright on average, else class 0."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logit = 200 * (images[:, :, :4, :4].mean((1, 2, 3)) - 0.93)  # blurred, the patch has 0.85
        return torch.stack([torch.zeros_like(logit), logit], 1)


class AreaCounter(nn.Module):
    """The probability of class 1 is the mean of the picture."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        share = images.mean((1, 2, 3)).clamp(1e-6, 1 - 1e-6)
        return torch.stack([(1 - share).log(), share.log()], 1)


ONE = torch.tensor([1])


@pytest.fixture
def photo() -> torch.Tensor:
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, :4, :4] = 1
    return image


def good_map() -> torch.Tensor:
    heat = torch.zeros(1, 16, 16)
    heat[:, :4, :4] = 1
    return heat


def test_a_map_of_the_planted_patch_deletes_fast_and_inserts_fast(photo):
    deletion, insertion = deletion_insertion(BrightCorner().eval(), photo, good_map(), ONE, grey=BLACK)
    # 16 of 256 px are the first of 16 steps: from there on the patch is gone, or there
    assert deletion.item() == pytest.approx(0.5 / 16, abs=1e-3)
    assert insertion.item() == pytest.approx(1 - 0.5 / 16, abs=1e-3)
    assert deletion < insertion


def test_the_opposite_map_deletes_late_and_inserts_late(photo):
    deletion, insertion = deletion_insertion(BrightCorner().eval(), photo, 1 - good_map(), ONE, grey=BLACK)
    assert deletion.item() == pytest.approx(1 - 0.5 / 16, abs=1e-3)
    assert insertion.item() == pytest.approx(0.5 / 16, abs=1e-3)
    assert deletion > insertion


def test_scores_of_a_linear_answer_are_the_areas_of_triangles():
    white = torch.ones(1, 3, 8, 8)
    deletion, insertion = deletion_insertion(AreaCounter().eval(), white, torch.rand(1, 8, 8), ONE, steps=4, grey=BLACK)
    assert deletion.item() == pytest.approx(0.5, abs=1e-5)
    assert insertion.item() == pytest.approx(1.0, abs=1e-5)  # white is white when blurred


def test_steps_are_equal_parts_in_the_order_of_the_map():
    image = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).expand(1, 3, 2, 2).contiguous()
    first, last = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]]), torch.tensor([[[1.0, 3.0], [2.0, 4.0]]])
    # mean 0.25 until the first pixel goes: after one step of four, or in the last
    for heat, curve in ((first, (0.25, 0, 0, 0, 0)), (last, (0.25, 0.25, 0.25, 0.25, 0))):
        deletion, _ = deletion_insertion(AreaCounter().eval(), image, heat, ONE, steps=4, grey=BLACK)
        by_hand = sum((one + other) / 2 for one, other in itertools.pairwise(curve)) / 4
        assert deletion.item() == pytest.approx(by_hand, abs=1e-5)


def test_photos_are_scored_on_their_own_whatever_the_batch(photo):
    images = torch.cat([photo, torch.rand((4, 3, 16, 16), generator=torch.Generator().manual_seed(0))])
    maps, classes = torch.rand((5, 16, 16), generator=torch.Generator().manual_seed(1)), torch.tensor([1, 0, 1, 0, 1])
    together = deletion_insertion(BrightCorner().eval(), images, maps, classes, batch=2)
    alone = deletion_insertion(BrightCorner().eval(), images[3:4], maps[3:4], classes[3:4])
    for one, other in zip(together, alone, strict=True):
        assert one.shape == (5,)
        torch.testing.assert_close(one[3:4], other)


def test_blur_keeps_a_plain_picture_and_spreads_a_point_evenly():
    torch.testing.assert_close(blur(torch.full((1, 3, 20, 30), 0.4)), torch.full((1, 3, 20, 30), 0.4))
    point = torch.zeros(1, 3, 41, 41)
    point[..., 20, 20] = 1
    spread = blur(point, sigma=2 / 41)
    assert spread.sum().item() == pytest.approx(3, abs=1e-4)
    torch.testing.assert_close(spread, spread.transpose(2, 3))
    ratio = (spread[0, 0, 20, 22] / spread[0, 0, 20, 20]).item()
    assert ratio == pytest.approx(math.exp(-0.5), rel=1e-4)  # one sigma away


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"maps": torch.zeros(1, 8, 8)}, "maps"), ({"classes": torch.tensor([1, 1])}, "classes"), ({"steps": 0}, "steps"),
     ({"network": BrightCorner()}, "network")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(photo, changes, field):
    given = {"network": BrightCorner().eval(), "images": photo, "maps": good_map(), "classes": ONE, **changes}
    with pytest.raises(ValueError, match=field):
        deletion_insertion(**given)
