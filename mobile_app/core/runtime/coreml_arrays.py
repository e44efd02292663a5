"""NumPy arrays as Core ML's, and back."""

from __future__ import annotations

import ctypes
import math

import numpy as np

from mobile_app.core.errors import GraphError
from mobile_app.core.runtime.objc import Objc

# MLMultiArrayDataType -> NumPy's name. Core ML has no int64: what a graph takes as int64 is int32 there, and changed
# on the way in and out.
DTYPES = {65568: "float32", 65600: "float64", 65552: "float16", 131104: "int64"}
_STORED = {**DTYPES, 131104: "int32"}
_NUMBERS = {dtype: number for number, dtype in _STORED.items()}


def as_multi_array(objc: Objc, array: np.ndarray) -> tuple[np.ndarray, int]:
    """Core ML's array over the memory of a NumPy array, which has to be held as long as the other is used.

    Returns: (the array whose memory it is, the MLMultiArray).
    Raises: ObjcError.
    """
    held = np.asarray(array, np.int32 if array.dtype == np.int64 else array.dtype, order="C")
    strides = [stride // held.itemsize for stride in held.strides]
    made = objc.ask(
        objc.send("MLMultiArray", "alloc"),
        "initWithDataPointer:shape:dataType:strides:deallocator:error:",
        held.ctypes.data,
        objc.array_of_numbers(held.shape),
        _NUMBERS[held.dtype.name],
        objc.array_of_numbers(strides),
        0,
    )
    return held, objc.send(made, "autorelease")


def copied(objc: Objc, multi_array: int) -> np.ndarray:
    """A copy: the memory is Core ML's, and its rows may have gaps between them. Raises: GraphError."""
    number = objc.send(multi_array, "dataType")
    if number not in _STORED:
        raise GraphError(f"expected numbers from Core ML, found its type {number}")
    stored = np.dtype(_STORED[number])
    shape = objc.numbers(objc.send(multi_array, "shape"))
    strides = [stride * stored.itemsize for stride in objc.numbers(objc.send(multi_array, "strides"))]
    if math.prod(shape) == 0:
        return np.empty(shape, DTYPES[number])
    size = sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True)) + stored.itemsize
    memory = (ctypes.c_char * size).from_address(objc.send(multi_array, "dataPointer"))
    return np.ndarray(shape, stored, memoryview(memory), strides=strides).astype(DTYPES[number])  # astype copies
