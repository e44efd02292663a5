"""ONNX operator -> MIL operators: one small function each. A rule takes the node and the translation so far, and
returns what stands for the node's first output, or a list where there are several."""

from __future__ import annotations

from export.coreml.operators import elementwise, layers, losses, pooling, shaping
from export.coreml.translate import Rule

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **layers.RULES,
    **losses.RULES,
    **pooling.RULES,
    **shaping.RULES,
}
