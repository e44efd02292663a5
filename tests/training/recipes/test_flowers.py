"""A short real training on generated flowers: it learns, it resumes, it is the same twice."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.class_folders import plain_photos
from training.data.flowers import load_background, load_flowers
from training.errors import TrainingError
from training.evaluate.flower_report import as_markdown, measure_flowers, wrong_answers
from training.models.checkpoint import load_checkpoint
from training.recipes import flowers, flowers_renewed
from training.recipes.flowers import LAST, LOG, MODEL, FlowersConfig, TrainingSet, averaged, train_flowers

SHORT = FlowersConfig(
    augmentation="none", size_px=32, test_size_px=32, crop=1.0, epochs=4, batch=16, learning_rate=1e-3, ema_decay=0.5
)


@pytest.fixture(scope="module")
def data(flower_folder: Path, other_folder: Path) -> TrainingSet:
    photos = load_flowers([flower_folder], 40)
    points = tuple(np.full((6, 2), 0.5, np.float32) if split == "train" else None for split in photos.splits)
    return TrainingSet(photos=photos, background=load_background(plain_photos(other_folder), 40), points=points)


@pytest.fixture(scope="module")
def trained(data: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train_flowers(SHORT, data, out, command="python -m training flowers")
    return out


def test_the_loss_falls_and_the_answers_are_far_above_chance(trained: Path, data: TrainingSet) -> None:
    rows = list(csv.DictReader((trained / LOG).read_text(encoding="utf-8").splitlines()))
    assert len(rows) == SHORT.epochs
    assert float(rows[-1]["loss"]) < 0.7 * float(rows[0]["loss"])
    figures = measure_flowers(load_checkpoint(trained / MODEL), data.photos, data.background)
    assert figures["accuracy"] > 0.7  # chance is a third
    assert figures["auroc"] > 0.8


def test_the_checkpoint_says_what_it_is(trained: Path, data: TrainingSet) -> None:
    checkpoint = load_checkpoint(trained / MODEL)
    assert checkpoint.classes == ("daisy", "iris", "poppy")
    assert checkpoint.has_other
    assert (checkpoint.size_px, checkpoint.crop) == (32, 1.0)
    assert 0 < checkpoint.unsure_below < 1
    assert checkpoint.data["background_photos"] == 12
    assert checkpoint.data["train_photos"] == len(data.photos.rows("train"))
    assert checkpoint.command == "python -m training flowers"


def test_a_stopped_run_goes_on_to_the_same_weights(
    trained: Path, data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log, written = flowers.write_rows, []

    def stop_after_two(path: Path, history: list[dict[str, float]]) -> None:
        write_log(path, history)
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(flowers, "write_rows", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        train_flowers(SHORT, data, tmp_path)
    assert not (tmp_path / MODEL).exists()
    monkeypatch.setattr(flowers, "write_rows", write_log)
    lines: list[str] = []
    resumed = train_flowers(SHORT, data, tmp_path, report=lines.append)
    assert len(lines) == 2
    once = load_checkpoint(trained / MODEL)
    for name, weights in resumed.state.items():
        torch.testing.assert_close(weights, once.state[name], rtol=1e-3, atol=1e-4)


def test_the_points_of_the_model_in_training_are_part_of_the_state(
    data: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flowers_renewed, "EVERY_EPOCHS", 1)
    train_flowers(replace(SHORT, augmentation="advmask+blur+renewed", epochs=2), data, tmp_path)
    state = torch.load(tmp_path / LAST, weights_only=True)["points"]
    photos = len(data.photos.rows("train"))
    assert state["counts"].tolist() == [flowers_renewed.POINTS] * photos  # 6 each before the second epoch
    assert state["points"].shape == (photos * flowers_renewed.POINTS, 2)


def test_a_run_goes_on_from_the_weights_of_another(trained: Path, data: TrainingSet, tmp_path: Path) -> None:
    config = replace(SHORT, weights=str(trained / MODEL), epochs=1, learning_rate=1e-7)
    further = train_flowers(config, data, tmp_path)
    before, after = load_checkpoint(trained / MODEL).state["fc.weight"], further.state["fc.weight"]
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)
    with pytest.raises(TrainingError, match="of the same classes"):
        train_flowers(config, replace(data, background=()), tmp_path / "other")


def test_several_checkpoints_are_averaged() -> None:
    states = [
        {"w": torch.tensor([0.0, 4.0]), "count": torch.tensor(3)},
        {"w": torch.tensor([2.0, 0.0]), "count": torch.tensor(9)},
    ]
    mean = averaged(states)
    assert mean["w"].tolist() == [1.0, 2.0]
    assert int(mean["count"]) == 3


def test_a_folder_with_another_run_is_refused(trained: Path, data: TrainingSet) -> None:
    with pytest.raises(TrainingError, match=rf"{LAST}.*other settings"):
        train_flowers(replace(SHORT, seed=5), data, trained)


def test_a_loss_that_explodes_is_one_sentence(data: TrainingSet, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"loss.*--learning-rate"):
        train_flowers(replace(SHORT, learning_rate=9.0, head_rate=1000.0, epochs=30, weight_decay=1.0), data, tmp_path)


def test_photos_on_one_side_alone_are_refused(data: TrainingSet, tmp_path: Path) -> None:
    one_sided = replace(data.photos, splits=("train",) * len(data.photos.splits))
    with pytest.raises(TrainingError, match="train and val"):
        train_flowers(SHORT, replace(data, photos=one_sided), tmp_path)


def test_the_report_names_every_figure_and_mistakes_are_surest_first(trained: Path, data: TrainingSet) -> None:
    checkpoint = load_checkpoint(trained / MODEL)
    page = as_markdown(measure_flowers(checkpoint, data.photos, data.background), checkpoint, "Flowers")
    for words in ("top-1 accuracy", "calibration error", "refused", "| daisy |"):
        assert words in page
    mistakes = wrong_answers(checkpoint, data.photos, split="train")
    assert [row["probability"] for row in mistakes] == sorted((row["probability"] for row in mistakes), reverse=True)
    assert all(row["label"] != row["answer"] for row in mistakes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", -1),
        ("augmentation", "mixup"),
        ("augmentation", "none+blur"),
        ("batch", 1),
        ("learning_rate", 0.0),
        ("crop", 0.0),
        ("ema_decay", 1.0),
    ],
)
def test_a_bound_is_told_by_its_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        FlowersConfig(**{field: value})


def test_warm_up_is_linear_and_the_cosine_ends_at_nothing() -> None:
    factor = flowers.warm_cosine(warm=10, total=110)
    assert [factor(step) for step in (0, 4, 9)] == [0.1, 0.5, 1.0]
    assert factor(10) == 1.0
    assert factor(60) == pytest.approx(0.5)
    assert factor(110) == pytest.approx(0, abs=1e-12)
