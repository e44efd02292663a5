"""The table of ComReAdv: base attacks through ComModels and their rivals, judged after real recompression.

First the budget is sought at which the plain attack works on the clean file and dies of JPEG 50, as in the paper (97 %
and 4 %); then every method gets that very budget, untargeted and targeted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from training.attacks.comreadv import BASE_ATTACKS, BaseAttack
from training.data.codecs import Codec, parse_codec
from training.data.labelled import read_labelled
from training.errors import TrainingError
from training.evaluate.protocol import TUNING_BELOW
from training.models.registry import build_network
from training.recipes.comreadv_cells import success_after
from training.recipes.comreadv_methods import PLAIN, image_key, method, rivals, through_models
from training.recipes.run_state import write_rows
from training.recipes.sparse_cells import Cell, Subject, run_cell

COLLAPSE = "jpeg:50"
PAPER_LEFT_PERCENT = 4.0  # of plain MI-FGSM after JPEG 50 in the paper
CANDIDATES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # levels; a fraction is a level at that share of the places
GOALS = ("untargeted", "targeted")
Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class ComReAdvConfig:
    """How much to measure."""

    network: str = "efficientnet_lite0"
    images: int = 100
    attacks: tuple[BaseAttack, ...] = BASE_ATTACKS
    codecs: tuple[str, ...] = (COLLAPSE,)  # beside none
    goals: tuple[str, ...] = GOALS
    through: tuple[str, ...] = ()  # parts of the names of what attacks go through; none: everything
    budget_levels: float | None = None  # None: sought
    steps: int = 10
    stride: float = 0.25  # of a step, as a share of the budget
    until_reached: bool = False  # each photo is left alone as soon as the attack on it works
    batch: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.images <= 404:
            raise ValueError(f"images: expected 1 to 404, got {self.images}")
        if not self.attacks or not set(self.attacks) <= set(BASE_ATTACKS):
            raise ValueError(f"attacks: expected some of {', '.join(BASE_ATTACKS)}, got {', '.join(self.attacks)}")
        if not self.goals or not set(self.goals) <= set(GOALS):
            raise ValueError(f"goals: expected some of {', '.join(GOALS)}, got {', '.join(self.goals)}")
        if self.budget_levels is not None and not 0.01 <= self.budget_levels <= 64:
            raise ValueError(f"budget_levels: expected 0.01 to 64, got {self.budget_levels}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps: expected 1 to 1000, got {self.steps}")

    @property
    def recompressions(self) -> list[Codec]:
        """`none` first. Raises: TrainingError for a name that is no codec."""
        return list(dict.fromkeys([parse_codec("none"), *map(parse_codec, self.codecs)]))


def comreadv_table(shared: Path, out: Path, config: ComReAdvConfig, models: Sequence[Path], *, report: Report) -> Path:
    """Measure every cell that is not in `out` yet and write table.csv and table.md there; returns the latter's path.

    Raises: TrainingError if photos or models are missing, ValueError for an unknown network.
    """
    codecs = config.recompressions
    known = {**rivals(), **through_models(models)}
    compressions = {name: modules for name, modules in known.items() if _is_meant(name, config.through)}
    if not compressions:
        raise TrainingError(f"through: expected parts of some of {'; '.join(known)}, got {', '.join(config.through)}")
    subject = read_subject(shared / "data" / "nips17", config)
    return measure_table(subject, compressions, codecs, out, config, report=report)


def read_subject(folder: Path, config: ComReAdvConfig) -> Subject:
    """The first photos of a labelled folder, whole and at the network's size, that the network has right.

    Photos that settings are tuned on (`TUNING_BELOW`) are left out.
    """
    network = build_network(config.network).requires_grad_(False).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    images, labels = [], []
    for path, label in read_labelled(folder):
        if hashlib.sha256(path.read_bytes()).digest()[0] < TUNING_BELOW["nips17"]:
            continue
        image = torch.from_numpy(to_network_input(decode(path).rgb_hwc, cast(int, network.size_px), crop=1.0))
        with torch.no_grad():
            if int(network(image).argmax(1)) == label:
                images.append(image)
                labels.append(label)
        if len(labels) == config.images:
            break
    if not labels:
        raise TrainingError(f"{folder}: expected photos that {config.network} has right, found none; check the labels")
    title = f"{folder.name}, {config.network}"
    return Subject(
        title=title, network=network, images=torch.cat(images), labels=torch.tensor(labels), batch=config.batch
    )


def measure_table(
    subject: Subject,
    compressions: dict[str, list[nn.Module]],
    codecs: Sequence[Codec],
    out: Path,
    config: ComReAdvConfig,
    *,
    report: Report,
) -> Path:
    """The table for a subject; both files are written anew after each row, so a stopped run leaves a whole table."""
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    budget = config.budget_levels
    if budget is None:
        for candidate in CANDIDATES:
            two = [parse_codec("none"), parse_codec(COLLAPSE)]
            plain = {PLAIN: rivals()[PLAIN]}
            rows += _rows(subject, plain, two, out, config, f"search, {candidate:g} levels", candidate, ("mi_fgsm",))
            report(_line(rows[-1]))
            _write(out, rows)
        budget = collapse_budget(rows)
        report(f"the budget is {budget:g} levels")
    for title in config.goals:
        goals = draw_targets(subject, config.seed) if title == "targeted" else None
        for row in _rows(
            subject, compressions, codecs, out, config, f"{title}, {budget:g} levels", budget, config.attacks, goals
        ):
            rows.append(row)
            report(_line(row))
            _write(out, rows)
    return out / "table.md"


def collapse_budget(rows: Sequence[dict[str, Any]]) -> float:
    """The budget of a search at which what is left after JPEG 50 is nearest to the paper's; the larger of two."""
    after = parse_codec(COLLAPSE).text
    return min(rows, key=lambda row: (abs(row[after] - PAPER_LEFT_PERCENT), -row["budget_levels"]))["budget_levels"]


