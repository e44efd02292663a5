"""ComModel: shapes, the identity it begins as, conditions, its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.models.commodel import (
    AtCondition,
    ComModel,
    ComModelConfig,
    at_condition,
    build_commodel,
    load_commodel,
    multiply_accumulates,
    save_commodel,
)

SMALL = ComModelConfig(widths=(4, 6, 8), blocks=1)
IMAGE = torch.rand(2, 3, 24, 40, generator=torch.Generator().manual_seed(0))


def _stirred(config: ComModelConfig, seed: int = 0) -> ComModel:
    """With random weights where a new model has zeros."""
    model = build_commodel(config, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("widths", [(4,), (4, 6), (4, 6, 8)])
def test_a_new_model_does_nothing(widths: tuple[int, ...]) -> None:
    model = build_commodel(ComModelConfig(widths=widths, blocks=2))
    assert torch.equal(model(IMAGE), IMAGE)


@pytest.mark.parametrize("size", [(24, 40), (21, 33), (8, 8)])
def test_any_size_comes_back_inside_the_range(size: tuple[int, int]) -> None:
    image = IMAGE[..., : size[0], : size[1]]
    returned = _stirred(SMALL)(image)
    assert returned.shape == image.shape
    assert 0 <= returned.min() <= returned.max() <= 1
    assert (returned - image).abs().max() > 0.01


def test_a_model_of_one_seed_is_always_the_same_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, other = (build_commodel(SMALL, seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["down.0.resize.weight"], other["down.0.resize.weight"])


def test_a_condition_changes_the_answer_and_can_be_fixed() -> None:
    model = _stirred(ComModelConfig(widths=(4, 6), blocks=1, condition_values=2))
    conditions = torch.tensor([[0.0, 1.0], [1.0, -1.0]])
    both = model(IMAGE, conditions)
    for row in (0, 1):
        alone = AtCondition(model, conditions[row])(IMAGE)
        torch.testing.assert_close(alone[row], both[row])
        assert (alone[1 - row] - both[1 - row]).abs().max() > 1e-3


def test_a_condition_can_be_worked_into_the_weights() -> None:
    model = _stirred(ComModelConfig(widths=(4, 6), blocks=1, condition_values=3, transforms=(8, 4), kinks=4))
    condition = torch.tensor([0.5, -1.0, 0.3])
    fixed = at_condition(model, condition)
    assert fixed.config.condition_values == 0
    wanted = model(IMAGE, condition[None])
    assert (wanted - IMAGE).abs().max() > 0.01
    torch.testing.assert_close(fixed(IMAGE), wanted, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="model: expected one that takes a condition"):
        at_condition(fixed, condition)


@pytest.mark.parametrize(("values", "condition"), [(0, torch.zeros(1, 2)), (2, None)])
def test_a_condition_that_is_missing_or_comes_unasked_is_refused(values: int, condition: Tensor | None) -> None:
    model = build_commodel(ComModelConfig(widths=(4,), condition_values=values))
    with pytest.raises(ValueError, match="condition: expected"):
        model(IMAGE, condition)


def test_multiply_accumulates_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 4, stride=2, padding=1), nn.ConvTranspose2d(5, 2, 4, stride=2, padding=1))
    down = (8 // 2) ** 2 * 3 * 5 * 16
    up = (8 // 2) ** 2 * 5 * 2 * 16
    assert multiply_accumulates(model, torch.zeros(1, 3, 8, 8)) == down + up


def test_the_usual_size_is_one_for_phones() -> None:
    model = build_commodel(ComModelConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 233_435
    assert multiply_accumulates(model, torch.zeros(1, 3, 224, 224)) < 330e6


def test_a_file_gives_the_same_model_back(tmp_path: Path) -> None:
    model = _stirred(ComModelConfig(widths=(4, 6), blocks=1, condition_values=3))
    save_commodel(tmp_path / "made" / "model.pt", model, {"codecs": ["jpeg:50"]})
    again, facts = load_commodel(tmp_path / "made" / "model.pt")
    assert facts == {"codecs": ["jpeg:50"]}
    assert again.config == model.config
    assert not again.training
    condition = torch.ones(1, 3)
    assert torch.equal(again(IMAGE, condition), model(IMAGE, condition))


def test_what_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no\.pt: expected a compression model, found no file"):
        load_commodel(tmp_path / "no.pt")
    (tmp_path / "text.pt").write_text("hello")
    torch.save({"something": 1}, tmp_path / "else.pt")
    for name in ("text.pt", "else.pt"):
        with pytest.raises(TrainingError, match=rf"{name}: expected a compression model, found something else"):
            load_commodel(tmp_path / name)


@pytest.mark.parametrize(
    ("field", "value"), [("widths", ()), ("widths", (0,)), ("blocks", 0), ("condition_values", -1)]
)
def test_a_bound_is_told_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        ComModelConfig(**{field: value})
