"""Photos beside what a dense and a sparse attack change in them, as one picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input
from training.models.efficientnet_lite import efficientnet_lite
from training.recipes import sparse_methods as methods
from training.recipes.sparse_cells import Subject, run_cell

GAP_PX = 6
_COLUMNS = ("mi_fgsm", "mi_fgsm_pruned", "mi_fgsm_polish")


def sparse_picture(photos: list[Path], out: Path, path: Path, *, budget: float = 8.0, polish_steps: int = 100) -> None:
    """Write a JPEG with a row for each photo: the photo as EfficientNet-Lite0 sees it, then the changes of MI-FGSM, of
    the pruned and of the refined attack, in grey where nothing changed. Results are kept under `out`.

    Raises: PhotoError if a photo cannot be read.
    """
    network = efficientnet_lite(0).requires_grad_(False)
    images = torch.from_numpy(np.concatenate([to_network_input(decode(photo).rgb_hwc, 224) for photo in photos]))
    with torch.no_grad():
        labels = network(images).argmax(1)
    subject = Subject(title="photos", network=network, images=images, labels=labels, batch=4)
    table = methods.base_attacks(budget, methods.LARGE, polish_steps)
    cells = [run_cell(subject, table[name], out / "cells", seed=0) for name in _COLUMNS]
    pictures = [[_levels(image.numpy())] for image in images]
    for row, line in enumerate(pictures):
        for cell in cells:
            delta = (cell.adversarial[row] - images[row]).numpy()
            line.append(_levels(0.5 + delta / (2 * budget / 255)))
    buffer = io.BytesIO()
    Image.fromarray(tiled(pictures)).save(buffer, "JPEG", quality=88)
    write_whole(path, buffer.getvalue(), force=True)


def tiled(pictures: list[list[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Rows of (H, W, 3) pictures of one size on white, GAP_PX apart."""
    height, width = pictures[0][0].shape[:2]
    rows, columns = len(pictures), len(pictures[0])
    sheet = np.full((rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3), 255, np.uint8)
    for row, line in enumerate(pictures):
        for column, picture in enumerate(line):
            top, left = row * (height + GAP_PX), column * (width + GAP_PX)
            sheet[top : top + height, left : left + width] = picture
    return sheet


def _levels(image_chw: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(image_chw, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
