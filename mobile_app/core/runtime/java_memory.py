"""Arrays that Python and Java both see: one file without a name, mapped into memory by each of them."""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mobile_app.core.runtime.graph import Port

_ALIGNMENT = 64  # bytes; as wide as the widest instruction loads


class SharedArrays:
    """`arrays` for Python and, in the same order, `buffers` (direct java.nio.ByteBuffer) for Java.

    The file loses its name as soon as it is mapped, and the system drops it with the last mapping.

    Args:
        classes: Java's RandomAccessFile and MapMode.
        ports: of fixed sizes.
    """

    def __init__(self, classes: Mapping[str, Any], ports: Sequence[Port]) -> None:
        starts, size = _places(ports)
        with tempfile.NamedTemporaryFile(prefix="petalveil-") as file:
            file.truncate(size)
            mapping = mmap.mmap(file.fileno(), size)
            access = classes["RandomAccessFile"](file.name, "rw")
            try:
                channel = access.getChannel()
                self.buffers: list[Any] = [
                    channel.map(classes["MapMode"].READ_WRITE, start, _bytes(port))
                    for start, port in zip(starts, ports, strict=True)
                ]
            finally:
                access.close()
        self.arrays = [
            np.ndarray(port.shape, port.dtype, mapping, start) for start, port in zip(starts, ports, strict=True)
        ]


def _places(ports: Sequence[Port]) -> tuple[list[int], int]:
    """Where each array starts, and the size of all."""
    starts, end = [], 0
    for port in ports:
        starts.append(end)
        end += -(-_bytes(port) // _ALIGNMENT) * _ALIGNMENT
    return starts, max(end, 1)


def _bytes(port: Port) -> int:
    return math.prod(port.shape) * np.dtype(port.dtype).itemsize
