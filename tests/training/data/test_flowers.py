"""Photos in memory: their size, their splits, their classes."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import flowers
from training.data.flowers import load_background, load_flowers
from training.data.flowers102 import load_flowers102
from training.data.label_faults import FLOWER_FAULTS
from training.errors import TrainingError
from training.torchvision_shim import ensure_torchvision


def test_photos_have_the_short_side_asked_for_and_keep_their_shape(flower_folder: Path) -> None:
    photos = load_flowers([flower_folder], 32)
    assert {image.shape for image in photos.images} == {(32, 36, 3)}
    assert photos.classes == ("daisy", "iris", "poppy")
    assert len(photos.labels) == len(photos.splits) == len(photos.sha256) == 120
    assert sorted(photos.rows("train") + photos.rows("val") + photos.rows("test")) == list(range(120))


def test_a_copy_is_on_the_side_of_its_photo(flower_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(flower_folder / "daisy", tmp_path / "daisy")
    for path in list((tmp_path / "daisy").iterdir()):
        Image.open(path).resize((60, 53)).save(path.with_suffix(".jpg"), quality=80)
    photos = load_flowers([tmp_path], 32)
    side = dict(zip(photos.files, photos.splits, strict=True))
    assert len(side) == 80
    assert all(side[name] == side[name.replace(".jpg", ".png")] for name in side)
    assert len(set(side.values())) == 3


def test_known_wrong_labels_go_and_move_no_other_photo(flower_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_flowers([flower_folder], 32)
    monkeypatch.setattr(flowers, "read_faults", lambda: {before.sha256[0]: "drop", before.sha256[1]: "iris"})
    after = load_flowers([flower_folder], 32)
    assert len(after.images) == 119
    assert after.classes[after.labels[after.sha256.index(before.sha256[1])]] == "iris"
    sides = dict(zip(before.sha256, before.splits, strict=True))
    assert all(sides[digest] == split for digest, split in zip(after.sha256, after.splits, strict=True))
    kept = load_flowers([flower_folder], 32, keep_faults=True)
    assert kept.sha256 == before.sha256


def test_a_very_long_photo_is_cut_to_its_middle(tmp_path: Path) -> None:
    pixels = np.zeros((20, 200, 3), np.uint8)
    pixels[:, 95:105] = 255
    Image.fromarray(pixels).save(tmp_path / "long.png")
    (image,) = load_background([tmp_path / "long.png"], 20)
    assert image.shape == (20, 40, 3)
    assert image[:, 15:25].min() > 200


def test_every_hash_of_the_list_is_a_photo_of_the_folders(shared_dir: Path) -> None:
    photos = load_flowers([shared_dir / "data" / "flowers5"], 16, keep_faults=True)
    with FLOWER_FAULTS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("flowers5/")]
    assert len(rows) >= 30
    assert {row["sha256"] for row in rows} <= set(photos.sha256)


def test_flowers102_keeps_its_official_parts(
    flower_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((flower_folder / "daisy").iterdir())
    parts = {"train": (files[:2], [0, 1]), "val": (files[2:4], [0, 1]), "test": (files[4:9], [0, 1, 2, 2, 2])}

    class Stand:
        def __init__(self, _root: str, *, split: str, download: bool) -> None:
            assert download
            self._image_files, self._labels = parts[split]

    ensure_torchvision()
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets, "Flowers102", Stand)
    official = load_flowers102(tmp_path, 32)
    assert [len(official.rows(split)) for split in ("train", "val", "test")] == [2, 2, 5]
    swapped = load_flowers102(tmp_path, 32, parts="swapped")
    assert [len(swapped.rows(split)) for split in ("train", "val", "test")] == [5, 2, 2]
    assert official.classes == ("flower 001", "flower 002", "flower 003")
    with pytest.raises(ValueError, match="parts"):
        load_flowers102(tmp_path, 32, parts="all")


def test_flowers102_without_a_network_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_torchvision()
    import torchvision.datasets

    def refuse(*_args: object, **_options: object) -> None:
        raise RuntimeError("Dataset not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets, "Flowers102", refuse)
    with pytest.raises(TrainingError, match="Flowers102 is not there and could not be downloaded"):
        load_flowers102(tmp_path, 32)
