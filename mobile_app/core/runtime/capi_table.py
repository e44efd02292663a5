"""ONNX Runtime's C functions, called by their places in the table that `OrtGetApiBase` leads to.

The table only ever grows, so places that were right in 1.17 are right in every later library (struct OrtApi in
onnxruntime_c_api.h, MIT). ctypes lets other Python threads run while such a function works.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any

from mobile_app.core.runtime.graph import RuntimeMissing

API_VERSION = 17  # of ONNX Runtime 1.17: an old one on purpose

_OUT = POINTER(c_void_p)  # where a function leaves what it made
_COUNT = POINTER(c_size_t)

# Name -> (place, types of the arguments); each returns a status, null where all went well.
_CHECKED: dict[str, tuple[int, tuple[Any, ...]]] = {
    "CreateEnv": (3, (c_int, c_char_p, _OUT)),
    "CreateSession": (7, (c_void_p, c_char_p, c_void_p, _OUT)),
    "Run": (
        9,
        (c_void_p, c_void_p, POINTER(c_char_p), _OUT, c_size_t, POINTER(c_char_p), c_size_t, _OUT),
    ),
    "CreateSessionOptions": (10, (_OUT,)),
    "DisableMemPattern": (17, (c_void_p,)),
    "SetIntraOpNumThreads": (24, (c_void_p, c_int)),
    "SessionGetInputCount": (30, (c_void_p, _COUNT)),
    "SessionGetOutputCount": (31, (c_void_p, _COUNT)),
    "SessionGetInputTypeInfo": (33, (c_void_p, c_size_t, _OUT)),
    "SessionGetOutputTypeInfo": (34, (c_void_p, c_size_t, _OUT)),
    "SessionGetInputName": (36, (c_void_p, c_size_t, c_void_p, _OUT)),
    "SessionGetOutputName": (37, (c_void_p, c_size_t, c_void_p, _OUT)),
    "CreateTensorWithDataAsOrtValue": (49, (c_void_p, c_void_p, c_size_t, POINTER(c_int64), c_size_t, c_int, _OUT)),
    "GetTensorMutableData": (51, (c_void_p, _OUT)),
    "CastTypeInfoToTensorInfo": (55, (c_void_p, _OUT)),
    "GetTensorElementType": (60, (c_void_p, POINTER(c_int))),
    "GetDimensionsCount": (61, (c_void_p, _COUNT)),
    "GetDimensions": (62, (c_void_p, POINTER(c_int64), c_size_t)),
    "GetTensorTypeAndShape": (65, (c_void_p, _OUT)),
    "CreateCpuMemoryInfo": (69, (c_int, c_int, _OUT)),
    "AllocatorFree": (76, (c_void_p, c_void_p)),
    "GetAllocatorWithDefaultOptions": (78, (_OUT,)),
    "AddSessionConfigEntry": (130, (c_void_p, c_char_p, c_char_p)),
    "CreateAndRegisterAllocator": (144, (c_void_p, c_void_p, c_void_p)),
}
# Name -> place; each takes one thing, gives it back to the library and returns nothing.
_RELEASES = {
    "ReleaseStatus": 93,
    "ReleaseSession": 95,
    "ReleaseValue": 96,
    "ReleaseTypeInfo": 98,
    "ReleaseTensorTypeAndShapeInfo": 99,
    "ReleaseSessionOptions": 100,
}
_GET_ERROR_MESSAGE = 2


class OrtError(Exception):
    """What the library says went wrong."""


class Table:
    """The functions of one loaded library.

    Args:
        library: has the function `OrtGetApiBase`.
    Raises: RuntimeMissing if the library is older than the functions used here.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        entry = library.OrtGetApiBase
        entry.restype, entry.argtypes = POINTER(c_void_p), ()
        base = entry()
        get_api = ctypes.CFUNCTYPE(c_void_p, c_uint32)(base[0])
        self.version: str = (ctypes.CFUNCTYPE(c_char_p)(base[1])() or b"of no version").decode()
        # An older library would print a complaint on asking and give null.
        table = get_api(API_VERSION) if _numbers(self.version) >= (1, API_VERSION) else None
        if not table:
            raise RuntimeMissing(f"expected ONNX Runtime 1.{API_VERSION} or newer, found {self.version}")
        places = ctypes.cast(table, POINTER(c_void_p))
        self._message = ctypes.CFUNCTYPE(c_char_p, c_void_p)(places[_GET_ERROR_MESSAGE])
        self._checked = {
            name: ctypes.CFUNCTYPE(c_void_p, *arguments)(places[place]) for name, (place, arguments) in _CHECKED.items()
        }
        self._releases = {name: ctypes.CFUNCTYPE(None, c_void_p)(places[place]) for name, place in _RELEASES.items()}

    def call(self, name: str, *arguments: Any) -> None:
        """Raises: OrtError with the library's words, its status released."""
        status = self._checked[name](*arguments)
        if status:
            try:
                raise OrtError((self._message(status) or b"no reason given").decode("utf-8", "replace"))
            finally:
                self.release("Status", status)

    def make(self, name: str, *arguments: Any) -> int:
        """Call a function whose last argument is where it leaves a pointer; 0 stands for null. Raises: OrtError."""
        made = c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made.value or 0

    def count(self, name: str, owner: int) -> int:
        """Raises: OrtError."""
        number = c_size_t()
        self.call(name, owner, ctypes.byref(number))
        return number.value

    def release(self, kind: str, thing: int) -> None:
        """Give back what the library made; null is nothing to it."""
        if thing:
            self._releases[f"Release{kind}"](thing)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
