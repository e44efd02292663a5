"""What a table was measured on, in one line; the benchmarks import it by this name."""

from __future__ import annotations

from training.evaluate.machine import machine

__all__ = ["machine"]
