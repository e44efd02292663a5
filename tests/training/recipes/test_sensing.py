"""Classifiers, CSNet and adversarial runs, trained for seconds on two kinds of stripes: what they learn; resuming."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.__main__ import main
from training.cli import sensing as cli
from training.errors import TrainingError
from training.models.sensing import load_csnet
from training.recipes import sensing, sensing_classifiers
from training.recipes.sensing import LAST, LOG, MODEL, SensingConfig, mean_psnr, train_sensing
from training.recipes.sensing_classifiers import ClassifierConfig, accuracy, load_classifier, train_classifiers
from training.recipes.sensing_data import GreySplits, read_greys
from training.recipes.sensing_photos import PhotoSensingConfig
from training.recipes.sensing_table import as_markdown, falls, sensing_table

CLASSIFIERS = ClassifierConfig(steps=30, batch=16, precision="fp32")
PLAIN = SensingConfig(rate=0.05, steps=6, batch=4, precision="fp32")


pytestmark = pytest.mark.usefixtures("one_thread")


def _picture(label: int, rng: np.random.Generator) -> np.ndarray:
    """Stripes across (0) or down (1), of some phase, in noise."""
    wave = 128 + 18 * np.sin(np.arange(32) * 1.2 + rng.uniform(0, 6))
    plane = np.broadcast_to(wave[:, None] if label == 0 else wave, (32, 32)) + rng.normal(0, 8, (32, 32))
    return np.clip(plane, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An .npz of 120 + 40 pictures, in the form of CIFAR-10, ordered by class as that is."""
    path = tmp_path_factory.mktemp("stripes") / "stripes.npz"
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {"classes": np.array(["across", "down"])}
    for part, count in (("train", 120), ("test", 40)):
        labels = np.sort(np.arange(count) % 2)
        files = []
        for label in labels:
            buffer = io.BytesIO()
            Image.fromarray(_picture(int(label), rng)).convert("RGB").save(buffer, "JPEG", quality=95)
            files.append(buffer.getvalue())
        arrays |= {
            f"{part}_jpeg": np.frombuffer(b"".join(files), np.uint8),
            f"{part}_offsets": np.cumsum([0, *map(len, files)]),
            f"{part}_labels": labels.astype(np.uint8),
        }
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture(scope="session")
def splits(stripes: str) -> GreySplits:
    return read_greys(stripes, train=70, val=20, test=30)


@pytest.fixture(scope="session")
def runs(splits: GreySplits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with classifiers, CSNet, and a run against the VGG."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs")
    classifiers = train_classifiers(CLASSIFIERS, splits, out / "classifiers")
    train_sensing(PLAIN, splits, out, classifiers)
    config = replace(PLAIN, against="vgg", steps=40, quality_loss=0.25, learning_rate=4e-3)
    train_sensing(config, splits, out, classifiers)
    return out


def test_the_splits_share_no_picture_and_hold_both_classes(splits: GreySplits) -> None:
    shown = {name: {one.tobytes() for one in getattr(splits, name).pixels} for name in ("train", "val", "test")}
    assert not shown["train"] & shown["val"]
    assert splits.classes == 2
    assert splits.test.pixels.shape == (30, 32, 32)
    for part in (splits.train, splits.val, splits.test):
        assert 0.2 < part.labels.mean() < 0.8
    assert splits.train.images.max() <= 1


def test_classifiers_learn_and_are_trained_once(runs: Path, splits: GreySplits) -> None:
    for name in ("vgg", "resnet", "critic"):
        network, facts = load_classifier(runs / "classifiers" / f"{name}.pt", name)
        assert accuracy(network, splits.test) == pytest.approx(facts["test"])
        assert facts["test"] > 0.7
    before = (runs / "classifiers" / "vgg.pt").stat().st_mtime_ns
    train_classifiers(CLASSIFIERS, splits, runs / "classifiers")
    assert (runs / "classifiers" / "vgg.pt").stat().st_mtime_ns == before
    with pytest.raises(TrainingError, match=r"vgg\.pt: was trained with other settings"):
        train_classifiers(replace(CLASSIFIERS, steps=31), splits, runs / "classifiers")


