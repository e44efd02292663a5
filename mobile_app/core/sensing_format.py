"""The file of measurements, .pvs: whole numbers of each block in, bytes out, and back; every byte is checked.

All numbers are little-endian.

    offset  bytes  what
    0       4      "PVS" and the version, 1
    4       4      width in pixels
    8       4      height in pixels
    12      2      rate in hundredths: 10, 20 or 30
    14      2      step: width of a rounding interval, in 1/65536 of the range of a pixel
    16      4      model: the first bytes of the SHA-256 of the encoder that measured
    20      4      length of the payload
    24      4      CRC-32 of all bytes but these four
    28             payload: LZMA (raw, LZMA1) of one byte a number, then two bytes for each that needs them

The numbers stand block by block, row by row, brightness first; in the first measurement of brightness and the first two
of the colours, where neighbours are alike, less the number of the block to the left. 0 to 254 stand for 0, -1, 1, -2,
...; 255 says that the number follows behind all bytes, as a signed 16-bit number.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mobile_app.core.errors import SensingError
from mobile_app.core.photo import LARGEST_ASPECT, MAX_PIXELS, MIN_SIDE_PX

BLOCK_PX = 32
RATES = {0.1: (102, 16), 0.2: (204, 32), 0.3: (307, 48)}  # rate -> measurements of brightness and of colours, a block
LUMA, MEASUREMENTS = RATES[0.3][0], sum(RATES[0.3])
STEP_UNIT = 1 / 65536
LARGEST_FILE_BYTES = 200_000_000

_MAGIC = b"PVS"
VERSION = 1
_HEAD = struct.Struct("<3sBIIHH4sII")
_ESCAPE = 255
_SMALLEST, _LARGEST = -32768, 32767
_FILTERS = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 4, "lp": 0, "pb": 0, "preset": 9}]

Levels = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A photo as its file holds it."""

    width_px: int
    height_px: int
    rate: float
    step: int  # in STEP_UNIT
    model: bytes  # 4 bytes
    levels: Levels = field(repr=False)  # (measurements of the rate, rows, columns) of blocks, brightness first

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise ValueError(f"rate: expected one of {', '.join(map(str, RATES))}, got {self.rate}")
        if not 1 <= self.step <= 65535:
            raise ValueError(f"step: expected 1 to 65535, got {self.step}")
        if len(self.model) != 4:
            raise ValueError(f"model: expected 4 bytes, got {len(self.model)}")
        expected = (sum(RATES[self.rate]), *grid(self.width_px, self.height_px))
        if self.levels.shape != expected:
            raise ValueError(f"levels: expected {expected}, got {self.levels.shape}")


