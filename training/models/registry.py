"""Networks by name: what recipes, export and evaluation call them on a command line."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from training.models.calibrate import calibrate
from training.models.cifar_resnet import cifar_resnet
from training.models.efficientnet_lite import efficientnet_lite
from training.models.squeezenet import squeezenet
from training.torchvision_shim import ensure_torchvision

Weights = Literal["pretrained", "calibrated", "random"]

TORCHVISION = (
    "mobilenet_v2 mobilenet_v3_small mobilenet_v3_large efficientnet_b0 squeezenet1_1 resnet18 resnet50".split()
)
EFFICIENTNET_LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
SQUEEZENET = "squeezenet_ndf"
CIFAR_RESNET = ("cifar_resnet20", "cifar_resnet56")
NETWORKS = (*EFFICIENTNET_LITE, SQUEEZENET, *CIFAR_RESNET, *TORCHVISION)


class Normalised(nn.Module):
    """A network that takes images in [0, 1]: the mean and deviation it was trained with are part of the graph."""

    def __init__(self, network: nn.Module, size_px: int = 224) -> None:
        super().__init__()
        self.network = network
        self.size_px = size_px
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return self.network((image - self.mean) / self.deviation)


def build_network(
    name: str, *, weights: Weights = "pretrained", seed: int = 0, classes: int | None = None
) -> nn.Module:
    """A classifier in eval mode, (N, 3, S, S) in [0, 1] -> logits, with its side as `size_px`.

    Args:
        weights: "pretrained" is downloaded by torchvision, or comes from a package for EfficientNet-Lite and
            squeezenet_ndf; "calibrated" is random by `seed` and made to behave (see `calibrate`), for checks where no
            network is at hand; "random" is as the constructor leaves it, by `seed`, to be filled with a checkpoint.
        classes: how many logits; other than None, the last layer is a new one, random by `seed`.
    Raises: ValueError for an unknown name, fewer than one class, or weights that a network does not have.
    """
    if name not in NETWORKS:
        raise ValueError(f"network: expected one of {', '.join(NETWORKS)}, got {name!r}")
    if classes is not None and classes < 1:
        raise ValueError(f"classes: expected 1 or more, got {classes}")
    if weights == "pretrained" and classes is None:
        return _build(name, pretrained=True).eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _build(name, pretrained=weights == "pretrained")
        if classes is not None:
            _renew_last_layer(network, classes)
        return calibrate(network, seed=seed) if weights == "calibrated" else network.eval()


def last_layer(network: nn.Module) -> nn.Linear | nn.Conv2d:
    """The layer that makes the logits: the last Linear or Conv2d of a network of this module."""
    return _named_last_layer(network)[1]


def _named_last_layer(network: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    return [(name, part) for name, part in network.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)][-1]


def _renew_last_layer(network: nn.Module, classes: int) -> None:
    name, old = _named_last_layer(network)
    if isinstance(old, nn.Linear):
        new: nn.Module = nn.Linear(old.in_features, classes)
    else:  # SqueezeNet ends in a 1x1 convolution
        new = nn.Conv2d(old.in_channels, classes, old.kernel_size)  # pyright: ignore[reportArgumentType]
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, new)


def _build(name: str, *, pretrained: bool) -> nn.Module:
    if name in EFFICIENTNET_LITE:
        return efficientnet_lite(int(name[-1]), pretrained=pretrained)
    if name == SQUEEZENET:
        return squeezenet(pretrained=pretrained)
    if name in CIFAR_RESNET:
        if pretrained:
            raise ValueError(f"weights: {name} has none that were published with a package; expected random")
        return cifar_resnet(int(name.removeprefix("cifar_resnet")))
    return Normalised(_torchvision(name, pretrained=pretrained))


def _torchvision(name: str, *, pretrained: bool) -> nn.Module:
    ensure_torchvision()
    from torchvision import models

    return models.get_model(name, weights="DEFAULT" if pretrained else None)
