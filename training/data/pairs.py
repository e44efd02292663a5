"""Pairs of a photo and what compression made of it, for training: from codecs, or from two folders of photos.

Every pair is (original, returned, condition): two (3, S, S) float32 in [0, 1] of the same place, and the vector of
`Codec.condition`. Where compression makes a photo smaller, the original is first resized to the size that came back: a
model learns what was done to the pixels, and a resize is no secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mobile_app.core.photo import decode
from training.data.class_folders import plain_photos
from training.data.codecs import CONDITION_VALUES, Codec, CodecRange, back_to_size
from training.data.natural import brought_down
from training.data.splits import split_by_content, thumbnail, twins
from training.errors import TrainingError
from training.progress import track

Pixels = NDArray[np.uint8]
Pair = tuple[Tensor, Tensor, Tensor]

GRID_PX = 16  # crops of a compressed photo begin on multiples of it, so that the blocks of its codec keep their places
ASPECT_TOLERANCE = 0.02  # by which the shapes of a photo before and after may differ: sides are rounded to whole pixels


@dataclass(frozen=True, kw_only=True)
class PhotoPair:
    """A photo, and what came back of it where that is known; both (H, W, 3) uint8 of one size."""

    original: Pixels
    returned: Pixels | None
    sha256: str  # of the original's file
    name: str


def photos_to_compress(folders: Sequence[Path], short_side_px: int) -> list[PhotoPair]:
    """Every photo below the folders, its short side brought down to short_side_px; a file that occurs twice, once.

    Raises: TrainingError for a folder without photos, PhotoError for a file that is no photo.
    """
    found: dict[str, PhotoPair] = {}
    paths = [path for folder in folders for path in plain_photos(folder)]
    for path in track(paths, "reading photos"):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 not in found:
            pixels = brought_down(decode(path).rgb_hwc, short_side_px)
            found[sha256] = PhotoPair(original=pixels, returned=None, sha256=sha256, name=path.name)
    return list(found.values())


def matched_photos(originals: Path, returned: Path) -> tuple[list[PhotoPair], list[str]]:
    """Photos of two folders that have the same name but for the extension, aligned by size.

    Returns: the pairs, and a sentence for every photo that is in none.
    Raises: TrainingError if a folder has no photos or no pair is left, PhotoError for a file that is no photo.
    """
    before, after = _by_stem(originals), _by_stem(returned)
    faults = [
        f"{path}: has no counterpart in {returned}, left out" for stem, path in before.items() if stem not in after
    ]
    faults += [
        f"{path}: has no counterpart in {originals}, left out" for stem, path in after.items() if stem not in before
    ]
    pairs = []
    for stem in track([stem for stem in before if stem in after], "reading photos"):
        pair = _aligned(before[stem], after[stem])
        if isinstance(pair, PhotoPair):
            pairs.append(pair)
        else:
            faults.append(pair)
    if not pairs:
        raise TrainingError(
            f"{originals} and {returned}: expected photos that match by name, found no pair; {faults[0]}"
        )
    return pairs, faults


def split_pairs(pairs: Sequence[PhotoPair]) -> dict[str, list[PhotoPair]]:
    """The pairs of the splits "train", "val" and "test", by content; near-duplicates are on one side."""
    groups = twins(np.array([thumbnail(pair.original) for pair in pairs]))
    splits = split_by_content([pair.sha256 for pair in pairs], groups)
    return {
        name: [pair for pair, split in zip(pairs, splits, strict=True) if split == name]
        for name in ("train", "val", "test")
    }


class CropPairs(Dataset[Pair]):
    """Random crops of pairs for one epoch, drawn from (seed, epoch, crop) alone; call `set_epoch` before each.

    A photo without a counterpart is cropped first and then compressed, by one of the codecs at random: any place of the
    photo then meets any place of the codec's blocks. A pair from folders is cropped on the grid of the blocks.
    """

    def __init__(
        self,
        pairs: Sequence[PhotoPair],
        codecs: Sequence[CodecRange],
        *,
        crop_px: int,
        crops_a_photo: int = 1,
        seed: int = 0,
    ) -> None:
        """Raises: TrainingError if a photo is smaller than a crop, or has no counterpart and there is no codec."""
        for pair in pairs:
            if min(pair.original.shape[:2]) < crop_px:
                height, width = pair.original.shape[:2]
                raise TrainingError(f"{pair.name}: expected {crop_px} px or more a side, found {width} x {height}; "
                                    "lower --crop-px or leave it out")  # fmt: skip
            if pair.returned is None and not codecs:
                raise TrainingError(f"{pair.name}: has neither a counterpart nor a codec; name one with --codec")
        self.pairs, self.codecs, self.crop_px = pairs, codecs, crop_px
        self.crops_a_photo, self.seed = crops_a_photo, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.pairs) * self.crops_a_photo

    def __getitem__(self, index: int) -> Pair:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        pair = self.pairs[index % len(self.pairs)]
        grid = 1 if pair.returned is None else GRID_PX
        top, left = (int(rng.integers(0, (side - self.crop_px) // grid + 1)) * grid for side in pair.original.shape[:2])
        place = np.s_[top : top + self.crop_px, left : left + self.crop_px]
        original = pair.original[place]
        if pair.returned is not None:
            return _tensors(original, pair.returned[place], np.zeros(CONDITION_VALUES, np.float32))
        if rng.random() < 0.5:
            original = np.ascontiguousarray(original[:, ::-1])
        codec = self.codecs[int(rng.integers(len(self.codecs)))].draw(rng)
        return _tensors(*compressed(original, codec), codec.condition())


def compressed(original: Pixels, codec: Codec) -> tuple[Pixels, Pixels]:
    """(original, returned) of one size: that of what the codec gives back."""
    returned = codec(original)
    return back_to_size(original, *returned.shape[:2]), returned


def _tensors(original: Pixels, returned: Pixels, condition: NDArray[np.float32]) -> Pair:
    image, target = (
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255))
        for pixels in (original, returned)
    )
    return image, target, torch.from_numpy(condition)


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in plain_photos(folder):
        if path.stem in found:
            raise TrainingError(f"{path}: has the same name as {found[path.stem]}; leave one of them out")
        found[path.stem] = path
    return found


def _aligned(before: Path, after: Path) -> PhotoPair | str:
    """The pair at the size of what came back, or why it is none."""
    original, returned = decode(before).rgb_hwc, decode(after).rgb_hwc
    height, width = returned.shape[:2]
    aspect, aspect_before = width / height, original.shape[1] / original.shape[0]
    if abs(aspect / aspect_before - 1) > ASPECT_TOLERANCE:
        size = f"{original.shape[1]} x {original.shape[0]}"
        return f"{after}: {width} x {height} is another shape than the original's {size}, left out"
    sha256 = hashlib.sha256(before.read_bytes()).hexdigest()
    return PhotoPair(original=back_to_size(original, height, width), returned=returned, sha256=sha256, name=before.name)
