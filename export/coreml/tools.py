"""coremltools, imported in one place: late, because it takes seconds, and without what it says to the log each time."""

from __future__ import annotations

import importlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

from export.errors import ExportError

# What it says at import, or at a conversion, that is known and that nobody here can do anything about:
_KNOWN = re.compile(
    r"Torch version .* has not been tested with coremltools"  # none of its readers of torch is used
    r"|scikit-learn version .* is not supported"  # its converter of scikit-learn's models is not used
    r"|Failed to load _ML"  # Apple's runtime, which is on a Mac alone
)


def coremltools() -> Any:
    """The package coremltools, as Any: it has no types, and makes most of its names when it is imported.

    Raises: ExportError if it is not installed.
    """
    logger = logging.getLogger("coremltools")
    if _is_news not in logger.filters:
        logger.addFilter(_is_news)
    try:
        return importlib.import_module("coremltools")
    except ModuleNotFoundError as error:
        if error.name != "coremltools":
            raise
        raise ExportError(
            "Core ML packages are made with coremltools, which is not installed; run `pip install 'petalveil[coreml]'`"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what coremltools shows while it converts and compresses: progress bars, notes, and two warnings.

    The notes are of weights that two operators read along different axes: they stay in float16. Warnings are about a
    temporary folder that it leaves to be collected, and, of scikit-learn, about a palette of more colours than a layer
    has different weights.
    """
    handlers = list(logging.root.handlers)
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.filterwarnings("ignore", "Implicitly cleaning up", ResourceWarning)
        warnings.filterwarnings("ignore", "Number of distinct clusters")
        try:
            yield
        finally:
            logging.root.handlers[:] = handlers  # a note through the root logger gives it one, to what is silenced here


def builder() -> Any:
    """What appends MIL operators to the function that is being written."""
    return mil().Builder


def mil() -> Any:
    """The module with Program, Function and Placeholder."""
    coremltools()
    return importlib.import_module("coremltools.converters.mil.mil")


def _is_news(record: logging.LogRecord) -> bool:
    return _KNOWN.search(record.getMessage()) is None
