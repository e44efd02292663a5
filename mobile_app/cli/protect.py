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
from mobile_app.core.bundle import Bundle
from mobile_app.core.cloak import MEDIUM, cloak
from mobile_app.core.engines import Engine
from mobile_app.core.errors import PhotoError
from mobile_app.core.loading import IN_STEPS, engine_within, load_engine
from mobile_app.core.photo import KEEP, EncodeConfig, Photo, decode, encode, encoded_format
from mobile_app.core.platforms import Platform
from mobile_app.core.quality import largest_change_levels
from mobile_app.core.recogniser import Recogniser
from mobile_app.core.resize import brought_down
from mobile_app.core.runtime import Graph
from mobile_app.core.step import StepConfig

Choose = Callable[[float], tuple[Engine, StepConfig]]  # megapixels of a photo in


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a command line says about what a photo becomes."""

    engine: str | None = "gradient"  # None where the time budget decides
    time_budget_s: float | None = None  # for a photo
    strength: str | None = "medium"  # None where the budget was given in levels
    step: StepConfig = MEDIUM
    encode: EncodeConfig = KEEP
    platform: Platform | None = None  # encode then holds its quality and subsampling

    def as_row(self) -> dict[str, Any]:
        """Plain data for the report."""
        return {
            "engine": self.engine,
            "time_budget_s": self.time_budget_s,
            "strength": self.strength,
            **asdict(self.step),
            **asdict(self.encode),
            "platform": self.platform and self.platform.name,
            "long_side_px": self.platform and self.platform.long_side_px,
        }

    def with_bundle(self, bundle: Bundle) -> dict[str, Any]:
        """Plain data that is equal where the outputs are; a strength and its budget in levels are one and the same.

        A time budget stands for what it chose, which may differ from run to run: else no run would go on where
        another one stopped.
        """
        return {**self.as_row(), "strength": None, "bundle": bundle.sha256, "version": __version__}


def choose(
    bundle: Bundle, settings: Settings, megapixels: float, *, load: Callable[[str], Graph]
) -> tuple[Engine, StepConfig]:
    """The engine of the settings, or the one that their time budget allows for a photo of this size.

    Args:
        load: gives the bundle's graph of a name.
    Raises: BundleError if the bundle lacks a part of it, GraphError if a graph does not load.
    """
    if settings.time_budget_s is not None:
        return engine_within(bundle, settings.time_budget_s, megapixels, settings.step, load=load)
    return load_engine(bundle, settings.engine or "gradient", load=load), settings.step


def opened(source: Path, settings: Settings) -> tuple[Photo, tuple[int, int]]:
    """A photo at the size at which it will be posted, and (width, height) of its file. Raises: PhotoError."""
    photo = decode(source, name=str(source))
    size_px = photo.size_px
    if settings.platform is None:
        return photo, size_px
    if photo.is_transparent:  # found now, and not after it was cloaked
        raise PhotoError(f"{source}: transparent, which the JPEG of --target-platform cannot be; cloak it without that")
    return brought_down(photo, settings.platform.long_side_px), size_px


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
    choose: Choose,
    settings: Settings,
    *,
    check: Callable[[str], None] = lambda _format: None,
    on_step: Callable[[int, int], None] = lambda _step, _steps: None,
    now: Callable[[], float] = time.perf_counter,
) -> Protected:
    """Decode, cloak and encode one photo.

    Args:
        choose: gives the engine, and how it is to follow a gradient, for the megapixels of the photo; the time that it
            takes is not counted.
        check: called with the format that will be written, before the long part; may raise.
    Raises: PhotoError, GraphError, and what `choose` and `check` raise.
    """
    started = now()
    photo, source_size_px = opened(source, settings)
    written_format = encoded_format(photo, settings.encode)
    check(written_format)
    decoded = now()
    engine, step = choose(photo.megapixels)
    chosen = now()
    result = cloak(photo, engine, step, on_step=on_step)
    cloaked = now()
    data = encode(result.photo, settings.encode)
    encoded = now()
    row = {
        "source": str(source),
        "output": None,  # known to whoever writes it
        "source_size_px": list(source_size_px),
        "size_px": list(photo.size_px),
        "format": written_format,
        "platform": settings.platform and settings.platform.name,
        "engine": result.engine,
        "strength": settings.strength,
        "budget_levels": step.budget_levels,
        "steps": result.steps if result.engine in IN_STEPS else None,  # the others take none
        "seconds": {
            "decode": round(decoded - started, 4),
            "cloak": round(cloaked - chosen, 4),
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
