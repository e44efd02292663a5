"""MIL operators in torch: one small function each, by the name that MIL has for it.

A rule takes the arguments by name and returns a tensor, or a list where an operator has several outputs.
"""

from __future__ import annotations

from export.mil.operators import elementwise, layers, pooling, shaping
from export.mil.operators.arguments import Arguments, Rule

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **layers.RULES,
    **pooling.RULES,
    **shaping.RULES,
}

__all__ = ["RULES", "Arguments", "Rule"]
