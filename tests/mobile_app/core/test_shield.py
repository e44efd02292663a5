"""The shield before a recogniser: any size without seams, and one sentence where a bundle has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mobile_app.core.bundle import Bundle, GraphEntry
from mobile_app.core.errors import BundleError
from mobile_app.core.recogniser import Recogniser
from mobile_app.core.runtime.graph import Port
from mobile_app.core.shield import MARGIN_PX, behind_shield, load_shield, shield_files, shielded


class Blurring:
    """A shield of side 48 whose every value is the mean of the 9 x 9 around it; beyond its edges there are zeros."""

    name, runtime = "shield", "by hand"
    inputs: Mapping[str, Port] = {"image": Port((1, 3, 48, 48), "float32")}
    outputs: Mapping[str, Port] = {"shielded": Port((1, 3, 48, 48), "float32")}

    def __init__(self) -> None:
        self.calls = 0

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        assert inputs["image"].shape == (1, 3, 48, 48)
        self.calls += 1
        return {"shielded": blurred(inputs["image"], "constant")}


def blurred(image: np.ndarray, mode) -> np.ndarray:
    padded = np.pad(image, ((0, 0), (0, 0), (4, 4), (4, 4)), mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (9, 9), axis=(2, 3))
    return windows.mean((-1, -2)).astype(np.float32)


class Red:
    """A recogniser of side 48: how much red there is, and how much green."""

    name, runtime = "objects", "by hand"
    inputs: Mapping[str, Port] = {"image": Port((1, 3, 48, 48), "float32")}
    outputs: Mapping[str, Port] = {"logits": Port((1, 2), "float32")}

    def run(self, inputs: Mapping[str, np.ndarray], /) -> dict[str, np.ndarray]:
        return {"logits": 10 * inputs["image"].mean((2, 3))[:, :2]}


def bundle_of(*entries: GraphEntry, tmp_path) -> Bundle:
    return Bundle(root=tmp_path, version="0", graphs={entry.name: entry for entry in entries}, sha256={})


def entry(name: str, size_px: int, task: str = "shield") -> GraphEntry:
    return GraphEntry(
        name=name,
        file=f"{name}.onnx",
        data=("shield.weights",),
        task=task,
        size_px=size_px,
        opset=18,
        precision="float16",
        source="",
        licence="",
        command="",
    )


@pytest.mark.parametrize("size", [(48, 48), (16, 16), (17, 33), (100, 49), (5, 90)])
def test_an_image_of_any_size_comes_back_whole(size: tuple[int, int], rng: np.random.Generator) -> None:
    image = rng.random((1, 3, *size), np.float32)
    found = shielded(image, Blurring())
    assert found.shape == image.shape
    if size != (48, 48):  # in tiles, the image goes on beyond its edges as it ends there
        np.testing.assert_allclose(found, blurred(image, "edge"), atol=1e-6)


def test_what_fits_takes_one_call_and_what_does_not_a_tile_every_16_px() -> None:
    graph = Blurring()
    shielded(np.zeros((1, 3, 48, 48), np.float32), graph)
    assert graph.calls == 1
    shielded(np.zeros((1, 3, 48, 50), np.float32), graph)
    step = 48 - 2 * MARGIN_PX
    assert graph.calls == 1 + (48 // step) * -(-50 // step)


def test_the_recogniser_sees_what_the_shield_gives(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobile_app.core import shield

    graph = Blurring()
    monkeypatch.setattr(shield, "load_graph", lambda *_given, **_more: graph)
    plain = Recogniser(name="objects", graph=Red(), labels=("red", "green"), unsure_below=0.0, crop=1.0)
    both = behind_shield(plain, bundle_of(entry("shield", 48), tmp_path=tmp_path))
    red = np.zeros((48, 48, 3), np.uint8)
    red[..., 0] = 255
    before, after = plain.look(red), both.look(red)
    # beyond the edges there are zeros, so the mean of red falls from 1 to (1 - 20/9/48)^2 there
    mean = (1 - 2 * sum(range(1, 5)) / 9 / 48) ** 2
    assert before.best.probability == pytest.approx(1 / (1 + np.exp(-10)))
    assert after.best.probability == pytest.approx(1 / (1 + np.exp(-10 * mean)), rel=1e-5)
    assert (after.best.label, graph.calls) == ("red", 1)
    assert plain.graph.__class__ is Red


def test_the_graph_of_the_recognisers_size_is_taken_and_else_the_largest(tmp_path) -> None:
    bundle = bundle_of(entry("shield", 224), entry("shield.256", 256), tmp_path=tmp_path)
    taken: list[str] = []

    def load(name: str) -> Blurring:
        taken.append(name)
        return Blurring()

    for size_px in (224, 256, 160):
        load_shield(bundle, size_px, load=load)
    assert taken == ["shield", "shield.256", "shield.256"]
    assert shield_files(bundle) == ["shield.256.onnx", "shield.onnx", "shield.weights"]


def test_a_bundle_without_a_shield_says_so_in_a_sentence(tmp_path) -> None:
    with pytest.raises(
        BundleError, match=r"shield: expected a graph .* found none; make a bundle that has one"
    ) as said:
        load_shield(bundle_of(entry("objects", 224, "classify"), tmp_path=tmp_path), 224)
    assert "\n" not in str(said.value)
