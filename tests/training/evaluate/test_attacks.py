"""Attacks: who had which part, what a peer may change, and names that cannot be had."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobile_app.core.bundle import load_bundle
from mobile_app.core.photo import Photo
from mobile_app.core.step import StepConfig
from training.errors import TrainingError
from training.evaluate.attacks import Attack, open_attacks, peer_attack
from training.evaluate.judges import SHIPPED

CONFIG = StepConfig(budget_levels=8)


def _noise(image: Tensor, _label: Tensor) -> Tensor:
    return (image + torch.empty_like(image).uniform_(-1, 1).sign() * 8 / 255).clamp(0, 1)


@pytest.fixture
def peer() -> Attack:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 6))
    return peer_attack("noise", network, _noise, CONFIG, "noise", 16)


def test_the_part_of_a_judge_is_the_attack_s_to_say() -> None:
    attack = Attack(name="a", settings="", cloak=lambda photo, _seed: photo, attacked=("x",), surrogates=("y",))
    assert [attack.role_of(name) for name in "xyz"] == ["attacked", "surrogate", "unseen"]


def test_what_the_engine_follows_is_attacked_and_what_it_was_made_of_has_helped() -> None:
    ((gradient,), _) = open_attacks(["gradient"], CONFIG)
    followed = [name for name, entry in load_bundle().graphs.items() if entry.engine == "gradient"]
    judges = [judge for judge, graph in SHIPPED.items() if graph in followed]
    assert [gradient.role_of(judge) for judge in (*judges, "squeezenet")] == ["attacked"] * len(followed)
    assert [gradient.role_of(judge) for judge in ("lite0_shipped", "lite0", "lite1")] == ["surrogate"] * 3
    assert gradient.role_of("lite2") == "unseen"


def test_a_peer_stays_inside_the_budget_and_the_middle_square(peer: Attack, chelsea: np.ndarray) -> None:
    cloaked = peer.cloak(Photo(rgb_hwc=chelsea), 0).rgb_hwc
    change = np.abs(cloaked.astype(int) - chelsea)
    assert change.max() == 8
    left = (451 - 300) // 2
    assert change[:, :left].max() == change[:, left + 300 :].max() == 0
    assert change[:, left : left + 300].mean() > 3


def test_a_peer_keeps_a_grey_photo_grey(peer: Attack) -> None:
    grey = Photo(rgb_hwc=np.full((32, 40, 3), 90, np.uint8), is_grey=True)
    cloaked = peer.cloak(grey, 0).rgb_hwc
    assert (cloaked != 90).any()
    assert (cloaked[..., :1] == cloaked).all()


def test_chance_is_the_seed_s_and_no_one_else_s(peer: Attack, chelsea: np.ndarray) -> None:
    photo = Photo(rgb_hwc=chelsea)
    before = torch.get_rng_state()
    first, again, other = (peer.cloak(photo, seed).rgb_hwc for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_photo_is_not_changed_in_place(peer: Attack, chelsea: np.ndarray) -> None:
    kept = chelsea.copy()
    peer.cloak(Photo(rgb_hwc=chelsea), 0)
    np.testing.assert_array_equal(chelsea, kept)


def test_an_unknown_attack_is_refused_with_the_known_names() -> None:
    with pytest.raises(TrainingError, match="attacks: expected some of gradient, "):
        open_attacks(["magic"], CONFIG)


@pytest.mark.skipif(importlib.util.find_spec("foolbox") is not None, reason="foolbox is installed here")
def test_a_peer_that_is_not_installed_says_what_to_install() -> None:
    with pytest.raises(
        TrainingError, match=r"attack foolbox_pgd: foolbox is not installed as a whole .*; run `pip install foolbox`"
    ):
        open_attacks(["foolbox_pgd"], CONFIG)
