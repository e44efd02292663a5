"""Crops of photos: which photos they show and how often, and one sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.crops import Photos, read_photos
from training.errors import TrainingError


def write(folder: Path, levels: range, size: tuple[int, int] = (60, 40)) -> str:
    """Photos of one grey each, which neither a crop nor new colours change."""
    folder.mkdir(parents=True)
    for level in levels:
        Image.new("RGB", size, (level, level, level)).save(folder / f"{level}.png")
    return str(folder)


def crops(photos: Photos, count: int, side_px: int = 8, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [photos.crop(side_px, rng) for _ in range(count)]


def test_a_small_folder_is_drawn_from_as_often_as_a_large_one(tmp_path: Path) -> None:
    photos = read_photos(
        [write(tmp_path / "many", range(9)), write(tmp_path / "one", range(100, 101))], short_side_px=32
    )
    assert photos.count == 10
    levels = [int(crop[0, 0, 0]) for crop in crops(photos, 400)]
    assert set(levels) == {*range(9), 100}
    assert 160 < levels.count(100) < 240  # half, give or take four deviations


def test_a_crop_shows_a_quarter_of_the_photo_or_more(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (200, 200, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "ramp.png")
    drawn = crops(read_photos([str(tmp_path)], short_side_px=200), 200, side_px=50)
    across = np.array([np.ptp(crop[25].astype(int)) for crop in drawn])
    assert 80 < across.min() < 130  # sqrt(1/4) of 200 columns, up to an eighth narrower
    assert across.max() > 170
    mirrored = sum(int(crop[25, 0, 0]) > int(crop[25, -1, 0]) for crop in drawn)
    assert 60 < mirrored < 140


def test_some_crops_have_their_channels_dealt_out_anew(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (10, 20, 30)).save(tmp_path / "a.png")
    colours = {tuple(crop[0, 0].tolist()) for crop in crops(read_photos([str(tmp_path)], short_side_px=40), 200)}
    assert (10, 20, 30) in colours
    assert len(colours) == 6


def test_photos_are_reduced_to_their_short_side_and_small_ones_stay(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", range(1), (80, 40))
    assert read_photos([folder], short_side_px=20).folders[0][0].shape == (20, 40, 3)
    assert read_photos([folder], short_side_px=400).folders[0][0].shape == (40, 80, 3)


def test_the_same_rng_gives_the_same_crops_and_the_hash_names_the_photos(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", range(0, 200, 20))
    photos, other = read_photos([folder], short_side_px=32), read_photos([f"{folder}:128"], short_side_px=32)
    np.testing.assert_array_equal(crops(photos, 20), crops(photos, 20))
    assert 0 < other.count < photos.count
    assert other.sha256 != photos.sha256 == read_photos([folder], short_side_px=16).sha256


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match=r"photos: expected some in .*empty, found none; name another folder"):
        read_photos([str(tmp_path / "empty")], short_side_px=32)
