"""Class folders become labelled photos, each file once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from training.data.class_folders import FLOWER_ALIASES, class_names, labelled_photos, plain_photos
from training.errors import TrainingError


def test_the_folder_is_the_class(flower_folder: Path) -> None:
    photos = labelled_photos([flower_folder])
    assert class_names(photos) == ("daisy", "iris", "poppy")
    assert len(photos) == 120
    assert all(photo.path.parent.name == photo.label for photo in photos)


def test_a_plural_folder_joins_the_singular_class(flower_folder: Path, tmp_path: Path) -> None:
    for number, folder in enumerate(("rose", "roses")):
        (tmp_path / folder).mkdir()
        shutil.copy(flower_folder / "daisy" / f"{number:02}.png", tmp_path / folder / "1.png")
    assert [photo.label for photo in labelled_photos([tmp_path], FLOWER_ALIASES)] == ["rose", "rose"]


def test_a_file_that_occurs_twice_is_taken_once(flower_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "daisy").mkdir()
    for name in ("1.png", "2.png"):
        shutil.copy(flower_folder / "daisy" / "00.png", tmp_path / "daisy" / name)
    assert len(labelled_photos([tmp_path])) == 1
    assert len(labelled_photos([tmp_path, flower_folder])) == 120


def test_one_file_in_two_classes_is_refused_with_both_names(flower_folder: Path, tmp_path: Path) -> None:
    for folder in ("daisy", "iris"):
        (tmp_path / folder).mkdir()
        shutil.copy(flower_folder / "daisy" / "00.png", tmp_path / folder / "1.png")
    with pytest.raises(TrainingError, match=r"iris.*same file is in daisy"):
        labelled_photos([tmp_path])


@pytest.mark.parametrize("read", [lambda root: labelled_photos([root]), plain_photos])
def test_a_folder_without_photos_is_refused_by_name(tmp_path: Path, read) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no photo")
    with pytest.raises(TrainingError, match=str(tmp_path)):
        read(tmp_path)
    with pytest.raises(TrainingError, match="missing"):
        read(tmp_path / "missing")
