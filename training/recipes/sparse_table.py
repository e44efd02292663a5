"""The tables of sparse attacks: AutoAdversary, its rivals, its ablations and its base attacks on the same images."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from training.data.cifar10 import Cifar10
from training.data.labelled import read_labelled
from training.errors import TrainingError
from training.models.cifar_resnet import DEPTHS, cifar_resnet
from training.models.efficientnet_lite import efficientnet_lite
from training.progress import track
from training.recipes import sparse_methods as methods
from training.recipes.sparse_cells import Cell, Subject, as_record, ratio_of_l0, run_cell

TUNING_SHARE = 128  # of 256: content hashes that begin below this were for finding constants, the rest for the tables
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class SparseTableConfig:
    """How much to measure."""

    images: int = 100  # CIFAR-10 test images a network
    photos: int = 30  # of nips17, for EfficientNet-Lite0; 0 leaves these tables out
    depths: tuple[int, ...] = (20, 56)
    cifar_budgets: tuple[float, ...] = (8.0, 16.0)
    photo_budgets: tuple[float, ...] = (8.0, 4.0)
    with_rivals: bool = True
    polish_steps: int = 200
    photo_polish_steps: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.images <= 5000:
            raise ValueError(f"images: expected 0 to 5000, got {self.images}")
        if not 0 <= self.photos <= 404:
            raise ValueError(f"photos: expected 0 to 404, got {self.photos}")
        if self.images == self.photos == 0:
            raise ValueError("images: expected images or photos above 0, got 0 of both")
        if not set(self.depths) <= set(DEPTHS):
            raise ValueError(f"depths: expected some of {', '.join(map(str, DEPTHS))}, got {self.depths}")


def sparse_table(shared: Path, out: Path, config: SparseTableConfig, *, report: Report) -> Path:
    """Measure every cell that is not in `out` yet and write table.csv and table.md there.

    Returns: the path of table.md.
    Raises: TrainingError if data or weights are not under `shared`.
    """
    out.mkdir(parents=True, exist_ok=True)
    writer = _Tables(out, config, report)
    if config.images:
        for depth in config.depths:
            subject = cifar_subject(shared, depth, config.images)
            for budget in config.cifar_budgets:
                rows = methods.ours(budget, methods.SMALL, config.polish_steps)
                if config.with_rivals:
                    rows = {**methods.rivals(budget), **rows}
                writer.add(subject, budget, rows)
        subject = cifar_subject(shared, config.depths[0], config.images)
        budget = config.cifar_budgets[0]
        rows = methods.ablations(budget, methods.SMALL) | methods.ours(budget, methods.SMALL, config.polish_steps)
        writer.add(subject, budget, rows, note=", ablation")
    if config.photos:
        subject = photo_subject(shared, config.photos)
        for budget in config.photo_budgets:
            writer.add(subject, budget, methods.base_attacks(budget, methods.LARGE, config.photo_polish_steps))
    return out / "table.md"


def cifar_subject(shared: Path, depth: int, count: int, *, tuning: bool = False) -> Subject:
    """The first `count` test images of CIFAR-10 that the ResNet has right, of the half for tables or for tuning."""
    folder = shared / "weights" / "cifar10_resnets"
    found = sorted(folder.glob(f"resnet{depth}-*.th"))
    if not found:
        raise TrainingError(f"{folder}: no weights of a ResNet-{depth} (resnet{depth}-*.th); check --shared")
    network = _frozen(cifar_resnet(depth, weights=found[0]))
    data = Cifar10(shared / "data" / "cifar10" / "cifar10_jpeg.npz", "test")
    hashes = {index: data.content_hash(index) for index in range(len(data))}
    indices = [index for index, sha256 in hashes.items() if is_for_tuning(sha256) == tuning]
    indices.sort(key=hashes.__getitem__)  # the file may be sorted by class
    indices = indices[: count + count // 2 + 20]  # about four of five are right
    images = torch.from_numpy(data.images(indices)).permute(0, 3, 1, 2).float().div(255).contiguous()
    images, labels = _right(network, images, torch.from_numpy(data.labels[indices]), count)
    return Subject(title=f"CIFAR-10, ResNet-{depth}", network=network, images=images, labels=labels, batch=25)


def photo_subject(shared: Path, count: int, *, tuning: bool = False) -> Subject:
    """The first `count` photos of nips17, whole and at 224 px, that EfficientNet-Lite0 has right."""
    network = _frozen(efficientnet_lite(0))
    inputs, labels = [], []
    for path, label in read_labelled(shared / "data" / "nips17"):
        if is_for_tuning(hashlib.sha256(path.read_bytes()).hexdigest()) == tuning:
            inputs.append(to_network_input(decode(path).rgb_hwc, network.size_px, crop=1.0))
            labels.append(label)
            if len(labels) >= count + count // 4 + 5:
                break
    images, chosen = _right(network, torch.from_numpy(np.concatenate(inputs)), torch.tensor(labels), count)
    return Subject(title="nips17, EfficientNet-Lite0", network=network, images=images, labels=chosen, batch=4)


def is_for_tuning(sha256: str) -> bool:
    """Whether a picture belongs to the half on which constants are searched, by the first byte of its hash."""
    return int(sha256[:2], 16) < TUNING_SHARE


class _Tables:
    """Cells in, both files written anew after each, so that a stopped run leaves a whole table."""

    def __init__(self, out: Path, config: SparseTableConfig, report: Report) -> None:
        self._out, self._config, self._report = out, config, report
        self._records: list[dict[str, object]] = []
        self._sections: list[str] = []

    def add(self, subject: Subject, budget: float, rows: dict[str, methods.Method], note: str = "") -> None:
        cells: dict[str, Cell] = {}
        title = f"{subject.title}, eps = {budget:g}/255{note}"
        for name in track(rows, title):
            cells[name] = run_cell(subject, rows[name], self._out / "cells", seed=self._config.seed)
            self._records.append(as_record(subject, budget, cells[name]))
            row = cells[name].row
            self._report(f"{title}: {cells[name].title}: ASR {row.asr_percent:.1f} %, l0 {row.l0:.1f}")
            self._write(section(title, subject, cells))
        self._sections.append(section(title, subject, cells))

    def _write(self, unfinished: str) -> None:
        text = "\n".join([*self._sections, unfinished])
        write_whole(self._out / "table.md", text.encode(), force=True)
        lines = io.StringIO(newline="")
        table = csv.DictWriter(lines, list(self._records[0]))
        table.writeheader()
        table.writerows(self._records)
        write_whole(self._out / "table.csv", lines.getvalue().encode(), force=True)


def section(title: str, subject: Subject, cells: dict[str, Cell]) -> str:
    """A heading, a table and the ratios that the project set itself, as Markdown."""
    lines = [f"### {title}", "", f"{len(subject.images)} images of {subject.images[0].numel():,} elements.", ""]
    lines += ["| method | ASR (%) | l0 | pixels | l1 | l2 | linf | s / image |", "|---|---|---|---|---|---|---|---|"]
    for cell in cells.values():
        row = cell.row
        lines.append(
            f"| {cell.title} | {row.asr_percent:.1f} | {row.l0:.1f} | {row.pixels:.1f} | {row.l1:.3f} | {row.l2:.3f} "
            f"| {row.linf:.3f} | {cell.seconds:.2f} |"
        )
    lines += ["", *_ratios(subject, cells)]
    return "\n".join([*lines, ""])


def _ratios(subject: Subject, cells: dict[str, Cell]) -> list[str]:
    lines = []
    for name, other in _COMPARED:
        if name in cells and other in cells:
            ratio, both = ratio_of_l0(subject, cells[name], cells[other])
            titles = f"{cells[name].title}: {ratio:.3f}x the l0 of {cells[other].title}"
            lines.append(f"- {titles}, on the {both} images where both succeed")
    return lines


_COMPARED = [
    *((ours, rival) for ours in ("auto_adversary", "auto_adversary_polish") for rival in ("greedy_fool", "sigma_zero")),
    *((ours, "mi_fgsm") for ours in ("mi_fgsm_pruned", "mi_fgsm_polish")),
]


def _frozen(network: nn.Module) -> nn.Module:
    """Without gradients of the weights, and with channels last: together half of the time on a processor."""
    return network.requires_grad_(False).to(memory_format=torch.channels_last)


def _right(network: nn.Module, images: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        answers = torch.cat([network(part).argmax(1) for part in images.split(25)])
    chosen = (answers == labels).nonzero().flatten()[:count]
    return images[chosen], labels[chosen]
