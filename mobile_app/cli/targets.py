"""The photos and OUT of a command line in, a list of jobs out: which photo goes where.

Every clash is found here, before anything is written: two photos for one file, an output onto an original.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_app.core.errors import OutputError, PhotoError
from mobile_app.core.photo import EXTENSIONS

CLOAKED = ".cloaked"
SUFFIXES = {"JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png",), "WEBP": (".webp",)}  # the first is written

_KEPT = {".png": "PNG", ".webp": "WEBP"} | dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), "JPEG")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One photo and where it goes."""

    source: Path
    stem: str  # of the output under OUT, with / between folders: "holiday/IMG_1.cloaked"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a command line asks for."""

    jobs: tuple[Job, ...]
    folder: Path  # that the outputs go into
    single: Path | None = None  # OUT, where it is one file

    def target(self, job: Job, written_format: str) -> Path:
        """The output of a job. Raises: OutputError if OUT is a file whose suffix is not one of the format."""
        suffixes = SUFFIXES[written_format]
        if self.single is None:
            return self.folder / f"{job.stem}{suffixes[0]}"
        if self.single.suffix.lower() not in suffixes:
            raise OutputError(
                f"{self.single}: would hold a {written_format}; give it the suffix {suffixes[0]} or choose --format"
            )
        return self.single


def plan(photos: Sequence[Path], out: str, *, written_format: str = "keep") -> Plan:
    """Find the photos and decide where each goes.

    OUT is a folder if it is one, ends in a slash, has no suffix, or if there are several photos.

    Args:
        photos: files, and folders that are searched by extension; hidden and already cloaked files are passed over.
        written_format: as in EncodeConfig, to tell which outputs would clash.
    Raises: PhotoError if a folder is missing, unreadable or without a photo; OutputError if two photos would become
        one file, the output is an original, or the folder of a single output is missing.
    """
    jobs = list(_without_repeats(job for photo in photos for job in _jobs_of(photo)))
    folder = Path(out)
    if folder.is_dir() or len(jobs) > 1 or out.endswith(_SEPARATORS) or not folder.suffix or photos[0].is_dir():
        _refuse_two_for_one(jobs, written_format)
        if os.path.lexists(folder) and not folder.is_dir():
            raise OutputError(f"{folder}: a file, where a folder for the outputs was expected; choose another name")
        return Plan(jobs=tuple(jobs), folder=folder)
    if not folder.parent.is_dir():
        raise OutputError(f"{folder}: the folder {folder.parent} does not exist; create it or choose another")
    result = Plan(jobs=tuple(jobs), folder=folder.parent, single=folder)
    if written_format != "keep":
        result.target(jobs[0], written_format.upper())
    return result


class Originals:
    """The photos of a run, known by what they are on the disk and not by name."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = {identity: path for path in paths if (identity := _identity(path)) is not None}

    def refuse(self, path: Path) -> None:
        """Raises: OutputError if `path` is one of the photos, be it by another name, a symbolic or a hard link."""
        original = self._paths.get(_identity(path) or (-1, -1))
        if original is not None:
            raise OutputError(f"{path}: is the original {original}, which is never overwritten; choose another name")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless it is there. Raises: OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"{folder}: a file has this name; choose another folder") from error
    except OSError as error:
        raise OutputError(f"{folder}: this folder cannot be made ({error.strerror}); choose another") from error


_SEPARATORS = tuple(separator for separator in ("/", os.sep, os.altsep) if separator)


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError, ValueError):
        facts = os.stat(path)
        return facts.st_dev, facts.st_ino
    return None


def _jobs_of(photo: Path) -> Iterator[Job]:
    if not photo.is_dir():
        yield Job(source=photo, stem=f"{photo.stem}{CLOAKED}")
        return
    found = False
    for path in _photos_under(photo):
        found = True
        yield Job(source=path, stem=path.relative_to(photo).with_suffix("").as_posix() + CLOAKED)
    if not found:
        raise PhotoError(f"{photo}: no photo in this folder; name another folder, or a photo itself")


def _photos_under(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise PhotoError(f"{error.filename}: this folder cannot be read ({error.strerror})") from error

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            is_photo = path.suffix.lower() in EXTENSIONS and not name.startswith(".")
            if is_photo and not path.stem.lower().endswith(CLOAKED):
                yield path


def _without_repeats(jobs: Iterator[Job]) -> Iterator[Job]:
    seen: set[str] = set()
    for job in jobs:
        real = os.path.realpath(job.source)
        if real not in seen:
            seen.add(real)
            yield job


def _refuse_two_for_one(jobs: Sequence[Job], written_format: str) -> None:
    taken: dict[tuple[str, str], Path] = {}
    for job in jobs:
        for chosen in _possible_formats(job.source, written_format):
            key = (job.stem.casefold(), chosen)  # some disks hold a.jpg and A.JPG to be one name
            if key in taken:
                raise OutputError(
                    f"{taken[key]} and {job.source}: both would become {job.stem}{SUFFIXES[chosen][0]}; "
                    "rename one or cloak them into two folders"
                )
            taken[key] = job.source


def _possible_formats(source: Path, written_format: str) -> tuple[str, ...]:
    """What a photo may be written as, by its name; its content decides later, and clashes are looked for again then."""
    if written_format != "keep":
        return (written_format.upper(),)
    kept = _KEPT.get(source.suffix.lower())
    return (kept,) if kept else ("JPEG", "PNG")
