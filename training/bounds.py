"""The numbers of a config, held to the range that each may have."""

from __future__ import annotations

from collections.abc import Mapping


def check_bounds(config: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Args: bounds: name of a field to its lowest and highest value, both allowed.

    Raises: ValueError naming the first field that is outside.
    """
    for name, (low, high) in bounds.items():
        if not low <= getattr(config, name) <= high:
            raise ValueError(f"{name}: expected {low} to {high}, got {getattr(config, name)}")
