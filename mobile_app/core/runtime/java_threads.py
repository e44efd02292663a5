"""When a thread lets go of Java: at its end, if Python started it and it touched Java."""

from __future__ import annotations

import threading
from collections.abc import Callable


class JavaThreads:
    """`enter` is called before each use of Java.

    A thread that ends attached stops an Android app, and one of Java's own must never be detached: it still runs Java.
    """

    def __init__(self, detach: Callable[[], None]) -> None:
        self._detach = detach
        self._local = threading.local()

    def enter(self) -> None:
        thread = threading.current_thread()
        if thread is not threading.main_thread() and not isinstance(thread, threading._DummyThread):
            self._local.leaving = getattr(self._local, "leaving", None) or _AtTheEnd(self._detach)


class _AtTheEnd:
    """Held by a thread's own variables alone, so it goes when the thread ends, and in that thread."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def __del__(self) -> None:
        self._call()
