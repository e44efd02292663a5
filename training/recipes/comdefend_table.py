"""ComDefend beside other defences: pictures, a classifier and attacks in, accuracies with and without defence out.

Accuracy is over all pictures, also those that the classifier has wrong when clean. Grey box: the attacker knows the
classifier and not the defence. White box: it differentiates through the defence, once along each of its routes, and a
picture counts as held only if none of them changes the answer to a wrong one. What is done is kept, so that the same
command goes on, and one with more pictures or attacks adds what is missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from training.data.cifar10 import Cifar10
from training.errors import TrainingError
from training.evaluate.machine import machine
from training.evaluate.protocol import open_set
from training.models.cifar_resnet import cifar_resnet
from training.models.efficientnet_lite import efficientnet_lite
from training.recipes.comdefend_ablation import ablation_rows
from training.recipes.comdefend_attacks import ATTACKS, CLOAK, AttackConfig
from training.recipes.comdefend_cells import grey_rows, quality_row, white_rows
from training.recipes.comdefend_classifier import TuneConfig, tuned_classifier
from training.recipes.comdefend_defences import Defence, classic_defences, comdefend_defence, no_defence
from training.recipes.comdefend_pages import page
from training.recipes.run_state import write_rows
from training.recipes.sparse_cells import Subject

SETS = ("cifar10", "nips17")
PUBLISHED, PHONE = "ComDefend", "ComDefend, phone"
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class TableConfig:
    """What is measured."""

    sets: tuple[str, ...] = SETS
    images: int = 200  # CIFAR-10 test pictures
    photos: int = 48  # of nips17, of the protocol's part for tables
    white_images: int = 64  # of these, the first so many in white box
    white_photos: int = 16
    attack: AttackConfig = field(default_factory=AttackConfig)
    grey: tuple[str, ...] = ATTACKS
    white: tuple[str, ...] = ("fgsm", "pgd")
    cloak: bool = True  # our own, on nips17
    published_on_photos: bool = False  # 78.5 GMAC a photo
    tune: TuneConfig | None = field(default_factory=TuneConfig)  # the defence at training, CIFAR-10
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = sorted({*self.sets} - {*SETS}), sorted({*self.grey, *self.white} - {*ATTACKS})
        if unknown[0] or not self.sets:
            raise ValueError(f"sets: expected some of {', '.join(SETS)}, got {', '.join(unknown[0]) or 'none'}")
        if unknown[1]:
            raise ValueError(f"attacks: expected some of {', '.join(ATTACKS)}, got {', '.join(unknown[1])}")
        for name in ("images", "photos", "white_images", "white_photos"):
            if not 1 <= getattr(self, name) <= 10_000:
                raise ValueError(f"{name}: expected 1 to 10000, got {getattr(self, name)}")


def comdefend_table(
    shared: Path,
    out: Path,
    config: TableConfig,
    *,
    phone: Path | None,
    published: Path | None = None,
    ablations: Sequence[Path] = (),
    report: Report = lambda _line: None,
) -> Path:
    """Measure, and write results.csv, quality.csv, ablation.csv and table.md into `out`; returns the last one's path.

    Args:
        phone, published: comdefend.pt files; without any, the other defences alone are measured.
        ablations: comdefend.pt files to compare with one another on CIFAR-10.
    Raises: TrainingError if data, weights or a model are missing.
    """
    rows: list[dict[str, Any]] = []
    quality: list[dict[str, Any]] = []
    compared: list[dict[str, Any]] = []
    for name in config.sets:
        subject = _open(name, shared, config)
        models = {PHONE: phone, PUBLISHED: published if name == "cifar10" or config.published_on_photos else None}
        defences = [no_defence(), *_comdefends(models, patchwise=name == "nips17"), *classic_defences()]
        names = (*config.grey, CLOAK) if config.cloak and name == "nips17" else config.grey
        for found in _measured(subject, defences, names, out / "cells", config, report):
            (quality if "psnr_db" in found else rows).append({"set": name, **found})
        if name == "cifar10" and phone is not None and config.tune is not None:
            (defence,) = _comdefends({PHONE: phone}, patchwise=False)
            tuned = tuned_classifier(subject.network, defence, _cifar(shared), config.tune, out)
            learned = dataclasses.replace(subject, network=tuned, title=f"{subject.title}, tuned on {PHONE}")
            found = grey_rows(learned, [no_defence(), defence], config.grey, config.attack, out / "cells", config.seed)
            rows += [{"set": name, **row} for row in found]
        if name == "cifar10" and ablations:
            compared = ablation_rows(subject, ablations, config.attack, config.white_images, out / "cells", config.seed)
    for file, found in (("results.csv", rows), ("quality.csv", quality), ("ablation.csv", compared)):
        if found:
            write_rows(out / file, found)
    path = out / "table.md"
    write_whole(path, page(rows, quality, compared, config, machine()).encode(), force=True)
    return path


def _measured(
    subject: Subject,
    defences: Sequence[Defence],
    names: Sequence[str],
    folder: Path,
    config: TableConfig,
    report: Report,
) -> Iterator[dict[str, Any]]:
    for row in grey_rows(subject, defences, names, config.attack, folder, config.seed):
        report(_told(row))
        yield row
    for defence in defences[1:]:
        yield quality_row(subject, defence)
    count = config.white_images if subject.images.shape[-1] == 32 else config.white_photos
    few = dataclasses.replace(subject, images=subject.images[:count], labels=subject.labels[:count])
    for row in white_rows(few, defences, config.white, config.attack, folder, config.seed):
        report(_told(row))
        yield row


def _told(row: dict[str, Any]) -> str:
    share = f"{row['correct']} of {row['count']}"
    return f"{row['classifier']}, {row['box']} box, {row['attack']}, {row['defence']}: {share}"


def _comdefends(models: dict[str, Path | None], *, patchwise: bool) -> list[Defence]:
    """The published one sees photos as the paper shows them, in patches; that of the phone sees them whole."""
    return [
        comdefend_defence(name, path, patchwise=patchwise and name == PUBLISHED)
        for name, path in models.items()
        if path is not None
    ]


def _open(name: str, shared: Path, config: TableConfig) -> Subject:
    if name == "cifar10":
        weights = sorted((shared / "weights" / "cifar10_resnets").glob("resnet20-*.th"))
        if not weights:
            raise TrainingError(f"{shared}/weights/cifar10_resnets: expected resnet20-*.th; say where with --shared")
        cifar = Cifar10(_cifar(shared), "test")
        chosen = np.random.default_rng(config.seed).permutation(len(cifar))[: config.images]
        images = torch.from_numpy(cifar.images(chosen).transpose(0, 3, 1, 2).astype(np.float32) / 255)
        network = cifar_resnet(20, weights=weights[0])
        return _subject("ResNet-20", network, images, torch.from_numpy(cifar.labels[chosen]), batch=50)
    photos = open_set(shared, "nips17", config.photos, config.seed)
    network = efficientnet_lite(0)
    inputs = [
        to_network_input(decode(path, name=path.name).rgb_hwc, network.size_px, photos.crop)
        for path, _ in photos.photos
    ]
    labels = torch.tensor([label for _, label in photos.photos])
    return _subject("EfficientNet-Lite0", network, torch.from_numpy(np.concatenate(inputs)), labels, batch=8)


def _subject(title: str, network: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch: int) -> Subject:
    return Subject(title=title, network=network.eval().requires_grad_(False), images=images, labels=labels, batch=batch)


def _cifar(shared: Path) -> Path:
    return shared / "data" / "cifar10" / "cifar10_jpeg.npz"
