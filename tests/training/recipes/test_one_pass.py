"""A universal perturbation and a generator, trained for seconds against a tiny classifier: stronger than noise."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from training.data import natural
from training.data.natural import read_views
from training.errors import TrainingError
from training.models import generator as generator_module
from training.models.efficientnet_lite import efficientnet_lite
from training.models.generator import CloakGenerator, Universal
from training.recipes import one_pass
from training.recipes.one_pass import (
    LOG,
    MODEL,
    OnePassConfig,
    Surrogate,
    load_one_pass,
    train_one_pass,
)

SIDE_PX, VIEW_PX = 48, 56
UNIVERSAL = OnePassConfig(kind="universal", steps=40, batch=4, views_a_photo=2)
GENERATOR = replace(UNIVERSAL, kind="generator", batch=2, learning_rate=0.003, steps=30)


class Stripes(nn.Module):
    """Plain (0) unless there are stripes across (1) or down (2), of about five pixels from one to the next."""

    def __init__(self) -> None:
        super().__init__()
        at = torch.arange(-7, 8)
        window = torch.hann_window(17, periodic=False)[1:-1]
        waves = torch.stack([window * torch.cos(2 * torch.pi * at / 5 + phase) for phase in (0, torch.pi / 2)])
        waves -= window * (waves.sum(1, keepdim=True) / window.sum())  # blind to what is plain
        across = waves[:, :, None] * window * 2 / window.sum() ** 2
        self.register_buffer("kernel", torch.cat([across, across.transpose(1, 2)])[:, None])

    def forward(self, image: Tensor) -> Tensor:
        found = F.relu(F.conv2d(image.mean(1, keepdim=True), self.kernel) * 255)  # in levels
        across, down = (part.mean((1, 2, 3)) for part in found.split(2, 1))
        return 10 * torch.stack([torch.full_like(across, 0.6), across, down], 1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    """All at a side of 48 px and 6 levels a pixel, an encoder without weights, a log row every 10 steps, one thread."""
    monkeypatch.setattr(one_pass, "SIZE_PX", SIDE_PX)
    monkeypatch.setattr(one_pass, "_VIEW_PX", VIEW_PX)
    monkeypatch.setattr(one_pass, "_EVERY", 10)
    monkeypatch.setattr(generator_module, "SIZE_PX", SIDE_PX)
    monkeypatch.setattr(one_pass, "CloakGenerator", untrained_generator)
    monkeypatch.setattr(natural, "budget_map", lambda view, _levels: np.full((3, *view.shape[:2]), 6, np.float32))


def untrained_generator() -> CloakGenerator:
    return CloakGenerator(efficientnet_lite(0, pretrained=False))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A dozen pictures of soft colours with a little grain."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(12):
        coarse = Image.fromarray(rng.integers(64, 192, (6, 6, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize((96, 96), Image.Resampling.BICUBIC)) + rng.normal(0, 2, (96, 96, 1))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02}.png")
    return [str(folder)]


def surrogates() -> list[Surrogate]:
    return [Surrogate(name="stripes", network=Stripes())]


def train(config: OnePassConfig, photos: list[str], out: Path, **given) -> nn.Module:
    return train_one_pass(config, photos, given.pop("surrogates", surrogates()), out, **given)


@torch.no_grad()
def share_fooled(write: Callable[[Tensor], Tensor], photos: list[str]) -> float:
    """Of fresh views in the middle of the photos, as seen by a site: which of them no longer look plain."""
    views = read_views(photos, views_a_photo=4, side_px=SIDE_PX, rng=np.random.default_rng(99))
    image = torch.from_numpy(views.pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    bound = torch.from_numpy(views.bound_levels.astype(np.float32) / 255)
    network = Stripes()
    assert (network(image).argmax(1) == 0).all()  # unchanged they look plain
    changed = (image + write(image) * bound).clamp(0, 1)
    seen = [network(one_pass._as_seen(changed, np.random.default_rng(seed))) for seed in range(8)]
    return float((torch.cat(seen).argmax(1) != 0).float().mean())


def log_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / LOG).read_text(encoding="utf-8"))))


def noise(image: Tensor) -> Tensor:
    """As strong as a perturbation can be: every pixel at one end of its budget."""
    return torch.randint(0, 2, (len(image), 1, SIDE_PX, SIDE_PX), generator=torch.Generator().manual_seed(0)) * 2.0 - 1


def test_a_universal_perturbation_fools_far_more_often_than_noise_of_the_same_size(
    photos: list[str], tmp_path: Path
) -> None:
    network = train(UNIVERSAL, photos, tmp_path)
    assert isinstance(network, Universal)
    assert not network.training
    assert float(network.pattern.detach().abs().max()) <= 1
    assert share_fooled(noise, photos) <= 0.05
    assert share_fooled(network, photos) >= 0.8
    rows = log_of(tmp_path)
    assert [int(row["step"]) for row in rows] == [10, 20, 30, 40]
    assert float(rows[-1]["stripes"]) > 0.8  # over the last ten steps


def test_a_generator_fools_far_more_often_than_noise_of_the_same_size(photos: list[str], tmp_path: Path) -> None:
    """From a universal perturbation, as it is meant to start; one that starts from nothing needs far more steps."""
    train(UNIVERSAL, photos, tmp_path / "universal")
    network = train(GENERATOR, photos, tmp_path / "generator", universal=tmp_path / "universal" / MODEL)
    assert isinstance(network, CloakGenerator)
    assert not network.training
    assert share_fooled(noise, photos) <= 0.05
    assert share_fooled(untrained_generator().eval(), photos) <= 0.05
    assert share_fooled(network, photos) >= 0.8
    unit = network(torch.rand(3, 3, SIDE_PX, SIDE_PX)).detach()
    assert unit.shape == (3, 1, SIDE_PX, SIDE_PX)
    assert float(unit.abs().max()) < 1


def test_a_generator_learns_more_than_its_pattern(photos: list[str], tmp_path: Path) -> None:
    train(replace(UNIVERSAL, steps=10), photos, tmp_path / "universal")
    start = tmp_path / "universal" / MODEL
    still = train(replace(GENERATOR, steps=1, learning_rate=1e-7), photos, tmp_path / "still", universal=start)
    moved = train(GENERATOR, photos, tmp_path / "moved", universal=start)
    changed = {
        name.partition(".")[0]
        for name, value in moved.state_dict().items()
        if float((value - still.state_dict()[name]).abs().max()) > 1e-4
    }
    assert changed == {"pattern", "whole", "inner", "at_16", "at_8", "at_4", "at_2", "last"}


@pytest.mark.parametrize("config", [UNIVERSAL, GENERATOR], ids=lambda config: config.kind)
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    config: OnePassConfig, photos: list[str], tmp_path: Path
) -> None:
    config = replace(config, steps=30, batch=1)
    whole = train(config, photos, tmp_path / "whole")

    def stop(line: str) -> None:
        if line.startswith("step 20"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, photos, tmp_path / "halves", report=stop)
    assert not (tmp_path / "halves" / MODEL).exists()
    lines: list[str] = []
    resumed = train(config, photos, tmp_path / "halves", report=lines.append)
    assert [line.split()[1] for line in lines] == ["30"]
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0, msg=name)
    assert [row["step"] for row in log_of(tmp_path / "halves")] == ["10", "20", "30"]


def test_a_finished_run_is_not_run_again(photos: list[str], tmp_path: Path) -> None:
    config = replace(UNIVERSAL, steps=3)
    first, again = (
        train(config, photos, tmp_path),
        train(config, photos, tmp_path, report=lambda line: pytest.fail(line)),
    )
    torch.testing.assert_close(first.state_dict(), again.state_dict(), rtol=0, atol=0)


def test_what_is_written_is_read_again_with_its_facts(photos: list[str], tmp_path: Path) -> None:
    network = train(replace(UNIVERSAL, steps=3), photos, tmp_path, command="python -m training universal")
    loaded, facts = load_one_pass(tmp_path / MODEL)
    assert isinstance(loaded, Universal)
    assert not loaded.training
    torch.testing.assert_close(loaded.pattern, network.get_parameter("pattern"), rtol=0, atol=0)
    assert facts["kind"] == "universal"
    assert facts["photos"] == 12
    assert facts["surrogates"] == ["stripes"]
    assert facts["command"] == "python -m training universal"


def test_a_generator_starts_from_a_universal_perturbation(photos: list[str], tmp_path: Path) -> None:
    universal = train(replace(UNIVERSAL, steps=3), photos, tmp_path / "universal")
    start = tmp_path / "universal" / MODEL
    config = replace(GENERATOR, steps=1, learning_rate=1e-7)
    generator = train(config, photos, tmp_path / "generator", universal=start)
    torch.testing.assert_close(
        generator.get_parameter("pattern"), universal.get_parameter("pattern"), atol=1e-5, rtol=0
    )
    with pytest.raises(TrainingError, match="holds a run with other settings"):
        train(config, photos, tmp_path / "generator")  # another start is another run
    with pytest.raises(TrainingError, match=r"model\.pt: expected a universal perturbation, found a generator"):
        train(config, photos, tmp_path / "other", universal=tmp_path / "generator" / MODEL)


@pytest.mark.parametrize("change", [{"margin": 3.0}, {"seed": 1}, {"steps": 4}, {"stride": 0.1}])
def test_another_config_in_the_same_folder_is_refused(change, photos: list[str], tmp_path: Path) -> None:
    config = replace(UNIVERSAL, steps=2, batch=1)
    train(config, photos, tmp_path)
    before = (tmp_path / MODEL).read_bytes()
    with pytest.raises(TrainingError, match=r"last\.pt: holds a run with other settings or photos; name another --out"):
        train(replace(config, **change), photos, tmp_path)
    assert (tmp_path / MODEL).read_bytes() == before


def test_other_photos_or_classifiers_in_the_same_folder_are_refused(photos: list[str], tmp_path: Path) -> None:
    config = replace(UNIVERSAL, steps=2, batch=1)
    train(config, photos, tmp_path)
    with pytest.raises(TrainingError, match="other settings or photos"):
        train(config, [f"{photos[0]}:128"], tmp_path)
    with pytest.raises(TrainingError, match="other settings or photos"):
        train(config, photos, tmp_path, surrogates=[replace(surrogates()[0], smooth=3.0)])


def test_each_step_asks_one_classifier_as_often_as_its_share(photos: list[str], tmp_path: Path) -> None:
    asked: list[str] = []

    class Listening(Stripes):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def forward(self, image: Tensor) -> Tensor:
            if image.requires_grad:
                asked.append(self.name)
            return super().forward(image)

    two = [Surrogate(name=name, network=Listening(name), share=share) for name, share in (("a", 3.0), ("b", 1.0))]
    train(replace(UNIVERSAL, steps=80, batch=1), photos, tmp_path, surrogates=two)
    assert len(asked) == 80
    assert 45 <= asked.count("a") <= 72
    assert not any(value.requires_grad for one in two for value in one.network.parameters())


def test_without_a_classifier_or_a_photo_there_is_nothing_to_train(photos: list[str], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="surrogates: expected one classifier or more"):
        train(UNIVERSAL, photos, tmp_path, surrogates=[])
    with pytest.raises(TrainingError, match="no such folder"):
        train(UNIVERSAL, [str(tmp_path / "none")], tmp_path)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 a broken archive"])
def test_a_file_that_is_no_model_is_refused_in_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(TrainingError, match=r"x\.pt: expected a universal perturbation or a generator"):
        load_one_pass(tmp_path / "x.pt")


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    without_format = {"facts": {"kind": "universal"}, "state": Universal().state_dict()}
    of_another_kind = {"petalveil_one_pass": 1, "config": {"kind": "codec"}, "facts": {}, "state": {}}
    for number, content in enumerate(({"state": {}}, [1], without_format, of_another_kind)):
        path = tmp_path / f"{number}.pt"
        torch.save(content, path)
        with pytest.raises(TrainingError, match="expected a universal perturbation or a generator"):
            load_one_pass(path)
    with pytest.raises(TrainingError, match=r"none\.pt: expected a universal .*, found no file; train one with"):
        load_one_pass(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "painter"),
        ("steps", 0),
        ("batch", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("stride", 0.0),
        ("stride", 1.5),
        ("margin", -1.0),
        ("views_a_photo", 0),
        ("seed", -1),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        OnePassConfig(**{field: value})  # pyright: ignore[reportArgumentType]


def test_the_loss_by_hand() -> None:
    # softplus(of_label - logsumexp of the others + margin): log(1 + e^(1 - log(e^0 + e^0) + 2)) = log(1 + e^3 / 2)
    logits = torch.tensor([[1.0, 0.0, 0.0]])
    found = float(one_pass._loss(logits, torch.tensor([0]), 2.0))
    assert found == pytest.approx(np.log(1 + np.exp(3) / 2), rel=1e-5)
    assert float(one_pass._loss(logits * -30, torch.tensor([0]), 2.0)) < 1e-6  # well fooled, it is let go of


def test_a_posted_photo_passes_its_gradient_straight_through() -> None:
    # Whatever the JPEG does, each pixel's gradient is that of the resampling, whose weights sum to 1 a pixel shown.
    for seed in range(6):
        image = torch.rand(1, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(seed)).requires_grad_()
        shown = one_pass._as_seen(image, np.random.default_rng(seed))
        assert shown.shape[2] == shown.shape[3]
        assert 0.75 * SIDE_PX - 1 <= shown.shape[2] <= SIDE_PX
        (grad,) = torch.autograd.grad(shown.sum(), image)
        assert float(grad.sum()) == pytest.approx(shown.numel(), rel=1e-4)
        assert float(grad.min()) >= 0
