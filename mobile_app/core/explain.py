"""A photo and where a classifier found its evidence in, one picture out: the photo, and the photo with a heat map.

Two sources of evidence: a graph's own class activation maps (an output `evidence`, see training/models/evidence.py),
and, where it has none, the input gradient of the same network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from mobile_app.core.preprocess import CROP, to_network_input
from mobile_app.core.runtime import Graph

PANEL_PX = 520  # long side of each of the two photos
CELLS = 14  # a side, of a map made from a gradient
HEAT_SHARE = 0.65  # of the heat's colour in the picture, where the evidence is strongest
_GREY_SHARE = 0.8  # of the photo's brightness under the heat
_UNSEEN_SHARE = 0.3  # of the photo in the picture outside the square that the network sees; the rest is paper

_PAPER, _INK, _SOFT = "#faf8f5", "#26221f", "#857d76"
_MARGIN_PX, _GAP_PX, _TITLE_PX, _TEXT_PX = 24, 16, 21, 16
_LEGEND = "right: what glows decided; what is pale was not seen"
# From nothing to the most, black through red and yellow to white: order survives in grey and for colour-blind eyes.
_HEAT = np.array([[0, 0, 0], [128, 10, 60], [230, 60, 20], [255, 190, 30], [255, 255, 210]], np.float32)

Pixels = NDArray[np.uint8]
Map = NDArray[np.float32]


def explain(rgb_hwc: Pixels, evidence: Map, title: str, text: str = "", *, crop: float = CROP) -> Pixels:
    """Draw a photo beside itself under its evidence.

    Args:
        rgb_hwc: (H, W, 3).
        evidence: (h, w), over the square that the network sees; only what is above zero is shown, relative to the
            largest value.
        title: what was recognised; text: more about it. Letters beyond Latin-1 cannot be drawn.
        crop: share of the short side that the network sees.
    Returns: (H', W', 3) uint8.
    Raises: ValueError if the map is not (h, w) or not finite.
    """
    photo = _fitted(rgb_hwc)
    shown = np.asarray(photo)
    side_px = max(1, round(min(shown.shape[:2]) * crop))
    warm = shown * np.float32(_UNSEEN_SHARE) + np.array(ImageColor.getrgb(_PAPER), np.float32) * (1 - _UNSEEN_SHARE)
    top, left = ((length - side_px) // 2 for length in shown.shape[:2])
    square = (slice(top, top + side_px), slice(left, left + side_px))
    warm[square] = heated(shown[square], evidence)
    return _side_by_side(photo, Image.fromarray(np.rint(warm).astype(np.uint8)), title, text)


def heated(rgb_hwc: Pixels, evidence: Map) -> Map:
    """The pixels (H, W, 3) in grey, blended with the colour of the evidence above zero, (h, w), laid over all of them.

    Returns: (H, W, 3) float32 in [0, 255]; where there is no evidence, the photo in darker grey.
    Raises: ValueError if the map is not (h, w) or not finite.
    """
    heat = strength(evidence, (rgb_hwc.shape[0], rgb_hwc.shape[1]))[..., None]
    place = heat[..., 0] * (len(_HEAT) - 1)
    colour = np.stack([np.interp(place, range(len(_HEAT)), _HEAT[:, channel]) for channel in range(3)], -1)
    share = HEAT_SHARE * heat
    grey = np.asarray(Image.fromarray(rgb_hwc).convert("L"), np.float32)[..., None]
    return ((1 - share) * _GREY_SHARE * grey + share * colour).astype(np.float32)


def strength(evidence: Map, size: tuple[int, int]) -> Map:
    """A map (h, w) brought smoothly to `size` (H, W): what is above zero, by the largest value, in [0, 1].

    Raises: ValueError if the map is not (h, w) or not finite.
    """
    if evidence.ndim != 2 or 0 in evidence.shape or not np.isfinite(evidence).all():
        raise ValueError(f"evidence: expected finite values (h, w), got shape {evidence.shape}")
    height, width = size
    grown = Image.fromarray(np.ascontiguousarray(evidence, np.float32)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    positive = np.maximum(np.asarray(grown, np.float32), 0)
    largest = float(evidence.max())
    return np.minimum(positive / largest, 1) if largest > 0 else np.zeros_like(positive)


def gradient_evidence(rgb_hwc: Pixels, gradient: Graph, label: int, *, crop: float = CROP) -> Map:
    """How much each place of a photo moves the loss of a label: |gradient x image|, summed over colours and cells.

    The product attribution of Shrikumar et al. 2016 (arXiv:1605.01713, section 2.2). It tells how much and not in which
    direction, since the loss counts what speaks for a label and what speaks against the others alike.

    Args:
        gradient: inputs `image` (1, 3, S, S) and `label` (1,); output `grad` like the image.
    Returns: (CELLS, CELLS).
    """
    size_px = gradient.inputs["image"].shape[-1]
    image = to_network_input(rgb_hwc, size_px, crop)
    grad = gradient.run({"image": image, "label": np.array([label])})["grad"]
    product = np.abs(grad * image)[0].sum(0)
    edges = np.linspace(0, size_px, CELLS + 1).astype(int)[:-1]
    return np.add.reduceat(np.add.reduceat(product, edges, 0), edges, 1).astype(np.float32)


def _fitted(rgb_hwc: Pixels) -> Image.Image:
    image = Image.fromarray(rgb_hwc)
    scale = PANEL_PX / max(image.size)
    size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def _side_by_side(left: Image.Image, right: Image.Image, title: str, text: str) -> Pixels:
    lines = [(title, _TITLE_PX, _INK), (text, _TEXT_PX, _SOFT), (_LEGEND, _TEXT_PX, _SOFT)]
    lines = [(words, size, ink) for words, size, ink in lines if words]
    widest = max(ImageFont.load_default(size=size).getlength(words) for words, size, _ in lines)
    width = 2 * _MARGIN_PX + max(2 * left.width + _GAP_PX, round(widest))
    height = 2 * _MARGIN_PX + left.height + 8 + sum(size + 9 for _, size, _ in lines)
    picture = Image.new("RGB", (width, height), _PAPER)
    picture.paste(left, (_MARGIN_PX, _MARGIN_PX))
    picture.paste(right, (_MARGIN_PX + left.width + _GAP_PX, _MARGIN_PX))
    canvas = ImageDraw.Draw(picture)
    top = _MARGIN_PX + left.height + 10
    for words, size, ink in lines:
        canvas.text((_MARGIN_PX, top), words, fill=ink, font=ImageFont.load_default(size=size))
        top += size + 9
    return np.asarray(picture)
