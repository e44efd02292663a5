"""What a network looks at: photos and a class in; heat maps, how much of the picture they cover, and a sheet out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["relu", "relu6"]
_OPEN_RANGE: dict[str, tuple[float, float]] = {"relu": (1e-4, float("inf")), "relu6": (1e-4, 6 - 1e-4)}


def activation_map(
    network: nn.Module,
    features: nn.Module,
    images: Tensor,
    classes: Tensor,
    *,
    activation: Activation | None = None,
    batch: int = 32,
) -> Tensor:
    """Grad-CAM, Selvaraju et al. 2017, arXiv:1610.02391: ReLU(sum_c w_c A_c), w_c = mean_ij dlogit / dA_c,ij.

    Where the network ends in a mean over positions and a linear layer this is the class activation map of Zhou et al.
    (arXiv:1512.04150) without its negative part.

    Args:
        network: in eval mode; images in [0, 1] -> logits.
        features: the module of `network` whose (N, C, h, w) output is A, e.g. `network.features`.
        images: (N, 3, H, W).
        classes: (N,) whose logit is explained.
        activation: the function that the network applies to that output before anything else, if it is no module: A is
            then its result. EfficientNetLite: features=network.bn1, activation="relu6".
        batch: images at once.
    Returns: (N, H, W) float32 in [0, 1], bilinearly enlarged; the largest value of each is 1, or all are 0 where
        nothing speaks for the class.
    Raises: ValueError if the network is in training mode, or `features` never ran or gives another shape.
    """
    if network.training:
        raise ValueError("network: expected eval mode, got training mode, in which images change each other's logits")
    parts = [
        _grad_cam(network, features, images[start : start + batch], classes[start : start + batch], activation)
        for start in range(0, len(images), batch)
    ]
    return torch.cat(parts) if parts else images.new_zeros((0, *images.shape[2:]))


def area_share(maps: Tensor, threshold: float = 0.5) -> Tensor:
    """(N,) share of each picture's area where the (N, H, W) map is at least `threshold`."""
    return (maps >= threshold).float().mean((1, 2))


def attention_sheet(
    rows: Sequence[tuple[NDArray[np.uint8], Sequence[NDArray[np.floating]]]],
    captions: Sequence[str],
    *,
    row_captions: Sequence[str] = (),
    cell_px: int = 224,
) -> Image.Image:
    """A sheet of photos with heat maps beside them, and a scale below.

    Args:
        rows: for each photo (H, W, 3) uint8 its (H, W) maps in [0, 1], one for each method.
        captions: over the columns: one for the photo and one for each method.
        row_captions: under the photos; none or one for each row.
    Raises: ValueError if the numbers of captions and columns, or of rows and their captions, differ.
    """
    if not rows or any(len(maps) + 1 != len(captions) for _, maps in rows):
        counts = sorted({len(maps) for _, maps in rows})
        raise ValueError(f"rows: expected {len(captions) - 1} maps in each, for {len(captions)} captions, got {counts}")
    if row_captions and len(row_captions) != len(rows):
        raise ValueError(f"row_captions: expected none or {len(rows)}, got {len(row_captions)}")
    text_px, gap = max(10, cell_px // 12), max(2, cell_px // 28)
    band, step = text_px + 2 * gap, cell_px + gap
    row_height = step + (band if row_captions else 0)
    sheet = Image.new("RGB", (len(captions) * step + gap, band + len(rows) * row_height + band), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=text_px)
    for column, caption in enumerate(captions):
        draw.text((gap + column * step, gap), caption, fill="black", font=font)
    for index, (photo, maps) in enumerate(rows):
        top = band + index * row_height
        for column, cell in enumerate([photo, *(overlay(photo, heat) for heat in maps)]):
            sheet.paste(
                Image.fromarray(cell).resize((cell_px, cell_px), Image.Resampling.LANCZOS), (gap + column * step, top)
            )
        if row_captions:
            draw.text((gap, top + step), row_captions[index], fill="black", font=font)
    _draw_scale(sheet, sheet.height - band + gap, text_px, gap, font)
    return sheet


def overlay(photo_hwc: NDArray[np.uint8], heat: NDArray[np.floating], strength: float = 0.7) -> NDArray[np.uint8]:
    """The photo in grey under the colours of the map, which cover it the more the higher the map is."""
    if photo_hwc.shape[:2] != heat.shape:
        raise ValueError(f"heat: expected shape {photo_hwc.shape[:2]}, got {heat.shape}")
    grey = photo_hwc.mean(2, keepdims=True)
    cover = strength * np.clip(heat, 0, 1)[..., None]
    return np.rint((1 - cover) * grey + cover * heat_colours(heat)).astype(np.uint8)


_COLOURS = np.array([(0, 0, 96), (0, 96, 224), (0, 192, 160), (255, 208, 0), (255, 48, 0)], np.float64)


def heat_colours(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., 3) levels for values in [0, 1]: dark blue, blue, green, yellow, red in equal steps."""
    position = np.clip(heat, 0, 1) * (len(_COLOURS) - 1)
    return np.stack([np.interp(position, np.arange(len(_COLOURS)), channel) for channel in _COLOURS.T], -1)


def _grad_cam(
    network: nn.Module, features: nn.Module, images: Tensor, classes: Tensor, activation: Activation | None
) -> Tensor:
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        """Begin the graph here: a graph of what is in front of the features costs most of the memory and no map."""
        torch.set_grad_enabled(True)  # until the end of the no_grad around the network
        output = output.detach()
        if activation is not None:
            # the network applies the activation once more; inside the open range that neither changes a value nor
            # stops a gradient, so that the gradient is the one by the activation's result
            output = output.clamp(*_OPEN_RANGE[activation])
        kept.append(output.requires_grad_())
        return output

    handle = features.register_forward_hook(keep)
    try:
        with torch.no_grad():
            explained = network(images).gather(1, classes[:, None]).sum()
    finally:
        handle.remove()
    if len(kept) != 1 or kept[0].ndim != 4:
        shapes = [tuple(output.shape) for output in kept]
        raise ValueError(f"features: expected one output of shape (N, C, h, w), got {shapes}")
    (grad,) = torch.autograd.grad(explained, kept[0])
    weights = grad.mean((2, 3), keepdim=True)
    with torch.no_grad():
        coarse = F.relu((weights * kept[0]).sum(1, keepdim=True))
        heat = F.interpolate(coarse, size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        highest = heat.amax((1, 2), keepdim=True)
        return torch.where(highest > 0, heat / highest.clamp(min=torch.finfo(heat.dtype).tiny), 0.0)


def _draw_scale(sheet: Image.Image, top: int, height: int, gap: int, font: ImageFont.FreeTypeFont) -> None:
    draw = ImageDraw.Draw(sheet)
    left, width = gap + height, max(1, sheet.width // 3)
    ramp = np.tile(heat_colours(np.linspace(0, 1, width)), (height, 1, 1)).astype(np.uint8)
    draw.text((gap, top), "0", fill="black", font=font)
    sheet.paste(Image.fromarray(ramp), (left, top))
    draw.text((left + width + gap, top), "1 (highest of each map)", fill="black", font=font)
