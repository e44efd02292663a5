"""One photo file in, the bytes of the protected one out, with a row of facts; what `cloak` and `demo` share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_app import __version__
from mobile_app.cli import preview, report
from mobile_app.cli.models import Recogniser
from mobile_app.core.bundle import Bundle
from mobile_app.core.cloak import MEDIUM, cloak
from mobile_app.core.engines import Engine
from mobile_app.core.photo import KEEP, EncodeConfig, Photo, decode, encode, encoded_format
from mobile_app.core.quality import largest_change_levels
from mobile_app.core.step import StepConfig


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what a photo becomes."""

    engine: str = "gradient"
    strength: str | None = "medium"  # None where the budget was given in levels
    step: StepConfig = MEDIUM
    encode: EncodeConfig = KEEP

    def as_row(self) -> dict[str, Any]:
        """Plain data for the report."""
        return {"engine": self.engine, "strength": self.strength, **asdict(self.step), **asdict(self.encode)}

    def with_bundle(self, bundle: Bundle) -> dict[str, Any]:
        """Plain data that is equal where the outputs are; a strength and its budget in levels are one and the same."""
        return {**self.as_row(), "strength": None, "bundle": bundle.sha256, "version": __version__}


@dataclass(frozen=True, kw_only=True, eq=False)
class Protected:
    """A protected photo, not yet written."""

    before: Photo
    composed: NDArray[np.uint8]  # (H, W, 3) before it was encoded
    data: bytes  # of the file
    format: str
    row: dict[str, Any]


def protect(
    source: Path,
    engine: Engine,
    settings: Settings,
    *,
    check: Callable[[str], None] = lambda _format: None,
    on_step: Callable[[int], None] = lambda _step: None,
    now: Callable[[], float] = time.perf_counter,
) -> Protected:
    """Decode, cloak and encode one photo.

    Args:
        check: called with the format that will be written, before the long part; may raise.
    Raises: PhotoError, GraphError, and what `check` raises.
    """
    started = now()
    photo = decode(source, name=str(source))
    written_format = encoded_format(photo, settings.encode)
    check(written_format)
    decoded = now()
    result = cloak(photo, engine, settings.step, on_step=lambda done, _steps: on_step(done))
    cloaked = now()
    data = encode(result.photo, settings.encode)
    encoded = now()
    row = {
        "source": str(source),
        "output": None,  # known to whoever writes it
        "size_px": list(photo.size_px),
        "format": written_format,
        "engine": result.engine,
        "strength": settings.strength,
        "budget_levels": settings.step.budget_levels,
        "steps": settings.step.steps,
        "seconds": {
            "decode": round(decoded - started, 4),
            "cloak": round(cloaked - decoded, 4),
            "encode": round(encoded - cloaked, 4),
        },
        "notes": list(photo.notes),
    }
    return Protected(before=photo, composed=result.photo.rgb_hwc, data=data, format=written_format, row=row)


def measured(
    before: NDArray[np.uint8], composed: NDArray[np.uint8] | None, after: NDArray[np.uint8], recogniser: Recogniser
) -> dict[str, Any]:
    """What the report adds to a row: the change that the saved file brings, and what a recogniser sees.

    Args:
        composed: as the photo was before it was encoded; None where that is no longer known.
        after: the saved file, decoded again.
    """
    return {
        "composed_largest_levels": None if composed is None else largest_change_levels(before, composed),
        "change": report.change(before, after),
        "seen": report.seen(before, after, recogniser),
    }


def captions(row: dict[str, Any]) -> preview.Captions:
    """Words for the panels of the preview, from a measured row."""
    facts = row["change"]
    quality = "equal" if facts["psnr_db"] is None else f"PSNR {facts['psnr_db']:.1f} dB, SSIM {facts['ssim']:.3f}"
    seen = row["seen"]
    return preview.Captions(before=guess_text(seen["before"]), after=guess_text(seen["after"]), difference=quality)


def guess_text(guess: dict[str, Any]) -> str:
    """A label and its probability for a person."""
    return f"{guess['label']} {guess['probability']:.0%}{', not sure' if guess['unsure'] else ''}"
