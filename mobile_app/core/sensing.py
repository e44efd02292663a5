"""A photo in, its measurements out, and back: `measure` and `reconstruct`, whatever the size of the photo.

Blocks of 32 x 32 are measured each for itself, by a graph that takes a tile of them. They are rebuilt tile by tile,
too, and there a pixel hangs on its neighbours: tiles overlap by a block, and of each only what lies RING_PX inside
counts, which its edge does not reach. So there are no seams: the same pixels come out as from one tile as large as the
photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.bundle import Bundle
from mobile_app.core.errors import BundleError, SensingError
from mobile_app.core.photo import Photo
from mobile_app.core.preprocess import from_uint8
from mobile_app.core.runtime import Graph, load_graph
from mobile_app.core.sensing_format import BLOCK_PX, LUMA, MEASUREMENTS, RATES, STEP_UNIT, Measured, grid

ENCODER, DECODER = "sensing.encoder", "sensing.decoder"  # graphs of the bundle
TILE_BLOCKS = 8
TILE_PX = TILE_BLOCKS * BLOCK_PX
RING_PX = BLOCK_PX // 2  # of a tile that the next tile knows better; above the 10 px that its edge reaches
STEP_LEVELS = 32.0  # width of a rounding interval, in 8-bit levels
MEASURED_BY = "encoder sha256"  # among what the manifest says of both graphs
_LARGEST_LEVEL = 16383

Pixels = NDArray[np.uint8]
Array = NDArray[np.float32]
OnPart = Callable[[int, int], None]  # tiles done, tiles in all


@dataclass(frozen=True, kw_only=True)
class SensingConfig:
    """How much of a photo its measurements keep."""

    rate: float = 0.2  # numbers of brightness by pixels
    step_levels: float = STEP_LEVELS

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise ValueError(f"rate: expected one of {', '.join(map(str, RATES))}, got {self.rate}")
        if not 1 <= self.step_levels <= 255:
            raise ValueError(f"step_levels: expected 1 to 255, got {self.step_levels}")

    @property
    def step(self) -> int:
        """As the file has it."""
        return min(65535, max(1, round(self.step_levels / 255 / STEP_UNIT)))


@dataclass(frozen=True, kw_only=True)
class Codec:
    """The two graphs, loaded where they are needed, and by which measurements they know each other."""

    model: bytes
    load: Callable[[str], Graph]


def load_codec(bundle: Bundle, *, threads: int | None = None, load: Callable[[str], Graph] | None = None) -> Codec:
    """The codec of a bundle. Raises: BundleError if it has none."""
    for name in (ENCODER, DECODER):
        if name not in bundle.graphs:
            raise BundleError(f"{name}: expected this graph in the bundle, found none; restore the bundle")
    digests = [bundle.entry(name).trained_on.get(MEASURED_BY, "") for name in (ENCODER, DECODER)]
    if digests[0] != digests[1] or not _is_hex(digests[0]):
        raise BundleError(f"{DECODER}: was not made with {ENCODER}; restore the bundle")
    load = load or (lambda name: load_graph(bundle.path(name), name=name, threads=threads))
    return Codec(model=bytes.fromhex(digests[0][:8]), load=load)


def measure(
    rgb_hwc: Pixels, codec: Codec, config: SensingConfig | None = None, *, on_part: OnPart = lambda _done, _parts: None
) -> Measured:
    """Measure a photo (H, W, 3) uint8.

    Raises: GraphError if the graph fails.
    """
    config = config or SensingConfig()
    graph = codec.load(ENCODER)
    height, width = rgb_hwc.shape[:2]
    rows, columns = grid(width, height)
    step = config.step * STEP_UNIT
    levels = np.empty((sum(RATES[config.rate]), rows, columns), np.int32)
    places = [(top, left) for top in range(0, rows, TILE_BLOCKS) for left in range(0, columns, TILE_BLOCKS)]
    for done, (top, left) in enumerate(places):
        tile = reflected(rgb_hwc, top * BLOCK_PX, left * BLOCK_PX, TILE_PX)
        found = _of_rate(graph.run({"image": from_uint8(tile)})["measurements"][0], config.rate)
        there = levels[:, top : top + TILE_BLOCKS, left : left + TILE_BLOCKS]
        found = found[:, : there.shape[1], : there.shape[2]]
        there[:] = np.clip(np.rint(found / step), -_LARGEST_LEVEL, _LARGEST_LEVEL)
        on_part(done + 1, len(places))
    return Measured(
        width_px=width, height_px=height, rate=config.rate, step=config.step, model=codec.model, levels=levels
    )


def reconstruct(
    measured: Measured, codec: Codec, *, name: str = "file", on_part: OnPart = lambda _done, _parts: None
) -> Pixels:
    """The picture (H, W, 3) uint8 of measurements.

    Raises: SensingError if another encoder measured them, GraphError if the graph fails.
    """
    if measured.model != codec.model:
        raise SensingError(
            f"{name}: was measured by another encoder ({measured.model.hex()}) than the one of this bundle "
            f"({codec.model.hex()}); rebuild it with the version of petalveil that wrote it"
        )
    graph = codec.load(DECODER)
    photo = np.empty((measured.height_px, measured.width_px, 3), np.uint8)
    places = list(tiles(measured.width_px, measured.height_px))
    for done, (top, left) in enumerate(places):
        found = graph.run({"measurements": _tile(measured, top, left)})["image"][0]
        _lay(photo, found, top * BLOCK_PX, left * BLOCK_PX)
        on_part(done + 1, len(places))
    return photo


def tiles(width_px: int, height_px: int) -> Iterator[tuple[int, int]]:
    """Row and column, in blocks, at which each tile begins: -1 is one block before the photo."""
    for top in _starts(height_px):
        for left in _starts(width_px):
            yield top, left


def rebuilt(photo: Photo, rgb_hwc: Pixels) -> Photo:
    """What a reconstruction is as a photo: pixels alone, as a file of measurements holds nothing else."""
    return Photo(rgb_hwc=rgb_hwc, format="JPEG", name=photo.name)


def reference_measurements(shape: tuple[int, ...]) -> Array:
    """(1, M, h, w) float32: a smooth pattern, weaker from one measurement to the next, the same on every machine."""
    _, count, height, width = shape
    index, rows, columns = np.mgrid[0:count, 0:height, 0:width]
    order = np.where(index < LUMA, index, 4 * (index - LUMA))
    wave = np.sin(0.9 * rows + 1.3 * columns + 0.7 * index) * np.where(order == 0, 6.0, 1.5 / np.sqrt(1 + order))
    return (np.rint(wave * 64) / 64).astype(np.float32)[None]


def reflected(rgb_hwc: Pixels, top: int, left: int, side_px: int) -> Pixels:
    """A square of a photo; what lies beyond its lower and right edge is its mirror image, as often as it takes."""
    height, width = rgb_hwc.shape[:2]
    rows, columns = _mirrored(top, side_px, height), _mirrored(left, side_px, width)
    if top + side_px <= height and left + side_px <= width:
        return rgb_hwc[top : top + side_px, left : left + side_px]
    return rgb_hwc[rows][:, columns]


def _mirrored(start: int, count: int, length: int) -> NDArray[np.intp]:
    """0 1 2 1 0 1 ... for a length of 3: the edge itself is not repeated."""
    period = max(1, 2 * length - 2)
    place = np.arange(start, start + count) % period
    return np.minimum(place, period - place)


def _starts(length_px: int) -> range:
    """From a block before the photo on, each tile a block short of the last; RING_PX of the last are not counted."""
    stride = TILE_PX - 2 * RING_PX
    count = max(1, math.ceil((length_px + BLOCK_PX - RING_PX) / stride))
    return range(-1, -1 + count * (TILE_BLOCKS - 1), TILE_BLOCKS - 1)


def _tile(measured: Measured, top: int, left: int) -> Array:
    """(1, MEASUREMENTS, h, w): beyond the photo stand copies of the blocks at its edge."""
    _, rows, columns = measured.levels.shape
    across = np.clip(np.arange(top, top + TILE_BLOCKS), 0, rows - 1)
    along = np.clip(np.arange(left, left + TILE_BLOCKS), 0, columns - 1)
    luma, chroma = RATES[measured.rate]
    chosen = measured.levels[:, across][:, :, along] * np.float32(measured.step * STEP_UNIT)
    tile = np.zeros((1, MEASUREMENTS, TILE_BLOCKS, TILE_BLOCKS), np.float32)
    tile[0, :luma] = chosen[:luma]
    tile[0, LUMA : LUMA + chroma] = chosen[luma:]
    return tile


def _lay(photo: Pixels, found: Array, top_px: int, left_px: int) -> None:
    """Put (3, S, S) in its place, without its ring and what is beyond the photo."""
    height, width = photo.shape[:2]
    first_row, first_column = max(0, top_px + RING_PX), max(0, left_px + RING_PX)
    last_row, last_column = min(height, top_px + TILE_PX - RING_PX), min(width, left_px + TILE_PX - RING_PX)
    if first_row >= last_row or first_column >= last_column:
        return
    part = found[:, first_row - top_px : last_row - top_px, first_column - left_px : last_column - left_px]
    levels = np.rint(np.clip(part, 0, 1) * 255).astype(np.uint8)
    photo[first_row:last_row, first_column:last_column] = levels.transpose(1, 2, 0)


def _of_rate(measurements: Array, rate: float) -> Array:
    luma, chroma = RATES[rate]
    return np.concatenate([measurements[:luma], measurements[LUMA : LUMA + chroma]])


def _is_hex(text: object) -> bool:
    return isinstance(text, str) and len(text) >= 8 and all(letter in "0123456789abcdef" for letter in text)
