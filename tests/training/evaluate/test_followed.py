"""The engine along networks that are named: what a graph of torch answers, who had which part, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobile_app.core.photo import Photo
from mobile_app.core.step import StepConfig
from training.errors import TrainingError
from training.evaluate import followed
from training.evaluate.attacks import open_attacks
from training.evaluate.followed import TorchGraph, open_followed
from training.objectives import AwayFromLabel
from training.recipes.one_pass import Surrogate

CONFIG = StepConfig(budget_levels=8, steps=3)
NOWHERE = Path("nowhere")


class Patches(nn.Module):
    """Brightness of 32 px patches, through a ReLU, to 1000 classes."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        weight = np.random.default_rng(seed).normal(size=(1000, 3 * 7 * 7)).astype(np.float32)
        self.weight = nn.Parameter(torch.from_numpy(weight))

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(nn.functional.avg_pool2d(image, 32).flatten(1)) @ self.weight.T


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Surrogates and files of them without their weights."""

    def open_small(names: list[str], _shared: Path) -> list[Surrogate]:
        return [Surrogate(name=name, network=Patches(len(name)), smooth=4.0) for name in names]

    def load_small(path: Path) -> tuple[nn.Module, dict[str, object]]:
        return Patches(99), {"config": {"network": path.stem}}

    monkeypatch.setattr(followed, "open_surrogates", open_small)
    monkeypatch.setattr(followed, "load_surrogate", load_small)


def inputs() -> dict[str, np.ndarray]:
    image = np.random.default_rng(0).random((1, 3, 224, 224), dtype=np.float32)
    return {"image": image, "label": np.array([7])}


def test_a_graph_gives_the_loss_the_logits_and_the_gradient_of_the_image() -> None:
    network = Patches(0)
    image, label = (torch.from_numpy(value) for value in inputs().values())
    image.requires_grad_()
    loss, logits = AwayFromLabel(network)(image, label)
    loss.backward()
    answers = TorchGraph("a", network, 1e6).run(inputs())  # so steep that the masks are exact
    np.testing.assert_allclose(answers["loss"], loss.item(), rtol=1e-6)
    np.testing.assert_allclose(answers["logits"], logits.detach(), rtol=1e-6)
    assert image.grad is not None
    np.testing.assert_allclose(answers["grad"], image.grad, rtol=1e-4, atol=1e-9)


def test_the_masks_of_a_graph_are_as_smooth_as_its_steepness_says() -> None:
    """At an image of one grey, g, a mask passes sigmoid(s g) of the gradient that the exact one passes whole."""
    grey = {"image": np.full((1, 3, 224, 224), 0.25, np.float32), "label": np.array([7])}
    exact, smooth = (TorchGraph("a", Patches(0), steepness).run(grey)["grad"] for steepness in (1e6, 4.0))
    np.testing.assert_allclose(smooth, exact / (1 + np.exp(-1)), rtol=1e-4)


def test_networks_of_names_are_attacked_and_those_of_files_are_helped_by_their_origins() -> None:
    graphs, attacked, origins, digest = open_followed("squeezenet+a/efficientnet_lite1.pt", NOWHERE)
    assert [graph.name for graph in graphs] == ["squeezenet", "a/efficientnet_lite1.pt"]
    assert (attacked, origins) == (("squeezenet",), ("lite1",))
    assert digest != open_followed("squeezenet", NOWHERE)[3]
    ((attack,), _) = open_attacks(["gradient:lite0+b/efficientnet_lite1.pt"], CONFIG, NOWHERE)
    roles = [attack.role_of(name) for name in ("lite0", "lite0_shipped", "lite1", "lite2")]
    assert roles == ["attacked", "attacked", "surrogate", "unseen"]


def test_the_engine_follows_them_within_its_budget(chelsea: np.ndarray) -> None:
    ((attack,), _) = open_attacks(["gradient:lite0+squeezenet"], CONFIG, NOWHERE)
    cloaked = attack.cloak(Photo(rgb_hwc=chelsea), 0).rgb_hwc
    change = np.abs(cloaked.astype(int) - chelsea)
    assert 2 <= change.max() <= 8


@pytest.mark.parametrize("names", ["", "lite0+", "resnet", "lite0,lite1"])
def test_a_network_that_is_neither_a_name_nor_a_file_is_refused(names: str) -> None:
    with pytest.raises(TrainingError, match=r"expected names of lite0, lite1, .* or model\.pt files"):
        open_followed(names, NOWHERE)


def test_a_file_of_a_network_that_the_engine_cannot_show_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"efficientnet_lite2\.pt: expected one of .*, found efficientnet_lite2"):
        open_followed("efficientnet_lite2.pt", NOWHERE)
