"""What recognisers see in a photo: before, after, and after a simulated posting. For the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mobile_app.core.errors import BundleError
from mobile_app.core.platforms import Platform, load_platforms

if TYPE_CHECKING:
    from mobile_app.core.recogniser import Recogniser
    from mobile_app.ui.graphs import Graphs


USUAL = Platform(name="long-1080-q75", long_side_px=1080, quality=75, subsampling="4:2:0", note="the app itself")


def postings() -> list[Platform]:
    """What a posting may do to a photo: the presets of content/platforms.json, or the usual one if that is damaged."""
    try:
        return list(load_platforms().values())
    except BundleError:
        return [USUAL]


def find_posting(name: str) -> Platform:
    """The preset of a name; the first where that is not known."""
    known = postings()
    return next((posting for posting in known if posting.name == name), known[0])


def see(before: Any, after: Any, graphs: Graphs, posting: Platform) -> list[dict[str, Any]]:
    """What each recogniser says before, after, and after a simulated posting: a row for each that has something to say.

    The flower network is left out where it saw no flower before.
    """
    rows = []
    for recogniser in graphs.recognisers():
        first = _guess(recogniser, before)
        if recogniser.species and first["unsure"]:
            continue
        row = {"by": recogniser.name, "before": first, "after": _guess(recogniser, after)}
        rows.append({**row, "posted": {posting.name: _guess(recogniser, posted(after, posting))}})
    return rows


def see_posted(after: Any, names: Sequence[str], graphs: Graphs, posting: Platform) -> dict[str, dict[str, Any]]:
    """What these recognisers say after another kind of posting."""
    pixels = posted(after, posting)
    return {name: _guess(graphs.recogniser(name), pixels) for name in names}


def posted(rgb_hwc: Any, posting: Platform) -> Any:
    """The photo as it comes back from a site."""
    from mobile_app.core.posting import recompress

    return recompress(
        rgb_hwc, quality=posting.quality, subsampling=posting.subsampling, long_side_px=posting.long_side_px
    )


def with_posting(entry: dict[str, Any], posting_id: str, guesses: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The entry with what was seen after another kind of posting."""
    seen = [
        {**row, "posted": {**row["posted"], posting_id: guesses[row["by"]]}} if row["by"] in guesses else row
        for row in entry["seen"]
    ]
    return {**entry, "seen": seen}


def _guess(recogniser: Recogniser, rgb_hwc: Any) -> dict[str, Any]:
    found = recogniser.look(rgb_hwc, top=1)
    return {"label": found.best.label, "probability": round(found.best.probability, 4), "unsure": found.unsure}
