"""The whole protocol on tiny photos: hand-worked tables, the same CSV after a stop, and the command's own errors."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_app.core.photo import Photo
from training.__main__ import main
from training.evaluate.attacks import Attack
from training.evaluate.judges import Judge
from training.evaluate.plots import success_plot
from training.evaluate.protocol import PhotoSet
from training.evaluate.recompression import choose_grid
from training.recipes.evaluate_cloaks import EvaluateConfig, evaluate

GRID = choose_grid(["none", "JPEG 75 4:4:4"])
CSVS = ("success.csv", "photos.csv", "table.md")


def _scores(images: np.ndarray) -> np.ndarray:
    """Eight classes by mean brightness, 20 levels apart."""
    return -np.abs(images.mean((1, 2, 3))[:, None] * 255 - np.arange(8) * 20)


JUDGES = [
    Judge(name="attacked one", size_px=8, scores=_scores, digest="1"),
    Judge(name="other", size_px=8, scores=lambda images: _scores(images * 0.5), digest="2"),
]


class _Brighten:
    """Adds 20 levels; stops like a person would, with Ctrl-C, before photo number `stop_at`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.calls, self._stop_at = 0, stop_at

    def __call__(self, photo: Photo, _seed: int) -> Photo:
        if self.calls == self._stop_at:
            raise KeyboardInterrupt
        self.calls += 1
        return photo.with_pixels(photo.rgb_hwc + np.uint8(20))


@pytest.fixture
def photos(tmp_path: Path) -> PhotoSet:
    """Flat photos of class 1, 2, 3, and one labelled wrong, which no judge has right."""
    found = []
    for number, label in enumerate((1, 2, 3, 0)):
        path = tmp_path / f"{number}.png"
        level = 20 * (number + 1)
        Image.new("RGB", (24, 20), (level, level, level)).save(path)
        found.append((path, label))
    return PhotoSet(name="flat", photos=tuple(found), crop=1.0)


def _evaluate(photos: PhotoSet, out: Path, cloak: _Brighten, grid=GRID) -> list[str]:
    attack = Attack(name="brighten", settings="20", cloak=cloak, attacked=("attacked one",))
    lines: list[str] = []
    evaluate([photos], [attack], JUDGES, grid, out, seed=0, about="# About", report=lines.append)
    return lines