def _is_meant(name: str, parts: Sequence[str]) -> bool:
    return not parts or any(part in name for part in parts)


def draw_targets(subject: Subject, seed: int) -> dict[str, int]:
    """A class other than the label for every image, by its content: the same whatever other images there are."""
    with torch.no_grad():
        classes = subject.network(subject.images[:1]).shape[1]
    targets = {}
    for image, label in zip(subject.images, subject.labels.tolist(), strict=True):
        key = image_key(image)
        rng = np.random.default_rng([seed, int(key, 16)])
        targets[key] = int((label + rng.integers(1, classes)) % classes)
    return targets


def _rows(
    subject: Subject,
    compressions: dict[str, list[nn.Module]],
    codecs: Sequence[Codec],
    out: Path,
    config: ComReAdvConfig,
    section: str,
    budget: float,
    attacks: Sequence[BaseAttack],
    targets: dict[str, int] | None = None,
) -> Iterator[dict[str, Any]]:
    for attack in attacks:
        for through, modules in compressions.items():
            row = method(
                f"{attack} through {through}",
                attack,
                modules,
                budget_levels=budget,
                steps=config.steps,
                stride=config.stride,
                until_reached=config.until_reached,
                targets=targets,
            )
            cell = run_cell(subject, row, out / "cells", seed=config.seed)
            yield _record(subject, cell, codecs, out / "answers", targets) | {
                "section": section, "attack": attack, "through": through, "budget_levels": budget
            }  # fmt: skip


def _record(
    subject: Subject, cell: Cell, codecs: Sequence[Codec], folder: Path, targets: dict[str, int] | None
) -> dict[str, Any]:
    goals = None if targets is None else torch.tensor([targets[image_key(image)] for image in subject.images])
    square = (cell.adversarial - subject.images).double().square().mean((1, 2, 3)).clamp(min=1e-12)
    record: dict[str, Any] = {
        "section": "", "attack": "", "through": "", "budget_levels": 0, "images": len(subject.images),
        "mean_levels": float(255 * (cell.adversarial - subject.images).abs().double().mean()),
        "psnr_db": float((-10 * square.log10()).mean()), "seconds_a_photo": cell.seconds,
    }  # fmt: skip
    for codec in codecs:
        success = success_after(subject, cell.adversarial, codec, folder, targets=goals)
        low, high = success.interval_percent
        record |= {codec.text: success.percent, f"{codec.text} low": low, f"{codec.text} high": high}
        record[f"{codec.text} photos"] = success.count
    return record


def _line(row: dict[str, Any]) -> str:
    numbers = ", ".join(f"{name} {row[name]:.1f} %" for name in _codecs_of(row))
    return f"{row['section']}: {row['attack']} through {row['through']}: {numbers}"


def _codecs_of(row: dict[str, Any]) -> list[str]:
    return [name.removesuffix(" photos") for name in row if name.endswith(" photos")]


def _write(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    names = dict.fromkeys(name for row in rows for name in row)
    write_rows(out / "table.csv", [{name: row.get(name, "") for name in names} for row in rows])
    write_whole(out / "table.md", as_markdown(rows).encode(), force=True)


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A table a section: attack, what it goes through, PSNR, and success in percent after each codec."""
    lines: list[str] = []
    for section in dict.fromkeys(row["section"] for row in rows):
        own = [row for row in rows if row["section"] == section]
        codecs = _codecs_of(own[0])
        counts = ", ".join(f"{name} {own[0][f'{name} photos']}" for name in codecs)
        lines += [f"### {section}", "", f"Success in % of the photos that are right without a cloak ({counts}).", ""]
        lines += [
            f"| attack | through | mean levels | PSNR (dB) | {' | '.join(codecs)} | s / photo |",
            "|---" * (len(codecs) + 5) + "|",
        ]
        lines += [
            f"| {row['attack']} | {row['through']} | {row['mean_levels']:.2f} | {row['psnr_db']:.1f} | "
            f"{' | '.join(f'{row[name]:.1f}' for name in codecs)} | {row['seconds_a_photo']:.2f} |"
            for row in own
        ]
        lines.append("")
    return "\n".join(lines)
