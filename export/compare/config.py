"""What a comparison is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from export.graphs import Checkpoints
from export.precisions.variants import PRECISIONS


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """What to compare, and on what."""

    out: Path
    graphs: tuple[str, ...] = ()  # names; none stands for all
    precisions: tuple[str, ...] = PRECISIONS
    calibration: Path | None = None  # photos for int8; None takes the sample pictures of scikit-image
    labelled: Path | None = None  # photos with labels.csv
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    flower_calibration: Path | None = None  # photos of flowers
    shared: Path = Path("../shared")  # where judges are
    calibration_photos: int = 64
    photos: int = 200  # for classifiers
    cloaks: int = 16  # photos that are cloaked
    rounds: int = 25  # of the timing
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.precisions:
            if name not in PRECISIONS:
                raise ValueError(f"precisions: expected some of {', '.join(PRECISIONS)}, got {name!r}")
        if "float32" not in self.precisions:
            raise ValueError("precisions: expected float32 among them, which the others are compared with")
        for name, least in (("calibration_photos", 8), ("photos", 1), ("cloaks", 0), ("rounds", 3)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name}: expected {least} or more, got {getattr(self, name)}")
