"""Views of photos: which files are read, what a view is, and one sentence for what is wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.compose import PLAIN_LEVELS, budget_map
from training.data.natural import Views, read_views
from training.errors import TrainingError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 photos of one level each, so that a view tells which one it came from."""
    photos = tmp_path / "photos"
    (photos / "deeper").mkdir(parents=True)
    for level in range(0, 240, 10):
        place = photos / "deeper" if level % 20 else photos
        Image.new("RGB", (40, 30), (level, level, level)).save(place / f"{level:03}.PNG")
    (photos / "notes.txt").write_text("no photo", encoding="utf-8")
    return photos


def first_byte(path: Path) -> int:
    return int(hashlib.sha256(path.read_bytes()).hexdigest()[:2], 16)


def views_of(*folders: str | Path, seed: int = 0, side_px: int = 16, views_a_photo: int = 1) -> Views:
    return read_views(
        [str(one) for one in folders],
        views_a_photo=views_a_photo,
        side_px=side_px,
        rng=np.random.default_rng(seed),
    )


def levels(views: Views) -> set[int]:
    return {int(level) for level in views.pixels[:, 0, 0, 0]}


def test_every_photo_of_a_folder_and_those_below_it_is_read(folder: Path) -> None:
    views = views_of(folder, views_a_photo=2)
    assert views.pixels.shape == (48, 16, 16, 3)
    assert views.pixels.dtype == np.uint8
    assert levels(views) == set(range(0, 240, 10))
    assert views.bound_levels.shape == (48, 3, 16, 16)
    np.testing.assert_allclose(views.bound_levels, PLAIN_LEVELS, rtol=1e-3)  # of plain photos, at medium strength


@pytest.mark.parametrize("byte", [64, 128, 200, 256])
def test_with_a_byte_those_alone_are_read_whose_hash_begins_below_it(folder: Path, byte: int) -> None:
    wanted = {int(path.stem) for path in folder.rglob("*.PNG") if first_byte(path) < byte}
    assert 0 < len(wanted) <= 24
    assert levels(views_of(f"{folder}:{byte}")) == wanted
    if byte == 256:
        assert levels(views_of(folder)) == wanted


def test_the_byte_itself_is_left_out(folder: Path) -> None:
    path = max(folder.rglob("*.PNG"), key=first_byte)
    level, byte = int(path.stem), first_byte(path)
    assert level not in levels(views_of(f"{folder}:{byte}"))
    assert level in levels(views_of(f"{folder}:{byte + 1}"))


def test_folders_are_read_one_after_the_other_each_with_its_byte(folder: Path) -> None:
    few = levels(views_of(f"{folder}:100"))
    views = views_of(f"{folder / 'deeper'}", f"{folder}:100")
    assert levels(views) == few | {int(path.stem) for path in (folder / "deeper").iterdir()}


def test_a_view_is_a_square_of_the_photo_and_its_bound_is_that_of_the_view(tmp_path: Path, coffee: np.ndarray) -> None:
    Image.fromarray(coffee).save(tmp_path / "coffee.png")
    views = views_of(tmp_path, side_px=64, views_a_photo=12)
    assert len({view.tobytes() for view in views.pixels}) == 12
    assert PLAIN_LEVELS - 0.01 <= float(views.bound_levels.min()) < float(views.bound_levels.max()) == 8
    for view, bound in zip(views.pixels, views.bound_levels, strict=True):
        np.testing.assert_allclose(bound, budget_map(view, 8.0), rtol=1e-3)  # float16


def test_the_bound_of_a_view_larger_than_its_map_is_of_the_views_size(tmp_path: Path, coffee: np.ndarray) -> None:
    Image.fromarray(coffee).save(tmp_path / "coffee.png")
    views = views_of(tmp_path, side_px=770, views_a_photo=1)
    assert views.bound_levels.shape == (1, 3, 770, 770)


def test_a_view_shows_no_less_than_two_fifths_of_the_short_side(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 256).round().astype(np.uint8)[None, :, None], (100, 256, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "ramp.png")
    views = views_of(tmp_path, side_px=40, views_a_photo=60)
    across = np.ptp(views.pixels[:, 20, :, 0].astype(int), axis=1)  # levels, which are columns here
    assert 38 <= across.min() < 50
    assert 90 < across.max() <= 100


def test_the_same_seed_gives_the_same_views_and_the_hash_names_the_photos(folder: Path) -> None:
    first, again, other = views_of(folder), views_of(folder), views_of(f"{folder}:128")
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.sha256 == again.sha256 == views_of(folder, seed=1).sha256
    assert other.sha256 != first.sha256


@pytest.mark.parametrize("byte", ["0", "257", "-1", "x", "", "1.5"])
def test_a_byte_that_is_none_is_refused(folder: Path, byte: str) -> None:
    with pytest.raises(TrainingError, match="expected a folder, or FOLDER:BYTE with a byte of 1 to 256"):
        views_of(f"{folder}:{byte}")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nowhere: no such folder of photos; check the path"):
        views_of(f"{tmp_path / 'nowhere'}:48")


def test_folders_without_a_photo_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"photos: expected some in .*, found none; name other folders"):
        views_of(tmp_path)
