"""The bridge to Objective-C: blocks as memory everywhere, messages where there is a runtime for them."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest

from mobile_app.ui.platform.objc import Block, ObjC

on_a_mac = pytest.mark.skipif(sys.platform != "darwin", reason="needs Apple's runtime: a Mac")


class NoRuntime:
    def global_block_class(self) -> int:
        return 0x1234


def test_a_block_is_laid_out_as_clang_lays_it_out_and_calls_its_function() -> None:
    heard: list[Any] = []

    def answer(number: int, truth: bool) -> int:
        heard.append((number, truth))
        return 42

    block = Block(NoRuntime(), answer, ctypes.c_long, ctypes.c_long, ctypes.c_bool)  # type: ignore[arg-type]
    isa, flags, reserved = (
        ctypes.c_void_p.from_address(block.pointer).value,
        ctypes.c_int.from_address(block.pointer + 8).value,
        ctypes.c_int.from_address(block.pointer + 12).value,
    )
    assert (isa, flags, reserved) == (0x1234, 1 << 28, 0)
    descriptor = ctypes.c_void_p.from_address(block.pointer + 24).value or 0
    assert ctypes.c_ulong.from_address(descriptor + 8).value == 32  # the size of the whole
    invoke = ctypes.c_void_p.from_address(block.pointer + 16).value or 0
    called = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_void_p, ctypes.c_long, ctypes.c_bool)(invoke)
    assert called(block.pointer, 7, True) == 42
    assert heard == [(7, True)]


@on_a_mac
def test_a_string_goes_there_and_back() -> None:
    objc = ObjC()
    with objc.pool():
        name = objc.string("花 flower")
        assert objc.send(name, "length", returns=ctypes.c_ulong) == 8
        assert objc.text(name) == "花 flower"
    assert objc.cls("PetalveilNoSuchClass") == 0
    assert objc.text(0) == ""


@on_a_mac
def test_foundation_calls_a_block() -> None:
    objc, heard = ObjC(), []
    with objc.pool():
        array = objc.send(objc.cls("NSMutableArray"), "array")
        for word in ("a", "b"):
            objc.send(array, "addObject:", objc.string(word), returns=None)
        block = objc.block(
            lambda item, place, _stop: heard.append((objc.text(item), place)),
            None,
            ctypes.c_void_p,
            ctypes.c_ulong,
            ctypes.c_void_p,
        )
        objc.send(array, "enumerateObjectsUsingBlock:", block.pointer, returns=None)
    assert heard == [("a", 0), ("b", 1)]


@on_a_mac
def test_a_delegate_is_called() -> None:
    objc, heard = ObjC(), []
    delegate = objc.delegate("PetalveilTestDelegate", {"hear:with:": lambda *facts: heard.append(facts)})
    objc.send(delegate.pointer, "hear:with:", delegate.pointer, 0, returns=None)
    assert heard == [(delegate.pointer, 0)]
    with pytest.raises(ValueError, match="PetalveilTestDelegate"):
        objc.delegate("PetalveilTestDelegate", {})
