"""Generated flowers: class folders of small pictures whose classes differ in colour and number of petals."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

SPECIES = {"daisy": (12, "white", "gold"), "iris": (3, "mediumpurple", "yellow"), "poppy": (5, "red", "black")}


def flower(species: str, rng: np.random.Generator, size_px: int = 64) -> Image.Image:
    """A flower on grass, of random place, size and turn."""
    petals, petal, centre = SPECIES[species]
    image = Image.new("RGB", (size_px + 8, size_px), (30, int(rng.integers(90, 150)), 40))
    draw = ImageDraw.Draw(image)
    x, y, radius = rng.uniform(24, 44), rng.uniform(24, 40), rng.uniform(12, 20)
    turn = rng.uniform(0, math.tau)
    for number in range(petals):
        angle = turn + math.tau * number / petals
        left, top, reach = x + radius * math.cos(angle), y + radius * math.sin(angle), max(2.5, radius * 2 / petals)
        draw.ellipse((left - reach, top - reach, left + reach, top + reach), fill=petal)
    draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=centre)
    noise = rng.normal(0, 6, (size_px, size_px + 8, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


@pytest.fixture
def epochs_seen(monkeypatch: pytest.MonkeyPatch) -> Callable[[type], list[int]]:
    """Given a class of dataset, the list to which the epoch of every example that is asked for will be added."""

    def note(dataset: type) -> list[int]:
        seen: list[int] = []
        show = dataset.__getitem__

        def noted(examples, index: int):
            seen.append(examples.epoch)
            return show(examples, index)

        monkeypatch.setattr(dataset, "__getitem__", noted)
        return seen

    return note


@pytest.fixture(scope="session")
def flower_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 photos of each of three species, in class folders."""
    root = tmp_path_factory.mktemp("flowers")
    rng = np.random.default_rng(0)
    for species in SPECIES:
        (root / species).mkdir()
        for number in range(40):
            flower(species, rng).save(root / species / f"{number:02}.png")
    return root


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 pictures of grey stripes, which are no flowers."""
    root = tmp_path_factory.mktemp("others")
    rng = np.random.default_rng(1)
    for number in range(12):
        rows = np.arange(64)[:, None, None] * rng.uniform(0.2, 1.0)
        stripes = np.broadcast_to(128 + 90 * np.sin(rows + rng.uniform(0, 6)), (64, 64, 3))
        Image.fromarray(stripes.astype(np.uint8)).save(root / f"{number:02}.png")
    return root
