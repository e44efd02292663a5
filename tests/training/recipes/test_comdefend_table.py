"""The ComDefend tables on a classifier that looks at one number: what each attack and each defence does to it."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from training.errors import TrainingError
from training.models.comdefend import ComDefendConfig, build_comdefend, save_comdefend
from training.recipes import comdefend_table as table
from training.recipes.comdefend_attacks import AttackConfig, attack_method, deepfool
from training.recipes.comdefend_cells import grey_rows, quality_row, right, white_rows
from training.recipes.comdefend_classifier import TuneConfig, tuned_classifier
from training.recipes.comdefend_defences import (
    Backwards,
    Defence,
    Defended,
    OnPixels,
    TotalVariation,
    classic_defences,
    no_defence,
    of_model,
)
from training.recipes.comdefend_picture import side_by_side
from training.recipes.comdefend_table import PHONE, TableConfig, comdefend_table
from training.recipes.sparse_cells import Subject

pytest.importorskip("torchattacks", reason="needs torchattacks, which `make test` installs")
TINY = ComDefendConfig(net="phone", code_bits=2, width=4, blocks=1)
ATTACK = AttackConfig(steps=8, cw_steps=3, deepfool_steps=5)


class Brightness(nn.Module):
    """Class 1 where the mean of an image is above a half: logits (0, 40 (mean - 0.5), -20)."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(40.0))

    def forward(self, image: Tensor) -> Tensor:
        mean = image.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(mean), self.slope * (mean - 0.5), torch.full_like(mean, -20)], 1)


@pytest.fixture
def subject() -> Subject:
    """Four images of 0.48, 0.49, 0.51 and 0.7; the budget of 8/255 = 0.031 turns all but the last."""
    levels = torch.tensor([0.48, 0.49, 0.51, 0.7]).view(4, 1, 1, 1)
    images = levels.expand(4, 3, 32, 32).contiguous()
    network = Brightness().eval().requires_grad_(False)
    return Subject(title="Brightness", network=network, images=images, labels=torch.tensor([0, 0, 1, 1]), batch=2)


def test_deepfool_goes_just_over_the_nearest_boundary(subject: Subject) -> None:
    found = deepfool(subject.network, subject.images, subject.labels, ATTACK)
    assert subject.network(found).argmax(1).tolist() == [1, 1, 0, 0]
    # the boundary is where the mean is 0.5; every value moves by 1.02 times the way there and a hair
    assert (found - subject.images).mean((1, 2, 3)).tolist() == pytest.approx(
        [0.0204, 0.0102, -0.0102, -0.204], abs=1e-4
    )


def test_deepfool_leaves_alone_what_is_wrong_already(subject: Subject) -> None:
    wrong = 1 - subject.labels
    assert torch.equal(deepfool(subject.network, subject.images, wrong, ATTACK), subject.images)


@pytest.mark.parametrize("name", ["fgsm", "bim", "pgd"])
def test_linf_attacks_stay_within_the_budget_and_turn_what_is_near(name: str, subject: Subject) -> None:
    method = attack_method(name, ATTACK)
    assert method.attack is not None
    found = method.attack(subject.network, subject.images, subject.labels, torch.Generator().manual_seed(0))
    assert (found - subject.images).abs().max() <= 8 / 255 + 1e-6
    assert subject.network(found).argmax(1)[3] == 1
    assert subject.network(found).argmax(1)[:3].tolist() == [1, 1, 0]


def test_an_unknown_attack_is_refused() -> None:
    with pytest.raises(TrainingError, match="attacks: expected some of fgsm, bim"):
        attack_method("jsma", ATTACK)


def test_bpda_has_the_values_of_the_defence_and_the_gradient_of_nothing() -> None:
    image = torch.tensor([[0.2]]).requires_grad_()
    found = Backwards(_Rounded())(image * 3)
    assert found.item() == pytest.approx(1.0)  # 0.6, rounded
    assert torch.autograd.grad(found.sum(), image)[0].item() == pytest.approx(3.0)


