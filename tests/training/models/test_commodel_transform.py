"""The transform branch: nothing to begin with, exact both ways, curves by hand, a condition that stretches them."""

from __future__ import annotations

import math

import pytest
import torch

from training.models.commodel import ComModelConfig, build_commodel, load_commodel, save_commodel
from training.models.commodel_transform import BlockTransform, Curves

IMAGE = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("block_px", [4, 8])
@pytest.mark.parametrize("values", [0, 6])
def test_a_new_transform_changes_nothing(block_px: int, values: int) -> None:
    condition = torch.ones(1, values) if values else None
    assert torch.equal(BlockTransform(block_px, 16, values)(IMAGE, condition), torch.zeros_like(IMAGE))


@pytest.mark.parametrize("block_px", [4, 8])
def test_blocks_come_back_as_they_were_and_keep_their_energy(block_px: int) -> None:
    transform = BlockTransform(block_px, 16)
    transform.requires_grad_(False)
    luma, colour = torch.randn(1, 1, 16, 32), torch.randn(1, 2, 16, 32)
    found = transform.luma(luma)
    assert found.square().sum() == pytest.approx(luma.square().sum().item(), rel=1e-5)
    torch.testing.assert_close(transform.luma_back(found), luma, atol=1e-5, rtol=0)
    torch.testing.assert_close(transform.colour_back(transform.colour(colour)), colour, atol=1e-5, rtol=0)


def test_the_first_coefficient_is_the_mean_and_its_unit_is_sixteen_levels() -> None:
    transform = BlockTransform(8, 16)
    grey = torch.full((1, 3, 16, 16), 0.5 + 32 / 255)
    found = transform.luma(transform.to_ycc(grey - 0.5)[:, :1])
    assert found[0, 0].flatten().tolist() == pytest.approx([8 * 2.0] * 4, abs=1e-4)  # 8 * mean, 32 levels are 2 units
    assert found[0, 1:].abs().max() < 1e-4


def test_a_curve_by_hand() -> None:
    """Kinks at -4, -4/9, 4/9, 4; pieces with weights 0, 1, -1, 0 are the wings that a dead zone of 4/9 leaves."""
    curves = Curves(1, 4)
    with torch.no_grad():
        curves.sum.weight.copy_(torch.tensor([0.0, -1.0, 1.0, 0.0]).view(1, 4, 1, 1))
    values = torch.tensor([-2.0, -0.4, 0.0, 0.4, 2.0, 5.0])
    found = curves(values.view(1, 1, 1, -1)).flatten().tolist()
    assert found == pytest.approx([-2 + 4 / 9, 0, 0, 0, 2 - 4 / 9, 5 - 4 / 9])


def test_a_condition_stretches_a_curve_along_both_axes() -> None:
    curves = Curves(3, 8, condition_values=2)
    assert curves.size is not None
    assert curves.weigh is not None
    with torch.no_grad():
        curves.sum.weight.normal_(generator=torch.Generator().manual_seed(1))
        curves.size.weight[:, -1] = math.log(2)
        curves.weigh.weight[:, 0] = -1
    values = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(2))
    once, twice = (curves(scale * values, torch.tensor([[0.0, strength]])) for scale, strength in ((1, 0), (2, 1)))
    torch.testing.assert_close(twice, 2 * once)
    assert once.abs().max() > 0.1
    assert torch.equal(curves(values, torch.tensor([[1.0, 0.0]])), torch.zeros_like(values))


@pytest.mark.parametrize("values", [0, 3])
def test_training_draws_the_same_curves_with_the_same_gradients(values: int) -> None:
    generator = torch.Generator().manual_seed(4)
    curves = Curves(5, 6, condition_values=values).double()
    with torch.no_grad():
        for parameter in curves.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    image = torch.randn(2, 5, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    condition = torch.randn(2, values, generator=generator, dtype=torch.float64) if values else None
    goal = torch.randn(image.shape, generator=generator, dtype=torch.float64)
    given = [image, *curves.parameters()]
    slow, fast = (
        (found, torch.autograd.grad((found * goal).sum(), given))
        for found in (curves.train(mode)(image, condition) for mode in (False, True))
    )
    torch.testing.assert_close(fast[0], slow[0])
    for wanted, found in zip(slow[1], fast[1], strict=True):
        assert wanted.abs().max() > 0
        torch.testing.assert_close(found, wanted)


def test_a_model_with_transforms_takes_any_size_and_keeps_its_file(tmp_path) -> None:
    model = build_commodel(ComModelConfig(widths=(), transforms=(8, 4), kinks=4))
    assert torch.equal(model(IMAGE), IMAGE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
    small = IMAGE[..., :21, :35]
    assert model(small).shape == small.shape
    save_commodel(tmp_path / "model.pt", model, {})
    again, _ = load_commodel(tmp_path / "model.pt")
    assert again.config == model.config
    assert torch.equal(again(small), model(small))


def test_the_encoder_corrects_what_the_transforms_give() -> None:
    model = build_commodel(ComModelConfig(widths=(4, 6), blocks=1, transforms=(4,), kinks=4))
    assert torch.equal(model(IMAGE), IMAGE)
    assert model.down[0].resize.weight.shape[1] == 6


@pytest.mark.parametrize(
    ("field", "settings"),
    [("widths", {"widths": ()}), ("transforms", {"transforms": (1,)}), ("kinks", {"transforms": (8,), "kinks": 1})],
)
def test_a_bound_is_told_by_its_field(field: str, settings: dict) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        ComModelConfig(**settings)
