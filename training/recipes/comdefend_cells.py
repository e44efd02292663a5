"""One subject, defences and attacks in, a row a pair out: how many pictures are still named rightly."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobile_app.core.files import write_whole
from mobile_app.core.preprocess import to_uint8
from mobile_app.core.quality import psnr_db, ssim
from training.progress import track
from training.recipes.comdefend_attacks import AttackConfig, attack_method
from training.recipes.comdefend_defences import NONE, Defence, Defended
from training.recipes.sparse_cells import Subject, run_cell

CLEAN = "clean"
GREY, WHITE = "grey", "white"


def grey_rows(
    subject: Subject,
    defences: Sequence[Defence],
    attacks: Sequence[str],
    config: AttackConfig,
    folder: Path,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Attacks on the classifier alone, each then shown to it through every defence; clean pictures first."""
    for name in (CLEAN, *attacks):
        images = subject.images if name == CLEAN else attacked(subject, name, config, folder, seed)
        for defence in defences:
            yield _row(subject, defence, GREY, name, right(subject, defence, images, folder))


def white_rows(
    subject: Subject,
    defences: Sequence[Defence],
    attacks: Sequence[str],
    config: AttackConfig,
    folder: Path,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Attacks through every defence, along all of its routes; clean pictures first."""
    for name in (CLEAN, *attacks):
        for defence in defences:
            held = right(subject, defence, subject.images, folder)
            for route in defence.routes if name != CLEAN else ():
                held = held & right(
                    subject, defence, through(subject, defence, route, name, config, folder, seed), folder
                )
            yield _row(subject, defence, WHITE, name, held)


def attacked(subject: Subject, attack: str, config: AttackConfig, folder: Path, seed: int) -> Tensor:
    """Adversarial images of the subject's network as it stands."""
    return run_cell(subject, attack_method(attack, config), folder, seed=seed).adversarial


def through(
    subject: Subject, defence: Defence, route: str, attack: str, config: AttackConfig, folder: Path, seed: int
) -> Tensor:
    """Adversarial images of the network behind the defence, differentiated along a route."""
    method = attack_method(attack, config)
    if defence.name != NONE:
        method = dataclasses.replace(method, settings={**method.settings, "through": [defence.key, route]})
        network = Defended(subject.network, defence.routes[route]).eval()
        subject = dataclasses.replace(subject, network=network)
    return run_cell(subject, method, folder, seed=seed).adversarial


def right(subject: Subject, defence: Defence, images: Tensor, folder: Path) -> Tensor:
    """(N,) bool: which images the network names rightly behind the defence; read from `folder` where it is known."""
    content = hashlib.sha256(f"{subject.digest()} {defence.key}".encode() + images.contiguous().numpy().tobytes())
    path = folder / f"{content.hexdigest()[:24]}.npy"
    answers = _read(path, len(images))
    if answers is None:
        with torch.no_grad():
            parts = track(images.split(subject.batch), f"{subject.title} behind {defence.name}")
            answers = torch.cat([subject.network(defence.purify(part)).argmax(1) for part in parts])
        buffer = io.BytesIO()
        np.save(buffer, answers.numpy())
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, buffer.getvalue(), force=True)
    return answers == subject.labels


def quality_row(subject: Subject, defence: Defence) -> dict[str, Any]:
    """Mean PSNR and SSIM of clean images after the defence, in 8 bits; an image that comes back whole is left out."""
    psnrs, ssims = [], []
    with torch.no_grad():
        for part in track(subject.images.split(subject.batch), f"quality of {defence.name}"):
            for before, after in zip(part, defence.purify(part), strict=True):
                pair = to_uint8(before[None].numpy()), to_uint8(after[None].numpy())
                psnrs.append(psnr_db(*pair))
                ssims.append(ssim(*pair))
    finite = [value for value in psnrs if np.isfinite(value)]
    mean = float(np.mean(finite)) if finite else float("inf")
    return {"defence": defence.name, "pictures": len(psnrs), "psnr_db": mean, "ssim": float(np.mean(ssims))}


def _row(subject: Subject, defence: Defence, box: str, attack: str, held: Tensor) -> dict[str, Any]:
    correct = int(held.sum())
    return {"classifier": subject.title, "defence": defence.name, "box": box, "attack": attack,
            "count": len(held), "correct": correct, "accuracy": correct / len(held)}  # fmt: skip


def _read(path: Path, count: int) -> Tensor | None:
    try:
        answers = torch.from_numpy(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None
    return answers if answers.shape == (count,) else None
