"""Where ONNX Runtime's own library is: at a named path, inside the wheel, by its name, or in the program itself."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from mobile_app.core.runtime.graph import RuntimeMissing

VARIABLE = "PETALVEIL_ORT_LIBRARY"
_NAMES = ("libonnxruntime.so", "libonnxruntime.dylib")
_IN_THE_WHEEL = ("libonnxruntime.so*", "libonnxruntime.[0-9]*.dylib")


def load_library() -> ctypes.CDLL:
    """The first library found that has ONNX Runtime's entry.

    The places: the path in PETALVEIL_ORT_LIBRARY, and then nothing else; the onnxruntime wheel's folder (it need not
    import); the system's loader by name, which is how Android finds what lies in the app; the program itself, which is
    where a static library on iOS is.

    Raises: RuntimeMissing if it is nowhere.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _named(named)
    for place in (*_in_the_wheel(), *_by_name(), None):
        try:
            library = ctypes.CDLL(place)
        except (OSError, TypeError):  # the latter for the program itself, on Windows
            continue
        if _is_onnxruntime(library):
            return library
    raise RuntimeMissing(f"no libonnxruntime here, name its path in {VARIABLE}")


def _named(place: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(place)
    except OSError as error:
        raise RuntimeMissing(f"{VARIABLE}: expected a library at {place}, {error}") from error
    if not _is_onnxruntime(library):
        raise RuntimeMissing(f"{VARIABLE}: expected ONNX Runtime's library, found another at {place}")
    return library


def _in_the_wheel() -> Iterator[str]:
    try:
        spec = find_spec("onnxruntime")
    except (ImportError, ValueError):
        return
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for pattern in _IN_THE_WHEEL:
            yield from (str(path) for path in sorted((Path(folder) / "capi").glob(pattern)))


def _by_name() -> tuple[str, ...]:
    return _NAMES[1:] if sys.platform in ("darwin", "ios") else _NAMES[:1]


def _is_onnxruntime(library: ctypes.CDLL) -> bool:
    return hasattr(library, "OrtGetApiBase")
