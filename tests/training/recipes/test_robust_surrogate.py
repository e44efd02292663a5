"""A surrogate that minds small changes less, made in seconds of a small network, and what its training goes by."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from training.errors import TrainingError
from training.recipes import robust_surrogate as recipe
from training.recipes.robust_surrogate import LAST, LOG, MODEL, SurrogateConfig, load_surrogate, train_surrogate

CONFIG = SurrogateConfig(steps=60, batch=4, learning_rate=3e-3, bound_levels=16, ema_decay=0.8, original=0)


class Small(nn.Module):
    """Two convolutions and a sharp answer among five classes, the same at each start."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.second = nn.Conv2d(3, 16, 5, stride=2), nn.Conv2d(16, 16, 3, stride=2)
            self.last = nn.Linear(16, 5)

    def features(self, image: Tensor) -> Tensor:
        return self.second(self.first(6 * image - 3).relu()).relu()

    def classify(self, features: Tensor) -> Tensor:
        return 60 * self.last(features.mean((2, 3)))

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(self.features(image))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    """A small network, views of 48 px, a row every 20 steps, one thread."""
    monkeypatch.setattr(recipe, "build_network", lambda _name, **_given: Small().eval())
    monkeypatch.setattr(recipe, "_SIDES_PX", (48,))
    monkeypatch.setattr(recipe, "_EVERY", 20)
    monkeypatch.setattr(recipe, "_WARM", 5)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(12):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    return [str(folder)]


def images(count: int = 8) -> Tensor:
    rng = np.random.default_rng(5)
    coarse = torch.from_numpy(rng.random((count, 3, 8, 8), dtype=np.float32))
    return torch.nn.functional.interpolate(coarse, (48, 48), mode="bicubic").clamp(0, 1)


def missed_under_attack(network: nn.Module, original: nn.Module, levels: float) -> float:
    """Mean loss on photos that no run has seen, each changed by `levels` along the network's own gradient."""
    image = images()
    aim = recipe._Aim(original, image, 2.0)
    bound = torch.full((len(image), 1, 1, 1), levels / 255)
    changed = recipe.attacked(network, image, bound, aim, np.random.default_rng(0))
    with torch.no_grad():
        return float(aim.missed_by(network, changed)[0].mean())


def test_training_makes_a_network_mind_its_own_worst_change_less(photos: list[str], tmp_path: Path) -> None:
    original = Small()
    network = train_surrogate(CONFIG, photos, tmp_path)
    assert not network.training
    assert missed_under_attack(network, original, 8) < 0.7 * missed_under_attack(Small(), original, 8)
    rows = list(csv.DictReader(io.StringIO((tmp_path / LOG).read_text(encoding="utf-8"))))
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_what_is_written_is_what_is_returned(photos: list[str], tmp_path: Path) -> None:
    network = train_surrogate(replace(CONFIG, steps=2), photos, tmp_path, command="as typed")
    loaded, facts = load_surrogate(tmp_path / MODEL)
    torch.testing.assert_close(loaded(images(2)), network(images(2)))
    assert facts["photos"] == 12
    assert facts["command"] == "as typed"


def test_the_original_s_share_of_the_weights_is_mixed_in(photos: list[str], tmp_path: Path) -> None:
    config = replace(CONFIG, steps=5)
    trained, half, none = (
        train_surrogate(replace(config, original=share), photos, tmp_path / str(share)).state_dict()
        for share in (0, 0.5, 1)
    )
    for name, start in Small().state_dict().items():
        torch.testing.assert_close(none[name], start)
        torch.testing.assert_close(half[name], (trained[name] + start) / 2)
    assert not torch.equal(trained["last.weight"], none["last.weight"])


def test_a_stopped_run_goes_on_to_the_same_weights(
    photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(CONFIG, steps=30)
    whole = train_surrogate(config, photos, tmp_path / "whole")

    def stop(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_surrogate(config, photos, tmp_path / "halves", report=stop)
    assert not (tmp_path / "halves" / MODEL).exists()
    halves = train_surrogate(config, photos, tmp_path / "halves")
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(halves.state_dict()[name], value, msg=name)


def test_a_run_of_other_settings_is_not_gone_on_with(photos: list[str], tmp_path: Path) -> None:
    train_surrogate(replace(CONFIG, steps=1), photos, tmp_path)
    with pytest.raises(TrainingError, match=f"{LAST}: holds a run with other settings or photos"):
        train_surrogate(replace(CONFIG, steps=1, seed=1), photos, tmp_path)


def test_the_original_misses_nothing_of_what_it_says_itself() -> None:
    original = Small()
    with torch.no_grad():
        loss, answer, same = recipe._Aim(original, images(2), 2.0).missed_by(original, images(2))
    assert loss.tolist() == pytest.approx([0, 0], abs=1e-5)
    assert answer.tolist() == pytest.approx([0, 0], abs=1e-5)
    assert float(same) == 1


def test_the_loss_is_the_divergence_and_the_weighted_distance_of_features() -> None:
    """Features twice as large are as far from the original's as those are from 0: a squared distance of 1."""

    original = Small()
    aim = recipe._Aim(original, images(3), 5.0)
    twice = Small()
    twice.features = lambda image: 2 * original.features(image)  # pyright: ignore
    twice.classify = lambda features: original.classify(features / 2)  # pyright: ignore
    with torch.no_grad():
        loss, answer, _ = aim.missed_by(twice, images(3))
    assert answer.tolist() == pytest.approx([0] * 3, abs=1e-5)
    assert loss.tolist() == pytest.approx([5.0] * 3, abs=1e-3)


@pytest.mark.parametrize("levels", [0.0, 2.0])
def test_an_attack_stays_within_each_photo_s_bound_and_leaves_the_weights_to_be_trained(levels: float) -> None:
    network = Small()
    image = images(2)
    bound = torch.tensor([levels, 1.0]).view(2, 1, 1, 1) / 255
    aim = recipe._Aim(network, image, 2.0)
    changed = recipe.attacked(network, image, bound, aim, np.random.default_rng(0))
    assert ((changed - image).abs() <= bound + 1e-6).all()
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert all(value.requires_grad and value.grad is None for value in network.parameters())


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("network", "resnet18", "network: expected one of efficientnet_lite0, efficientnet_lite1"),
        ("steps", 0, "steps: expected 1 to 10000000, got 0"),
        ("bound_levels", -1, "bound_levels: expected 0 to 64, got -1"),
    ],
)
def test_a_setting_out_of_range_is_named(field: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(CONFIG, **{field: value})  # pyright: ignore


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save({"petalveil_one_pass": 1}, path)
    with pytest.raises(TrainingError, match=r"other\.pt: expected a robust surrogate, found something else"):
        load_surrogate(path)
    with pytest.raises(TrainingError, match="train one with `python -m training surrogate`"):
        load_surrogate(tmp_path / "none.pt")
