"""One cell of the sparse tables: a method on a set of images, done once and kept, one file for each batch."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mobile_app.core.files import write_whole
from training.attacks.sparse.measure import SparseRow, summarise
from training.attacks.sparse.result import is_fooled
from training.recipes.sparse_methods import Method


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network and the images, (N, 3, H, W) in [0, 1], that it has right."""

    title: str
    network: nn.Module
    images: Tensor
    labels: Tensor
    batch: int  # images that an attack sees at once

    def digest(self) -> str:
        """Names the network."""
        return _digest(*self.network.state_dict().values())


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """What came out."""

    title: str
    adversarial: Tensor
    fooled: Tensor  # (N,) bool
    row: SparseRow
    seconds: float  # an image, as long as the attack took on this machine


def run_cell(
    subject: Subject, method: Method, folder: Path, *, seed: int, on_batch: Callable[[int, int], None] | None = None
) -> Cell:
    """Attack the subject batch by batch; a batch with the same network, settings, images and seed in `folder` is read.

    Each batch's generator starts from the seed, so a run that was stopped ends like one that was not, and a run with
    more images goes on from one with fewer. A file that does not open is made again.
    """
    start = run_cell(subject, method.begins_with, folder, seed=seed) if method.begins_with else None
    key = json.dumps([subject.digest(), method.title, method.settings, seed], sort_keys=True)
    parts: list[tuple[Tensor, float]] = []
    total = -(-len(subject.images) // subject.batch)
    pairs = zip(subject.images.split(subject.batch), subject.labels.split(subject.batch), strict=True)
    for number, (images, labels) in enumerate(pairs):
        done = start.adversarial[number * subject.batch :][: subject.batch] if start else None
        stem = hashlib.sha256(f"{key}{_digest(images, labels)}".encode()).hexdigest()
        path = folder / f"{stem[:24]}.npz"
        part = _read(path, images)
        if part is None:
            begun = time.perf_counter()
            adversarial = _attacked(subject.network, method, images, labels, done, seed)
            part = (adversarial, time.perf_counter() - begun)
            _write(path, *part)
        parts.append(part)
        if on_batch:
            on_batch(number + 1, total)
    adversarial = torch.cat([part for part, _ in parts])
    pairs = zip(adversarial.split(subject.batch), subject.labels.split(subject.batch), strict=True)
    fooled = torch.cat([is_fooled(subject.network, images, labels) for images, labels in pairs])
    return Cell(
        title=method.title,
        adversarial=adversarial,
        fooled=fooled,
        row=summarise(subject.images, adversarial, fooled),
        seconds=sum(seconds for _, seconds in parts) / len(adversarial) + (start.seconds if start else 0.0),
    )


def ratio_of_l0(subject: Subject, cell: Cell, other: Cell) -> tuple[float, int]:
    """Mean l0 of `cell` over that of `other` on the images where both succeed, and their number; NaN for none."""
    both = cell.fooled & other.fooled
    if not both.any():
        return float("nan"), 0
    counts = [
        ((done.adversarial - subject.images)[both] != 0).flatten(1).sum(1).double().mean() for done in (cell, other)
    ]
    return (counts[0] / counts[1]).item(), int(both.sum())


def as_record(subject: Subject, budget_levels: float, cell: Cell) -> dict[str, object]:
    """A line of the CSV."""
    numbers = dataclasses.asdict(cell.row)
    return {"network": subject.title, "budget_levels": budget_levels, "method": cell.title, **numbers,
            "seconds_an_image": cell.seconds}  # fmt: skip


def _attacked(
    network: nn.Module, method: Method, images: Tensor, labels: Tensor, start: Tensor | None, seed: int
) -> Tensor:
    if start is not None and method.refine is not None:
        return method.refine(network, images, labels, start).detach().contiguous()
    assert method.attack is not None
    return method.attack(network, images, labels, torch.Generator().manual_seed(seed)).detach().contiguous()


def _digest(*tensors: Tensor) -> str:
    sha = hashlib.sha256()
    for values in tensors:
        sha.update(values.contiguous().numpy().tobytes())
    return sha.hexdigest()


def _write(path: Path, adversarial: Tensor, seconds: float) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, adversarial=adversarial.numpy(), seconds=seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue(), force=True)


def _read(path: Path, images: Tensor) -> tuple[Tensor, float] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            adversarial, seconds = torch.from_numpy(content["adversarial"]), float(content["seconds"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return (adversarial, seconds) if adversarial.shape == images.shape else None
