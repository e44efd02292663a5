"""Encoders: shapes, where they begin, and that no image's scores depend on another's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.attacks.sparse.encoder import FIRST_SCORE, KINDS, build_encoder, parameter_groups


def encoder(kind: str, images: int, shape: tuple[int, int, int] = (3, 7, 6)) -> nn.Module:
    return build_encoder(kind, images, shape, width=4, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_scores_have_the_shape_of_the_picture_even_where_a_side_is_odd(kind):
    assert encoder(kind, 2)(torch.rand(2, 3, 7, 6)).shape == (2, 3, 7, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_picture_scores_one_everywhere_at_first(kind):
    torch.testing.assert_close(encoder(kind, 1)(torch.zeros(1, 3, 7, 6)), torch.full((1, 3, 7, 6), FIRST_SCORE))


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_gets_the_same_scores_alone_and_in_a_batch(kind):
    delta = torch.rand(3, 3, 7, 6, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(encoder(kind, 3)(delta)[1:2], encoder(kind, 1)(delta[1:2]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_one_image_moves_only_its_own_weights(kind):
    module = encoder(kind, 2)
    module(torch.rand(2, 3, 7, 6))[0].sum().backward()
    for values in module.parameters():
        assert values.grad is not None
        assert values.grad[1].abs().max() == 0
    assert any(values.grad[0].abs().max() > 0 for values in module.parameters())  # type: ignore[index]


def test_adam_moves_a_weight_by_its_rate_over_the_inputs_of_its_unit():
    groups = parameter_groups(encoder("linear", 1), 0.6)
    assert [group["lr"] for group in groups] == pytest.approx([0.6 / 126, 0.6, 0.6 / 4, 0.6])  # 126 = 3 * 7 * 6
    assert [group["lr"] for group in parameter_groups(encoder("none", 1), 0.6)] == [0.6]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="linear, unet, none"):
        encoder("transformer", 1)
