"""ComDefends of other noise and other lengths of code, side by side on CIFAR-10."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.models.comdefend import load_comdefend
from training.recipes.comdefend_attacks import AttackConfig
from training.recipes.comdefend_cells import grey_rows, quality_row, white_rows
from training.recipes.comdefend_defences import comdefend_defence
from training.recipes.sparse_cells import Subject

_ATTACKS = ("fgsm", "pgd")


def ablation_rows(
    subject: Subject, paths: Sequence[Path], config: AttackConfig, white_images: int, folder: Path, seed: int
) -> list[dict[str, Any]]:
    """A row a model: its settings, the quality of what it gives back, accuracies in both boxes as shares."""
    few = dataclasses.replace(subject, images=subject.images[:white_images], labels=subject.labels[:white_images])
    rows = []
    for path in paths:
        model, facts = load_comdefend(path)
        defence = comdefend_defence("ablation", path, patchwise=False)
        found = [
            *grey_rows(subject, [defence], _ATTACKS, config, folder, seed),
            *white_rows(few, [defence], _ATTACKS, config, folder, seed),
        ]
        quality = quality_row(subject, defence)
        shares = {f"{row['box']}_{row['attack']}": row["accuracy"] for row in found}
        shares.pop("white_clean")
        rows.append(
            {
                "net": model.config.net,
                "noise": model.config.noise,
                "code_bits": model.config.code_bits,
                "steps": facts["config"]["steps"],
                "psnr_db": quality["psnr_db"],
                "ssim": quality["ssim"],
                **shares,
            }
        )
    return rows
