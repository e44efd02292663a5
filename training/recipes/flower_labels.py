"""Photos in class folders in, a list and a sheet of those whose folder looks wrong out; a person decides."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from mobile_app.core.files import write_whole
from mobile_app.core.preprocess import to_network_input
from training.data.flowers import PhotoSet
from training.data.label_faults import Suspect, suspects
from training.models.registry import build_network, last_layer
from training.progress import track

SIZE_PX = 224
COLUMNS, CELL_PX, CAPTION_PX = 10, 150, 28
MOST_SHOWN = 200


def doubtful_labels(
    photos: PhotoSet, out: Path, *, report: Callable[[str], None] = lambda _line: None
) -> list[Suspect]:
    """Predict each photo by a linear model on ImageNet features that was fitted without it.

    Returns: the doubtful photos, worst first; also as out/doubtful.csv and out/doubtful.jpg.
    """
    found = suspects(_features(photos), photos.labels)
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / "doubtful.csv", _csv(photos, found).encode(), force=True)
    buffer = io.BytesIO()
    _sheet(photos, found[:MOST_SHOWN]).save(buffer, "JPEG", quality=85)
    write_whole(out / "doubtful.jpg", buffer.getvalue(), force=True)
    report(f"{len(found)} of {len(photos.images)} photos are predicted as another class; see {out / 'doubtful.jpg'}")
    return found


def _features(photos: PhotoSet) -> np.ndarray:
    network = build_network("efficientnet_lite0")
    kept: list[torch.Tensor] = []
    hook = last_layer(network).register_forward_pre_hook(lambda _layer, inputs: kept.append(inputs[0]))
    with torch.inference_mode():
        for image in track(photos.images, "looking at photos"):
            network(torch.from_numpy(to_network_input(image, SIZE_PX)))
    hook.remove()
    return torch.cat(kept).numpy()


def _csv(photos: PhotoSet, found: list[Suspect]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["sha256", "file", "folder_says", "its_probability", "model_says", "its_probability"])
    for row in found:
        given, other = photos.classes[int(photos.labels[row.index])], photos.classes[row.suggested]
        chances = (f"{row.given_probability:.4f}", f"{row.suggested_probability:.4f}")
        writer.writerow([photos.sha256[row.index], photos.files[row.index], given, chances[0], other, chances[1]])
    return buffer.getvalue()


def _sheet(photos: PhotoSet, found: list[Suspect]) -> Image.Image:
    lines = max(1, -(-len(found) // COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * CELL_PX, lines * (CELL_PX + CAPTION_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    for position, row in enumerate(found):
        left, top = position % COLUMNS * CELL_PX, position // COLUMNS * (CELL_PX + CAPTION_PX)
        photo = Image.fromarray(photos.images[row.index])
        photo.thumbnail((CELL_PX - 4, CELL_PX - 4))
        sheet.paste(photo, (left, top))
        given, other = photos.classes[int(photos.labels[row.index])], photos.classes[row.suggested]
        draw.text((left, top + CELL_PX), f"{given}\nor {other} {row.suggested_probability:.2f}", fill="black")
    return sheet
