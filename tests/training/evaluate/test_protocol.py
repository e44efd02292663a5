"""Records on generated photos: what is kept is not redone, what is missing is added, and files decide, not arrays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.errors import PhotoError
from mobile_app.core.photo import Photo, decode
from training.errors import TrainingError
from training.evaluate.attacks import Attack
from training.evaluate.judges import Judge
from training.evaluate.protocol import Record, examine, open_set
from training.evaluate.recompression import NONE, choose_grid

JPEG_50 = choose_grid(["JPEG 50 4:2:0"])[0]


class _Brightness:
    """Six classes by mean brightness; counts how many images it saw."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.seen += len(images)
        return -np.abs(images.mean((1, 2, 3))[:, None] * 255 - np.arange(6) * 20)


class _Brighten:
    """Adds 20 levels, which is one class; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, photo: Photo, _seed: int) -> Photo:
        self.calls += 1
        return photo.with_pixels(photo.rgb_hwc + np.uint8(20))


@pytest.fixture
def brightness() -> _Brightness:
    return _Brightness()


@pytest.fixture
def brighten() -> _Brighten:
    return _Brighten()


@pytest.fixture
def judge(brightness: _Brightness) -> Judge:
    return Judge(name="brightness", size_px=8, scores=brightness, digest="1")


@pytest.fixture
def attack(brighten: _Brighten) -> Attack:
    return Attack(name="brighten", settings="20", cloak=brighten, attacked=())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "grey.png"
    Image.new("RGB", (30, 24), (40, 40, 40)).save(path)
    return path


def _examine(attack, source, judge, tmp_path, grid=(NONE,), seed: int = 0) -> Record:
    return examine(attack, source, 2, crop=1.0, judges=[judge], grid=grid, folder=tmp_path / "out", seed=seed)


def test_the_answers_are_to_the_saved_file(attack, source, judge, tmp_path) -> None:
    assert _examine(None, source, judge, tmp_path).answers["brightness", "none"][0] == 2
    record = _examine(attack, source, judge, tmp_path)
    assert record.answers["brightness", "none"][0] == 3
    assert record.visibility.largest_change_levels == record.visibility.mean_change_levels == 20
    assert record.all_seconds >= record.cloak_seconds > 0
    (saved,) = (tmp_path / "out" / "cloaks" / "brighten").iterdir()
    assert saved.suffix == ".png"
    assert (decode(saved).rgb_hwc == 60).all()


def test_a_name_with_a_path_in_it_makes_one_folder(brighten: _Brighten, source, judge, tmp_path) -> None:
    attack = Attack(name="gradient:a/b.pt+c", settings="20", cloak=brighten, attacked=())
    _examine(attack, source, judge, tmp_path)
    assert [folder.name for folder in (tmp_path / "out" / "cloaks").iterdir()] == ["gradient_a_b.pt+c"]


def test_a_jpeg_is_saved_as_a_jpeg_with_its_own_tables(attack, judge, tmp_path, chelsea: np.ndarray) -> None:
    source = tmp_path / "cat.jpg"
    Image.fromarray(chelsea // 2).save(source, quality=60)
    _examine(attack, source, judge, tmp_path)
    (saved,) = (tmp_path / "out" / "cloaks" / "brighten").iterdir()
    assert decode(saved).jpeg == decode(source).jpeg is not None


def test_what_is_kept_is_not_redone(attack, source, judge, tmp_path, brightness, brighten) -> None:
    first = _examine(attack, source, judge, tmp_path)
    assert _examine(attack, source, judge, tmp_path) == first
    assert (brighten.calls, brightness.seen) == (1, 1)


def test_a_larger_grid_adds_only_what_is_missing(attack, source, judge, tmp_path, brightness, brighten) -> None:
    _examine(attack, source, judge, tmp_path)
    record = _examine(attack, source, judge, tmp_path, grid=(NONE, JPEG_50))
    assert set(record.answers) == {("brightness", "none"), ("brightness", JPEG_50.name)}
    assert (brighten.calls, brightness.seen) == (1, 2)


@pytest.mark.parametrize("changed", ["settings", "seed", "photo"])
def test_another_attack_seed_or_photo_is_done_anew(attack, source, judge, tmp_path, brighten, changed: str) -> None:
    _examine(attack, source, judge, tmp_path)
    if changed == "settings":
        attack = replace(attack, settings="21")
    if changed == "photo":
        Image.new("RGB", (30, 24), (41, 40, 40)).save(source)
    _examine(attack, source, judge, tmp_path, seed=int(changed == "seed"))
    assert brighten.calls == 2


def test_a_judge_with_other_weights_is_asked_again(attack, source, judge, tmp_path, brightness, brighten) -> None:
    _examine(attack, source, judge, tmp_path)
    _examine(attack, source, replace(judge, digest="2"), tmp_path)
    assert (brighten.calls, brightness.seen) == (1, 2)


@pytest.mark.parametrize("damage", [b"", b"\x89PNG half"])
def test_a_cloak_that_was_lost_or_changed_is_made_again_with_all_its_answers(
    attack, source, judge, tmp_path, brighten, damage: bytes
) -> None:
    _examine(attack, source, judge, tmp_path)
    (saved,) = (tmp_path / "out" / "cloaks" / "brighten").iterdir()
    saved.write_bytes(damage)
    record = _examine(attack, source, judge, tmp_path, grid=(NONE, JPEG_50))
    assert len(record.answers) == 2
    assert brighten.calls == 2
    assert (decode(saved).rgb_hwc == 60).all()


def test_half_a_record_is_made_again(attack, source, judge, tmp_path, brighten) -> None:
    first = _examine(attack, source, judge, tmp_path)
    (path,) = (tmp_path / "out" / "results").iterdir()
    path.write_bytes(path.read_bytes()[:50])
    assert _examine(attack, source, judge, tmp_path).answers == first.answers
    assert brighten.calls == 2
    assert json.loads(path.read_bytes())["attack"] == "brighten"


def test_a_judge_that_fails_names_the_photo_and_leaves_no_record(attack, source, judge, tmp_path) -> None:
    def fail(_images: np.ndarray) -> np.ndarray:
        raise RuntimeError("no")

    with pytest.raises(TrainingError, match=r"^grey.png: judge brightness: failed \(no\); leave it out with --judges$"):
        _examine(attack, source, replace(judge, scores=fail), tmp_path)
    assert list((tmp_path / "out" / "results").iterdir()) == []


def test_a_damaged_photo_is_named(attack, source, judge, tmp_path) -> None:
    source.write_bytes(source.read_bytes()[:60])
    with pytest.raises(PhotoError, match=r"grey.png: "):
        _examine(attack, source, judge, tmp_path)


@pytest.fixture
def nips_like(tmp_path: Path) -> Path:
    folder = tmp_path / "shared" / "data" / "nips17"
    folder.mkdir(parents=True)
    for number in range(40):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / f"{number}.png")
    rows = "".join(f"{number}.png,{number}\n" for number in range(40))
    (folder / "labels.csv").write_text("file,class_index\n" + rows, encoding="utf-8")
    return tmp_path / "shared"


def test_the_tuning_quarter_is_left_out(nips_like: Path) -> None:
    found = open_set(nips_like, "nips17", None, 0)
    first_bytes = [hashlib.sha256(path.read_bytes()).digest()[0] for path, _ in found.photos]
    assert 0 < len(found.photos) < 40
    assert min(first_bytes) >= 64
    assert found.crop == 1.0
    assert all(path.stem == str(label) for path, label in found.photos)


def test_a_tuning_set_has_the_photos_that_the_set_leaves_out(nips_like: Path) -> None:
    kept, tuning = (open_set(nips_like, name, None, 0) for name in ("nips17", "nips17-tuning"))
    labels = [label for _, label in (*kept.photos, *tuning.photos)]
    assert sorted(labels) == list(range(40))
    assert tuning.photos
    assert (tuning.name, tuning.crop) == ("nips17-tuning", 1.0)


def test_more_photos_hold_the_fewer_and_a_seed_draws_others(nips_like: Path) -> None:
    few, more, others = (open_set(nips_like, "nips17", count, seed) for count, seed in ((5, 0), (9, 0), (5, 1)))
    assert more.photos[:5] == few.photos
    assert set(others.photos) != set(few.photos)


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nips17: no such folder; photos and judges are in the folder `shared`"):
        open_set(tmp_path / "nowhere", "nips17", 3, 0)
