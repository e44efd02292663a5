"""Photos, attacks, judges and a grid in, a record of each (attack, photo) out, kept in files so that work goes on.

A cloaked photo is written to a file in the format it came in and read back before anything is measured or judged.
A record is found by a hash of the attack's settings and the photo's bytes. In it each answer stands under the judge's
digest and all settings of the recompression, so more judges or a larger grid only add what is missing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from mobile_app.core.files import write_whole
from mobile_app.core.photo import EncodeConfig, Photo, decode, encode, encoded_format
from mobile_app.core.preprocess import CROP
from training.data.labelled import read_labelled
from training.errors import TrainingError
from training.evaluate.attacks import Attack
from training.evaluate.judges import Judge, ask
from training.evaluate.recompression import NONE, Recompression
from training.evaluate.success import Answer, Success, count_success
from training.evaluate.visibility import Visibility, measure

_CROPS = {"nips17": 1.0, "photos": CROP}  # what share of the short side a judge sees
_TUNING = "-tuning"  # the photos of a set that are for settings
SETS = (*_CROPS, *(f"{name}{_TUNING}" for name in _CROPS))
# Photos whose sha256 begins with a byte under these are for settings and training, not for tables.
TUNING_BELOW = {"nips17": 64, "photos": 128}
_FORMAT = 1  # of a record; another one makes all anew
_AS_CAME = EncodeConfig()
_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """Labelled photos that belong into one table."""

    name: str
    photos: tuple[tuple[Path, int], ...]
    crop: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one attack did to one photo; without an attack, what the judges say to the photo as it is."""

    label: int
    answers: dict[tuple[str, str], Answer]  # by names of judge and recompression
    visibility: Visibility | None = None  # None without an attack
    cloak_seconds: float = 0.0
    all_seconds: float = 0.0  # reading and writing the file included


def open_set(shared: Path, name: str, count: int | None, seed: int) -> PhotoSet:
    """`count` photos of ../shared/data/<name>, drawn by `seed`; a larger count holds the smaller one's photos.

    Args:
        name: of SETS; `nips17-tuning` has those photos of nips17 on which settings are chosen, nips17 all others.
    Raises: TrainingError for an unknown name, a missing folder, or a set with nothing in it.
    """
    if name not in SETS:
        raise TrainingError(f"sets: expected some of {', '.join(SETS)}, got {name!r}")
    origin = name.removesuffix(_TUNING)
    folder = shared / "data" / origin
    if not folder.is_dir():
        raise TrainingError(
            f"{folder}: no such folder; photos and judges are in the folder `shared` beside the project, or where "
            "--shared says"
        )
    photos = read_labelled(folder)
    photos = [photo for photo in photos if _is_for_tuning(photo[0], origin) == (name != origin)]
    if not photos:
        raise TrainingError(f"{folder}: expected labelled photos, found none")
    order = np.random.default_rng(seed).permutation(len(photos))[:count]
    return PhotoSet(name=name, photos=tuple(photos[index] for index in order), crop=_CROPS[origin])


def examine(
    attack: Attack | None,
    source: Path,
    label: int,
    *,
    crop: float,
    judges: Sequence[Judge],
    grid: Sequence[Recompression],
    folder: Path,
    seed: int,
) -> Record:
    """Cloak a photo, save it, measure it and ask every judge after every recompression; what is kept is not redone.

    Args:
        attack: None for the photo as it is.
        folder: for `results` and `cloaks`; made if need be.
    Raises: PhotoError or TrainingError naming the photo or the judge that is at fault.
    """
    data = source.read_bytes()
    key = _key(attack, data, crop, seed)
    path = folder / "results" / f"{key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = _read(path)
    if kept is None or _missing(kept, judges, grid):
        if attack:
            cloaks = folder / "cloaks" / re.sub(r"[^\w.+-]", "_", attack.name)
            rgb_hwc, kept = _cloaked(attack, data, source.name, cloaks, f"{source.stem}-{key[:8]}", kept, seed)
        else:
            rgb_hwc, kept = decode(data, name=source.name).rgb_hwc, kept or {"photo": source.name, "answers": {}}
        _answer(rgb_hwc, source.name, kept["answers"], _missing(kept, judges, grid), crop)
        write_whole(path, json.dumps(kept).encode(), force=True)
    return _record(kept, label, judges, grid)


def _is_for_tuning(photo: Path, origin: str) -> bool:
    return hashlib.sha256(photo.read_bytes()).digest()[0] < TUNING_BELOW[origin]


