"""Wrong labels are found by what others of the class look like, and the list is applied by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.class_folders import LabelledPhoto
from training.data.label_faults import DROP, FLOWER_FAULTS, read_faults, suspects, without_faults
from training.errors import TrainingError


def test_a_planted_wrong_label_is_the_first_suspect() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    features = np.eye(3)[labels] * 4 + rng.normal(0, 0.5, (90, 3))
    labels[7] = 2  # looks like class 0
    found = suspects(features, labels)
    assert found[0].index == 7
    assert found[0].suggested == 0
    assert found[0].given_probability < 0.2 < 0.8 < found[0].suggested_probability
    assert len(found) <= 3


def test_more_folds_than_photos_of_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match="folds: expected at most 2"):
        suspects(np.zeros((5, 2)), np.array([0, 0, 0, 1, 1]))


def test_a_fault_is_dropped_or_moved_and_the_rest_stays() -> None:
    photos = [LabelledPhoto(Path(f"{name}.jpg"), "tulip", name) for name in ("a", "b", "c")]
    left = without_faults(photos, {"a": DROP, "b": "rose"})
    assert [(photo.sha256, photo.label) for photo in left] == [("b", "rose"), ("c", "tulip")]


def test_the_list_of_the_repo_names_photos_by_hash_and_species_or_drop() -> None:
    faults = read_faults()
    assert len(faults) == len(FLOWER_FAULTS.read_text(encoding="utf-8").splitlines()) - 1
    assert all(len(digest) == 64 for digest in faults)
    assert set(faults.values()) == {DROP, "rose"}


def test_a_list_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("photo,verdict\na,drop\n")
    with pytest.raises(TrainingError, match="expected the columns sha256 and verdict"):
        read_faults(tmp_path / "list.csv")
