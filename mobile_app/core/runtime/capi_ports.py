"""The names, shapes and types of a session's inputs and outputs, read through the C API."""

from __future__ import annotations

import ctypes

from mobile_app.core.runtime.capi_table import Table
from mobile_app.core.runtime.graph import Port, port

# NumPy's name -> ONNXTensorElementDataType
ELEMENT_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
}
_DTYPES = {number: name for name, number in ELEMENT_TYPES.items()}


def read_ports(table: Table, session: int, side: str, file: str) -> dict[str, Port]:
    """The ports of a side, "Input" or "Output", in the graph's order.

    Raises: GraphError for a port that holds no numbers, OrtError.
    """
    allocator = table.make("GetAllocatorWithDefaultOptions")  # belongs to the library
    ports: dict[str, Port] = {}
    for place in range(table.count(f"SessionGet{side}Count", session)):
        text = table.make(f"SessionGet{side}Name", session, place, allocator)
        name = ctypes.string_at(text).decode()
        table.call("AllocatorFree", allocator, text)
        info = table.make(f"SessionGet{side}TypeInfo", session, place)
        try:
            shape, number = _shape_and_type(table, info)
        finally:
            table.release("TypeInfo", info)
        ports[name] = port(file, name, shape, _DTYPES.get(number))
    return ports


def dimensions(table: Table, tensor_info: int) -> tuple[int, ...]:
    """The lengths; -1 where the graph leaves one open. Raises: OrtError."""
    lengths = (ctypes.c_int64 * table.count("GetDimensionsCount", tensor_info))()
    table.call("GetDimensions", tensor_info, lengths, len(lengths))
    return tuple(lengths)


def _shape_and_type(table: Table, type_info: int) -> tuple[tuple[int, ...], int]:
    tensor_info = table.make("CastTypeInfoToTensorInfo", type_info)  # a part of type_info: not released by itself
    if not tensor_info:
        return (), 0  # a sequence or a map
    number = ctypes.c_int()
    table.call("GetTensorElementType", tensor_info, ctypes.byref(number))
    return dimensions(table, tensor_info), number.value