def test_what_is_read_falls_while_quality_is_given_up(runs: Path, splits: GreySplits) -> None:
    network, _ = load_classifier(runs / "classifiers" / "vgg.pt", "vgg")
    plain, against = (load_csnet(runs / name / MODEL)[0] for name in ("none-0.05", "vgg-0.05"))
    read = [
        float(
            (network(sensing.reconstructed(model, splits.test.images)).argmax(1) == splits.test.answers).float().mean()
        )
        for model in (plain, against)
    ]
    assert read[1] < read[0] - 0.2
    assert mean_psnr(against, splits.test) < mean_psnr(plain, splits.test)
    assert torch.equal(plain.sampling.weight, against.sampling.weight)  # S stays: one file serves both


def test_a_generative_run_trains_its_critic_and_the_printed_one_does_not(runs: Path, splits: GreySplits) -> None:
    classifiers = {name: load_classifier(runs / "classifiers" / f"{name}.pt", name)[0] for name in ("vgg", "critic")}
    losses = {}
    for against in ("generative", "printed"):
        train_sensing(replace(PLAIN, against=against), splits, runs, classifiers)
        rows = list(csv.DictReader((runs / f"{against}-0.05" / LOG).read_text(encoding="utf-8").splitlines()))
        losses[against] = float(rows[-1]["D_rec"])
    assert losses["generative"] < 0.6 < losses["printed"]  # log 2 is that of a coin


def test_a_critic_of_rate_0_stays_as_it_came(runs: Path, splits: GreySplits, tmp_path: Path) -> None:
    train_sensing(PLAIN, splits, tmp_path, {})
    critic, _ = load_classifier(runs / "classifiers" / "critic.pt", "critic")
    for rate, moved in ((0.0, False), (0.5, True)):
        config = replace(PLAIN, against="generative", critic_rate=rate, rate=0.05, steps=2)
        train_sensing(config, splits, tmp_path, {"critic": critic})
        found = torch.load(tmp_path / config.folder / LAST, weights_only=True)["critic"]
        kept = {f"critic.{name}": value for name, value in found.items()}
        assert any(not torch.equal(kept[name], value) for name, value in critic.state_dict().items()) == moved
        (tmp_path / config.folder / MODEL).unlink()
        (tmp_path / config.folder / LAST).unlink()


