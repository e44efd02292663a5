"""Rows of the ComDefend tables in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from training.evaluate.success import wilson_interval
from training.recipes.comdefend_cells import GREY, WHITE

if TYPE_CHECKING:
    from training.recipes.comdefend_table import TableConfig

Rows = Sequence[dict[str, Any]]
_TITLES = {"clean": "clean", "fgsm": "FGSM", "bim": "BIM", "pgd": "PGD", "deepfool": "DeepFool", "cw": "C&W",
           "cloak": "our cloak"}  # fmt: skip


def page(rows: Rows, quality: Rows, ablation: Rows, config: TableConfig, machine: str) -> str:
    """All tables, after a line on what was attacked how and where."""
    attack = config.attack
    lines = [
        f"Measured on {machine}; seed {config.seed}. FGSM, BIM and PGD: linf {attack.budget_levels:g}/255, "
        f"{attack.steps} steps of a quarter of it; C&W: l2, c {attack.cw_weight:g}, {attack.cw_steps} steps; DeepFool: "
        f"l2, {attack.deepfool_classes} classes. Shares of all pictures that are named rightly.",
        "",
    ]
    for found in dict.fromkeys((row["set"], row["classifier"]) for row in rows):
        of_one = [row for row in rows if (row["set"], row["classifier"]) == found]
        for box in (GREY, WHITE):
            lines += _accuracies([row for row in of_one if row["box"] == box], f"{found[0]}, {found[1]}, {box} box")
    for name in dict.fromkeys(row["set"] for row in quality):
        lines += [f"### {name}: clean pictures after the defence", ""]
        lines += _table(["defence", "PSNR, dB", "SSIM", "pictures"])
        for row in (row for row in quality if row["set"] == name):
            lines.append(_line([row["defence"], f"{row['psnr_db']:.2f}", f"{row['ssim']:.4f}", row["pictures"]]))
        lines.append("")
    if ablation:
        lines += ["### Ablation", "", *_table(list(ablation[0]))]
        lines += [_line([_told(value) for value in row.values()]) for row in ablation]
    return "\n".join([*lines, ""])


def _accuracies(rows: Rows, title: str) -> Iterator[str]:
    if not rows:
        return
    defences = list(dict.fromkeys(row["defence"] for row in rows))
    yield f"### {title}: {rows[0]['count']} pictures"
    yield ""
    yield from _table(["attack", *defences])
    for attack in dict.fromkeys(row["attack"] for row in rows):
        by = {row["defence"]: row for row in rows if row["attack"] == attack}
        yield _line([_TITLES[attack], *(f"{100 * by[name]['accuracy']:.1f} %" for name in defences)])
    yield ""
    low, high = wilson_interval(rows[0]["count"] // 2, rows[0]["count"])
    yield f"A share of one half of so many pictures has a 95 % interval of {100 * low:.0f} to {100 * high:.0f} %."
    yield ""


def _told(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _table(heads: Sequence[str]) -> list[str]:
    return [_line(heads), "|---" * len(heads) + "|"]


def _line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
