"""From photos to the flower checkpoint that ships: base model, sensitive points, AdvMask training, every figure.

Each stage keeps its result in a folder of `out`, so the same command goes on where it stopped.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import training.data
from mobile_app.core.files import write_whole
from training.augment.augmentation import NEEDS_POINTS
from training.data.class_folders import plain_photos
from training.data.flowers import PhotoSet, load_background
from training.errors import TrainingError
from training.evaluate.classifier import accuracy, calibrate_answers, predict
from training.evaluate.flower_report import as_markdown, measure_flowers, wrong_answers
from training.models.checkpoint import Checkpoint, build, save_checkpoint
from training.recipes.advmask_points import PointsConfig, base_model, points_of_photos
from training.recipes.flowers import MODEL, FlowersConfig, TrainingSet, train_flowers
from training.recipes.flowers_points import PhotoPoints

SHOWS_FLOWER = Path(training.data.__file__).with_name("photos_with_flowers.txt")
CALIBRATION, CALIBRATION_EACH = "calibration", 12  # folder, and photos of each class in it
VIEW_MARGIN = 0.8  # photos are held in memory at the size of the views over this ...
SMALLEST_HELD_PX = 256  # ... and no smaller than this, so that one file of sensitive points serves every run


@dataclass(frozen=True, kw_only=True)
class FlowersJob:
    """What `python -m training flowers` was asked for."""

    config: FlowersConfig
    out: Path
    background: tuple[Path, ...] = ()  # folders of photos of other things, to learn from
    others: Path | None = None  # photos of other things, to be refused
    others_share: float = 0.0  # of `others`, that is learnt from
    shows_flower: Path = SHOWS_FLOWER  # names of photos of other things that do show a flower, one a line
    points: Path = Path("runs/points")  # folder of sensitive points
    points_network: Path | None = None  # on which they are found; by default one that is trained first
    test_sizes_px: tuple[int, ...] = ()  # besides the config's; validation photos choose
    data_licence: str = ""  # said on the model card
    command: str = ""

    def __post_init__(self) -> None:
        if any(not 32 <= size_px <= 1024 for size_px in self.test_sizes_px):
            raise ValueError(f"test_sizes_px: expected 32 to 1024 each, got {self.test_sizes_px}")
        if not 0 <= self.others_share < 1:
            raise ValueError(f"others_share: expected 0 <= others_share < 1, got {self.others_share}")


def run_flowers(
    job: FlowersJob, load: Callable[[int], PhotoSet], *, report: Callable[[str], None] = lambda _line: None
) -> Checkpoint:
    """Do every stage that is not done; write out/model.pt with its figures, report.md, mistakes.csv and calibration/.

    Args:
        load: gives the photos, resized to a short side in px.
    Raises: TrainingError, PhotoError.
    """
    config = job.config
    short_side_px = max(held_size(config), *job.test_sizes_px, 0)
    photos = load(short_side_px)
    learnt, measured = other_photos(job)
    data = TrainingSet(
        photos=photos,
        background=load_background(learnt, short_side_px),
        points=_points(job, photos, report),
    )
    checkpoint = train_flowers(config, data, job.out, command=job.command, report=report)
    checkpoint = at_best_size(checkpoint, load, job.test_sizes_px, report=report)
    seen_px = seen_short_side(checkpoint)
    photos = load(seen_px)
    figures = measure_flowers(checkpoint, photos, load_background(measured, seen_px))
    checkpoint = replace(
        checkpoint,
        metrics={**checkpoint.metrics, "test": figures},
        data={**checkpoint.data, **({"licence": job.data_licence} if job.data_licence else {})},
    )
    save_checkpoint(job.out / MODEL, checkpoint)
    _write_calibration(job.out / CALIBRATION, data)
    page = as_markdown(figures, checkpoint, "Flower classifier")
    write_whole(job.out / "report.md", page.encode(), force=True)
    write_whole(job.out / "mistakes.csv", _csv(wrong_answers(checkpoint, photos)).encode(), force=True)
    report(page)
    return checkpoint


def at_best_size(
    checkpoint: Checkpoint,
    load: Callable[[int], PhotoSet],
    sizes_px: Sequence[int],
    *,
    report: Callable[[str], None] = lambda _line: None,
) -> Checkpoint:
    """The checkpoint at the size at which it does best on validation photos, and calibrated there.

    What a network sees in training is enlarged by the random crops, so it does better on larger photos than its views
    were (Touvron et al. 2019, arXiv:1906.06423). Of two sizes that do as well the smaller is taken. Photos are read
    anew for each size, since the phone resizes them once, and confidence is to be that of the phone.

    Args:
        load: gives the photos, resized to a short side in px.
    """
    network, classes = build(checkpoint), len(checkpoint.classes)
    found: dict[int, tuple[float, Tensor, Tensor]] = {}
    for size_px in sorted({checkpoint.size_px, *sizes_px}):
        photos = load(seen_short_side(replace(checkpoint, size_px=size_px)))
        rows = photos.rows("val")
        labels = torch.from_numpy(photos.labels[rows])
        logits = predict(network, [photos.images[row] for row in rows], size_px, crop=checkpoint.crop)
        found[size_px] = accuracy(logits, labels, classes), logits, labels
        report(f"{size_px} px: {found[size_px][0]:.4f} of validation photos")
    size_px = max(found, key=lambda size_px: (found[size_px][0], -size_px))
    share, logits, labels = found[size_px]
    answers = calibrate_answers(logits * checkpoint.temperature, labels, classes)
    return replace(
        checkpoint,
        size_px=size_px,
        temperature=answers.temperature,
        unsure_below=answers.unsure_below,
        metrics={**checkpoint.metrics, "val_accuracy": share},
    )


def seen_short_side(checkpoint: Checkpoint) -> int:
    """Short side, in px, to which the phone resizes a photo for this network: nothing is left to resize after it."""
    return round(checkpoint.size_px / checkpoint.crop)


def held_size(config: FlowersConfig) -> int:
    """Short side, in px, at which photos are held: enough for the views and for what is seen in a test."""
    return max(SMALLEST_HELD_PX, round(config.size_px / VIEW_MARGIN), round(config.test_size_px / config.crop))


def other_photos(job: FlowersJob) -> tuple[list[Path], list[Path]]:
    """Photos of other things to learn from, and others to be measured on; decided by content."""
    learnt = [path for folder in job.background for path in plain_photos(folder)]
    measured = []
    shows_flower = _names(job.shows_flower)
    for path in plain_photos(job.others) if job.others else []:
        if path.name in shows_flower:
            continue
        share = hashlib.sha256(path.read_bytes()).digest()[0] / 256
        (learnt if share < job.others_share else measured).append(path)
    return [path for path in learnt if path.name not in shows_flower], measured


def _write_calibration(folder: Path, data: TrainingSet) -> None:
    """A few photos of each class and of other things, all learnt from: what the ranges of int8 are taken from."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen: list[NDArray[np.uint8]] = []
    rows = data.photos.rows("train")
    for number in range(len(data.photos.classes)):
        chosen += [data.photos.images[row] for row in rows if data.photos.labels[row] == number][:CALIBRATION_EACH]
    chosen += data.background[: 3 * CALIBRATION_EACH]
    for number, image in enumerate(chosen):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        write_whole(folder / f"{number:04}.png", buffer.getvalue(), force=True)


def _points(job: FlowersJob, photos: PhotoSet, report: Callable[[str], None]) -> PhotoPoints | None:
    if job.config.augmentation not in NEEDS_POINTS or job.config.epochs == 0:
        return None
    base = job.points_network or base_model(job.config, photos, job.points / "base", report=report)
    return points_of_photos(photos, base, job.points, PointsConfig(), report=report)


def _names(path: Path) -> set[str]:
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    except OSError as error:
        raise TrainingError(f"{path}: expected names of photos, one a line ({error.strerror}); name another") from error


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["file", "label", "answer", "probability"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
