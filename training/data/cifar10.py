"""CIFAR-10 from one .npz that holds every picture as a JPEG file: uint8 (N, 32, 32, 3) and labels out.

Arrays of the file: `train_jpeg` and `test_jpeg`, uint8, all JPEG files of a part end to end; `*_offsets`, (N + 1,),
where each begins; `*_labels`, (N,); `classes`, the ten names.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.errors import TrainingError

Part = Literal["train", "test"]


class Cifar10:
    """One part of CIFAR-10. Pictures stay compressed in memory (about 1 kB each) until they are asked for."""

    def __init__(self, path: Path, part: Part = "test") -> None:
        """Read the part's JPEG files. Raises: TrainingError if the file is missing, damaged or lacks an array."""
        if part not in ("train", "test"):
            raise ValueError(f"part: expected train or test, got {part!r}")
        self._path = path
        self._bytes, self._offsets, labels, classes = _arrays(
            path, (f"{part}_jpeg", f"{part}_offsets", f"{part}_labels", "classes")
        )
        self.labels: NDArray[np.int64] = labels.astype(np.int64)
        self.classes = tuple(str(name) for name in classes)
        if len(self._offsets) != len(self.labels) + 1 or int(self._offsets[-1]) != len(self._bytes):
            raise TrainingError(
                f"{path}: expected {part}_offsets to bound {len(self.labels)} pictures in {part}_jpeg, but they do not "
                "fit; get a fresh copy of the file"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Sequence[int] | NDArray[Any]) -> NDArray[np.uint8]:
        """Returns: (len(indices), 32, 32, 3) uint8 RGB, in the order of `indices`."""
        pictures = np.empty((len(indices), 32, 32, 3), np.uint8)
        for row, index in enumerate(indices):
            pictures[row] = self._decode(int(index))
        return pictures

    def content_hash(self, index: int) -> str:
        """SHA-256 of one picture's file, by which splits are made."""
        return hashlib.sha256(self._file(index)).hexdigest()

    def _decode(self, index: int) -> NDArray[np.uint8]:
        try:
            with Image.open(io.BytesIO(self._file(index))) as image:
                return np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise TrainingError(f"{self._path}: picture {index} is damaged; get a fresh copy of the file") from error

    def _file(self, index: int) -> bytes:
        return self._bytes[int(self._offsets[index]) : int(self._offsets[index + 1])].tobytes()


def _arrays(path: Path, names: tuple[str, ...]) -> tuple[NDArray[Any], ...]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in names if name not in arrays.files]
            if missing:
                raise TrainingError(f"{path}: expected the arrays {', '.join(names)}, {', '.join(missing)} missing")
            return tuple(arrays[name] for name in names)
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such file; check the path") from error
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise TrainingError(f"{path}: expected an .npz of JPEG files, but it does not open ({error})") from error
