"""Folders of labelled photos: the table's order, and a sentence for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.labelled import read_labelled
from training.errors import TrainingError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, *lines: str) -> None:
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_photos_come_in_the_order_of_the_table_with_their_classes(folder):
    write(folder, "author,file,class_index", "Ann,b.png,7", "Bob,a.png,0")
    assert read_labelled(folder) == [(folder / "b.png", 7), (folder / "a.png", 0)]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(TrainingError, match="nowhere: no such folder"):
        read_labelled(tmp_path / "nowhere")


def test_a_missing_table_is_named(folder):
    with pytest.raises(TrainingError, match=r"labels\.csv: missing"):
        read_labelled(folder)


@pytest.mark.parametrize("column", ["file", "class_index"])
def test_a_missing_column_is_named(folder, column):
    write(folder, {"file": "class_index", "class_index": "file"}[column] + ",author", "x,Ann")
    with pytest.raises(TrainingError, match=f"expected the column {column}, found"):
        read_labelled(folder)


def test_a_missing_photo_is_named_with_its_line(folder):
    write(folder, "file,class_index", "a.png,1", "c.png,1")
    with pytest.raises(TrainingError, match=r"line 3: 'c\.png' is not in the folder"):
        read_labelled(folder)


@pytest.mark.parametrize("label", ["cat", "-1", "1.5", ""])
def test_a_class_that_is_no_whole_number_is_refused(folder, label):
    write(folder, "file,class_index", f"a.png,{label}")
    with pytest.raises(TrainingError, match="class_index: expected a whole number from 0"):
        read_labelled(folder)


def test_the_contest_photos_are_read_whole(shared_dir):
    found = read_labelled(shared_dir / "data" / "nips17")
    assert len(found) == 404
    assert all(0 <= label < 1000 for _, label in found)