def grid(width_px: int, height_px: int) -> tuple[int, int]:
    """Rows and columns of blocks that cover a photo."""
    return -(-height_px // BLOCK_PX), -(-width_px // BLOCK_PX)


def pack(measured: Measured) -> bytes:
    """The bytes of a file."""
    payload = _compressed(_stream(measured.levels, _alike(measured.rate)))
    head = _header(measured, len(payload), 0)
    return _header(measured, len(payload), zlib.crc32(payload, zlib.crc32(head[:-4]))) + payload


def unpack(data: bytes, *, name: str = "file", max_pixels: int = MAX_PIXELS) -> Measured:
    """Read a file. Nothing is set aside for a size that the header names before the payload bears it out.

    Args: name: what to call the file in an error.
    Raises: SensingError in one sentence for whatever is the matter with it.
    """
    if len(data) < 4 or data[:3] != _MAGIC:
        raise SensingError(f"{name}: not a file of measurements; expected one that `petalveil sense` wrote")
    if data[3] != VERSION:
        raise SensingError(f"{name}: expected version {VERSION} of the file, found {data[3]}; update petalveil")
    if len(data) < _HEAD.size:
        raise SensingError(f"{name}: cut short in its header; get a fresh copy of the file")
    _, _, width, height, hundredths, step, model, length, checksum = _HEAD.unpack_from(data)
    if len(data) - _HEAD.size != length:
        kind = "cut short" if len(data) - _HEAD.size < length else "longer than it should be"
        raise SensingError(
            f"{name}: {kind}, expected {length + _HEAD.size} bytes and found {len(data)}; get a fresh copy of the file"
        )
    payload = data[_HEAD.size :]
    if zlib.crc32(payload, zlib.crc32(data[: _HEAD.size - 4])) != checksum:
        raise SensingError(f"{name}: damaged, its checksum does not fit; get a fresh copy of the file")
    _refuse_size(width, height, name, max_pixels)
    rate = hundredths / 100
    if rate not in RATES or step < 1:
        raise SensingError(f"{name}: expected a rate of 10, 20 or 30 % and a step, found {hundredths} % and {step}")
    shape = (sum(RATES[rate]), *grid(width, height))
    levels = _levels(_decompressed(payload, shape, name), shape, _alike(rate), name)
    return Measured(width_px=width, height_px=height, rate=rate, step=step, model=model, levels=levels)


def _header(measured: Measured, length: int, checksum: int) -> bytes:
    return _HEAD.pack(
        _MAGIC,
        VERSION,
        measured.width_px,
        measured.height_px,
        round(measured.rate * 100),
        measured.step,
        measured.model,
        length,
        checksum,
    )


def _refuse_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise SensingError(f"{name}: {width} x {height} is above the limit of {max_pixels:,} pixels")
    short = min(width, height)
    if short < MIN_SIDE_PX or max(width, height) > LARGEST_ASPECT * short:
        raise SensingError(f"{name}: {width} x {height} is no size of a photo; get a fresh copy of the file")


def _alike(rate: float) -> tuple[int, ...]:
    """Measurements in which neighbouring blocks are alike."""
    luma = RATES[rate][0]
    return 0, luma, luma + 1


def _stream(levels: Levels, alike: tuple[int, ...]) -> bytes:
    clipped = np.clip(levels, _SMALLEST // 2, _LARGEST // 2).astype(np.int32)  # so that differences fit as well
    for index in alike:
        clipped[index, :, 1:] = np.diff(clipped[index], axis=1)
    clipped = clipped.transpose(1, 2, 0)
    folded = np.where(clipped < 0, -2 * clipped - 1, 2 * clipped)
    is_large = folded >= _ESCAPE
    return np.where(is_large, _ESCAPE, folded).astype(np.uint8).tobytes() + clipped[is_large].astype("<i2").tobytes()


def _levels(stream: bytes, shape: tuple[int, int, int], alike: tuple[int, ...], name: str) -> Levels:
    count = shape[0] * shape[1] * shape[2]
    folded = np.frombuffer(stream, np.uint8, count).astype(np.int32)
    levels = np.where(folded % 2 == 1, -(folded + 1) // 2, folded // 2).astype(np.int32)
    is_large = folded == _ESCAPE
    if len(stream) != count + 2 * int(is_large.sum()):
        raise SensingError(f"{name}: damaged, its numbers do not fit its size; get a fresh copy of the file")
    levels[is_large] = np.frombuffer(stream, "<i2", offset=count)
    levels = np.ascontiguousarray(levels.reshape(*shape[1:], shape[0]).transpose(2, 0, 1))
    for index in alike:
        levels[index] = np.cumsum(levels[index], axis=1)
    return levels


def _compressed(stream: bytes) -> bytes:
    return lzma.compress(stream, lzma.FORMAT_RAW, filters=_FILTERS)


def _decompressed(payload: bytes, shape: tuple[int, int, int], name: str) -> bytes:
    """At most as many bytes as the size of the photo allows, however many the payload would give."""
    most = 3 * shape[0] * shape[1] * shape[2]
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    try:
        stream = decompressor.decompress(payload, max_length=most + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise SensingError(f"{name}: damaged, it does not unpack; get a fresh copy of the file") from error
    if not most >= len(stream) >= most // 3:
        raise SensingError(f"{name}: damaged, its numbers do not fit its size; get a fresh copy of the file")
    return stream
