"""The methods of the tables: each keeps its bound on a tiny network, and their numbers name their results."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

from training.attacks.sparse.ablations import ShrinkConfig, shrunk_delta
from training.attacks.sparse.auto_adversary import AutoAdversaryConfig
from training.attacks.sparse.dense import DenseConfig
from training.attacks.sparse.measure import measure
from training.recipes import sparse_methods as methods
from training.recipes.sparse_cells import Cell, Subject, run_cell
from training.recipes.sparse_picture import GAP_PX, tiled

SMALL = AutoAdversaryConfig(steps=30, width=4, weight=3.0, learning_rate=0.1)
EVERY = (
    *methods.ours(51, SMALL, 20),
    *methods.ablations(51, SMALL),
    *methods.base_attacks(51, SMALL, 20),
    *methods.rivals(51),
)


@pytest.fixture
def subject() -> Subject:
    """Two classes, decided by a weighted sum in which six of 48 elements weigh most."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(48, generator=generator) * 0.1
    weights[:6] = 2.0
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.stack([torch.zeros(48), weights]))
        network[1].bias.copy_(torch.tensor([0.0, -(weights.sum() * 0.5).item() - 0.7]))
    images = torch.full((2, 3, 4, 4), 0.5)
    return Subject(title="tiny", network=network.requires_grad_(False), images=images,
                   labels=torch.tensor([0, 0]), batch=2)  # fmt: skip


def run(subject: Subject, name: str, tmp_path) -> Cell:
    tables = (
        methods.ours(51, SMALL, 20),
        methods.ablations(51, SMALL),
        methods.base_attacks(51, SMALL, 20),
        methods.rivals(51),
    )
    return run_cell(subject, next(table[name] for table in tables if name in table), tmp_path, seed=0)


@pytest.mark.parametrize("name", EVERY)
def test_every_method_keeps_the_bound_and_the_range(subject, name, tmp_path):
    cell = run(subject, name, tmp_path)
    assert (cell.adversarial - subject.images).abs().max() <= 0.2 + 1e-6
    assert 0 <= cell.adversarial.min()
    assert cell.adversarial.max() <= 1


@pytest.mark.parametrize("name", EVERY)
def test_the_numbers_of_every_method_can_be_written_down(subject, name):
    tables = (methods.ours(51, SMALL, 20), methods.ablations(51, SMALL), methods.base_attacks(51, SMALL, 20))
    for table in (*tables, methods.rivals(51)):
        if name in table:
            assert json.loads(json.dumps(table[name].settings))


def test_the_refined_attack_is_sparser_than_the_plain_one_and_that_than_the_dense(subject, tmp_path):
    # of the six heavy elements, each adding 0.4 at 0.2, two exceed 0.7
    names = ("dense", "auto_adversary", "auto_adversary_polish")
    counts = [run(subject, name, tmp_path).row.l0 for name in names]
    assert counts[0] == 48
    assert counts[1] < 24
    assert counts[2] == 2


def test_the_random_mask_keeps_about_the_papers_share(subject, tmp_path):
    images = torch.full((20, 3, 4, 4), 0.5)
    many = dataclasses.replace(subject, images=images, labels=torch.zeros(20, dtype=torch.long), batch=20)
    cell = run(many, "dense_random", tmp_path)
    share = (cell.adversarial != images).float().mean().item()
    assert share == pytest.approx(methods.RANDOM_SHARE, abs=0.05)


def test_an_l1_penalty_on_the_change_leaves_fewer_elements(subject):
    config = ShrinkConfig(base=DenseConfig(budget_levels=51), steps=60, weight=3.0, learning_rate=0.1)
    generator = torch.Generator()
    found = shrunk_delta(subject.network, subject.images, subject.labels, config, generator=generator)
    row = measure(subject.network, subject.images, found, subject.labels)
    assert row.asr_percent == 100
    assert row.l0 < 24


def test_pictures_are_tiled_with_white_between_them():
    dark = np.zeros((4, 5, 3), np.uint8)
    sheet = tiled([[dark, dark], [dark, dark]])
    assert sheet.shape == (8 + GAP_PX, 10 + GAP_PX, 3)
    assert (sheet == 0).all(axis=2).sum() == 4 * 4 * 5
    assert (sheet[4 : 4 + GAP_PX] == 255).all()
