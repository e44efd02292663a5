"""Folders of class folders in, a list of labelled photos out: `root/daisy/1.jpg` shows a daisy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_app.core.photo import EXTENSIONS
from training.errors import TrainingError

# The plural folders of the web collection hold the species that other collections name in the singular.
FLOWER_ALIASES = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo file, the class that its folder gives it, and the hash of its bytes, by which it is split."""

    path: Path
    label: str
    sha256: str


def labelled_photos(roots: Sequence[Path], aliases: Mapping[str, str] | None = None) -> list[LabelledPhoto]:
    """All photos below the class folders of all roots, sorted by class and path; a file that occurs twice, once.

    Args:
        aliases: class folder -> class, for collections that name the same class differently.
    Raises: TrainingError naming the root that is missing or has no class folders with photos, or the two classes that
        hold the same file.
    """
    found = [photo for root in roots for photo in _photos_of(root, aliases or {})]
    by_hash: dict[str, LabelledPhoto] = {}
    for photo in found:
        twin = by_hash.setdefault(photo.sha256, photo)
        if twin.label != photo.label:
            raise TrainingError(f"{photo.path}: the same file is in {twin.label} as {twin.path}; keep one of them")
    return sorted(by_hash.values(), key=lambda photo: (photo.label, str(photo.path)))


def class_names(photos: Sequence[LabelledPhoto]) -> tuple[str, ...]:
    """Every class that occurs, sorted: the order of a classifier's outputs."""
    return tuple(sorted({photo.label for photo in photos}))


def plain_photos(root: Path) -> list[Path]:
    """Every photo below a folder, sorted. Raises: TrainingError if there is none."""
    if not root.is_dir():
        raise TrainingError(f"{root}: expected a folder of photos, found none; name another")
    photos = sorted(path for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS)
    if not photos:
        raise TrainingError(
            f"{root}: expected photos ({', '.join(sorted(EXTENSIONS))}), found none; name another folder"
        )
    return photos


def _photos_of(root: Path, aliases: Mapping[str, str]) -> list[LabelledPhoto]:
    if not root.is_dir():
        raise TrainingError(f"{root}: expected a folder with a folder a class, found none; name another with --data")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    photos = [
        LabelledPhoto(path, aliases.get(folder.name, folder.name), hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in EXTENSIONS
    ]
    if not photos:
        raise TrainingError(
            f"{root}: expected a folder a class with photos in it, found none; name another with --data"
        )
    return photos