def success_of(plain: Sequence[Record], cloaked: Sequence[Record], judge: str, recompression: str) -> Success:
    """Over photos: records without a cloak and with it, in the same order, and names."""
    return count_success(
        [record.label for record in plain],
        [record.answers[judge, NONE.name] for record in plain],
        [record.answers[judge, recompression] for record in plain],
        [record.answers[judge, recompression] for record in cloaked],
    )


def _key(attack: Attack | None, data: bytes, crop: float, seed: int) -> str:
    settings = [attack.name, attack.settings, seed] if attack else None
    parts = [_FORMAT, PIL.__version__, settings, hashlib.sha256(data).hexdigest(), crop]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _cloaked(
    attack: Attack, data: bytes, name: str, folder: Path, stem: str, kept: dict[str, Any] | None, seed: int
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The pixels of the saved file, made anew unless it is there as the record says, and the record."""
    if kept is not None and (saved := _unchanged(folder / kept["file"], kept["saved_sha256"])):
        return decode(saved, name=kept["file"]).rgb_hwc, kept
    started = time.perf_counter()
    photo = decode(data, name=name)
    before_cloak = time.perf_counter()
    cloaked: Photo = attack.cloak(photo, _seed_of(seed, data))
    after_cloak = time.perf_counter()
    saved = encode(cloaked, _AS_CAME)
    ended = time.perf_counter()
    file = f"{stem}.{_EXTENSIONS[encoded_format(cloaked, _AS_CAME)]}"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / file, saved, force=True)
    rgb_hwc = decode(saved, name=file).rgb_hwc
    values = dataclasses.asdict(measure(photo.rgb_hwc, rgb_hwc))
    return rgb_hwc, {
        "photo": name,
        "attack": attack.name,
        "file": file,
        "saved_sha256": hashlib.sha256(saved).hexdigest(),
        "visibility": {field: None if math.isnan(value) else value for field, value in values.items()},
        "cloak_seconds": after_cloak - before_cloak,
        "all_seconds": ended - started,
        "answers": {},
    }


def _unchanged(path: Path, sha256: str) -> bytes | None:
    """The bytes of a file if it is there and still the same."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha256 else None


def _seed_of(seed: int, data: bytes) -> int:
    """Of this photo: a photo's cloak does not depend on which others were done before."""
    return int.from_bytes(hashlib.sha256(f"{seed} {hashlib.sha256(data).hexdigest()}".encode()).digest()[:7])


def _missing(
    kept: dict[str, Any], judges: Sequence[Judge], grid: Sequence[Recompression]
) -> dict[Recompression, list[Judge]]:
    answers = kept["answers"]
    missing = {entry: [judge for judge in judges if _place(judge, entry) not in answers] for entry in grid}
    return {entry: needed for entry, needed in missing.items() if needed}


def _answer(
    rgb_hwc: NDArray[np.uint8],
    name: str,
    answers: dict[str, list[int]],
    missing: dict[Recompression, list[Judge]],
    crop: float,
) -> None:
    """Fill in what the judges say, each asked once for all recompressions of a photo."""
    posted = {entry: entry(rgb_hwc) for entry in missing}
    for judge in dict.fromkeys(judge for needed in missing.values() for judge in needed):
        entries = [entry for entry, needed in missing.items() if judge in needed]
        try:
            said = ask(judge, [posted[entry] for entry in entries], crop)
        except TrainingError as error:
            raise TrainingError(f"{name}: {error}") from error
        answers |= {_place(judge, entry): list(answer) for entry, answer in zip(entries, said, strict=True)}


def _place(judge: Judge, entry: Recompression) -> str:
    return f"{judge.name}@{judge.digest} after {entry!r}"


def _read(path: Path) -> dict[str, Any] | None:
    """None for no record, or one that does not open, which is then made again."""
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("answers"), dict) else None


def _record(kept: dict[str, Any], label: int, judges: Sequence[Judge], grid: Sequence[Recompression]) -> Record:
    answers = {
        (judge.name, entry.name): tuple(kept["answers"][_place(judge, entry)]) for judge in judges for entry in grid
    }
    if "visibility" not in kept:
        return Record(label=label, answers=answers)
    values = {field: math.nan if value is None else value for field, value in kept["visibility"].items()}
    return Record(
        label=label,
        answers=answers,
        visibility=Visibility(**values),
        cloak_seconds=kept["cloak_seconds"],
        all_seconds=kept["all_seconds"],
    )