def test_a_stopped_run_goes_on_to_the_same_weights(
    runs: Path, splits: GreySplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensing, "_EVERY", 2)
    classifiers = {"vgg": load_classifier(runs / "classifiers" / "vgg.pt", "vgg")[0]}
    config = replace(PLAIN, against="vgg")
    for name in ("whole", "parts"):
        (tmp_path / name / "none-0.05").mkdir(parents=True)
        (tmp_path / name / "none-0.05" / MODEL).write_bytes((runs / "none-0.05" / MODEL).read_bytes())
    whole = train_sensing(config, splits, tmp_path / "whole", classifiers)
    write_rows = sensing.write_rows

    def stop_after_four(path: Path, rows: list[dict[str, float]]) -> None:
        write_rows(path, rows)
        if rows[-1]["step"] == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(sensing, "write_rows", stop_after_four)
    with pytest.raises(KeyboardInterrupt):
        train_sensing(config, splits, tmp_path / "parts", classifiers)
    monkeypatch.setattr(sensing, "write_rows", write_rows)
    lines: list[str] = []
    parts = train_sensing(config, splits, tmp_path / "parts", classifiers, report=lines.append)
    assert len(lines) == 2
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_a_classifier_goes_on_where_it_stopped(
    splits: GreySplits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensing_classifiers, "_EVERY", 2)
    config = replace(CLASSIFIERS, steps=4)
    wanted = train_classifiers(config, splits, tmp_path / "whole")["critic"]

    def stop(line: str) -> None:
        if line.startswith("critic  step 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_classifiers(config, splits, tmp_path / "parts", report=stop)
    lines: list[str] = []
    found = train_classifiers(config, splits, tmp_path / "parts", report=lines.append)["critic"]
    assert [line for line in lines if "step" in line and line.startswith("critic  step 4")]
    assert len(lines) == 2
    for name, value in wanted.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_a_run_of_other_settings_is_refused(runs: Path, splits: GreySplits) -> None:
    with pytest.raises(TrainingError, match=r"model\.pt: holds a run with other settings"):
        train_sensing(replace(PLAIN, seed=1), splits, runs, {})


def test_without_a_csnet_there_is_nothing_to_start_from(splits: GreySplits, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the CSNet to start from is not there; train it with --against none"):
        train_sensing(replace(PLAIN, against="vgg"), splits, tmp_path, {})


def test_runs_go_on_from_earlier_ones(runs: Path, splits: GreySplits, tmp_path: Path) -> None:
    """A step so small that it moves nothing shows where each model began."""
    classifiers = {name: load_classifier(runs / "classifiers" / f"{name}.pt", name)[0] for name in ("vgg", "critic")}
    earlier = {name: load_csnet(runs / name / MODEL)[0] for name in ("none-0.05", "vgg-0.05")}
    plain = train_sensing(replace(PLAIN, seed=1), splits, tmp_path, {}, start_from=runs)
    assert torch.equal(plain.sampling.weight, earlier["none-0.05"].sampling.weight)  # else no decoder would fit it
    assert not torch.equal(plain.deep[0].weight, earlier["none-0.05"].deep[0].weight)
    still = replace(PLAIN, steps=1, learning_rate=1e-7, against="vgg")
    found = train_sensing(still, splits, tmp_path, classifiers, start_from=runs)
    torch.testing.assert_close(found.deep[0].weight, earlier["vgg-0.05"].deep[0].weight, rtol=0, atol=1e-6)
    generative = train_sensing(replace(still, against="generative"), splits, tmp_path, classifiers, start_from=runs)
    torch.testing.assert_close(generative.deep[0].weight, plain.deep[0].weight, rtol=0, atol=1e-6)


def test_a_decoder_of_another_sampling_is_refused(runs: Path, splits: GreySplits, tmp_path: Path) -> None:
    train_sensing(replace(PLAIN, seed=3), splits, tmp_path, {})
    with pytest.raises(TrainingError, match="samples otherwise than"):
        train_sensing(replace(PLAIN, against="vgg"), splits, tmp_path, {}, start_from=runs)
    with pytest.raises(TrainingError, match="the model to start from is not there; train it with --against resnet"):
        train_sensing(replace(PLAIN, against="resnet"), splits, tmp_path, {}, start_from=runs)


def test_classifiers_go_on_from_earlier_ones(runs: Path, splits: GreySplits, tmp_path: Path) -> None:
    config = replace(CLASSIFIERS, steps=2)
    afresh = train_classifiers(config, splits, tmp_path / "afresh")["vgg"]
    found = train_classifiers(config, splits, tmp_path / "more", start_from=runs / "classifiers")["vgg"]
    assert accuracy(found, splits.train) > accuracy(afresh, splits.train) + 0.1
    with pytest.raises(TrainingError, match=r"vgg\.pt: was trained with other settings"):
        train_classifiers(config, splits, tmp_path / "more")


def test_half_a_state_is_one_sentence(splits: GreySplits, tmp_path: Path) -> None:
    (tmp_path / "none-0.05").mkdir()
    (tmp_path / "none-0.05" / LAST).write_bytes(b"half")
    with pytest.raises(TrainingError, match=rf"{LAST}: expected the state of a run"):
        train_sensing(PLAIN, splits, tmp_path, {})


def test_alpha_rises_while_pictures_are_too_bad_and_falls_while_they_are_too_good() -> None:
    alpha = sensing._Alpha(1.0)
    alpha.steer(missing_db=2.0)  # of which 0.8 dB count now: its base rises by 0.08 * 0.8, itself by 1.2 * 0.8 more
    assert alpha.value == pytest.approx(np.exp(0.064 + 0.96))
    alpha.steer(missing_db=-1.2)  # 0.6 * 0.8 - 0.4 * 1.2 = 0: back at its base
    assert alpha.value == pytest.approx(np.exp(0.064))
    alpha.steer(missing_db=-100.0)  # counts as -5
    assert alpha.value == pytest.approx(np.exp(0.064 - 0.16 - 2.4))


def test_the_falls_by_hand() -> None:
    known = {
        ("none", 0.1): {"vgg": 0.6, "resnet": 0.4, "psnr_db": 20.0},
        ("none", 0.3): {"vgg": 0.8, "resnet": 0.6, "psnr_db": 30.0},
        ("vgg", 0.1): {"vgg": 0.1, "resnet": 0.2, "psnr_db": 19.0},
        ("vgg", 0.3): {"vgg": 0.1, "resnet": 0.2, "psnr_db": 26.0},
    }
    assert falls("vgg", [0.1, 0.3], known) == pytest.approx((1 - 0.15 / 0.6, 1 - 22.5 / 25))
    rows = [{"against": name, "rate": rate, "ssim": 0.9, **row} for (name, rate), row in known.items()]
    page = as_markdown(rows, {"vgg": 0.9, "resnet": 0.8}, pictures=10)
    assert "| Adv-CSNet-VGG | 75.0 % | 10.0 % | +10.0 points |" in page
    assert "| CSNet | 50.0 (28.9) | 70.0 (69.4) | 60.0 |" in page


def test_the_table_is_measured_and_drawn(runs: Path, stripes: str, tmp_path: Path) -> None:
    page = sensing_table(stripes, runs, pictures=30, picture=tmp_path / "some.png")
    rows = list(csv.DictReader((runs / "table.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["against"] for row in rows][:2] == ["none", "vgg"]
    assert float(rows[1]["vgg"]) < float(rows[0]["vgg"])
    assert "Adv-CSNet-VGG" in page
    with Image.open(tmp_path / "some.png") as image:
        assert image.width == 4 * 32 * 8
    with pytest.raises(TrainingError, match="no such file"):
        sensing_table(stripes, tmp_path, pictures=30)


def test_the_command_trains_all_that_it_names(stripes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "sensing",
        "--data",
        stripes,
        "--rate",
        "0.02",
        "0.03",
        "--against",
        "resnet",
        "none",
        "--out",
        str(tmp_path),
    ]
    words += [
        "--pictures",
        "70",
        "--classifier-steps",
        "2",
        "--steps",
        "2",
        "--plain-steps",
        "2",
        "--batch",
        "4",
        "--precision",
        "fp32",
    ]
    assert main([*words, "--quality-loss", "0.1", "0.2", "0.3"]) == 1
    assert "expected one, or one for each of 2 rates" in capsys.readouterr().err
    assert main([*words, "--quality-loss", "0.1", "0.2"]) == 0
    assert (tmp_path / "resnet-0.02" / MODEL).is_file()
    assert load_csnet(tmp_path / "none-0.02" / MODEL)[1]["command"].startswith("python -m training ")
    losses = [load_csnet(tmp_path / f"resnet-{rate}" / MODEL)[1]["config"]["quality_loss"] for rate in (0.02, 0.03)]
    assert losses == [0.1, 0.2]
    assert main(["sensing-table", "--data", stripes, "--runs", str(tmp_path), "--pictures", "20"]) == 0
    assert "Adv-CSNet-ResNet" in capsys.readouterr().out


def test_the_options_are_the_fields_of_the_configs() -> None:
    for numbers, config in ((cli.NUMBERS, SensingConfig()), (cli.PHOTO_NUMBERS, PhotoSensingConfig())):
        assert {name: getattr(config, name) for name in numbers} == numbers
    assert cli._AGAINST == sensing.AGAINST


@pytest.mark.parametrize(
    ("field", "value"), [("rate", 0), ("against", "dog"), ("precision", "fp8"), ("quality_loss", 1.0), ("steps", 0)]
)
def test_a_bound_is_told_by_its_field(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        SensingConfig(**{field: value})  # pyright: ignore[reportArgumentType]
