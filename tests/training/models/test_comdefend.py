"""ComDefend: what its code is, when noise is in it, which gradient an attacker gets, what it costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from training.errors import TrainingError
from training.models.comdefend import (
    ComDefend,
    ComDefendConfig,
    Patchwise,
    StraightThrough,
    build_comdefend,
    comdefend_loss,
    cost_of,
    load_comdefend,
    save_comdefend,
)

TINY = ComDefendConfig(net="phone", code_bits=2, width=4, blocks=1)


class _Channels(nn.Module):
    """(N, 3, H, W) - 0.5 -> the loudness 10 x red and 10 x green."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 10 * image[:, :2]


class _Mean(nn.Module):
    """The mean of the two code channels, three times."""

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        return code.mean(1, keepdim=True).repeat(1, 3, 1, 1)


def by_hand(noise: float = 20.0) -> ComDefend:
    model = ComDefend(ComDefendConfig(net="published", code_bits=2, noise=noise)).eval()
    model.com, model.rec = _Channels(), _Mean()
    return model


def pixel(red: float, green: float, blue: float = 0.5) -> torch.Tensor:
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1)


def test_a_bit_is_set_where_loudness_is_above_nought() -> None:
    # 10 (0.7 - 0.5) = 2 > 0, 10 (0.4 - 0.5) = -1 < 0; exactly 0.5 has a sigmoid of 0.5, which is not above it
    assert by_hand().bits(pixel(0.7, 0.4)).flatten().tolist() == [1, 0]
    assert by_hand().bits(pixel(0.5, 0.51)).flatten().tolist() == [0, 1]
    assert by_hand()(pixel(0.7, 0.4)).flatten().tolist() == [0.5, 0.5, 0.5]


def test_the_noisy_code_is_the_sigmoid_of_loudness_less_the_noise() -> None:
    found = by_hand(noise=3.0).noisy_code(pixel(0.7, 0.4), torch.tensor([1.0, -1.0]).view(1, 2, 1, 1))
    wanted = [1 / (1 + math.exp(-(2 - 3))), 1 / (1 + math.exp(-(-1 + 3)))]
    assert found.flatten().tolist() == pytest.approx(wanted, rel=1e-5)


def test_noise_is_in_training_alone() -> None:
    model = build_comdefend(TINY, seed=1)
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(image), model(image))
    assert set(model.bits(image).unique().tolist()) <= {0.0, 1.0}
    model.train()
    assert not torch.equal(model(image), model(image))


def test_without_noise_training_repeats_itself() -> None:
    model = build_comdefend(ComDefendConfig(code_bits=2, width=4, blocks=1, noise=0)).train()
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(image), model(image))


def test_straight_through_has_the_values_of_the_bits_and_the_gradient_of_their_mean() -> None:
    image = pixel(0.7, 0.4).requires_grad_()
    found = StraightThrough(by_hand(noise=20.0))(image)
    assert found.flatten().tolist() == [0.5, 0.5, 0.5]
    (grad,) = torch.autograd.grad(found[0, 0].sum(), image)
    # y = (c1 + c2) / 2, c = Phi(v / 20), v = 10 (x - 0.5): dy/dx = 10 phi(v / 20) / 20 / 2
    wanted = [10 / 40 * math.exp(-((v / 20) ** 2) / 2) / math.sqrt(2 * math.pi) for v in (2, -1)]
    assert grad.flatten().tolist() == pytest.approx([*wanted, 0.0], rel=1e-5)


def test_without_noise_the_gradient_is_that_of_the_sigmoid() -> None:
    image = pixel(0.7, 0.4).requires_grad_()
    (grad,) = torch.autograd.grad(StraightThrough(by_hand(noise=0))(image)[0, 0].sum(), image)
    share = 1 / (1 + math.exp(-2))
    assert grad[0, 0].item() == pytest.approx(10 * share * (1 - share) / 2, rel=1e-5)


def test_the_bits_alone_have_no_gradient() -> None:
    assert not build_comdefend(TINY).bits(torch.rand(1, 3, 4, 4).requires_grad_()).requires_grad


def test_loss_by_hand() -> None:
    image, rebuilt = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 1.0])
    code = torch.tensor([1.0, 0.0, 1.0, 1.0])
    assert comdefend_loss(image, rebuilt, code).item() == pytest.approx(0.125 + 1e-4 * 0.75)
    assert comdefend_loss(image, rebuilt, code, code_weight=0.5).item() == pytest.approx(0.125 + 0.375)


def test_the_published_net_costs_what_the_recipe_says() -> None:
    cost = cost_of(ComDefendConfig(net="published"))
    assert cost.parameters == 783_372 + 783_363
    assert cost.gmac == pytest.approx(78.5, abs=0.1)  # of 224 x 224
    assert cost_of(ComDefendConfig(net="published"), 32).gmac == pytest.approx(1.60, abs=0.01)


def test_the_phone_net_keeps_within_its_budget() -> None:
    cost = cost_of(ComDefendConfig())
    # a square of four pixels: 3x3 12->64, four blocks of 3x3 depthwise, 64->128, 128->64, then 64->48, 48->64, 64->12
    by_hand = 9 * 12 * 64 + 4 * (9 * 64 + 2 * 64 * 128) + 64 * 48 + 9 * 48 * 64 + 9 * 64 * 12
    assert cost.kmac_a_pixel == pytest.approx(by_hand / 4 / 1000)
    assert cost.gmac <= 1.5
    assert cost.float16_bytes <= 1_000_000


@pytest.mark.parametrize(("net", "code"), [("published", (2, 12, 6, 10)), ("phone", (2, 48, 3, 5))])
def test_shapes(net, code: tuple[int, ...]) -> None:
    model = build_comdefend(ComDefendConfig(net=net, width=8))
    image = torch.rand(2, 3, 6, 10)
    assert tuple(model.bits(image).shape) == code == model.code_shape(2, 6, 10)
    assert model(image).shape == image.shape


def test_patches_pass_alone_and_come_back_in_their_places() -> None:
    image = torch.arange(3 * 4 * 6, dtype=torch.float32).view(1, 3, 4, 6)
    assert torch.equal(Patchwise(nn.Identity(), 2)(image), image)
    mean = Patchwise(_Flat(), 2)(image)
    assert mean[0, 0, :2, 2:4].unique().tolist() == [image[0, 0, :2, 2:4].mean().item()]


class _Flat(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean((2, 3), keepdim=True).expand_as(image)


def test_an_image_that_patches_do_not_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 32, got 32 x 40"):
        Patchwise(nn.Identity())(torch.zeros(1, 3, 32, 40))


@pytest.mark.parametrize(
    ("field", "value"), [("net", "tiny"), ("code_bits", 0), ("noise", -1.0), ("width", 2), ("blocks", 0)]
)
def test_a_shape_out_of_bounds_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        ComDefendConfig(**{field: value})  # pyright: ignore[reportArgumentType]


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    model = build_comdefend(TINY, seed=3)
    save_comdefend(tmp_path / "m.pt", model, {"steps": 5})
    loaded, facts = load_comdefend(tmp_path / "m.pt")
    image = torch.rand(1, 3, 4, 6)
    assert torch.equal(loaded(image), model(image))
    assert (loaded.config, facts) == (TINY, {"steps": 5})


def test_a_missing_or_foreign_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.pt: expected a ComDefend, found no file; train one"):
        load_comdefend(tmp_path / "none.pt")
    torch.save({"state": {}}, tmp_path / "other.pt")
    with pytest.raises(TrainingError, match=r"other\.pt: expected a ComDefend, found something else"):
        load_comdefend(tmp_path / "other.pt")
