"""ComDefend as a purifier in the grids of the evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mobile_app.core.preprocess import from_uint8, to_uint8
from training.errors import TrainingError
from training.evaluate.recompression import choose_grid
from training.models.comdefend import ComDefendConfig, build_comdefend, save_comdefend


def saved(path: Path, seed: int = 0) -> str:
    save_comdefend(path, build_comdefend(ComDefendConfig(code_bits=2, width=4, blocks=1), seed=seed), {})
    return f"comdefend:{path}"


def test_it_stands_after_the_others_and_does_what_the_model_does(tmp_path: Path, rng: np.random.Generator) -> None:
    name = saved(tmp_path / "m.pt")
    grid = choose_grid([name, "none"])
    assert [entry.name for entry in grid] == ["none", name]
    photo = rng.integers(0, 256, (10, 12, 3), np.uint8)
    model = build_comdefend(ComDefendConfig(code_bits=2, width=4, blocks=1))
    with torch.no_grad():
        wanted = to_uint8(model(torch.from_numpy(from_uint8(photo))).numpy())
    np.testing.assert_array_equal(grid[1](photo), wanted)


def test_a_photo_of_odd_sides_keeps_its_size(tmp_path: Path, rng: np.random.Generator) -> None:
    (entry,) = choose_grid([saved(tmp_path / "m.pt")])
    photo = rng.integers(0, 256, (9, 13, 3), np.uint8)
    assert entry(photo).shape == photo.shape


def test_answers_are_kept_for_these_weights_alone(tmp_path: Path) -> None:
    name = saved(tmp_path / "m.pt")
    first, again = (repr(choose_grid([name])[0]) for _ in range(2))
    saved(tmp_path / "m.pt", seed=1)
    assert first == again != repr(choose_grid([name])[0])
    assert "0x" not in first  # no address, which would be another one in the next process


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected a ComDefend, found no file"):
        choose_grid([f"comdefend:{tmp_path / 'no.pt'}"])