def _rows(out: Path, name: str = "success.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((out / name).read_text(encoding="utf-8"))))


def test_the_table_worked_out_by_hand(photos: PhotoSet, tmp_path: Path) -> None:
    lines = _evaluate(photos, tmp_path / "out", _Brighten())
    rows = {(row["judge"], row["recompression"]): row for row in _rows(tmp_path / "out")}
    assert len(rows) == 4
    # The first judge has three of four photos right, and 20 levels more are the next class; the class stays among
    # the five nearest. The other sees half the brightness: it has none right but the one at 0, which is not there.
    row = rows["attacked one", "none"]
    assert (row["role"], row["counted"], row["fooled"], row["fooled_top5"]) == ("attacked", "3", "3", "0")
    assert (row["success"], row["success_top5"]) == ("1.0", "0.0")
    assert float(row["low"]) == pytest.approx(0.4385, abs=1e-4)  # Wilson, 3 of 3
    assert rows["other", "none"]["role"] == "unseen"
    assert (rows["other", "none"]["counted"], rows["other", "none"]["success"]) == ("0", "")
    assert lines[0] == "flat, brighten, attacked judges: none 100.0 %, JPEG 75 4:4:4 100.0 %"
    text = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "# About" in text
    assert "| none | 100.0 % of 3 [43.9, 100.0] | – of 0 [0.0, 100.0] |" in text


def test_attacks_are_compared_by_judges_that_none_of_them_knew(photos: PhotoSet, tmp_path: Path) -> None:
    """A network that one attack is aimed at would flatter the others' mean, or be missing in it."""
    judges = [*JUDGES, Judge(name="third", size_px=8, scores=_scores, digest="3")]
    attacks = [
        Attack(name="one", settings="1", cloak=_Brighten(), attacked=("attacked one",)),
        Attack(name="two", settings="2", cloak=lambda photo, _seed: photo, attacked=("other",), surrogates=("third",)),
    ]
    lines: list[str] = []
    evaluate([photos], attacks, judges, GRID[:1], tmp_path / "out", seed=0, about="", report=lines.append)
    assert not any("unseen" in line for line in lines)
    evaluate([photos], attacks[:1], judges, GRID[:1], tmp_path / "one", seed=0, about="", report=lines.append)
    assert "flat, one, unseen judges: none 100.0 %" in lines


def test_visibility_is_in_a_row_a_photo(photos: PhotoSet, tmp_path: Path) -> None:
    _evaluate(photos, tmp_path / "out", _Brighten())
    rows = _rows(tmp_path / "out", "photos.csv")
    assert [row["file"] for row in rows] == ["0.png", "1.png", "2.png", "3.png"]
    assert {row["largest_change_levels"] for row in rows} == {"20"}
    assert {row["ms_ssim"] for row in rows} == {""}  # too small for it
    assert float(rows[0]["psnr_db"]) == pytest.approx(22.1102, abs=1e-3)  # 20 log10(255 / 20)


def test_a_second_run_gives_the_same_files_without_work(photos: PhotoSet, tmp_path: Path) -> None:
    out, first, second = tmp_path / "out", _Brighten(), _Brighten()
    _evaluate(photos, out, first)
    before = [(out / name).read_bytes() for name in CSVS]
    _evaluate(photos, out, second)
    assert [(out / name).read_bytes() for name in CSVS] == before
    assert (first.calls, second.calls) == (4, 0)


def test_a_stopped_run_goes_on_where_it_was(photos: PhotoSet, tmp_path: Path) -> None:
    stopped, whole, after = tmp_path / "stopped", tmp_path / "whole", _Brighten()
    with pytest.raises(KeyboardInterrupt):
        _evaluate(photos, stopped, _Brighten(stop_at=2))
    assert not (stopped / "success.csv").exists()
    _evaluate(photos, stopped, after)
    _evaluate(photos, whole, _Brighten())
    assert after.calls == 2
    assert (stopped / "success.csv").read_bytes() == (whole / "success.csv").read_bytes()


def test_without_none_in_the_grid_a_photo_still_has_to_be_right_when_clean(photos: PhotoSet, tmp_path: Path) -> None:
    _evaluate(photos, tmp_path / "out", _Brighten(), grid=GRID[1:])
    rows = _rows(tmp_path / "out")
    assert {row["recompression"] for row in rows} == {"JPEG 75 4:4:4"}
    assert rows[0]["counted"] == "3"


def test_plots_are_pictures_with_every_attack_in_its_colour(photos: PhotoSet, tmp_path: Path) -> None:
    _evaluate(photos, tmp_path / "out", _Brighten())
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        "success-flat-attacked.png",
        "success-flat-unseen.png",
    }
    picture = success_plot("title", ["none", "JPEG"], {"one": [1.0, 0.5], "two": [0.2, float("nan")]})
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
            assert (np.abs(pixels.astype(int) - colour).max(1) < 8).sum() > 50
    with pytest.raises(ValueError, match="two: expected 2 values, got 1"):
        success_plot("title", ["none", "JPEG"], {"two": [0.2]})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"photos": 0}, "photos: expected 1"),
        ({"sets": ("imagenet",)}, "sets: expected some of nips17, photos"),
        ({"strength": "huge"}, "strength: expected one of low, medium, high"),
        ({"steps": 0}, "steps: expected 1 to 1000"),
        ({"seed": -1}, "seed: expected 0"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EvaluateConfig(**wrong)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nips17: no such folder; photos and judges are in the folder `shared` beside the project"),
        (["--grid", "JPEG"], "grid: expected some of quick, full, 'none'"),
        (["--photos", "0"], "photos: expected 1 or more"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--shared", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    assert main(["evaluate", *folders, *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("training: ")
    assert words in error
    assert error.count("\n") == 1
