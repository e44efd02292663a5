"""The sparse cloak on a small network: what it changes, what it leaves, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mobile_app.core.errors import OutputError, PhotoError
from mobile_app.core.preprocess import to_network_input
from training.errors import TrainingError
from training.recipes.sparse_cloak import AsSeen, SparseCloakConfig, sparse_cloak

NAMES = ["dark", "light"]
CONFIG = SparseCloakConfig(steps=10, polish_steps=40)


class Light(nn.Module):
    """Class 1 where the middle of the picture is lighter than a bound."""

    size_px = 16

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        middle = image[..., 6:10, 6:10].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(middle), 100 * (middle - self.bound)], 1)


@pytest.fixture
def photo(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(110, 131, (48, 64, 3), np.uint8)).save(path)
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_a_few_pixels_change_and_the_network_answers_otherwise(photo, tmp_path):
    out, mask = tmp_path / "out.png", tmp_path / "mask.png"
    before = photo.read_bytes()
    network = Light(pixels(photo)[16:32, 24:40].mean() / 255 + 0.005)
    lines = sparse_cloak(photo, out, CONFIG, mask=mask, network=network, names=NAMES)
    change = pixels(out) - pixels(photo)
    assert 0 < (change != 0).sum() < change.size / 10
    assert np.abs(change).max() <= 8
    assert np.array_equal(pixels(mask) == 255, (change != 0).any(axis=2))
    assert set(np.unique(pixels(mask))) == {0, 255}
    seen = torch.from_numpy(to_network_input(pixels(out).astype(np.uint8), 16))
    assert network(seen).argmax(1).item() == 1
    assert lines[0].startswith("before: dark")
    assert lines[1].startswith("after: light")
    assert f"{(change != 0).sum():,} of {change.size:,} values" in lines[2]
    assert photo.read_bytes() == before


def test_a_grey_photo_comes_back_in_colour_with_its_other_pixels_as_they_were(tmp_path, rng):
    photo, out = tmp_path / "grey.png", tmp_path / "out.png"
    grey = rng.integers(110, 131, (32, 32), np.uint8)
    Image.fromarray(grey).save(photo)
    network = Light(grey[10:22, 10:22].mean() / 255 + 0.003)
    sparse_cloak(photo, out, CONFIG, network=network, names=NAMES)
    is_same = pixels(out) == grey[..., None]
    assert is_same.mean() > 0.9
    assert not is_same.all()


def test_a_budget_that_does_not_suffice_writes_nothing(photo, tmp_path):
    out = tmp_path / "out.png"
    with pytest.raises(TrainingError, match="8 levels do not suffice"):
        sparse_cloak(photo, out, CONFIG, network=Light(0.9), names=NAMES)
    assert not out.exists()


def test_the_photo_itself_is_never_overwritten(photo):
    with pytest.raises(OutputError, match="never overwritten"):
        sparse_cloak(photo, photo, CONFIG, force=True, network=Light(0.5), names=NAMES)
    with pytest.raises(OutputError, match="never overwritten"):
        sparse_cloak(photo, photo.parent / "out.png", CONFIG, mask=photo, force=True, network=Light(0.5), names=NAMES)


def test_a_file_that_exists_stays_without_force(photo, tmp_path):
    out = tmp_path / "out.png"
    out.write_bytes(b"mine")
    with pytest.raises(OutputError, match="already exists"):
        sparse_cloak(photo, out, CONFIG, network=Light(0.5), names=NAMES)
    assert out.read_bytes() == b"mine"


def test_a_lossy_format_is_refused(photo, tmp_path):
    with pytest.raises(OutputError, match=r"ends in \.png"):
        sparse_cloak(photo, tmp_path / "out.jpg", CONFIG, network=Light(0.5), names=NAMES)


def test_photo_and_mask_need_two_names(photo, tmp_path):
    with pytest.raises(OutputError, match="two names"):
        sparse_cloak(photo, tmp_path / "o.png", CONFIG, mask=tmp_path / "o.png", network=Light(0.5), names=NAMES)


def test_a_photo_that_is_too_large_is_refused(photo, tmp_path):
    config = SparseCloakConfig(max_megapixels=0.001)
    with pytest.raises(PhotoError, match="shrink it first"):
        sparse_cloak(photo, tmp_path / "out.png", config, network=Light(0.5), names=NAMES)


@pytest.mark.parametrize("size", [(48, 64), (61, 40), (300, 451)])
def test_the_differentiable_resize_shows_what_the_phones_does(size, rng):
    smooth = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)
    rgb_hwc = np.array(smooth)
    image = torch.from_numpy(rgb_hwc).permute(2, 0, 1)[None].float() / 255
    found = AsSeen(nn.Identity(), 32)(image)
    assert (found - torch.from_numpy(to_network_input(rgb_hwc, 32))).abs().max() <= 1.5 / 255  # Pillow rounds twice


@pytest.mark.parametrize(
    ("field", "value"), [("budget_levels", 0), ("steps", 0), ("polish_steps", 0), ("max_megapixels", 0), ("crop", 0)]
)
def test_a_config_out_of_bounds_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=field):
        SparseCloakConfig(**{field: value})
