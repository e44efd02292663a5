"""The table of ComReAdv on a tiny network: what counts as a success, the search for the budget, resumed cells."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.data.codecs import parse_codec
from training.errors import TrainingError
from training.models.commodel import ComModelConfig, build_commodel, save_commodel
from training.recipes import comreadv_table as table
from training.recipes.comreadv_cells import Success, answers_after, success_after
from training.recipes.comreadv_methods import PLAIN, image_key, method, rivals, through_models
from training.recipes.comreadv_table import ComReAdvConfig, collapse_budget, draw_targets, measure_table
from training.recipes.sparse_cells import Subject, run_cell

NONE, JPEG = parse_codec("none"), parse_codec("jpeg:50")


class Brightness(nn.Module):
    """Class 0 below 100 levels on average, else class 1; class 2 is never the answer."""

    def forward(self, image: Tensor) -> Tensor:
        levels = 255 * image.mean((1, 2, 3))
        return torch.stack([100 - levels, levels - 100, torch.full_like(levels, -300)], 1)


@pytest.fixture
def subject() -> Subject:
    images = torch.tensor([97.0, 103.0, 60.0]).view(3, 1, 1, 1).expand(3, 3, 16, 16).contiguous() / 255
    return Subject(title="tiny", network=Brightness(), images=images, labels=torch.tensor([0, 1, 0]), batch=2)


def test_photos_that_the_codec_alone_gets_wrong_do_not_count(subject: Subject, tmp_path: Path) -> None:
    class Darker:
        text = "darker"

        def __call__(self, rgb_hwc):
            return rgb_hwc - 10

    codec = Darker()
    adversarial = (subject.images + torch.tensor([20.0, 0.0, 0.0]).view(3, 1, 1, 1) / 255).clamp(0, 1)
    # After the codec: 87, 93, 50 without a cloak, so the second photo is wrong by itself; 107, 93, 50 with it.
    found = success_after(subject, adversarial, codec, tmp_path)  # pyright: ignore[reportArgumentType]
    assert (found.successes, found.count) == (1, 2)
    assert found.percent == 50
    assert success_after(subject, adversarial, NONE, tmp_path) == Success(count=3, successes=1)


def test_a_targeted_success_is_the_target_alone(subject: Subject, tmp_path: Path) -> None:
    adversarial = subject.images.flip(0)  # 60, 103, 97
    targets = torch.tensor([1, 2, 1])
    assert success_after(subject, adversarial, NONE, tmp_path, targets=targets).successes == 0
    adversarial = torch.full_like(subject.images, 110 / 255)
    assert success_after(subject, adversarial, NONE, tmp_path, targets=targets).successes == 2


def test_answers_are_read_where_they_are_known(subject: Subject, tmp_path: Path) -> None:
    first = answers_after(subject, subject.images, JPEG, tmp_path)
    (path,) = tmp_path.iterdir()
    assert first.tolist() == [0, 1, 0]
    stamp = path.stat().st_mtime_ns
    assert torch.equal(answers_after(subject, subject.images, JPEG, tmp_path), first)
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(b"half")
    assert torch.equal(answers_after(subject, subject.images, JPEG, tmp_path), first)


def test_intervals_by_hand() -> None:
    low, high = Success(count=10, successes=0).interval_percent
    assert low == pytest.approx(0, abs=1e-9)
    assert high == pytest.approx(100 * 1.959964**2 / (10 + 1.959964**2))
    assert Success(count=10, successes=5).interval_percent == pytest.approx((23.66, 76.34), abs=0.01)


def test_the_budget_is_the_one_nearest_to_the_papers_and_the_larger_of_two() -> None:
    rows = [{"budget_levels": b, "jpeg:50:420": p} for b, p in ((1, 0.0), (2, 3.0), (3, 5.0), (4, 20.0))]
    assert collapse_budget(rows) == 3


def test_targets_are_other_classes_and_belong_to_the_image(subject: Subject) -> None:
    targets = draw_targets(subject, 0)
    for image, label in zip(subject.images, subject.labels.tolist(), strict=True):
        assert targets[image_key(image)] in {0, 1, 2} - {label}
    fewer = Subject(title="", network=subject.network, images=subject.images[1:], labels=subject.labels[1:], batch=2)
    assert draw_targets(fewer, 0).items() <= targets.items()


def test_a_table_has_every_row_and_is_not_done_twice(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ComReAdvConfig(attacks=("bim",), steps=4)
    compressions = {name: modules for name, modules in rivals().items() if name in (PLAIN, "differentiable JPEG 50")}
    lines: list[str] = []
    path = measure_table(subject, compressions, [NONE, JPEG], tmp_path, config, report=lines.append)
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == len(table.CANDIDATES) + 2 * 2
    plain = [row for row in rows if row["through"] == PLAIN and row["section"] == "search, 4 levels"]
    assert float(plain[0]["none"]) == pytest.approx(200 / 3)  # 97 and 103 can be moved over 100 by 4 levels, 60 cannot
    page = path.read_text(encoding="utf-8")
    assert "### untargeted" in page
    assert "### targeted" in page
    assert page.count("| bim |") == 4
    monkeypatch.setattr("training.recipes.comreadv_methods.comreadv", None)  # would fail if it were called
    measure_table(subject, compressions, [NONE, JPEG], tmp_path, config, report=lines.append)
    assert path.read_text(encoding="utf-8") == page


def test_the_same_attack_through_something_else_is_other_work(subject: Subject, tmp_path: Path) -> None:
    for module in rivals().values():
        run_cell(subject, method("same title", "fgsm", module, budget_levels=4, steps=1), tmp_path, seed=0)
    assert len(list(tmp_path.iterdir())) == 2 * len(rivals())  # two batches each


def test_models_are_named_by_what_they_learnt_and_stand_at_each_setting(tmp_path: Path) -> None:
    one, many = tmp_path / "one.pt", tmp_path / "many.pt"
    save_commodel(one, build_commodel(ComModelConfig(widths=(4,))), {"codecs": ["jpeg:50:420"]})
    save_commodel(
        many, build_commodel(ComModelConfig(widths=(4,), condition_values=6)), {"codecs": ["jpeg:30-90", "webp:50"]}
    )
    found = through_models([one, many])
    assert {name: len(modules) for name, modules in found.items()} == {
        "ComModel of jpeg:50:420": 1,
        "ComModel of jpeg:30-90, webp:50": 4,  # 30, 60, 90 and 50
    }
    image = torch.rand(1, 3, 8, 8)
    assert all(torch.equal(module(image), image) for modules in found.values() for module in modules)
    with pytest.raises(TrainingError, match="the second ComModel of jpeg:50:420"):
        through_models([one, one])


@pytest.mark.parametrize(("field", "value"), [("images", 0), ("attacks", ()), ("budget_levels", 0), ("steps", 0)])
def test_a_bound_is_told_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        ComReAdvConfig(**{field: value})
