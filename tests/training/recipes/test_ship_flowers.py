"""The whole way to the checkpoint that ships, and the search for wrong labels, on generated flowers."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from training.data.flowers import load_flowers
from training.errors import TrainingError
from training.models.checkpoint import load_checkpoint
from training.recipes import ship_flowers
from training.recipes.flower_labels import doubtful_labels
from training.recipes.flowers import MODEL, FlowersConfig
from training.recipes.ship_flowers import FlowersJob, at_best_size, held_size, run_flowers

SHORT = FlowersConfig(
    augmentation="grid_mask", size_px=32, test_size_px=32, crop=1.0, epochs=2, batch=16, learning_rate=1e-3,
    ema_decay=0.3,
)  # fmt: skip


def job(out: Path, **changed) -> FlowersJob:
    return FlowersJob(**{"config": SHORT, "out": out, "points": out / "points", "command": "the command", **changed})


def test_the_checkpoint_carries_its_figures_and_the_report_shows_them(
    flower_folder: Path, other_folder: Path, tmp_path: Path
) -> None:
    work = job(tmp_path, background=(other_folder,), others=other_folder, others_share=0.4)
    checkpoint = run_flowers(work, lambda _short_side_px: load_flowers([flower_folder], 40))
    stored = load_checkpoint(tmp_path / MODEL)
    assert stored.metrics == checkpoint.metrics
    assert 0 < stored.metrics["test"]["others"] < 12
    assert stored.command == "the command"
    assert "refused" in (tmp_path / "report.md").read_text(encoding="utf-8")
    calibration = sorted((tmp_path / "calibration").iterdir())
    assert len(calibration) == 3 * 12 + stored.data["background_photos"]
    with Image.open(calibration[0]) as photo:
        assert photo.size == (45, 40)
    mistakes = list(csv.DictReader((tmp_path / "mistakes.csv").read_text(encoding="utf-8").splitlines()))
    assert all(row["label"] != row["answer"] for row in mistakes)


def test_validation_photos_choose_the_size_and_the_answers_are_calibrated_there(
    flower_folder: Path, tmp_path: Path
) -> None:
    photos = load_flowers([flower_folder], 64)
    lines: list[str] = []
    run_flowers(job(tmp_path, test_sizes_px=(48, 64)), lambda _short_side_px: photos, report=lines.append)
    stored = load_checkpoint(tmp_path / MODEL)
    shares = {int(line.split()[0]): float(line.split()[2]) for line in lines if line.endswith("validation photos")}
    assert list(shares) == [32, 48, 64]
    assert shares[stored.size_px] == max(shares.values())
    assert stored.metrics["val_accuracy"] == pytest.approx(max(shares.values()), abs=1e-4)
    again = at_best_size(stored, lambda _short_side_px: photos, ())
    assert (again.size_px, again.unsure_below) == (stored.size_px, pytest.approx(stored.unsure_below))


def test_no_epochs_measure_and_calibrate_the_mean_of_what_is_given(flower_folder: Path, tmp_path: Path) -> None:
    load = partial(load_flowers, [flower_folder])
    given = [run_flowers(job(tmp_path / f"{seed}", config=replace(SHORT, seed=seed)), load) for seed in (0, 1)]
    weights = ",".join(str(tmp_path / f"{seed}" / MODEL) for seed in (0, 1))
    mean = run_flowers(job(tmp_path / "mean", config=replace(SHORT, weights=weights, epochs=0)), load)
    for name, value in mean.state.items():
        if value.is_floating_point():
            assert torch.allclose(value, (given[0].state[name] + given[1].state[name]) / 2, atol=1e-6)
    assert 0 <= mean.metrics["test"]["accuracy"] <= 1
    assert mean.data["begun_at"] == ["the command"] * 2


def test_a_photo_is_resized_once_to_what_the_phone_sees(flower_folder: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def load(short_side_px: int):
        asked.append(short_side_px)
        return load_flowers([flower_folder], short_side_px)

    checkpoint = run_flowers(job(tmp_path, test_sizes_px=(48,)), load)
    assert asked[1:] == [32, 48, checkpoint.size_px]


def testother_photos_are_learnt_from_or_measured_never_both(other_folder: Path, tmp_path: Path) -> None:
    learnt, measured = ship_flowers.other_photos(job(tmp_path, others=other_folder, others_share=0.5))
    assert learnt
    assert measured
    assert not set(learnt) & set(measured)
    assert len(learnt) + len(measured) == 12


def test_photos_that_show_a_flower_are_left_out_by_name(other_folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("00.png\n03.png\n")
    work = job(tmp_path, background=(other_folder,), others=other_folder, shows_flower=names)
    learnt, measured = ship_flowers.other_photos(work)
    assert (len(learnt), len(measured)) == (10, 10)
    with pytest.raises(TrainingError, match=r"missing\.txt"):
        ship_flowers.other_photos(job(tmp_path, others=other_folder, shows_flower=tmp_path / "missing.txt"))


def test_the_list_of_the_repo_holds_names_of_photos() -> None:
    names = ship_flowers._names(ship_flowers.SHOWS_FLOWER)
    assert len(names) == 15
    assert all(name.endswith((".png", ".JPEG")) for name in names)


def test_photos_are_held_large_enough_for_views_and_tests() -> None:
    assert held_size(SHORT) == 256
    assert held_size(FlowersConfig(size_px=240, test_size_px=288, crop=0.9)) == 320


def test_a_share_out_of_bounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="others_share"):
        job(tmp_path, others_share=1.0)


def test_a_planted_wrong_label_is_on_the_list_and_the_sheet(flower_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(flower_folder, folder)
    (folder / "daisy" / "00.png").rename(folder / "poppy" / "planted.png")
    found = doubtful_labels(load_flowers([folder], 64), tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "doubtful.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0]["file"] == "poppy/planted.png"
    assert (rows[0]["folder_says"], rows[0]["model_says"]) == ("poppy", "daisy")
    assert len(rows) == len(found)
    with Image.open(tmp_path / "out" / "doubtful.jpg") as sheet:
        assert sheet.width == 1500
