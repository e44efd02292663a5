"""A ComModel trained for seconds on generated photos: better than doing nothing, resumable, the same twice."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.__main__ import main
from training.cli import compression as cli
from training.data.codecs import CONDITION_VALUES, parse_codec
from training.data.pairs import CropPairs, PhotoPair
from training.errors import TrainingError
from training.models.calibrate import smooth_images
from training.models.commodel import load_commodel
from training.recipes import compression
from training.recipes.compression import LAST, LOG, MODEL, CompressionConfig, train_commodel
from training.recipes.compression_job import CompressionJob, run_compression
from training.recipes.compression_table import PAPER_CODECS, as_markdown, measure_commodel

SHORT = CompressionConfig(
    codecs=("jpeg:5",),
    widths=(16, 16, 32),
    blocks=1,
    crop_px=32,
    crops_a_photo=6,
    epochs=5,
    batch=8,
    learning_rate=4e-3,
)
Splits = dict[str, list[PhotoPair]]


def _photos(count: int, size_px: int = 64, seed: int = 0) -> list[np.ndarray]:
    pixels = smooth_images(count, size_px, seed).mul(255).round().to(torch.uint8)
    return [np.ascontiguousarray(image.permute(1, 2, 0).numpy()) for image in pixels]


@pytest.fixture(scope="module")
def splits() -> Splits:
    pairs = [PhotoPair(original=p, returned=None, sha256=f"{n:064x}", name=str(n)) for n, p in enumerate(_photos(28))]
    return {"train": pairs[:20], "val": pairs[20:24], "test": pairs[24:]}


@pytest.fixture(scope="module")
def trained(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("commodel")
    train_commodel(SHORT, splits, out, command="python -m training compression")
    return out


def test_it_learns_a_codec_better_than_doing_nothing(trained: Path, splits: Splits) -> None:
    model, facts = load_commodel(trained / MODEL)
    (row,) = measure_commodel(model, splits["test"], SHORT.ranges)
    assert row["codec"] == "jpeg:5:420"
    assert row["photos"] == 4
    assert row["identity_levels"] > 3
    assert row["mae_levels"] < 0.85 * row["identity_levels"]
    assert facts["test"][0]["mae_levels"] == pytest.approx(row["mae_levels"], rel=1e-4)
    assert facts["photos"] == {"train": 20, "val": 4, "test": 4}
    assert facts["command"] == "python -m training compression"


def test_crops_are_new_in_each_epoch(splits: Splits, tmp_path: Path, epochs_seen) -> None:
    seen = epochs_seen(CropPairs)
    train_commodel(replace(SHORT, epochs=2), splits, tmp_path)
    assert {0, 1} <= set(seen)


def test_the_log_has_a_row_an_epoch_and_the_error_falls(trained: Path) -> None:
    rows = list(csv.DictReader((trained / LOG).read_text(encoding="utf-8").splitlines()))
    assert len(rows) == SHORT.epochs
    assert float(rows[-1]["val_mae_levels"]) < 0.9 * float(rows[-1]["val_identity_levels"])
    assert len({row["val_identity_levels"] for row in rows}) == 1  # the same crops each time


def test_a_stopped_run_goes_on_to_the_same_weights(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SHORT, epochs=3, crops_a_photo=1)
    train_commodel(config, splits, tmp_path / "whole")
    write_rows, written = compression.write_rows, []

    def stop_after_one(path: Path, rows: list[dict[str, float]]) -> None:
        write_rows(path, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(compression, "write_rows", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        train_commodel(config, splits, tmp_path / "parts")
    monkeypatch.setattr(compression, "write_rows", write_rows)
    train_commodel(config, splits, tmp_path / "parts", report=written.append)
    assert len(written) == 2
    whole, parts = (load_commodel(tmp_path / name / MODEL)[0].state_dict() for name in ("whole", "parts"))
    for name, weights in whole.items():
        torch.testing.assert_close(parts[name], weights, rtol=1e-3, atol=1e-5)


def test_a_folder_with_another_run_is_refused(trained: Path, splits: Splits) -> None:
    with pytest.raises(TrainingError, match=rf"{LAST}.*other settings"):
        train_commodel(replace(SHORT, seed=1), splits, trained)
    assert compression.fingerprint(SHORT, splits) == compression.fingerprint(replace(SHORT, workers=2), splits)


def test_half_a_state_is_one_sentence(splits: Splits, tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes(b"half")
    with pytest.raises(TrainingError, match=rf"{LAST}: expected the state of a run, found something else"):
        train_commodel(SHORT, splits, tmp_path)


def test_a_split_without_photos_is_refused(splits: Splits, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="found none in val"):
        train_commodel(SHORT, {**splits, "val": []}, tmp_path)


def test_a_model_for_several_settings_is_told_which(splits: Splits, tmp_path: Path) -> None:
    config = replace(SHORT, codecs=("jpeg:5-90", "webp:50"), epochs=1, crops_a_photo=1)
    model, rows = train_commodel(config, splits, tmp_path)
    assert model.config.condition_values == CONDITION_VALUES
    assert [row["codec"] for row in rows] == ["jpeg:5:420", "jpeg:90:420", "webp:50"]
    assert SHORT.model.condition_values == 0


def test_errors_of_the_identity_are_those_of_the_codec(splits: Splits) -> None:
    from training.models.commodel import build_commodel

    (row,) = measure_commodel(build_commodel(SHORT.model), splits["test"], SHORT.ranges)
    codec = parse_codec("jpeg:5")
    wanted = np.mean([np.abs(codec(p.original).astype(float) - p.original).mean() for p in splits["test"]])
    assert row["mae_levels"] == row["identity_levels"] == pytest.approx(wanted, rel=1e-5)


def test_the_table_stands_beside_the_identity_and_the_paper() -> None:
    row = {"codec": "jpeg:50:420", "photos": 3, "mae_levels": 1.5, "identity_levels": 3.0}
    assert "| jpeg:50:420 | 3 | 1.50 | 3.00 | 0.50 | 2.04 |" in as_markdown([row])
    assert "| avif:50 | 3 | 1.50 | 3.00 | 0.50 |  |" in as_markdown([{**row, "codec": "avif:50"}])


def test_the_command_trains_on_folders_before_and_after(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    for number, pixels in enumerate(_photos(24, 48)):
        Image.fromarray(pixels).save(tmp_path / "before" / f"{number:02}.png")
        Image.fromarray(pixels).save(tmp_path / "after" / f"{number:02}.jpg", quality=10)
    Image.new("RGB", (24, 24)).save(tmp_path / "before" / "lonely.png")
    arguments = ["compression", "--pairs", str(tmp_path / "before"), str(tmp_path / "after"), "--crop-px", "32"]
    arguments += ["--epochs", "1", "--widths", "4", "8", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "lonely.png: has no counterpart" in printed
    assert "| photos that came back |" in (tmp_path / "run" / "table.md").read_text(encoding="utf-8")
    assert load_commodel(tmp_path / "run" / MODEL)[1]["codecs"] == []


def test_several_codecs_are_a_model_each_in_one_table_unless_together(tmp_path: Path) -> None:
    job = CompressionJob(out=tmp_path, photos=(tmp_path,), codecs=("paper",))
    assert list(job.configs()) == [name.replace(":", "-") for name in PAPER_CODECS]
    together = CompressionJob(out=tmp_path, photos=(tmp_path,), codecs=("jpeg:50", "webp:50"), together=True)
    assert [config.codecs for config in together.configs().values()] == [("jpeg:50:420", "webp:50")]


def test_photos_too_small_are_left_out_by_name(tmp_path: Path) -> None:
    for number, pixels in enumerate(_photos(20, 40)):
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    lines: list[str] = []
    settings = {"widths": (4,), "epochs": 1, "crop_px": 32, "crops_a_photo": 1}
    job = CompressionJob(out=tmp_path / "run", photos=(tmp_path,), codecs=("jpeg:10", "webp:5"), settings=settings)
    rows = run_compression(job, report=lines.append)
    assert lines[0] == "small.png: 20 x 20 is smaller than --crop-px 32, left out"
    assert [row["codec"] for row in rows] == ["jpeg:10:420", "webp:5"]
    assert (tmp_path / "run" / "webp-5" / MODEL).is_file()
    assert (tmp_path / "run" / "table.csv").read_text(encoding="utf-8").count("\n") == 3


def test_the_options_are_the_fields_of_the_config() -> None:
    config = CompressionConfig()
    assert {name: getattr(config, name) for name in cli._NUMBERS} == cli._NUMBERS
    assert config.widths == (12, 24, 48)


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", -1), ("crop_px", 40_000), ("crop_px", 36), ("learning_rate", 0.0), ("batch", 0)]
)
def test_a_bound_is_told_by_its_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        CompressionConfig(**{field: value})
