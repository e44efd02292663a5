"""Reverse-mode differentiation of ONNX graphs: one adjoint rule an operator, and the sweep that applies them."""

from export.adjoint.reverse import append_gradient

__all__ = ["append_gradient"]
