"""The start of a ComModel's curves: found where they are known, better than nothing at once, a switch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from training.data.codecs import CodecRange, parse_codec, parse_range
from training.data.pairs import CropPairs, PhotoPair
from training.models.calibrate import smooth_images
from training.models.commodel import ComModel, build_commodel
from training.models.commodel_transform import BlockTransform
from training.recipes.compression import CompressionConfig
from training.recipes.compression_start import fit_transform, start_network


@pytest.fixture(scope="module")
def photos() -> list[PhotoPair]:
    pixels = smooth_images(12, 64, 0).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [
        PhotoPair(original=np.ascontiguousarray(photo), returned=None, sha256=f"{number:064x}", name=str(number))
        for number, photo in enumerate(pixels)
    ]


def _crops(photos: Sequence[PhotoPair], ranges: Sequence[CodecRange]) -> list[tuple[Tensor, Tensor]]:
    crops = CropPairs(photos, ranges, crop_px=32, crops_a_photo=4)
    return [(crops[index][0][None], crops[index][1][None]) for index in range(len(crops))]


def _started(codecs: tuple[str, ...], photos: list[PhotoPair]) -> ComModel:
    config = CompressionConfig(codecs=codecs, widths=())
    network = build_commodel(config.model)
    start_network(network, photos, config.ranges, _crops)
    return network


def test_a_known_dead_zone_of_brightness_is_found() -> None:
    """Coefficients under 1 unit vanish: the curve is -x inside and 0 outside."""
    transform = BlockTransform(8, 16)
    images = 0.5 + 0.04 * torch.randn(16, 1, 64, 64, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    with torch.no_grad():
        found = transform.luma(transform.to_ycc(images - 0.5)[:, :1])
        change = transform.luma_back(torch.where(found.abs() < 1, -found, 0.0))
        returned = images + transform.to_rgb(torch.cat([change, torch.zeros_like(change).expand(-1, 2, -1, -1)], 1))
        fit_transform(transform, [(images, returned)])
        error = (images + transform(images) - returned).abs().mean()
    assert error < 0.35 * (returned - images).abs().mean()


@pytest.mark.parametrize("codec", ["jpeg:20", "webp:20"])
def test_the_start_alone_is_better_than_nothing(codec: str, photos: list[PhotoPair]) -> None:
    network = _started((codec,), photos)
    originals, returned = (torch.cat(part) for part in zip(*_crops(photos[:4], [parse_range(codec)]), strict=True))
    with torch.no_grad():
        error = (network(originals) - returned).abs().mean()
    assert error < 0.8 * (originals - returned).abs().mean()


def test_a_start_for_several_codecs_is_a_switch(photos: list[PhotoPair]) -> None:
    """At JPEG 50 the branch of WebP does nothing and the other way round; stronger JPEG changes more."""
    network = _started(("jpeg:20-90", "webp:20-90"), photos)
    eight, four = network.transforms
    image = (torch.from_numpy(photos[0].original.copy()).permute(2, 0, 1)[None] / 255).mean(1, keepdim=True)
    image = image.expand(-1, 3, -1, -1)  # grey, so that halved colours count for nothing
    jpeg, webp, strong = (torch.from_numpy(parse_codec(t).condition())[None] for t in ("jpeg:50", "webp:50", "jpeg:20"))

    def size(transform: torch.nn.Module, condition: Tensor) -> float:
        with torch.no_grad():
            return transform(image, condition).abs().mean().item() * 255

    assert size(eight, jpeg) > 5 * size(eight, webp)
    assert size(four, webp) > 5 * size(four, jpeg)
    assert size(eight, strong) > 1.2 * size(eight, jpeg)
