"""The codec for photos, trained for seconds on small photos against a tiny classifier."""

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
from training.models.sensing_photo import load_sensing
from training.recipes import sensing_photos
from training.recipes.one_pass import Surrogate
from training.recipes.sensing_photos import LAST, LOG, MODEL, PLAIN, PhotoSensingConfig, train_photo_codec

SHORT = PhotoSensingConfig(plain_steps=2, steps=4, batch=2, views_a_photo=1, precision="fp32", learning_rate=3e-3,
                           patch_px=64, shown_px=(32, 48))  # fmt: skip


class Darkness(nn.Module):
    """Dark (0) or bright (1)."""

    def forward(self, image: Tensor) -> Tensor:
        mean = image.mean((1, 2, 3))
        return 20 * torch.stack([0.5 - mean, mean - 0.5], 1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    """A log row every two steps, one thread."""
    monkeypatch.setattr(sensing_photos, "_EVERY", 2)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(8):
        rows, columns = np.mgrid[0:80, 0:100]
        wave = 128 + 90 * np.sin(rows * rng.uniform(0.02, 0.3) + columns * rng.uniform(0.02, 0.3) + rng.uniform(0, 6))
        pixels = np.stack([wave, 255 - wave, np.roll(wave, 9, 0)], 2)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return str(folder)


def _train(photos: str, out: Path, config: PhotoSensingConfig = SHORT) -> list[str]:
    lines: list[str] = []
    train_photo_codec(config, [photos], [Surrogate(name="dark", network=Darkness())], out, report=lines.append)
    return lines


def test_a_run_leaves_the_plain_codec_and_the_adversarial_one(photos: str, tmp_path: Path) -> None:
    _train(photos, tmp_path)
    (plain, plain_facts), (model, facts) = load_sensing(tmp_path / PLAIN), load_sensing(tmp_path / MODEL)
    assert (plain_facts["against"], facts["against"]) == ([], ["dark"])
    assert facts["photos"] == 8
    for one, other in zip(plain.encoder.parameters(), model.encoder.parameters(), strict=True):
        assert torch.equal(one, other)  # measurements of one are those of the other
    assert not torch.equal(plain.decoder.deep[0].weight, model.decoder.deep[0].weight)
    gram = model.encoder.luma.weight.flatten(1) @ model.encoder.luma.weight.flatten(1).T
    torch.testing.assert_close(gram, torch.eye(len(gram)), atol=1e-3, rtol=0)
    rows = list(csv.DictReader((tmp_path / LOG).read_text(encoding="utf-8").splitlines()))
    assert [int(row["step"]) for row in rows] == [2, 4, 6]
    assert float(rows[-1]["psnr_db"]) > 15


def test_a_stopped_run_goes_on_to_the_same_weights(
    photos: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train(photos, tmp_path / "whole")
    write_rows = sensing_photos.write_rows

    def stop_after_four(path: Path, rows: list[dict[str, float]]) -> None:
        write_rows(path, rows)
        if rows[-1]["step"] == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(sensing_photos, "write_rows", stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        _train(photos, tmp_path / "parts")
    monkeypatch.setattr(sensing_photos, "write_rows", write_rows)
    assert len(_train(photos, tmp_path / "parts")) == 1
    whole, parts = (load_sensing(tmp_path / name / MODEL)[0].state_dict() for name in ("whole", "parts"))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-3, atol=1e-5)


def test_alpha_is_steered_by_what_is_lost_beside_the_plain_codec() -> None:
    steered = sensing_photos._Steered()
    steered.gain_db, steered.plain_db, steered.alpha = 1.0, 25.0, 1.0
    steered.steer(over_linear_db=-1.0, quality_loss=0.08)  # wanted 1 - 2 = -1: as it should be
    assert steered.alpha == pytest.approx(1.0)
    steered.steer(over_linear_db=-3.0, quality_loss=0.08)
    assert steered.alpha == pytest.approx(np.exp(0.1))


def test_a_folder_with_another_run_is_refused(photos: str, tmp_path: Path) -> None:
    _train(photos, tmp_path, replace(SHORT, steps=0))
    with pytest.raises(TrainingError, match=rf"{LAST}: holds a run with other settings"):
        _train(photos, tmp_path)


def test_without_classifiers_nothing_begins(photos: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="surrogates: expected one classifier or more"):
        train_photo_codec(SHORT, [photos], [], tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("batch", 0), ("quality_loss", 0.0), ("precision", "int8"), ("patch_px", 100), ("shown_px", (90, 80))],
)
def test_a_bound_is_told_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        PhotoSensingConfig(**{field: value})  # pyright: ignore[reportArgumentType]
