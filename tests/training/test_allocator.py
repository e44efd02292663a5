"""Freed memory is kept where the C library can be told to."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone can be told")
def test_a_large_block_stays_with_the_process_after_it_is_freed() -> None:
    script = (
        "import ctypes\n"
        "from training.allocator import keep_freed_memory\n"
        "from mobile_app.core.memory import resident_mb\n"
        "assert keep_freed_memory()\n"
        "c = ctypes.CDLL(None)\n"
        "c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]\n"
        "before = resident_mb()\n"
        "block = c.malloc(96 * 2**20)\n"
        "ctypes.memset(block, 1, 96 * 2**20)\n"
        "c.free(block)\n"
        "assert resident_mb() - before > 80, resident_mb() - before\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from training import allocator

    monkeypatch.setattr(sys, "platform", "darwin")
    assert not allocator.keep_freed_memory()
