"""Messages to Apple's objects by ctypes: what Core ML needs and no more.

Every argument and result used here is a pointer or a whole number of 64 bits, which the processors of iPhones and Macs
pass alike. pyobjus would do most of it, but has no way to pass the memory of an array or an empty block.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_char_p, c_ssize_t, c_void_p
from typing import Any

_FRAMEWORKS = ("Foundation", "CoreML")


class ObjcError(Exception):
    """What an NSError says."""


class Objc:
    """Apple's runtime with the frameworks loaded. Objects are their addresses; 0 is nil.

    Raises: OSError on any other system.
    """

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL("/usr/lib/libobjc.dylib")
        for name in _FRAMEWORKS:
            ctypes.CDLL(f"/System/Library/Frameworks/{name}.framework/{name}")
        for function in ("objc_getClass", "sel_registerName"):
            getattr(self._library, function).restype = c_void_p
            getattr(self._library, function).argtypes = (c_char_p,)
        for function in ("objc_retain", "objc_release", "objc_autoreleasePoolPop"):
            getattr(self._library, function).argtypes = (c_void_p,)
        self._library.objc_retain.restype = c_void_p
        self._library.objc_autoreleasePoolPush.restype = c_void_p
        self._send = ctypes.cast(self._library.objc_msgSend, c_void_p).value or 0

    def send(self, receiver: int | str, selector: str, *arguments: int) -> int:
        """Send a message to an object, or to the class of a name."""
        if isinstance(receiver, str):
            receiver = self._library.objc_getClass(receiver.encode()) or 0
        # Not variadic: an arm64 processor would look for the arguments elsewhere.
        prototype = ctypes.CFUNCTYPE(c_ssize_t, c_void_p, c_void_p, *(c_ssize_t for _ in arguments))
        return prototype(self._send)(receiver, self._library.sel_registerName(selector.encode()), *arguments)

    def ask(self, receiver: int | str, selector: str, *arguments: int) -> int:
        """Send a message whose last argument is where an NSError goes. Raises: ObjcError for nil."""
        error = c_void_p()
        result = self.send(receiver, selector, *arguments, ctypes.addressof(error))
        if not result:
            said = self.text(self.send(error.value, "localizedDescription")) if error.value else ""
            raise ObjcError(said or f"{selector} gave nothing and no reason")
        return result

    def retain(self, thing: int) -> int:
        return self._library.objc_retain(thing) or 0

    def release(self, thing: int) -> None:
        self._library.objc_release(thing)

    @contextmanager
    def pool(self) -> Iterator[None]:
        """What is made inside and not retained goes at its end; a worker thread has no such pool of its own."""
        pool = self._library.objc_autoreleasePoolPush()
        try:
            yield
        finally:
            self._library.objc_autoreleasePoolPop(pool)

    def string(self, text: str) -> int:
        data = ctypes.create_string_buffer(text.encode())
        return self.send("NSString", "stringWithUTF8String:", ctypes.addressof(data))

    def text(self, string: int) -> str:
        place = self.send(string, "UTF8String")
        return ctypes.string_at(place).decode() if place else ""

    def array(self, things: Sequence[int]) -> int:
        memory = (c_void_p * len(things))(*things)
        return self.send("NSArray", "arrayWithObjects:count:", ctypes.addressof(memory), len(things))

    def items(self, array: int) -> list[int]:
        return [self.send(array, "objectAtIndex:", place) for place in range(self.send(array, "count"))]

    def numbers(self, array: int) -> tuple[int, ...]:
        return tuple(self.send(item, "longLongValue") for item in self.items(array))

    def array_of_numbers(self, numbers: Sequence[int]) -> int:
        return self.array([self.send("NSNumber", "numberWithLongLong:", number) for number in numbers])
