"""How well ComModels stand in for codecs: mean absolute error beside that of doing nothing, on the same photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mobile_app.core.files import write_whole
from mobile_app.core.preprocess import from_uint8
from training.data.codecs import Codec, CodecRange, Pixels
from training.data.pairs import PhotoPair, compressed
from training.models.commodel import ComModel
from training.progress import track
from training.recipes.run_state import write_rows

# The paper's errors in levels; it does not name the subsampling of JPEG, 4:2:0 is what encoders do unasked.
PAPER = {
    "jpeg:75:420": 1.66,
    "jpeg:50:420": 2.04,
    "jpeg:25:420": 2.47,
    "webp:75": 2.55,
    "webp:50": 2.88,
    "webp:25": 3.44,
    "jpeg2000:10": 2.67,
    "jpeg2000:20": 3.17,
}
PAPER_CODECS = tuple(PAPER)
RETURNED = "photos that came back"


def measure_commodel(model: ComModel, pairs: Sequence[PhotoPair], ranges: Sequence[CodecRange]) -> list[dict[str, Any]]:
    """A row a codec, and both ends of a range: name, photos, and errors in levels of the model and of the identity.

    Errors are means over photos of mean |C(x) - codec(x)|, whole photos, on the 0-255 scale, C(x) not rounded.
    """
    codecs = list(dict.fromkeys(codec for found in ranges for codec in (found.lowest, found.highest)))
    if pairs[0].returned is not None:
        return [_row(RETURNED, model, Codec(()), [(pair.original, _known(pair)) for pair in pairs])]
    return [
        _row(codec.text, model, codec, [compressed(pair.original, codec) for pair in pairs])
        for codec in track(codecs, "measuring")
    ]


def write_table(out: Path, rows: Sequence[dict[str, Any]]) -> str:
    """Write table.csv and table.md into `out`; returns the Markdown."""
    page = as_markdown(rows)
    write_rows(out / "table.csv", list(rows))
    write_whole(out / "table.md", page.encode(), force=True)
    return page


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table for people, with the paper's numbers, which are those of other photos."""
    lines = ["| compression | photos | ComModel | identity | ratio | paper |", "|---|---|---|---|---|---|"]
    for row in rows:
        paper = PAPER.get(row["codec"])
        lines.append(
            f"| {row['codec']} | {row['photos']} | {row['mae_levels']:.2f} | {row['identity_levels']:.2f} | "
            f"{row['mae_levels'] / max(row['identity_levels'], 1e-9):.2f} | {'' if paper is None else f'{paper:.2f}'} |"
        )
    return "\n".join(["Mean absolute error in levels (0-255) on test photos.", "", *lines, ""])


def _row(name: str, model: ComModel, codec: Codec, photos: Sequence[tuple[Pixels, Pixels]]) -> dict[str, Any]:
    errors = [_errors(model, codec, original, returned) for original, returned in photos]
    found, identity = (sum(column) / len(errors) for column in zip(*errors, strict=True))
    return {"codec": name, "photos": len(photos), "mae_levels": found, "identity_levels": identity}


def _errors(model: ComModel, codec: Codec, original: Pixels, returned: Pixels) -> tuple[float, float]:
    image, wanted = (torch.from_numpy(from_uint8(pixels)) for pixels in (original, returned))
    condition = torch.from_numpy(codec.condition())[None] if model.config.condition_values else None
    with torch.no_grad():
        found = model(image, condition)
    return tuple(255 * float((candidate - wanted).abs().mean()) for candidate in (found, image))  # pyright: ignore[reportReturnType]


def _known(pair: PhotoPair) -> Pixels:
    assert pair.returned is not None
    return pair.returned