class _Rounded(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.round()


def test_defended_asks_the_classifier_about_what_the_defence_gives(subject: Subject) -> None:
    inverted = Defended(subject.network, OnPixels(lambda rgb_hwc: 255 - rgb_hwc))
    assert inverted(subject.images).argmax(1).tolist() == [1, 1, 0, 0]


def test_total_variation_flattens_noise_and_keeps_the_mean() -> None:
    image = 0.5 + 0.05 * torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    found = TotalVariation(0.2)(image)
    assert found.std() < 0.5 * image.std()
    assert found.mean().item() == pytest.approx(image.mean().item(), abs=1e-3)


def test_classic_defences_change_little(subject: Subject) -> None:
    for defence in classic_defences():
        assert (defence.purify(subject.images) - subject.images).abs().max() < 0.04, defence.name


def test_grey_rows_by_hand(subject: Subject, tmp_path: Path) -> None:
    darker = Defence(name="darker", key="darker", purify=_Darker(), routes={"identity": Backwards(_Darker())})
    rows = list(grey_rows(subject, [no_defence(), darker], ("fgsm",), ATTACK, tmp_path, 0))
    assert [(row["attack"], row["defence"], row["correct"]) for row in rows] == [
        ("clean", "none", 4),
        ("clean", "darker", 3),  # 0.51 - 0.05 is dark
        ("fgsm", "none", 1),
        ("fgsm", "darker", 3),  # what was pushed up by 0.031 falls by 0.05 again
    ]
    assert rows[1]["accuracy"] == 0.75


class _Darker(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image - 0.05


def test_in_white_box_every_route_has_to_fail(subject: Subject, tmp_path: Path) -> None:
    """The useless route is one without a gradient that says anything; the other one is the defence itself."""
    routes = {"blind": _Blind(), "open": _Darker()}
    both = Defence(name="darker", key="darker", purify=_Darker(), routes=routes)
    blind = Defence(name="blind", key="darker", purify=_Darker(), routes={"blind": _Blind()})
    rows = list(white_rows(subject, [both, blind], ("fgsm",), ATTACK, tmp_path, 0))
    by = {(row["attack"], row["defence"]): row["correct"] for row in rows}
    # behind the defence: 0.43, 0.44, 0.46 (wrong), 0.65; a push of 0.031 turns none of those that are right
    assert by["clean", "darker"] == by["clean", "blind"] == 3
    assert by["fgsm", "darker"] == 3
    stronger = replace(ATTACK, budget_levels=20.0)  # 0.078 turns the first two
    rows = list(white_rows(subject, [both, blind], ("fgsm",), stronger, tmp_path, 0))
    by = {(row["attack"], row["defence"]): row["correct"] for row in rows}
    assert (by["fgsm", "darker"], by["fgsm", "blind"]) == (1, 3)


class _Blind(nn.Module):
    """The values of the defence, with a gradient of nought."""

    def forward(self, image: Tensor) -> Tensor:
        return (image - 0.05).detach() + 0 * image


def test_what_is_known_is_not_asked_again(subject: Subject, tmp_path: Path) -> None:
    assert right(subject, no_defence(), subject.images, tmp_path).all()
    broken = replace(subject, network=_Broken(subject.network))
    assert right(broken, no_defence(), subject.images, tmp_path).all()
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"damaged")
    assert right(subject, no_defence(), subject.images, tmp_path).all()


class _Broken(nn.Module):
    """The state of a network that must not be asked."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._state = network.state_dict()

    def state_dict(self, *_args, **_given):
        return self._state


def test_quality_by_hand(subject: Subject) -> None:
    darker = Defence(name="one level darker", key="", purify=_Level())
    row = quality_row(subject, darker)
    assert row["psnr_db"] == pytest.approx(20 * np.log10(255))
    assert row["pictures"] == 4
    assert quality_row(subject, no_defence())["psnr_db"] == float("inf")


class _Level(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return ((image * 255).round() - 1) / 255


def test_a_tuned_classifier_is_kept_and_found_again(subject: Subject, tmp_path: Path) -> None:
    data = cifar(tmp_path)
    defence = of_model(PHONE, build_comdefend(TINY), "digest", patchwise=False)
    config = TuneConfig(pictures=50, epochs=2)
    first = tuned_classifier(subject.network, defence, data, config, tmp_path)
    assert first.slope != subject.network.slope == 40
    assert not first.slope.requires_grad
    data.unlink()
    again = tuned_classifier(subject.network, defence, data, config, tmp_path)
    assert torch.equal(first.slope, again.slope)
    next(tmp_path.glob("tuned-*.pt")).write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="expected weights of a tuned classifier"):
        tuned_classifier(subject.network, defence, data, config, tmp_path)


def test_the_whole_table_is_written_and_goes_on(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    cifar(shared / "data" / "cifar10")
    monkeypatch.setattr(table, "_open", lambda *_given: subject)
    model = tmp_path / "phone.pt"
    save_comdefend(model, build_comdefend(TINY), {"config": {"steps": 7}})
    config = TableConfig(
        sets=("cifar10",), white_images=2, attack=ATTACK, grey=("fgsm", "deepfool"), white=("fgsm",),
        tune=TuneConfig(pictures=50, epochs=1),
    )  # fmt: skip
    path = comdefend_table(shared, tmp_path / "out", config, phone=model, published=model, ablations=[model])
    page = path.read_text(encoding="utf-8")
    assert "### cifar10, Brightness, grey box: 4 pictures" in page
    assert "### cifar10, Brightness, white box: 2 pictures" in page
    assert "tuned on ComDefend, phone" in page
    assert "| clean | 100.0 % |" in page
    assert "### Ablation" in page
    with (path.parent / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    defences = ["none", "ComDefend, phone", "ComDefend", "JPEG 75", "JPEG 50", "4 bits", "TV 0.05"]
    assert [row["defence"] for row in rows[:7]] == defences
    assert {row["box"] for row in rows} == {"grey", "white"}
    before = page
    assert comdefend_table(shared, tmp_path / "out", config, phone=model, published=model, ablations=[model]) == path
    assert path.read_text(encoding="utf-8") == before


def cifar(folder: Path) -> Path:
    """A CIFAR-10 file of sixty training pictures."""
    import io

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {"classes": np.array([str(number) for number in range(10)])}
    for part in ("train", "test"):
        files = []
        for _ in range(60):
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(buffer, "JPEG")
            files.append(buffer.getvalue())
        arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, files)])
        arrays[f"{part}_labels"] = np.arange(60) % 2
    path = folder / "cifar10_jpeg.npz"
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("given", [{"sets": ()}, {"grey": ("jsma",)}, {"images": 0}])
def test_settings_out_of_bounds_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        TableConfig(**given)  # pyright: ignore[reportArgumentType]


def test_squares_stand_side_by_side_with_white_between() -> None:
    found = side_by_side([np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 7, np.uint8)])
    assert found.shape == (2, 10, 3)
    assert found[0, :, 0].tolist() == [0, 0, 0, 255, 255, 255, 255, 7, 7, 7]
