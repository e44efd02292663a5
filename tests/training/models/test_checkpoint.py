"""Checkpoints: what goes in comes out, what is none is refused, and the temperature is part of the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.errors import TrainingError
from training.models.checkpoint import Checkpoint, build, load_checkpoint, save_checkpoint
from training.models.registry import build_network


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    network = build_network("efficientnet_lite0", weights="random", classes=4, seed=3)
    return Checkpoint(
        network="efficientnet_lite0",
        classes=("daisy", "rose", "lily_of_the_valley"),
        has_other=True,
        size_px=64,
        crop=0.9,
        temperature=2.0,
        unsure_below=0.4,
        metrics={"test": {"accuracy": 0.97}, "seeds": [0, 1]},
        data={"name": "drawn"},
        command="python -m training flowers",
        state=network.state_dict(),
    )


def test_a_checkpoint_comes_back_as_it_was(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.pt"
    save_checkpoint(path, checkpoint)
    found = load_checkpoint(path)
    assert found == checkpoint
    assert found.state.keys() == checkpoint.state.keys()
    assert all(torch.equal(found.state[name], value) for name, value in checkpoint.state.items())
    assert [file.name for file in path.parent.iterdir()] == ["a.pt"]


def test_numbers_of_numpy_are_stored_as_plain_ones(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.pt", replace(checkpoint, metrics={"accuracy": np.float64(0.5), "seeds": (1, 2)}))
    found = load_checkpoint(tmp_path / "a.pt").metrics
    assert found == {"accuracy": 0.5, "seeds": [1, 2]}
    assert type(found["accuracy"]) is float


def test_build_divides_the_logits_by_the_temperature(checkpoint: Checkpoint) -> None:
    network = build(checkpoint)
    plain = build_network("efficientnet_lite0", weights="random", classes=4, seed=0)
    plain.load_state_dict(dict(checkpoint.state))
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(network(image), plain(image) / 2)
    assert network.size_px == 64
    assert not any(part.training for part in network.modules())


def test_build_leaves_the_stored_weights_alone(checkpoint: Checkpoint) -> None:
    before = checkpoint.state["fc.weight"].clone()
    build(checkpoint)
    build(checkpoint)
    assert torch.equal(checkpoint.state["fc.weight"], before)


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small"])
def test_the_temperature_goes_into_the_last_layer_of_other_networks_too(name: str) -> None:
    network = build_network(name, weights="calibrated", classes=3)
    checkpoint = Checkpoint(network=name, classes=("a", "b", "c"), temperature=4.0, state=network.state_dict())
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(build(checkpoint)(image), network(image) / 4, rtol=1e-4, atol=1e-5)


def test_weights_of_another_number_of_classes_are_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(TrainingError, match=r"state: the weights do not fit efficientnet_lite0 with 3 outputs .*fc\."):
        build(replace(checkpoint, has_other=False))


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.pt: expected a checkpoint, found no file"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_a_file_of_something_else_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(TrainingError, match=r"a\.pt: expected a checkpoint of petalveil, found something else"):
        load_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [{"weights": torch.zeros(2)}, [1, 2], {"petalveil_checkpoint": 99}])
def test_another_file_of_torch_is_a_sentence(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(TrainingError, match=r"a\.pt: expected a checkpoint of format 1, found"):
        load_checkpoint(tmp_path / "a.pt")


def test_half_a_checkpoint_names_what_is_missing(tmp_path: Path) -> None:
    torch.save({"petalveil_checkpoint": 1, "classes": ["a", "b"], "network": "efficientnet_lite0"}, tmp_path / "a.pt")
    with pytest.raises(TrainingError, match=r"not a whole checkpoint .*state"):
        load_checkpoint(tmp_path / "a.pt")


def test_objects_are_neither_saved_nor_loaded(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"a\.pt: metrics: expected finite numbers, text, lists and dicts alone"):
        save_checkpoint(tmp_path / "a.pt", replace(checkpoint, metrics={"path": tmp_path}))
    with pytest.raises(TrainingError, match=r"a\.pt: data: expected finite numbers"):
        save_checkpoint(tmp_path / "a.pt", replace(checkpoint, data={"share": float("nan")}))
    assert list(tmp_path.iterdir()) == []
    torch.save({"petalveil_checkpoint": 1, "network": tmp_path}, tmp_path / "b.pt")
    with pytest.raises(TrainingError, match="found something else"):
        load_checkpoint(tmp_path / "b.pt")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("network", "alexnet"),
        ("classes", ("daisy",)),
        ("classes", ("daisy", "daisy")),
        ("size_px", 31),
        ("crop", 0.0),
        ("crop", 1.01),
        ("temperature", 0.0),
        ("temperature", float("nan")),
        ("unsure_below", -0.1),
        ("unsure_below", 1.1),
    ],
)
def test_a_field_out_of_bounds_is_refused_by_name(checkpoint: Checkpoint, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected"):
        replace(checkpoint, **{field: value})
