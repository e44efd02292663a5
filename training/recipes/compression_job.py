"""What `python -m training compression` does: photos read and split, a model a codec trained, one table written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.data.codecs import parse_range
from training.data.pairs import PhotoPair, matched_photos, photos_to_compress, split_pairs
from training.errors import TrainingError
from training.recipes.compression import CompressionConfig, train_commodel
from training.recipes.compression_table import PAPER_CODECS, write_table

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class CompressionJob:
    """What to train on, and where it goes. Either photos or pairs."""

    out: Path
    photos: tuple[Path, ...] = ()
    pairs: tuple[Path, ...] | None = None  # (folder of originals, folder of what came back)
    codecs: tuple[str, ...] = ("jpeg:50",)  # "paper" stands for those of the paper
    together: bool = False  # one model for all
    short_side_px: int = 256
    settings: Mapping[str, Any] = field(default_factory=dict)  # of CompressionConfig
    command: str = ""

    def __post_init__(self) -> None:
        if bool(self.photos) == bool(self.pairs):
            raise ValueError("photos: expected either photos or pairs, got both or neither")
        if not 32 <= self.short_side_px <= 4096:
            raise ValueError(f"short_side_px: expected 32 to 4096, got {self.short_side_px}")

    def configs(self) -> dict[str, CompressionConfig]:
        """The runs by the name of their folder under `out`; "" for `out` itself."""
        if self.pairs:
            return {"": CompressionConfig(codecs=(), **self.settings)}
        texts = [name for text in self.codecs for name in (PAPER_CODECS if text == "paper" else (text,))]
        names = tuple(dict.fromkeys(parse_range(text).text for text in texts))
        if self.together or len(names) == 1:
            return {"": CompressionConfig(codecs=names, **self.settings)}
        return {name.replace(":", "-"): CompressionConfig(codecs=(name,), **self.settings) for name in names}


def run_compression(job: CompressionJob, *, report: Report) -> list[dict[str, Any]]:
    """Train what is not trained yet; returns the rows of table.csv, which stands in job.out beside table.md.

    Raises: TrainingError, PhotoError, ValueError.
    """
    configs = job.configs()
    if job.pairs:
        pairs, faults = matched_photos(*job.pairs)
        for fault in faults:
            report(fault)
    else:
        pairs = photos_to_compress(job.photos, job.short_side_px)
    splits = split_pairs(_large_enough(pairs, max(config.crop_px for config in configs.values()), report))
    report(", ".join(f"{len(found)} photos to {name}" for name, found in splits.items()))
    rows: list[dict[str, Any]] = []
    for name, config in configs.items():
        report(f"{', '.join(config.codecs) or 'pairs'}:")
        rows += train_commodel(config, splits, job.out / name, command=job.command, report=report)[1]
        page = write_table(job.out, rows)
    report(page)
    return rows


def _large_enough(pairs: list[PhotoPair], crop_px: int, report: Report) -> list[PhotoPair]:
    """Those that a crop fits into; the others are reported by name."""
    for pair in pairs:
        height, width = pair.original.shape[:2]
        if min(height, width) < crop_px:
            report(f"{pair.name}: {width} x {height} is smaller than --crop-px {crop_px}, left out")
    kept = [pair for pair in pairs if min(pair.original.shape[:2]) >= crop_px]
    if not kept:
        raise TrainingError(f"photos: expected some of {crop_px} px or more a side, found none; lower --crop-px")
    return kept
