"""One photo: read, change, write, look at it, keep it among the recent ones. For the worker: no widget is touched here.

NumPy, Pillow and the runtime are imported inside the functions, so that the app starts without them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_app.core.history import History
from mobile_app.core.platforms import Platform
from mobile_app.ui.seeing import see

if TYPE_CHECKING:
    from mobile_app.core.engines import Engine
    from mobile_app.core.step import StepConfig
    from mobile_app.ui.graphs import Graphs

    Choose = Callable[[float, StepConfig], tuple[Engine, StepConfig]]

RECENT_KEPT = 12
THUMB_PX, VIEW_PX = 320, 1280  # longer side
STAGES = ("read", "load", "change", "write", "look")

_SHOWN = {  # what the result page needs of an entry
    *("name", "source", "file", "kind", "size_px", "bytes", "composed_levels", "largest_levels", "mean_levels"),
    *("had_metadata", "notes", "seen", "seconds"),
}


@dataclass(frozen=True, kw_only=True)
class Views:
    """Pixels for the screen, of the photo that was protected last."""

    before: Any
    after: Any
    difference: Any


def recent_photos(data: Path) -> History:
    """The photos protected lately: of each a small picture, the photo before at screen size, and the protected file."""
    return History(data / "recent", most=RECENT_KEPT)


def find_protected(recent: History, entry_id: str) -> dict[str, Any] | None:
    """An entry that the result page can show; None if it is gone or was damaged."""
    entry = recent.find(entry_id)
    return entry if entry is not None and entry.keys() >= _SHOWN else None


def protect_one(
    path: Path,
    graphs: Graphs,
    recent: History,
    *,
    choose: Choose,
    strength: str,
    posting: Platform,
    on_stage: Callable[..., None],
    should_stop: Callable[[], bool],
    now: Callable[[], float] = time.perf_counter,
) -> tuple[dict[str, Any], Views]:
    """Read, change, write and look at one photo, and put it among the recent ones.

    Args:
        choose: gives the engine, and the config that it has time for, by the megapixels of the photo.
    Returns: (its entry, pixels for the screen).
    Raises: PetalveilError, MemoryError, OSError; Cancelled once should_stop() is true.
    """
    from mobile_app.core.cloak import MEDIUM, STRENGTHS, cloak
    from mobile_app.core.photo import decode, encode, encoded_format
    from mobile_app.core.quality import largest_change_levels, mean_change_levels, psnr_db
    from mobile_app.core.views import amplified, shrunk

    started = now()
    photo = decode(path)
    on_stage("load")
    _stop_if(should_stop)
    engine, config = choose(photo.megapixels, replace(MEDIUM, budget_levels=STRENGTHS[strength]))
    on_stage("change", 0, 1)
    result = cloak(
        photo, engine, config, on_step=lambda done, steps: on_stage("change", done, steps), should_stop=should_stop
    )
    on_stage("write")
    data, kind = encode(result.photo), encoded_format(result.photo).lower()
    composed_levels = largest_change_levels(photo.rgb_hwc, result.photo.rgb_hwc)
    engine_used, steps = result.engine, result.steps
    del result  # of a large photo, before it is read again
    _stop_if(should_stop)
    on_stage("look")
    after = decode(data, name=path.name).rgb_hwc
    before = photo.rgb_hwc
    psnr = psnr_db(before, after)
    entry = {
        "id": time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() % 1_000_000:06d}",
        "name": path.stem,
        "source": str(path),
        "file": f"protected.{kind}",
        "kind": kind,
        "strength": strength,
        "engine": engine_used,
        "steps": steps if engine_used == "gradient" else None,  # the others take none
        "size_px": list(photo.size_px),
        "bytes": len(data),
        "budget_levels": config.budget_levels,
        "composed_levels": composed_levels,  # largest change before the file was compressed, within the budget
        "largest_levels": largest_change_levels(before, after),
        "mean_levels": round(mean_change_levels(before, after), 2),
        "psnr_db": round(psnr, 1) if math.isfinite(psnr) else None,
        "had_metadata": has_metadata(photo),
        "notes": list(photo.notes),
    }
    _stop_if(should_stop)
    seen = see(before, after, graphs, posting)
    entry |= {"seen": seen, "seconds": round(now() - started, 2)}
    small_before, small_after = shrunk(before, VIEW_PX), shrunk(after, VIEW_PX)
    difference = shrunk(amplified(before, after), VIEW_PX)
    _stop_if(should_stop)
    _keep(recent, entry, data, photo, small_before, shrunk(after, THUMB_PX))
    return entry, Views(before=small_before, after=small_after, difference=difference)


def has_metadata(photo: Any) -> bool:
    """Whether the file said more than its pixels."""
    found = photo.metadata
    return bool(found.exif or found.xmp or found.comment or found.text)


def load_views(entry: dict[str, Any], recent: History) -> Views:
    """The pixels of a photo that was protected earlier. Raises: PhotoError if its files are gone or damaged."""
    from mobile_app.core.photo import decode
    from mobile_app.core.views import amplified, shrunk

    before, after = whole_pair(entry, recent)
    if before.shape != after.shape:  # the original is gone: compare at the size of the view that was kept
        after = shrunk(after, VIEW_PX)
        if before.shape != after.shape:
            before = shrunk(decode(recent.files(entry["id"]) / "before.jpg").rgb_hwc, max(after.shape[:2]))
    if before.shape != after.shape:
        before = after
    difference = amplified(before, after)
    return Views(before=shrunk(before, VIEW_PX), after=shrunk(after, VIEW_PX), difference=shrunk(difference, VIEW_PX))


def whole_pair(entry: dict[str, Any], recent: History) -> tuple[Any, Any]:
    """All the pixels before and after; before at screen size where the original is gone. Raises: PhotoError."""
    from mobile_app.core.photo import decode

    folder = recent.files(entry["id"])
    after = decode(folder / entry["file"]).rgb_hwc
    source = Path(entry["source"])
    if source.is_file():
        before = decode(source).rgb_hwc
        if before.shape == after.shape:
            return before, after
    return decode(folder / "before.jpg").rgb_hwc, after


def thumbnail(path: Path) -> Any:
    """The pixels of a photo as a list shows it. Raises: PhotoError."""
    from mobile_app.core.photo import decode
    from mobile_app.core.views import shrunk

    return shrunk(decode(path).rgb_hwc, THUMB_PX)


def _keep(recent: History, entry: dict[str, Any], data: bytes, photo: Any, view: Any, thumbnail: Any) -> None:
    from mobile_app.core.files import write_whole
    from mobile_app.core.photo import EncodeConfig, Photo, encode

    folder = recent.files(entry["id"])
    as_jpeg = EncodeConfig(format="jpeg", quality=90)
    profile = None if photo.is_grey else photo.icc_profile
    for name, pixels in (("before.jpg", view), ("thumbnail.jpg", thumbnail)):
        small = Photo(rgb_hwc=pixels, icc_profile=profile)
        write_whole(folder / name, encode(small, as_jpeg), force=True)
    write_whole(folder / entry["file"], data, force=True)
    recent.add(entry)


def _stop_if(should_stop: Callable[[], bool]) -> None:
    from mobile_app.core.engines import Cancelled

    if should_stop():
        raise Cancelled("stopped before the photo was finished; nothing was written")
