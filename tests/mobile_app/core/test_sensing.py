"""Tiles of a photo, with graphs made of arithmetic alone: what is measured where, and that no seam is left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mobile_app.core.bundle import Bundle, GraphEntry
from mobile_app.core.errors import BundleError, SensingError
from mobile_app.core.runtime import Port
from mobile_app.core.sensing import (
    DECODER,
    ENCODER,
    MEASURED_BY,
    RING_PX,
    TILE_BLOCKS,
    TILE_PX,
    Codec,
    SensingConfig,
    load_codec,
    measure,
    reconstruct,
    reference_measurements,
    reflected,
    tiles,
)
from mobile_app.core.sensing_format import BLOCK_PX, LUMA, MEASUREMENTS, RATES, grid, pack, unpack

FINE = SensingConfig(rate=0.1, step_levels=1)


class Averages:
    """Measures the mean of each block as its first number of brightness, its red less its mean as the first colour."""

    name = ENCODER
    inputs: Mapping[str, Port] = {"image": Port((1, 3, TILE_PX, TILE_PX), "float32")}
    outputs: Mapping[str, Port] = {}

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        means = inputs["image"][0].reshape(3, TILE_BLOCKS, BLOCK_PX, TILE_BLOCKS, BLOCK_PX).mean((2, 4))
        found = np.zeros((1, MEASUREMENTS, TILE_BLOCKS, TILE_BLOCKS), np.float32)
        found[0, 0], found[0, LUMA] = means.mean(0), means[0] - means.mean(0)
        return {"measurements": found}


class Smoothed:
    """Paints each block with its mean, then averages over 21 x 21 px with black around the tile: what lies 10 px from
    the edge of a tile is wrong there, as it is in a convolution that pads."""

    name = DECODER
    inputs: Mapping[str, Port] = {"measurements": Port((1, MEASUREMENTS, TILE_BLOCKS, TILE_BLOCKS), "float32")}
    outputs: Mapping[str, Port] = {}

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        plane = np.kron(inputs["measurements"][0, 0], np.ones((BLOCK_PX, BLOCK_PX), np.float32)).astype(np.float64)
        wide = np.pad(plane, 10)
        for axis in (0, 1):
            sums = np.cumsum(np.insert(wide, 0, 0, axis), axis)
            wide = np.take(sums, range(21, sums.shape[axis]), axis) - np.take(sums, range(sums.shape[axis] - 21), axis)
            wide = wide / 21
        return {"image": np.repeat(wide[None, None], 3, 1).astype(np.float32)}


@pytest.fixture
def codec() -> Codec:
    return Codec(model=b"abcd", load=lambda name: {ENCODER: Averages(), DECODER: Smoothed()}[name])


def test_every_block_is_measured_in_its_place(codec: Codec, rng: np.random.Generator) -> None:
    photo = rng.integers(0, 256, (10 * BLOCK_PX, 17 * BLOCK_PX, 3)).astype(np.uint8)
    found = measure(photo, codec, FINE)
    assert found.levels.shape == (118, 10, 17)
    means = photo.reshape(10, BLOCK_PX, 17, BLOCK_PX, 3).mean((1, 3, 4))
    assert np.abs(found.levels[0] - means).max() <= 0.51
    assert not found.levels[1:102].any()
    reds = photo[..., 0].reshape(10, BLOCK_PX, 17, BLOCK_PX).mean((1, 3))
    assert np.abs(found.levels[102] - (reds - means)).max() <= 0.51


@pytest.mark.parametrize("size", [(16, 16), (31, 33), (224, 224), (225, 240), (241, 700), (512, 100)])
def test_a_plain_photo_of_any_size_comes_back_without_a_seam(codec: Codec, size: tuple[int, int]) -> None:
    photo = np.full((*size, 3), 117, np.uint8)
    found = reconstruct(unpack(pack(measure(photo, codec, FINE))), codec)
    assert found.shape == photo.shape
    assert (found == 117).all()


def test_tiles_give_what_one_picture_would(codec: Codec, rng: np.random.Generator) -> None:
    photo = np.kron(rng.integers(0, 256, (14, 20)), np.ones((BLOCK_PX, BLOCK_PX))).astype(np.uint8)[:440, :, None]
    photo = np.repeat(photo, 3, 2)
    measured = measure(photo, codec, FINE)
    found = reconstruct(measured, codec)
    means = np.pad(measured.levels[0].astype(float), 1, mode="edge")
    whole = np.kron(means, np.ones((BLOCK_PX, BLOCK_PX)))
    for axis in (0, 1):
        sums = np.cumsum(np.insert(whole, 0, 0, axis), axis)
        whole = (
            np.take(sums, range(21, sums.shape[axis]), axis) - np.take(sums, range(sums.shape[axis] - 21), axis)
        ) / 21
    wanted = whole[22 : 22 + 440, 22 : 22 + 640]
    assert np.abs(found[..., 0] - wanted).max() <= 0.51


def test_tiles_cover_every_pixel_once_their_rings_are_cut_off() -> None:
    for length in (*range(16, 1200, 37), 208, 209, 432, 433):
        covered = np.zeros(length, int)
        for top, left in tiles(16, length):
            assert left == -1
            first, last = top * BLOCK_PX + RING_PX, top * BLOCK_PX + TILE_PX - RING_PX
            covered[max(0, first) : max(0, last)] += 1
        assert (covered == 1).all(), length


def test_beyond_its_edge_a_photo_is_its_mirror_image() -> None:
    photo = np.arange(9, dtype=np.uint8).reshape(3, 3)[..., None].repeat(3, 2)
    square = reflected(photo, 0, 0, 7)[..., 0]
    assert square[0].tolist() == [0, 1, 2, 1, 0, 1, 2]
    assert square[:, 0].tolist() == [0, 3, 6, 3, 0, 3, 6]
    assert np.array_equal(reflected(photo, 1, 1, 2), photo[1:, 1:])


def test_measurements_of_another_encoder_are_refused(codec: Codec) -> None:
    measured = measure(np.zeros((40, 40, 3), np.uint8), codec, FINE)
    other = Codec(model=b"else", load=codec.load)
    with pytest.raises(SensingError, match=r"^a\.pvs: was measured by another encoder \(61626364\)"):
        reconstruct(measured, other, name="a.pvs")


def test_a_bundle_without_the_codec_or_with_halves_of_two_is_refused(tmp_path: Path) -> None:
    def bundle(**digests: str) -> Bundle:
        common = {"size_px": 256, "opset": 18, "precision": "", "source": "", "licence": "", "command": "", "task": ""}
        graphs = {
            name: GraphEntry(name=name, file=f"{name}.onnx", trained_on={MEASURED_BY: digest}, **common)  # pyright: ignore
            for name, digest in digests.items()
        }
        return Bundle(root=tmp_path, version="0", graphs=graphs, sha256={})

    with pytest.raises(BundleError, match=r"sensing\.encoder: expected this graph"):
        load_codec(bundle())
    with pytest.raises(BundleError, match=r"sensing\.decoder: was not made with"):
        load_codec(bundle(**{ENCODER: "ab" * 32, DECODER: "cd" * 32}))
    assert load_codec(bundle(**{ENCODER: "ab" * 32, DECODER: "ab" * 32})).model == b"\xab" * 4


def test_progress_is_told_tile_by_tile(codec: Codec) -> None:
    parts: list[tuple[int, int]] = []
    measured = measure(np.zeros((300, 300, 3), np.uint8), codec, on_part=lambda *part: parts.append(part))
    reconstruct(measured, codec, on_part=lambda *part: parts.append(part))
    assert parts == [(number, 4) for number in (1, 2, 3, 4)] * 2
    assert measured.levels.shape == (sum(RATES[0.2]), *grid(300, 300))


def test_the_reference_pattern_is_whole_parts_of_64(rng: np.random.Generator) -> None:
    found = reference_measurements((1, MEASUREMENTS, 8, 8))
    assert found.dtype == np.float32
    assert np.array_equal(found * 64, np.rint(found * 64))
    assert found[0, 0].std() > found[0, 1].std() > found[0, 200].std() > 0


@pytest.mark.parametrize(("field", "value"), [("rate", 0.15), ("step_levels", 0.5), ("step_levels", 300.0)])
def test_a_setting_out_of_bounds_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        SensingConfig(**{field: value})
