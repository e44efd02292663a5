"""Makes `import torchvision` work where its compiled part does not load: call `ensure_torchvision()` first.

A torchvision wheel holds compiled operators for one build of torch (CUDA, CPU). With another build they do not load,
and the import then stops at the first operator it wants to describe, although every network in `torchvision.models`
and every transform works without them.
"""

from __future__ import annotations

import functools
import importlib
import sys

from torch.library import Library


def ensure_torchvision() -> None:
    """Import torchvision, where need be with declarations in place of its missing compiled operators.

    Does nothing more than the import where torchvision is whole. Otherwise declares the two operators that the import
    asks for, `nms` and `qnms`; they have no kernel, so a call to `torchvision.ops.nms` still raises.

    Raises:
        ModuleNotFoundError: if torchvision is not installed.
        RuntimeError: if the import fails for any other reason than a missing operator.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        _forget_partial_import()
        _declare_operators()
        importlib.import_module("torchvision")


def _forget_partial_import() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


@functools.cache  # once per process; a Library takes its declarations back when it is collected
def _declare_operators() -> Library:
    library = Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
