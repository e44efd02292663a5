"""ComDefend trained for seconds on drawn pictures: the loss falls, a stopped run goes on, others are refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.errors import TrainingError
from training.models.comdefend import ComDefendConfig, load_comdefend
from training.recipes import comdefend
from training.recipes.comdefend import LOG, MODEL, ComDefendRun, train_comdefend
from training.recipes.comdefend_data import Patches, PatchSource, read_patches

TINY = ComDefendConfig(net="phone", code_bits=4, width=8, blocks=1)
RUN = ComDefendRun(model=TINY, steps=60, batch=8, learning_rate=5e-3, log_every=20)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def patches() -> Patches:
    """Plain colours and slopes, of which twelve are held back."""
    rng = np.random.default_rng(0)
    plain = rng.integers(0, 256, (60, 1, 1, 3)) * np.ones((60, 40, 40, 3))
    slopes = np.linspace(0.5, 1, 40)[None, :, None, None]
    return Patches(
        sources=(PatchSource(name="drawn", pixels=(plain * slopes).astype(np.uint8), held_back=12),), sha256="x"
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_loss_falls_and_pictures_come_back(patches: Patches, tmp_path: Path) -> None:
    model = train_comdefend(RUN, patches, tmp_path, command="the command")
    found = rows(tmp_path)
    assert [row["step"] for row in found] == ["20", "40", "60"]
    assert [row["patches"] for row in found] == ["160", "320", "480"]
    assert float(found[-1]["loss"]) < 0.5 * float(found[0]["loss"])
    assert float(found[-1]["psnr_drawn"]) > float(found[0]["psnr_drawn"])
    loaded, facts = load_comdefend(tmp_path / MODEL)
    image = patches.validation()["drawn"]
    assert torch.equal(loaded(image), model(image))
    assert facts["command"] == "the command"
    assert facts["pictures"] == {"drawn": 48}


def test_a_stopped_run_goes_on_to_the_same_weights(
    patches: Patches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_comdefend(RUN, patches, tmp_path / "whole")
    step = comdefend._step

    def stopping(*given):
        if given[4] == 50:
            raise KeyboardInterrupt
        return step(*given)

    monkeypatch.setattr(comdefend, "_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_comdefend(RUN, patches, tmp_path / "stopped")
    assert len(rows(tmp_path / "stopped")) == 2
    monkeypatch.setattr(comdefend, "_step", step)
    resumed = train_comdefend(RUN, patches, tmp_path / "stopped")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [row["loss"] for row in rows(tmp_path / "stopped")] == [row["loss"] for row in rows(tmp_path / "whole")]


def test_other_settings_do_not_go_on_from_it(patches: Patches, tmp_path: Path) -> None:
    short = replace(RUN, steps=2, log_every=1)
    train_comdefend(short, patches, tmp_path)
    with pytest.raises(TrainingError, match="holds a run with other settings"):
        train_comdefend(replace(short, seed=1), patches, tmp_path)


def test_noise_is_of_the_first_steps_alone(patches: Patches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    for name in ("noisy_code", "straight_through"):
        function = getattr(comdefend.ComDefend, name)

        def spy(self, *given, name=name, function=function):
            seen.append(name)
            return function(self, *given)

        monkeypatch.setattr(comdefend.ComDefend, name, spy)
    train_comdefend(replace(RUN, steps=8, settle=0.25, log_every=8), patches, tmp_path)
    assert seen == ["noisy_code"] * 6 + ["straight_through"] * 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("batch", 0),
        ("learning_rate", 0),
        ("code_weight", -1),
        ("settle", 1.5),
        ("log_every", 0),
        ("seed", -1),
    ],
)
def test_numbers_out_of_bounds_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        replace(RUN, **{field: value})


def test_patches_come_from_photos_and_stay_apart_from_those_held_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / f"{number}.png")
    found = read_patches([str(tmp_path)], seed=0)
    (source,) = found.sources
    assert source.pixels.shape == (24, 160, 160, 3)
    assert source.held_back == 8
    assert tuple(found.batch(5, np.random.default_rng(0)).shape) == (5, 3, 32, 32)
    assert torch.equal(found.batch(5, np.random.default_rng(7)), found.batch(5, np.random.default_rng(7)))
    assert tuple(found.validation()["photos"].shape) == (8, 3, 32, 32)


def test_steps_never_see_what_is_held_back() -> None:
    pixels = np.zeros((10, 32, 32, 3), np.uint8)
    pixels[8:] = 255
    found = Patches(sources=(PatchSource(name="s", pixels=pixels, held_back=2),), sha256="")
    assert not found.batch(200, np.random.default_rng(0)).any()
    assert found.validation()["s"].min() == 1


def test_a_single_photo_is_too_few(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(TrainingError, match="expected two pictures or more of a kind, found 1"):
        read_patches([str(tmp_path)], seed=0)
