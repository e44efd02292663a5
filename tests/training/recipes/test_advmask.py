"""The comparison of augmentations on generated flowers: points, cells that are kept, the table, the maps."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.attacks.sparse.auto_adversary import AutoAdversaryConfig
from training.attacks.sparse.dense import DenseConfig
from training.data.flowers import load_flowers
from training.errors import TrainingError
from training.recipes import advmask_table, flowers_points
from training.recipes.advmask_maps import MapsJob, compare_maps
from training.recipes.advmask_points import PointsConfig, base_model, points_of_photos
from training.recipes.advmask_table import (
    Row,
    TableConfig,
    as_markdown,
    compare_augmentations,
    spread,
    standard_error,
)
from training.recipes.flowers import MODEL, FlowersConfig, TrainingSet, with_points
from training.recipes.flowers_points import ATTACKS

SHORT = FlowersConfig(
    augmentation="none", size_px=32, test_size_px=32, crop=1.0, epochs=2, batch=16, learning_rate=1e-3, ema_decay=0.3
)
QUICK = PointsConfig(
    size_px=32,
    points=10,
    attack=AutoAdversaryConfig(base=DenseConfig(steps=3, budget_levels=32.0), steps=4, check_every=2),
)


@pytest.fixture(scope="module")
def photos(flower_folder: Path):
    return load_flowers([flower_folder], 40)


@pytest.fixture(scope="module")
def table(photos, tmp_path_factory: pytest.TempPathFactory):
    """A folder with a finished comparison of two methods and two seeds."""
    out = tmp_path_factory.mktemp("table")
    config = TableConfig(run=SHORT, methods=("none", "cutout"), seeds=(0, 1))
    return out, config, compare_augmentations(config, TrainingSet(photos=photos), out)


@pytest.fixture(scope="module")
def points(table, photos, tmp_path_factory: pytest.TempPathFactory):
    """Of all attacks, on the first base model of the table."""
    found = points_of_photos(photos, table[0] / "none-0" / MODEL, tmp_path_factory.mktemp("points"), QUICK)
    found.together()
    return found


def test_points_are_found_for_photos_of_the_train_split_alone(points, photos) -> None:
    assert len(points) == len(photos.images)
    for split, found in zip(photos.splits, points, strict=True):
        assert (found is not None) == (split == "train")
        if found is not None:
            assert found.shape[1:] == (2,)
            assert len(found) <= 10
            assert ((found >= 0) & (found < 1)).all()
    assert sum(len(found) for found in points if found is not None) > 0


def test_points_that_were_found_are_read_again_each_attack_from_its_file(
    table, photos, points, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attack in ("auto_adversary", "strongest_pixels"):
        monkeypatch.setattr(flowers_points, attack, None)
    folder = points._cache
    assert len(list(folder.iterdir())) == len(ATTACKS)
    again = points_of_photos(photos, table[0] / "none-0" / MODEL, folder, QUICK)
    for one, other in ((points, again), (points.together(), again.together())):
        assert all(a is b is None or np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_points_of_several_attacks_lie_one_after_another(points) -> None:
    for row, joined in enumerate(points.together()):
        each = [points.of(attack)[row] for attack in ATTACKS]
        if joined is None:
            assert each == [None] * len(ATTACKS)
            continue
        assert all(len(part) <= 10 for part in each)
        assert len(points.of("strongest")[row]) == 10
        np.testing.assert_array_equal(joined, np.concatenate(each))
    with pytest.raises(ValueError, match="attack"):
        points.of("jsma")


def test_a_name_decides_which_points_a_run_gets(points, photos) -> None:
    data, row = TrainingSet(photos=photos, points=points), photos.rows("train")[0]

    def first(name: str) -> np.ndarray:
        return with_points(replace(SHORT, augmentation=name), data).points[row]

    np.testing.assert_array_equal(first("advmask"), points[row])
    np.testing.assert_array_equal(first("advmask+blur+renewed"), points[row])  # to begin with
    assert len(first("advmask+several")) == sum(len(points.of(attack)[row]) for attack in ATTACKS)
    given = replace(data, points=tuple(points))
    assert with_points(replace(SHORT, augmentation="advmask+several"), given) is given


def test_names_that_go_beyond_the_paper_are_rows_of_the_table(points, photos, tmp_path: Path) -> None:
    config = TableConfig(run=replace(SHORT, epochs=1), methods=("grid_mask+blur", "advmask+noise+several"), seeds=(0,))
    rows = compare_augmentations(config, TrainingSet(photos=photos, points=points), tmp_path)
    assert [row.method for row in rows] == list(config.methods)
    assert (tmp_path / "advmask+noise+several-0" / MODEL).exists()


def test_a_base_model_of_other_classes_is_refused(table, photos, tmp_path: Path) -> None:
    others = replace(photos, classes=("aster", "iris", "poppy"))
    with pytest.raises(TrainingError, match="expected the classes of the photos"):
        points_of_photos(others, table[0] / "none-0" / MODEL, tmp_path, QUICK)


def test_a_base_model_that_is_there_is_not_trained_again(table, photos) -> None:
    folder = table[0] / "none-0"
    before = (folder / MODEL).stat().st_mtime_ns
    assert base_model(SHORT, photos, folder) == folder / MODEL
    assert (folder / MODEL).stat().st_mtime_ns == before


def test_every_cell_is_measured_on_three_splits(table) -> None:
    out, _, rows = table
    assert [row.method for row in rows] == ["none", "cutout"]
    for row in rows:
        assert all(0 <= value <= 100 for split in (row.train, row.val, row.test) for value in split)
        assert max(row.train) > 50  # chance is a third
    lines = list(csv.DictReader((out / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [(line["method"], line["seed"]) for line in lines] == [
        ("none", "0"), ("none", "1"), ("cutout", "0"), ("cutout", "1"),
    ]  # fmt: skip


def test_a_second_run_takes_the_finished_cells(table, photos, monkeypatch: pytest.MonkeyPatch) -> None:
    out, config, rows = table
    monkeypatch.setattr(advmask_table, "train_flowers", None)
    assert compare_augmentations(config, TrainingSet(photos=photos), out) == rows


def test_a_cell_of_other_settings_is_refused(table, photos, tmp_path: Path) -> None:
    out, config, _ = table
    folder = tmp_path / "none-0"
    folder.mkdir()
    (folder / "accuracy.json").write_text(json.dumps({"fingerprint": "of another run", "accuracy": {}}))
    (folder / MODEL).write_bytes((out / "none-0" / MODEL).read_bytes())
    with pytest.raises(TrainingError, match="other settings"):
        compare_augmentations(replace(config, methods=("none",), seeds=(0,)), TrainingSet(photos=photos), tmp_path)


def test_the_table_gives_mean_deviation_and_the_lead_seed_by_seed() -> None:
    rows = [
        Row(method="none", train=(99.0, 99.0), val=(80.0, 82.0), test=(80.0, 84.0)),
        Row(method="advmask", train=(98.0, 98.0), val=(84.0, 84.0), test=(82.0, 86.0)),
    ]
    page = as_markdown(rows)
    assert "| none | 99.00 ± 0.00 | 81.00 ± 1.41 | 82.00 ± 2.83 | +0.00 ± 0.00 |" in page
    assert "| advmask | 98.00 ± 0.00 | 84.00 ± 0.00 | 84.00 ± 2.83 | +2.00 ± 0.00 |" in page
    assert spread([3.0]) == "3.00"
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"methods": ("none", "blur")}, r"methods.*blur"),
        ({"methods": ("cutout+several",)}, r"methods.*cutout\+several"),
        ({"methods": ()}, "methods"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
    ],
)
def test_a_bound_is_told_by_its_field(changed: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TableConfig(**changed)


def test_maps_of_two_models_side_by_side(table, photos, tmp_path: Path) -> None:
    models = {name: table[0] / f"{name}-0" / MODEL for name in ("none", "cutout")}
    rows = compare_maps(MapsJob(models=models, out=tmp_path, most=6), lambda _short_side_px: photos)
    assert [row["model"] for row in rows] == ["none", "cutout"]
    for row in rows:
        assert all(0 <= value <= 1 for name, value in row.items() if name != "model")
        assert row["area at 0.2"] >= row["area at 0.5"]
    with Image.open(tmp_path / "maps.jpg") as sheet:
        assert sheet.width > 3 * 200
    assert "test photos that all networks get right" in (tmp_path / "maps.md").read_text(encoding="utf-8")
