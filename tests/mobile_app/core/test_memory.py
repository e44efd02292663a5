"""What the process holds, and giving back what it no longer needs."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from mobile_app.core import memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has no malloc_trim")
def test_freed_memory_goes_back_to_the_system() -> None:
    # Blocks below the size from which the allocator asks the system for each on its own, one kept at the top.
    blocks = [np.ones(8_000) for _ in range(1_000)]
    top = np.ones(8_000)
    del blocks
    before = memory.resident_mb()
    assert memory.give_back()
    after = memory.resident_mb()
    assert before is not None
    assert after is not None
    assert after < before - 20
    assert top.sum() == 8_000


def test_another_c_library_is_told_by_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    assert memory.give_back() is False
