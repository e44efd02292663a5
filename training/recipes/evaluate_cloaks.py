"""Attacks x judges x recompressions over photos: a CSV, a Markdown table and plots of how often a cloak works.

    python -m training evaluate [--photos 50] [--grid quick] [--attacks gradient mi_fgsm] [--out runs/evaluate]

Everything that was cloaked or judged is kept under `out`; the same command goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mobile_app.core.cloak import STRENGTHS
from mobile_app.core.files import write_whole
from mobile_app.core.step import StepConfig
from training.evaluate.attacks import Attack, open_attacks
from training.evaluate.judges import Judge, open_judges
from training.evaluate.machine import machine
from training.evaluate.protocol import SETS, PhotoSet, Record, examine, open_set
from training.evaluate.recompression import NONE, Recompression, choose_grid
from training.progress import counting
from training.recipes import evaluate_table as table

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What to measure. Empty attacks and judges mean all that can be had here."""

    photos: int | None = None  # at most so many of each set, drawn by the seed; None: all
    sets: tuple[str, ...] = ("nips17", "photos")
    attacks: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    grid: tuple[str, ...] = ("full",)
    strength: str = "medium"
    steps: int = 19
    rounds: int = 3  # of the engine `gradient`, at most; 1: no photo gets more than `steps`
    seed: int = 0

    def __post_init__(self) -> None:
        if self.photos is not None and self.photos < 1:
            raise ValueError(f"photos: expected 1 or more, got {self.photos}")
        if not self.sets or not set(self.sets) <= set(SETS):
            raise ValueError(f"sets: expected some of {', '.join(SETS)}, got {' '.join(self.sets) or 'none'}")
        if self.strength not in STRENGTHS:
            raise ValueError(f"strength: expected one of {', '.join(STRENGTHS)}, got {self.strength!r}")
        if not 1 <= self.steps <= 1000:
            raise ValueError(f"steps: expected 1 to 1000, got {self.steps}")
        if not 1 <= self.rounds <= 100:
            raise ValueError(f"rounds: expected 1 to 100, got {self.rounds}")
        if self.seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {self.seed}")


def evaluate_cloaks(shared: Path, out: Path, config: EvaluateConfig, *, command: str, report: Report) -> Path:
    """Measure what is not in `out` yet and write the tables and plots there.

    Args:
        shared: the folder with data/, judges/ and weights/.
        command: as it was typed, for the table.
    Returns: the path of table.md.
    Raises: TrainingError if photos, or an attack or judge that was named, cannot be had; or if a judge fails.
    """
    grid = choose_grid(config.grid)
    sets = [open_set(shared, name, config.photos, config.seed) for name in dict.fromkeys(config.sets)]
    budget = STRENGTHS[config.strength]
    step = StepConfig(budget_levels=budget, steps=config.steps, rounds=config.rounds)
    attacks, no_attacks = open_attacks(config.attacks, step, shared)
    judges, no_judges = open_judges(config.judges, shared)
    for reason in (*no_attacks, *no_judges):
        report(f"left out: {reason}")
    about = [
        f"# Cloaks at {config.strength} strength ({budget:g} levels, {config.steps} steps, rounds: {config.rounds})",
        "",
        f"Machine: {machine()}. Date: {date.today().isoformat()}. Seed: {config.seed}. Command:",
        f"`{command}`.",
        "",
        *(f"Left out: {reason}\n" for reason in (*no_attacks, *no_judges)),
    ]
    return evaluate(sets, attacks, judges, grid, out, seed=config.seed, about="\n".join(about), report=report)


def evaluate(
    sets: Sequence[PhotoSet],
    attacks: Sequence[Attack],
    judges: Sequence[Judge],
    grid: Sequence[Recompression],
    out: Path,
    *,
    seed: int,
    about: str,
    report: Report,
) -> Path:
    """The protocol itself, over whatever it is given; see evaluate_cloaks. `about` opens table.md."""
    out.mkdir(parents=True, exist_ok=True)
    results = [_measured(photos, attacks, judges, grid, out, seed) for photos in sets]
    rows = [row for result in results for row in table.success_rows(result, judges, grid)]
    write_whole(out / "success.csv", table.as_csv(rows), force=True)
    photo_rows = [row for result in results for row in table.photo_rows(result)]
    write_whole(out / "photos.csv", table.as_csv(photo_rows), force=True)
    sections = [about, table.LEGEND]
    for result in results:
        sections.append(table.section(result, judges, grid))
        for name, picture in table.plots(result, judges, grid).items():
            write_whole(out / name, picture, force=True)
            sections.append(f"![{Path(name).stem.replace('-', ' ')}]({name})\n")
        for line in table.summary(result, judges, grid):
            report(line)
    write_whole(out / "table.md", "\n".join(sections).encode(), force=True)
    return out / "table.md"


def _measured(
    photos: PhotoSet,
    attacks: Sequence[Attack],
    judges: Sequence[Judge],
    grid: Sequence[Recompression],
    out: Path,
    seed: int,
) -> table.Result:
    """Photo by photo, so that a stopped run has all attacks on the photos that it came to."""
    plain: list[Record] = []
    cloaked: dict[str, list[Record]] = {attack.name: [] for attack in attacks}
    whole = grid if NONE in grid else (NONE, *grid)  # a photo counts only if the judge knows it when clean
    with counting(len(photos.photos) * (len(attacks) + 1), photos.name) as advance:
        for path, label in photos.photos:
            shared = {"crop": photos.crop, "judges": judges, "folder": out, "seed": seed}
            plain.append(examine(None, path, label, grid=whole, **shared))
            advance(1)
            for attack in attacks:
                cloaked[attack.name].append(examine(attack, path, label, grid=grid, **shared))
                advance(1)
    return table.Result(photos=photos, attacks=tuple(attacks), plain=plain, cloaked=cloaked)
