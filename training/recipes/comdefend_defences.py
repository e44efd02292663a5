"""Defences that stand before a classifier: (N, 3, H, W) images in [0, 1] -> the same, purified.

Beside the defence itself each has its routes: what an attacker who knows it differentiates in its place. A route gives
the values of the defence, so an attack along it meets the real thing; only its gradient is a stand-in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mobile_app.core.preprocess import from_uint8, to_uint8
from training.evaluate.recompression import BitDepth, Jpeg
from training.models.comdefend import ComDefend, Patchwise, StraightThrough, load_comdefend

NONE = "none"
TV_WEIGHT = 0.05  # of skimage's Chambolle solver, on [0, 1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Defence:
    """What stands before the classifier."""

    name: str
    key: str  # all that decides on its outputs
    purify: nn.Module
    routes: Mapping[str, nn.Module] = field(default_factory=dict)


class Defended(nn.Module):
    """A defence and a classifier in one."""

    def __init__(self, classifier: nn.Module, defence: nn.Module) -> None:
        super().__init__()
        self.defence, self.classifier = defence, classifier

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(self.defence(image))


class Backwards(nn.Module):
    """The defence forwards, nothing backwards: BPDA with the identity (Athalye et al. 2018, arXiv:1802.00420, 4.1)."""

    def __init__(self, defence: nn.Module) -> None:
        super().__init__()
        self.defence = defence

    def forward(self, image: Tensor) -> Tensor:
        with torch.no_grad():
            change = self.defence(image) - image
        return image + change


class OnPixels(nn.Module):
    """A function of a (H, W, 3) uint8 photo, image by image."""

    def __init__(self, function: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        done = [from_uint8(self.function(to_uint8(one[None].cpu().numpy()))) for one in image.detach()]
        return torch.from_numpy(np.concatenate(done)).to(image.device)


class TotalVariation(nn.Module):
    """argmin_u |u - x|^2 / 2 + weight TV(u), by Chambolle's algorithm: the total-variation defence of Guo et al. 2018
    (arXiv:1711.00117) without its random dropping of pixels."""

    def __init__(self, weight: float = TV_WEIGHT) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, image: Tensor) -> Tensor:
        from skimage.restoration import denoise_tv_chambolle

        done = [
            denoise_tv_chambolle(one.permute(1, 2, 0).cpu().double().numpy(), weight=self.weight, channel_axis=2)
            for one in image.detach()
        ]
        return torch.from_numpy(np.stack(done)).permute(0, 3, 1, 2).float().clamp(0, 1).to(image.device)


def no_defence() -> Defence:
    return Defence(name=NONE, key=NONE, purify=nn.Identity(), routes={"plain": nn.Identity()})


def classic_defences() -> list[Defence]:
    """JPEG, fewer bits, total variation."""
    made = {
        "JPEG 75": (OnPixels(Jpeg(75, "4:2:0")), "jpeg 75 4:2:0"),
        "JPEG 50": (OnPixels(Jpeg(50, "4:2:0")), "jpeg 50 4:2:0"),
        "4 bits": (OnPixels(BitDepth(4)), "bits 4"),
        f"TV {TV_WEIGHT:g}": (TotalVariation(), f"tv {TV_WEIGHT}"),
    }
    return [
        Defence(name=name, key=key, purify=module, routes={"identity": Backwards(module)})
        for name, (module, key) in made.items()
    ]


def comdefend_defence(name: str, path: Path, *, patchwise: bool) -> Defence:
    """A ComDefend from a file. Raises: TrainingError if it cannot be read."""
    model, _ = load_comdefend(path)
    return of_model(name, model, hashlib.sha256(path.read_bytes()).hexdigest(), patchwise=patchwise)


def of_model(name: str, model: ComDefend, digest: str, *, patchwise: bool) -> Defence:
    """Args: patchwise: cut the image into 32 x 32, as published, and not as a whole."""
    model.requires_grad_(False)

    def cut(module: nn.Module) -> nn.Module:
        return Patchwise(module).eval() if patchwise else module.eval()

    purify = cut(model)
    return Defence(
        name=name,
        key=f"comdefend {digest} {patchwise}",
        purify=purify,
        routes={"straight-through": cut(StraightThrough(model)), "identity": Backwards(purify)},
    )
