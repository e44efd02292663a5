"""Train, validation and test by content: the same photo is on the same side on every machine, and so are its twins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.preprocess import to_network_input

SPLITS = ("train", "val", "test")
THUMBNAIL_PX = 16
TWIN_CORRELATION = 0.98  # of 2466 flower photos 47 pairs are above it, all true copies; from 0.96 down plain skies join


def split_by_content(sha256: Sequence[str], groups: Sequence[int] | None = None) -> list[str]:
    """70 % train, 15 % val, 15 % test, decided by hashes alone: adding photos moves no other photo.

    Args:
        sha256: hash of each photo's bytes, in hex.
        groups: photos with the same number stay together (see `twins`); each alone by default. A group follows its
            smallest hash, so only a photo that joins a group can move it.
    Returns: "train", "val" or "test" for each photo.
    """
    numbers = range(len(sha256)) if groups is None else groups
    leader: dict[int, str] = {}
    for number, digest in zip(numbers, sha256, strict=True):
        leader[number] = min(digest, leader.get(number, digest))
    return [_split_of(leader[number]) for number in numbers]


def thumbnail(rgb_hwc: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 -> (2, T * T) float32: the grey middle of a photo and its mirror image, each without its mean and
    with length 1, so that the product of two is their correlation. A plain picture is all zeros."""
    grey = to_network_input(rgb_hwc, THUMBNAIL_PX, crop=1.0)[0].mean(axis=0)
    both = np.stack([grey, grey[:, ::-1]]).reshape(2, -1)
    both = both - both.mean(axis=1, keepdims=True)
    return (both / np.maximum(np.linalg.norm(both, axis=1, keepdims=True), 1e-6)).astype(np.float32)


def twins(thumbnails: NDArray[np.float32], correlation: float = TWIN_CORRELATION) -> list[int]:
    """A number for each photo, the same for near-duplicates: resized, recompressed or mirrored copies, burst shots.

    Args:
        thumbnails: (N, 2, T * T) of `thumbnail`.
        correlation: from which two photos are twins; a twin of a twin is one, too.
    """
    first = np.arange(len(thumbnails))
    plain, mirrored = thumbnails[:, 0], thumbnails[:, 1]
    for index in range(len(thumbnails)):
        alike = np.maximum(plain[:index] @ plain[index], mirrored[:index] @ plain[index]) >= correlation
        joined = np.unique(first[:index][alike])
        first[index] = min(joined, default=index)
        first[: index + 1][np.isin(first[: index + 1], joined)] = first[index]
    return first.tolist()


def _split_of(sha256: str) -> str:
    # Not the plain first bytes: what tunes other parts of the project takes those.
    share = int(hashlib.sha256(f"petalveil split {sha256}".encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < 0.7 else "val" if share < 0.85 else "test"
