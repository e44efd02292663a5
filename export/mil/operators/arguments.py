"""The arguments of one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Arguments:
    """By name; what the program leaves out has the default of MIL, which a rule gives."""

    def __init__(self, given: Mapping[str, Any], width: torch.dtype = torch.float32) -> None:
        self._given = given
        self.width = width  # that floats are computed in

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def tensor(self, name: str) -> Tensor:
        return self._given[name]

    def optional(self, name: str) -> Tensor | None:
        return self._given.get(name)

    def tensors(self, name: str) -> list[Tensor]:
        return list(self._given[name])

    def ints(self, name: str, default: Sequence[int]) -> list[int]:
        return [int(one) for one in self._given[name].reshape(-1)] if name in self._given else list(default)

    def integer(self, name: str, default: int) -> int:
        return int(self._given[name]) if name in self._given else default

    def number(self, name: str, default: float) -> float:
        return float(self._given[name]) if name in self._given else default

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._given[name]) if name in self._given else default

    def text(self, name: str, default: str) -> str:
        return str(self._given.get(name, default))


Rule = Callable[[Arguments], "Tensor | Sequence[Tensor]"]
