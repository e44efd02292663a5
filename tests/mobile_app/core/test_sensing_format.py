"""The file of measurements: round trips, bytes by hand, and every kind of damage refused in one sentence."""

from __future__ import annotations

import lzma
import struct
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest

from mobile_app.core.errors import SensingError
from mobile_app.core.sensing_format import RATES, Measured, grid, pack, unpack

HEAD_BYTES = 28


def measured(rate: float = 0.1, size: tuple[int, int] = (70, 40), largest: int = 300, seed: int = 0) -> Measured:
    rng = np.random.default_rng(seed)
    count, spread = sum(RATES[rate]), np.geomspace(largest, 0.3, sum(RATES[rate]))
    levels = np.rint(rng.normal(0, 1, (count, *grid(*size))) * spread[:, None, None]).astype(np.int32)
    return Measured(width_px=size[0], height_px=size[1], rate=rate, step=8000, model=b"\1\2\3\4", levels=levels)


def with_checksum(data: bytes) -> bytes:
    """The same file, as if whoever changed it had known of the checksum."""
    checksum = zlib.crc32(data[HEAD_BYTES:], zlib.crc32(data[: HEAD_BYTES - 4]))
    return data[: HEAD_BYTES - 4] + struct.pack("<I", checksum) + data[HEAD_BYTES:]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("largest", [0, 3, 300, 4_000])
def test_what_was_packed_comes_back(rate: float, largest: int) -> None:
    wanted = measured(rate, largest=max(largest, 1))
    found = unpack(pack(wanted))
    assert np.array_equal(found.levels, wanted.levels)
    assert replace(found, levels=wanted.levels).__repr__() == wanted.__repr__()


def test_the_extremes_come_back() -> None:
    wanted = measured()
    wanted.levels[:] = np.where(np.arange(wanted.levels.size).reshape(wanted.levels.shape) % 2, 16383, -16384)
    assert np.array_equal(unpack(pack(wanted)).levels, wanted.levels)


def test_the_header_by_hand() -> None:
    data = pack(measured())
    assert data[:4] == b"PVS\x01"
    assert struct.unpack("<IIHH", data[4:16]) == (70, 40, 10, 8000)
    assert data[16:20] == b"\1\2\3\4"
    assert struct.unpack("<I", data[20:24]) == (len(data) - HEAD_BYTES,)
    assert struct.unpack("<I", data[24:28]) == (zlib.crc32(data[28:], zlib.crc32(data[:24])),)


def test_the_payload_by_hand() -> None:
    """Two blocks side by side: differences in the first of brightness and the first two of the colours."""
    count = sum(RATES[0.1])
    levels = np.zeros((count, 1, 2), np.int32)
    levels[0, 0] = 5, 3
    levels[1, 0] = -1, 200
    levels[102, 0] = 2, 2
    wanted = Measured(width_px=64, height_px=32, rate=0.1, step=1, model=bytes(4), levels=levels)
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 4, "lp": 0, "pb": 0, "preset": 9}]
    stream = lzma.decompress(pack(wanted)[HEAD_BYTES:], lzma.FORMAT_RAW, filters=filters)
    first, second, rest = stream[:count], stream[count : 2 * count], stream[2 * count :]
    assert (first[0], first[1], first[102]) == (10, 1, 4)
    assert (second[0], second[1], second[102]) == (3, 255, 0)  # 3 - 5 = -2; 200 does not fit; 2 - 2 = 0
    assert rest == struct.pack("<h", 200)


def test_an_empty_plane_costs_next_to_nothing() -> None:
    flat = replace(measured(size=(3200, 3200)), levels=np.zeros((118, 100, 100), np.int32))
    assert len(pack(flat)) < 400


@pytest.mark.parametrize("data", [b"", b"PV", b"PVS", b"\xff\xd8\xff\xe0 a photo", b"PK\x03\x04", bytes(100)])
def test_a_foreign_file_is_refused(data: bytes) -> None:
    with pytest.raises(SensingError, match=r"^a\.pvs: not a file of measurements; expected one that"):
        unpack(data, name="a.pvs")


def test_a_later_version_is_refused_with_a_remedy() -> None:
    with pytest.raises(SensingError, match="expected version 1 of the file, found 2; update petalveil"):
        unpack(b"PVS\x02" + bytes(40))


def test_every_shortened_file_is_refused() -> None:
    data = pack(measured())
    for length in (*range(40), *range(40, len(data), 17)):
        with pytest.raises(SensingError, match=r"not a file of measurements|cut short"):
            unpack(data[:length])
    with pytest.raises(SensingError, match="longer than it should be"):
        unpack(data + b"\0")


def test_every_flipped_bit_is_refused() -> None:
    data = pack(measured())
    places = [*range(8 * HEAD_BYTES), *np.random.default_rng(1).integers(8 * HEAD_BYTES, 8 * len(data), 300)]
    for bit in places:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(SensingError) as caught:
            unpack(bytes(changed), name="a.pvs")
        assert str(caught.value).startswith("a.pvs: ")
        assert "\n" not in str(caught.value)


def test_random_bytes_are_refused_also_with_the_right_checksum() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        body = rng.integers(0, 256, int(rng.integers(0, 200)), np.uint8).tobytes()
        sizes = struct.pack("<II", *(int(side) for side in rng.integers(1, 2000, 2)))
        rest = struct.pack("<HH4sII", int(rng.choice([10, 20, 30])), 100, bytes(4), len(body), 0)
        for data in (body, b"PVS\x01" + body, with_checksum(b"PVS\x01" + sizes + rest + body)):
            with pytest.raises(SensingError):
                unpack(data)


def test_changed_payloads_with_the_right_checksum_never_crash() -> None:
    data = pack(measured())
    rng = np.random.default_rng(3)
    for _ in range(200):
        changed = bytearray(data)
        for place in rng.integers(HEAD_BYTES, len(data), 3):
            changed[place] = int(rng.integers(256))
        try:
            found = unpack(with_checksum(bytes(changed)))
        except SensingError:
            continue
        assert found.levels.shape == (118, 2, 3)


@pytest.mark.parametrize("size", [(2**32 - 1, 2**32 - 1), (10_000, 10_000), (0, 0), (16, 4_000_000), (1, 1)])
def test_a_size_that_the_payload_does_not_bear_out_sets_nothing_aside(size: tuple[int, int]) -> None:
    data = pack(measured())
    lying = with_checksum(data[:4] + struct.pack("<II", *size) + data[12:])
    tracemalloc.start()
    try:
        with pytest.raises(SensingError, match=r"above the limit|no size of a photo|do not fit its size"):
            unpack(lying)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_is_unpacked_no_further_than_its_size_allows() -> None:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 4, "lp": 0, "pb": 0, "preset": 9}]
    body = lzma.compress(bytes(50_000_000), lzma.FORMAT_RAW, filters=filters)
    head = b"PVS\x01" + struct.pack("<IIHH4sII", 64, 64, 10, 100, bytes(4), len(body), 0)
    data = with_checksum(head + body)
    tracemalloc.start()
    try:
        with pytest.raises(SensingError, match="do not fit its size"):
            unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("field", "value"), [("rate", 0.15), ("step", 0), ("step", 70_000), ("model", b"12"), ("width_px", 500)]
)
def test_what_does_not_belong_together_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"(rate|step|model|levels): expected"):
        replace(measured(), **{field: value})
