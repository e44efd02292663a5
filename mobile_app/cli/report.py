"""What a photo became, as rows of plain data: the schema is in docs/report.md."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.bundle import Bundle
from mobile_app.core.files import write_whole
from mobile_app.core.memory import peak_mb
from mobile_app.core.posting import recompress
from mobile_app.core.quality import largest_change_levels, mean_change_levels, psnr_db, ssim
from mobile_app.core.recogniser import Recogniser
from mobile_app.core.versions import versions

SCHEMA = 2
LONG_SIDE_PX = 1080  # of a photo as many sites keep it


def document(
    settings: Mapping[str, Any], bundle: Bundle, rows: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """The whole report."""
    return {
        "schema": SCHEMA,
        "versions": versions(),
        "settings": dict(settings),
        "bundle": {"version": bundle.version, "sha256": bundle.sha256},
        "peak_memory_mb": rounded(peak_mb(), 1),
        "photos": list(rows),
        "failed": list(failed),
    }


def write_json(path: Path, content: Any, *, force: bool) -> None:
    """Raises: OutputError."""
    write_whole(path, as_bytes(content), force=force)


def as_bytes(content: Any) -> bytes:
    """As the text of a file; odd bytes of a file name come out as JSON's own escapes."""
    return (as_json(content) + "\n").encode("utf-8", "backslashreplace")


def as_json(content: Any) -> str:
    """Indented and readable, for a file or the screen."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> dict[str, Any]:
    """How far apart two photos (H, W, 3) are; psnr_db is None where they are equal."""
    psnr = psnr_db(before, after)
    return {
        "largest_levels": largest_change_levels(before, after),
        "mean_levels": round(mean_change_levels(before, after), 3),
        "psnr_db": round(psnr, 2) if math.isfinite(psnr) else None,
        "ssim": round(ssim(before, after), 4),
    }


def seen(before: NDArray[np.uint8], after: NDArray[np.uint8], recogniser: Recogniser) -> dict[str, Any]:
    """What a recogniser says of a photo before and after, and after a site has had its way with it."""
    long_side_px = min(LONG_SIDE_PX, max(before.shape[:2]) // 2)
    first = recogniser.look(before, top=1)
    label = first.best.label

    def look(rgb_hwc: NDArray[np.uint8]) -> dict[str, Any]:
        found = recogniser.look(rgb_hwc, top=1)
        return {**_guess(found.best.label, found.best.probability, found.unsure), "changed": found.best.label != label}

    return {
        "by": recogniser.name,
        "before": _guess(label, first.best.probability, first.unsure),
        "after": look(after),
        "jpeg75": look(recompress(after, quality=75)),
        "jpeg50": look(recompress(after, quality=50)),
        "smaller_jpeg75": {
            **look(recompress(after, quality=75, long_side_px=long_side_px)),
            "long_side_px": long_side_px,
        },
    }


def rounded(value: float | None, digits: int) -> float | None:
    """None stays None."""
    return None if value is None else round(value, digits)


def _guess(label: str, probability: float, unsure: bool) -> dict[str, Any]:
    return {"label": label, "probability": round(probability, 4), "unsure": unsure}
