"""Cells of the sparse tables: done once, gone on with after a stop, made again where anything differs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from training.recipes.sparse_cells import Subject, as_record, ratio_of_l0, run_cell
from training.recipes.sparse_methods import Method
from training.recipes.sparse_table import is_for_tuning, section


class Counting:
    """An attack that moves the first `values` elements of class 0 past those of class 1, and counts its calls."""

    def __init__(self, values: int = 1) -> None:
        self.values, self.calls = values, 0

    def method(self, **settings: object) -> Method:
        def attack(_network, images, _labels, generator):
            self.calls += 1
            moved = images.clone()
            moved[:, 0].flatten(1)[:, : self.values] = 0
            return moved + 0 * torch.rand(1, generator=generator)

        return Method(title="counting", attack=attack, settings={"values": self.values, **settings})


@pytest.fixture
def subject() -> Subject:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # the mean of each channel
    images = torch.full((3, 3, 2, 2), 0.5)
    images[:, 0] = torch.tensor([0.6, 0.6, 0.9]).view(3, 1, 1)
    return Subject(title="tiny", network=network, images=images, labels=torch.zeros(3, dtype=torch.long), batch=2)


def test_a_cell_measures_all_batches(subject, tmp_path):
    attack = Counting()
    cell = run_cell(subject, attack.method(), tmp_path, seed=0)
    assert attack.calls == 2  # 3 images in batches of 2
    assert cell.fooled.tolist() == [True, True, False]  # means 0.45 and 0.675 against 0.5
    assert cell.row.asr_percent == pytest.approx(200 / 3)
    assert cell.row.l0 == 1


def test_what_is_done_is_read_and_not_done_again(subject, tmp_path):
    attack = Counting()
    first = run_cell(subject, attack.method(), tmp_path, seed=0)
    again = run_cell(subject, attack.method(), tmp_path, seed=0)
    assert attack.calls == 2
    assert torch.equal(first.adversarial, again.adversarial)
    assert again.seconds == pytest.approx(first.seconds)


def test_a_run_that_was_stopped_goes_on_with_the_batch_that_is_missing(subject, tmp_path):
    attack = Counting()
    run_cell(subject, attack.method(), tmp_path, seed=0)
    sorted(tmp_path.iterdir())[0].unlink()
    run_cell(subject, attack.method(), tmp_path, seed=0)
    assert attack.calls == 3


def test_half_a_file_is_made_again(subject, tmp_path):
    attack = Counting()
    run_cell(subject, attack.method(), tmp_path, seed=0)
    path = sorted(tmp_path.iterdir())[0]
    path.write_bytes(path.read_bytes()[:100])
    assert run_cell(subject, attack.method(), tmp_path, seed=0).row.l0 == 1
    assert attack.calls == 3


def test_other_settings_seeds_or_images_are_other_work(subject, tmp_path):
    attack = Counting()
    run_cell(subject, attack.method(), tmp_path, seed=0)
    run_cell(subject, attack.method(steps=2), tmp_path, seed=0)
    run_cell(subject, attack.method(), tmp_path, seed=1)
    subject.images[:2] -= 0.01
    run_cell(subject, attack.method(), tmp_path, seed=0)
    assert attack.calls == 2 + 2 + 2 + 1  # the last batch of images is the same


def test_a_refined_method_begins_with_the_result_of_the_first(subject, tmp_path):
    attack = Counting()
    first = attack.method()
    seen: list[torch.Tensor] = []

    def refine(_network, _images, _labels, start):
        seen.append(start)
        return start

    second = Method(title="refined", attack=None, settings={}, begins_with=first, refine=refine)
    plain = run_cell(subject, first, tmp_path, seed=0)
    refined = run_cell(subject, second, tmp_path, seed=0)
    assert attack.calls == 2
    assert torch.equal(torch.cat(seen), plain.adversarial)
    assert refined.seconds > plain.seconds  # it could not begin without the first


def test_a_ratio_compares_the_images_where_both_succeed(subject, tmp_path):
    one, two = (run_cell(subject, Counting(n).method(), tmp_path, seed=0) for n in (1, 2))
    assert two.fooled.tolist() == [True, True, True]
    ratio, both = ratio_of_l0(subject, one, two)
    assert (ratio, both) == (0.5, 2)


def test_a_table_has_a_row_for_each_cell_and_the_records_have_the_same_numbers(subject, tmp_path):
    cell = run_cell(subject, Counting().method(), tmp_path, seed=0)
    text = section("tiny, eps = 8/255", subject, {"counting": cell})
    assert "3 images of 12 elements" in text
    assert "| counting | 66.7 | 1.0 | 1.0 | 0.600 | 0.600 | 0.600 |" in text
    record = as_record(subject, 8.0, cell)
    assert (record["method"], record["l0"], record["budget_levels"]) == ("counting", 1.0, 8.0)


def test_half_of_all_hashes_are_for_tuning():
    assert is_for_tuning("00" * 32)
    assert is_for_tuning("7f" + "00" * 31)
    assert not is_for_tuning("80" + "00" * 31)


def test_the_real_table_runs_on_two_images(shared_dir: Path, tmp_path: Path):
    from training.recipes.sparse_table import cifar_subject

    subject, tuning = cifar_subject(shared_dir, 20, 2), cifar_subject(shared_dir, 20, 2, tuning=True)
    assert subject.images.shape == (2, 3, 32, 32)
    assert not torch.equal(subject.images, tuning.images)
    with torch.no_grad():
        assert torch.equal(subject.network(subject.images).argmax(1), subject.labels)
