"""Pairs of photos and what compression made of them: crops that fit each other, folders that match by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_app.core.preprocess import from_uint8, to_uint8
from training.data.codecs import parse_codec, parse_range
from training.data.pairs import CropPairs, PhotoPair, matched_photos, photos_to_compress, split_pairs
from training.errors import TrainingError


@pytest.fixture
def folders(tmp_path: Path, photo: np.ndarray) -> tuple[Path, Path]:
    """Two photos each, `a` halved and compressed on its way, `b` compressed alone."""
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    for name, width in (("a", 225), ("b", 451)):
        image = Image.fromarray(np.roll(photo, width, axis=1))
        image.save(before / f"{name}.png")
        image.resize((width, round(width / 451 * 300))).save(after / f"{name}.jpg", quality=50)
    return before, after


def _photo(photo: np.ndarray, returned: np.ndarray | None = None) -> PhotoPair:
    return PhotoPair(original=photo, returned=returned, sha256="00", name="cat.png")


def test_a_crop_is_compressed_as_the_codec_does(photo: np.ndarray) -> None:
    crops = CropPairs([_photo(photo)], [parse_range("jpeg:50")], crop_px=64)
    original, returned, condition = crops[0]
    assert original.shape == returned.shape == (3, 64, 64)
    assert np.array_equal(parse_codec("jpeg:50")(to_uint8(original[None].numpy())), to_uint8(returned[None].numpy()))
    assert condition.tolist() == pytest.approx(parse_codec("jpeg:50").condition().tolist())


def test_a_crop_depends_on_seed_epoch_and_number_alone(photo: np.ndarray) -> None:
    def crops(seed: int = 0, epoch: int = 0) -> CropPairs:
        made = CropPairs([_photo(photo)], [parse_range("jpeg:20-95")], crop_px=48, crops_a_photo=3, seed=seed)
        made.set_epoch(epoch)
        return made

    assert len(crops()) == 3
    first = crops()[2][0]
    crops()[0]
    assert torch.equal(first, crops()[2][0])
    for other in (crops(seed=1)[2], crops(epoch=1)[2], crops()[1]):
        assert not torch.equal(first, other[0])


def test_a_crop_that_comes_back_smaller_is_compared_at_that_size(photo: np.ndarray) -> None:
    original, returned, _ = CropPairs([_photo(photo)], [parse_range("48+jpeg:75")], crop_px=64)[0]
    assert original.shape == returned.shape == (3, 48, 48)


def test_crops_of_a_pair_show_the_same_place_on_the_grid_of_the_blocks(photo: np.ndarray) -> None:
    crops = CropPairs([_photo(photo, 255 - photo)], [], crop_px=64)
    whole = torch.from_numpy(from_uint8(photo)[0])
    for number in range(2):
        crops.set_epoch(number)
        original, returned, condition = crops[0]
        torch.testing.assert_close(original + returned, torch.ones(3, 64, 64))
        assert not condition.any()
        places = [
            (top, left)
            for top in range(0, 300 - 63, 16)
            for left in range(0, 451 - 63, 16)
            if torch.equal(whole[:, top : top + 64, left : left + 64], original)
        ]
        assert len(places) == 1


def test_what_cannot_be_cropped_or_compressed_is_named(photo: np.ndarray) -> None:
    with pytest.raises(TrainingError, match=r"cat\.png: expected 512 px or more a side, found 451 x 300"):
        CropPairs([_photo(photo)], [parse_range("jpeg:50")], crop_px=512)
    with pytest.raises(TrainingError, match=r"cat\.png: has neither a counterpart nor a codec"):
        CropPairs([_photo(photo)], [], crop_px=64)


def test_photos_match_by_name_and_get_the_size_that_came_back(folders: tuple[Path, Path]) -> None:
    pairs, faults = matched_photos(*folders)
    assert not faults
    assert [pair.name for pair in pairs] == ["a.png", "b.png"]
    assert [pair.original.shape for pair in pairs] == [(150, 225, 3), (300, 451, 3)]
    for pair in pairs:
        assert pair.returned is not None
        assert pair.returned.shape == pair.original.shape
        assert 1 < np.abs(pair.returned.astype(int) - pair.original).mean() < 8


def test_photos_without_a_counterpart_or_of_another_shape_are_left_out_by_name(folders: tuple[Path, Path]) -> None:
    before, after = folders
    Image.new("RGB", (64, 64)).save(before / "lonely.png")
    Image.new("RGB", (64, 64)).save(after / "stranger.png")
    Image.new("RGB", (64, 64)).save(after / "b.jpg")
    pairs, faults = matched_photos(before, after)
    assert [pair.name for pair in pairs] == ["a.png"]
    assert len(faults) == 3
    for fault, name in zip(faults, ("lonely.png", "stranger.png", "b.jpg"), strict=True):
        assert name in fault
        assert "left out" in fault
    assert "64 x 64 is another shape than the original's 451 x 300" in faults[2]


def test_folders_without_a_pair_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (64, 64)).save(other / "c.png")
    with pytest.raises(TrainingError, match=r"found no pair; .*a\.png: has no counterpart"):
        matched_photos(folders[0], other)


def test_two_photos_of_one_name_are_refused(folders: tuple[Path, Path]) -> None:
    Image.new("RGB", (64, 64)).save(folders[1] / "a.png")
    with pytest.raises(TrainingError, match="same name"):
        matched_photos(*folders)


def test_photos_are_brought_down_and_a_copy_counts_once(folders: tuple[Path, Path]) -> None:
    (folders[0] / "copy.png").write_bytes((folders[0] / "a.png").read_bytes())
    photos = photos_to_compress([folders[0]], 100)
    assert [photo.original.shape for photo in photos] == [(100, 150, 3)] * 2
    assert all(photo.returned is None for photo in photos)
    assert [photo.original.shape[0] for photo in photos_to_compress([folders[0]], 1000)] == [300, 300]


def test_photos_are_split_by_content(photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    pairs = [
        PhotoPair(original=rng.integers(0, 255, (32, 32, 3), np.uint8), returned=None, sha256=f"{n:064x}", name=str(n))
        for n in range(200)
    ]
    splits = split_pairs(pairs)
    assert {name: len(found) for name, found in split_pairs(pairs[::-1]).items()} == {
        name: len(found) for name, found in splits.items()
    }
    assert 120 < len(splits["train"]) < 160
    assert sum(map(len, splits.values())) == 200
