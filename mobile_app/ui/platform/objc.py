"""Objective-C by ctypes: messages, blocks and delegates, as iOS and macOS have them.

pyobjus has no blocks and calls no C functions, and saving a photo or taking one needs both. Written from Apple's
documentation of the runtime and of blocks; the tests on a Mac use it, and nobody has run it on a phone.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_double, c_int, c_size_t, c_ulong, c_void_p
from typing import Any

_BLOCK_IS_GLOBAL = 1 << 28  # copying such a block gives the same one, so nothing has to be counted


class Edges(ctypes.Structure):
    """UIEdgeInsets, in points."""

    _fields_ = (("top", c_double), ("left", c_double), ("bottom", c_double), ("right", c_double))


class Block:
    """A Python function as a block. Keep it until nobody can call it any more: `pointer` does not.

    Args: returns: a ctypes type or None; takes: the ctypes types of the arguments.
    """

    def __init__(self, objc: ObjC, function: Callable[..., Any], returns: Any, *takes: Any) -> None:
        self._call = CFUNCTYPE(returns, c_void_p, *takes)(lambda _block, *arguments: function(*arguments))
        self._descriptor = _Descriptor(0, ctypes.sizeof(_Literal))
        self._literal = _Literal(
            objc.global_block_class(),
            _BLOCK_IS_GLOBAL,
            0,
            ctypes.cast(self._call, c_void_p),
            ctypes.pointer(self._descriptor),
        )
        self.pointer = ctypes.addressof(self._literal)


class ObjC:
    """The runtime. Objects are addresses, and 0 is nil; whoever allocates one releases it."""

    def __init__(self) -> None:
        self._runtime = ctypes.CDLL(ctypes.util.find_library("objc"))
        self._program = ctypes.CDLL(None)
        for name in ("objc_getClass", "sel_registerName"):
            function = getattr(self._runtime, name)
            function.restype, function.argtypes = c_void_p, [c_char_p]

    def cls(self, name: str) -> int:
        """The class of a name, or 0 where no framework that is loaded has it."""
        return self._runtime.objc_getClass(name.encode()) or 0

    def send(self, receiver: int, selector: str, *arguments: Any, returns: Any = c_void_p) -> Any:
        """Send a message. Arguments other than objects are ctypes values, each of the method's very type."""
        values = [c_void_p(value) if isinstance(value, int) else value for value in arguments]
        call = CFUNCTYPE(returns, c_void_p, c_void_p, *map(type, values))(("objc_msgSend", self._runtime))
        answer = call(receiver, self._runtime.sel_registerName(selector.encode()), *values)
        return (answer or 0) if returns is c_void_p else answer

    def call(self, name: str, *arguments: Any, returns: Any = c_void_p) -> Any:
        """Call a C function of a framework that the program links. Raises: AttributeError if none has it."""
        values = [c_void_p(value) if isinstance(value, int) else value for value in arguments]
        answer = CFUNCTYPE(returns, *map(type, values))((name, self._program))(*values)
        return (answer or 0) if returns is c_void_p else answer

    def string(self, text: str) -> int:
        """An NSString that lives until the pool is emptied."""
        return self.send(self.cls("NSString"), "stringWithUTF8String:", c_char_p(text.encode()))

    def text(self, string: int) -> str:
        """What an NSString says; "" for nil."""
        return (self.send(string, "UTF8String", returns=c_char_p) or b"").decode() if string else ""

    def block(self, function: Callable[..., Any], returns: Any, *takes: Any) -> Block:
        return Block(self, function, returns, *takes)

    def delegate(self, name: str, methods: Mapping[str, Callable[..., None]]) -> Delegate:
        """An object of a new class, whose methods take objects and give nothing back."""
        return Delegate(self, name, methods)

    @contextmanager
    def pool(self) -> Iterator[None]:
        """What Apple's methods give away inside is freed at the end. A thread of ours has no pool of its own."""
        push, pop = self._runtime.objc_autoreleasePoolPush, self._runtime.objc_autoreleasePoolPop
        push.restype, pop.argtypes = c_void_p, [c_void_p]
        token = push()
        try:
            yield
        finally:
            pop(token)

    def global_block_class(self) -> int:
        """What the field `isa` of a block points to that lives as long as the program."""
        return ctypes.addressof(c_void_p.in_dll(self._program, "_NSConcreteGlobalBlock"))

    def new_class(self, name: str, methods: Mapping[str, tuple[bytes, Any]]) -> int:
        """A subclass of NSObject; methods: type encoding and C function by selector."""
        allocate, add = self._runtime.objc_allocateClassPair, self._runtime.class_addMethod
        allocate.restype, allocate.argtypes = c_void_p, [c_void_p, c_char_p, c_size_t]
        add.restype, add.argtypes = ctypes.c_bool, [c_void_p, c_void_p, c_void_p, c_char_p]
        made = allocate(self.cls("NSObject"), name.encode(), 0)
        if not made:
            raise ValueError(f"name: expected one that no class has, got {name}")
        for selector, (types, function) in methods.items():
            add(made, self._runtime.sel_registerName(selector.encode()), ctypes.cast(function, c_void_p), types)
        self._runtime.objc_registerClassPair(c_void_p(made))
        return made


class Delegate:
    """See ObjC.delegate. Keep it as long as anything may call it: Apple's objects do not hold their delegates."""

    def __init__(self, objc: ObjC, name: str, methods: Mapping[str, Callable[..., None]]) -> None:
        self._functions = {selector: _as_method(selector, function) for selector, function in methods.items()}
        made = objc.new_class(
            name, {selector: (_types(selector), function) for selector, function in self._functions.items()}
        )
        self.pointer: int = objc.send(objc.send(made, "alloc"), "init")


class _Descriptor(ctypes.Structure):
    _fields_ = (("reserved", c_ulong), ("size", c_ulong))


class _Literal(ctypes.Structure):
    _fields_ = (
        ("isa", c_void_p),
        ("flags", c_int),
        ("reserved", c_int),
        ("invoke", c_void_p),
        ("descriptor", POINTER(_Descriptor)),
    )


def _as_method(selector: str, function: Callable[..., None]) -> Any:
    takes = [c_void_p] * selector.count(":")
    return CFUNCTYPE(None, c_void_p, c_void_p, *takes)(
        lambda _self, _selector, *arguments: function(*(argument or 0 for argument in arguments))
    )


def _types(selector: str) -> bytes:
    return b"v@:" + b"@" * selector.count(":")
