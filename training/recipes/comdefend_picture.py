"""A photo in, a strip of squares out: the photo, what ComDefend makes of it, an attack on it, and what is left of that.

From left to right: photo, rebuilt photo, their difference, attacked photo, rebuilt attacked photo, and what of the
attack came through. Differences are around grey, eight times as large.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mobile_app.core.files import write_whole
from mobile_app.core.photo import decode
from mobile_app.core.preprocess import to_network_input, to_uint8
from training.models.comdefend import load_comdefend
from training.models.efficientnet_lite import efficientnet_lite
from training.recipes.comdefend_attacks import AttackConfig, attack_method

_GAP_PX = 4
_TIMES = 8


def write_picture(photo: Path, model_path: Path, out: Path, config: AttackConfig, seed: int) -> list[int]:
    """Write the strip as a JPEG.

    Returns: what EfficientNet-Lite0 answers to the photo, the rebuilt, the attacked, and the rebuilt attacked one.
    """
    network = efficientnet_lite(0).requires_grad_(False)
    model, _ = load_comdefend(model_path)
    image = torch.from_numpy(to_network_input(decode(photo, name=photo.name).rgb_hwc, network.size_px))
    attack = attack_method("pgd", config).attack
    assert attack is not None
    with torch.no_grad():
        label = network(image).argmax(1)
    attacked = attack(network, image, label, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        rebuilt, held = model(image), model(attacked)
        answers = [int(network(one).argmax(1)) for one in (image, rebuilt, attacked, held)]
    changes = (0.5 + _TIMES * (rebuilt - image), 0.5 + _TIMES * (held - rebuilt))
    squares = [to_uint8(one.numpy()) for one in (image, rebuilt, changes[0], attacked, held, changes[1])]
    buffer = io.BytesIO()
    Image.fromarray(side_by_side(squares)).save(buffer, "JPEG", quality=90, subsampling=0)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, buffer.getvalue(), force=True)
    return answers


def side_by_side(squares: list[np.ndarray]) -> np.ndarray:
    """(H, W, 3) pictures of one height in a row, with white between them."""
    gap = np.full((squares[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    parts = [part for square in squares for part in (square, gap)]
    return np.concatenate(parts[:-1], axis=1)
