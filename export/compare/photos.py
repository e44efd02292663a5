"""Photos for a comparison: those that calibrate, from a folder or the pictures of scikit-image, and labelled ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.errors import ExportError
from mobile_app.core.photo import EXTENSIONS, decode
from mobile_app.core.preprocess import Pixels, to_network_input
from training.data.labelled import read_labelled

# Colour photographs that the wheels of scikit-image and scikit-learn hold; nothing is downloaded.
_SKIMAGE = ("astronaut", "chelsea", "coffee", "rocket")
_SKLEARN = ("china.jpg", "flower.jpg")
_SHARES = (0.9, 0.7, 0.5)  # of the short side that a crop has


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledPhoto:
    """A photo of which it is known what it shows."""

    name: str
    rgb_hwc: Pixels
    label: int


def calibration_images(folder: Path | None, *, size_px: int, crop: float, most: int, seed: int) -> list[np.ndarray]:
    """(1, 3, S, S) each, through the phone's own preprocessing: an even selection of a folder, or sample crops.

    Raises: ExportError for a folder without photos, PhotoError for one that cannot be read.
    """
    if folder is None:
        return [to_network_input(photo, size_px, 1.0) for photo in sample_crops(most, np.random.default_rng(seed))]
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in EXTENSIONS and path.is_file()]
    if not paths:
        raise ExportError(f"--calibration {folder}: expected a folder with photos, found none; name another")
    chosen = paths[:: -(-len(paths) // most)]
    return [to_network_input(decode(path, name=str(path)).rgb_hwc, size_px, crop) for path in chosen]


def sample_crops(count: int, rng: np.random.Generator) -> list[Pixels]:
    """Square crops of the sample pictures of scikit-image and scikit-learn, in turn, at random places and sizes."""
    pictures = [decode(path).rgb_hwc for path in _sample_paths()]
    crops = []
    for index in range(count):
        picture = pictures[index % len(pictures)]
        height, width = picture.shape[:2]
        side = int(min(height, width) * _SHARES[index // len(pictures) % len(_SHARES)])
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        crops.append(picture[top : top + side, left : left + side])
    return crops


def labelled_photos(folder: Path | None, *, most: int, seed: int) -> list[LabelledPhoto]:
    """Photos drawn from a folder with labels.csv by the seed; none without a folder.

    Raises: TrainingError for a folder without its table, PhotoError for a photo that cannot be read.
    """
    if folder is None:
        return []
    entries = read_labelled(folder)
    order = np.random.default_rng(seed).permutation(len(entries))[:most]
    return [
        LabelledPhoto(name=entries[index][0].name, rgb_hwc=decode(entries[index][0]).rgb_hwc, label=entries[index][1])
        for index in order
    ]


def _sample_paths() -> list[Path]:
    try:
        import skimage
        import sklearn.datasets
    except ModuleNotFoundError as error:
        raise ExportError(f"sample pictures need {error.name}; install it, or name --calibration FOLDER") from error
    images = Path(sklearn.datasets.__file__).parent / "images"
    data = Path(skimage.__file__).parent / "data"
    return [
        *(next(path for path in sorted(data.glob(f"{name}.*"))) for name in _SKIMAGE),
        *(images / name for name in _SKLEARN),
    ]
