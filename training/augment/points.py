"""Training images and a sparse attack in; the pixels that the base model is sensitive to out, kept in one file.

The file's name carries the sha256 of the base checkpoint and of the attack's settings; in it a picture is known by the
sha256 of its content and label. Stopped work goes on where the file was last written.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mobile_app.core.files import write_whole
from training.errors import TrainingError

Find = Callable[[Tensor, Tensor], Tensor]
"""(N, 3, H, W) images in [0, 1] and (N,) labels -> (N, 3, H, W) or (N, 1, H, W) bool, what the attack changes."""


def sensitive_points(
    find: Find,
    images: Tensor,
    labels: Tensor,
    cache: PointCache,
    *,
    keys: Sequence[str] | None = None,
    batch: int = 64,
    save_every: int = 8,
    report: Callable[[str], None] | None = None,
) -> list[NDArray[np.float32]]:
    """The sensitive points of every image; only those that the cache lacks are attacked.

    Args:
        find: the attack on the base model, e.g. `lambda x, y: auto_adversary(network, x, y, config).mask`.
        images: (N, 3, H, W) float in [0, 1].
        labels: (N,) class numbers.
        keys: what the cache knows each image by, in hex; by default its content and label (see `content_key`).
        save_every: batches between two writes of the cache's file; it is also written at the end and on any error.
        report: takes a line after each write.
    Returns: for each image (K, 2) row and column of the pixels' centres as shares; K may be 0.
    Raises: TrainingError if `find` returns another shape.
    """
    if keys is None:
        keys = [content_key(image, int(label)) for image, label in zip(images, labels, strict=True)]
    first_of_key = {key: index for index, key in reversed(list(enumerate(keys)))}
    missing = sorted(index for key, index in first_of_key.items() if key not in cache)
    try:
        for number, start in enumerate(range(0, len(missing), batch), 1):
            chosen = missing[start : start + batch]
            found = _checked(find(images[chosen], labels[chosen]), images[chosen])
            for index, mask in zip(chosen, found, strict=True):
                cache.add(keys[index], mask)
            if number % save_every == 0:
                cache.save()
                if report is not None:
                    report(f"points of {start + len(chosen)} of {len(missing)} images found")
    finally:
        cache.save()
    return [cache[key] for key in keys]


class PointCache:
    """Points by the key of their picture, in `folder`, for one base checkpoint and one attack.

    Args:
        checkpoint_sha256: of the base model's file (see `file_sha256`).
        attack: the attack's name and settings; anything that json can write.
        most: points kept of a picture; of more, a choice by chance that depends on the picture alone.
    Raises: TrainingError if the file is damaged or of another checkpoint, attack or number.
    """

    def __init__(self, folder: Path, checkpoint_sha256: str, attack: Mapping[str, Any], most: int = 64) -> None:
        if most < 1:
            raise ValueError(f"most: expected at least 1, got {most}")
        self.most = most
        settings = {"checkpoint": checkpoint_sha256, "attack": dict(attack), "most": most}
        self._header = json.dumps(settings, sort_keys=True)
        digest = hashlib.sha256(self._header.encode()).hexdigest()
        self.path = folder / f"points-{checkpoint_sha256[:12]}-{digest[:12]}.npz"
        self._points: dict[str, NDArray[np.float32]] = _read(self.path, self._header) if self.path.exists() else {}
        self._is_saved = True

    def __len__(self) -> int:
        return len(self._points)

    def __contains__(self, key: str) -> bool:
        return key in self._points

    def __getitem__(self, key: str) -> NDArray[np.float32]:
        return self._points[key]

    def add(self, key: str, mask_chw: NDArray[np.bool_]) -> None:
        """Keep the points of a picture, given what an attack changes in it: (C, H, W) bool."""
        self._points[key] = points_of(mask_chw, self.most, np.random.default_rng(int(key[:16], 16)))
        self._is_saved = False

    def save(self) -> None:
        """Write the file, whole or not at all, if there is something new."""
        if self._is_saved:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            header=np.array(self._header),
            keys=np.array(list(self._points)),
            counts=np.array([len(points) for points in self._points.values()], np.int64),
            points=np.concatenate(list(self._points.values())),
        )
        write_whole(self.path, buffer.getvalue(), force=True)
        self._is_saved = True


def points_of(mask_chw: NDArray[np.bool_], most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Centres of the pixels changed in any channel, as shares (row, column); of more than `most`, some by chance."""
    is_changed = np.asarray(mask_chw, bool).any(0)
    if is_changed.all():  # what a sparse attack returns where it did not succeed: no pixel stands out
        return np.zeros((0, 2), np.float32)
    pixels = np.argwhere(is_changed)
    if len(pixels) > most:
        pixels = pixels[np.sort(rng.choice(len(pixels), most, replace=False))]
    return ((pixels + 0.5) / is_changed.shape).astype(np.float32)


def content_key(image: Tensor, label: int) -> str:
    """The sha256 of a picture's shape and 8-bit content and of its label."""
    levels = (image.detach().cpu() * 255).round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
    return hashlib.sha256(f"{levels.shape} {label} ".encode() + levels.tobytes()).hexdigest()


def file_sha256(path: Path) -> str:
    """The sha256 of a checkpoint. Raises: TrainingError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror or error}); give a checkpoint's file") from error


def _checked(mask: Tensor, images: Tensor) -> Sequence[NDArray[np.bool_]]:
    wanted = (len(images), *images.shape[2:])
    if mask.ndim != 4 or (mask.shape[0], *mask.shape[2:]) != wanted:
        raise TrainingError(
            f"sparse attack: expected a mask like the images {tuple(images.shape)}, got {tuple(mask.shape)}"
        )
    return list(mask.detach().cpu().numpy().astype(bool))


def _read(path: Path, header: str) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            found_header, keys = str(stored["header"]), stored["keys"].tolist()
            parts = np.split(stored["points"], np.cumsum(stored["counts"])[:-1])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{path}: is not a whole file of points ({error}); delete it and find them anew") from error
    if found_header != header:
        raise TrainingError(f"{path}: expected points of {header}, found those of {found_header}; delete it")
    return dict(zip(keys, parts, strict=True))
