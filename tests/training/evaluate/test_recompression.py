"""Every entry of the grid does what its name says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from mobile_app.core.posting import recompress
from training.errors import TrainingError
from training.evaluate.recompression import (
    FULL,
    NONE,
    QUICK,
    BitDepth,
    Blur,
    Jpeg,
    Jpeg2000,
    LongSide,
    Median,
    Recompression,
    Screenshot,
    Share,
    WebP,
    choose_grid,
)

SAMPLING = {"4:4:4": 0, "4:2:0": 2}  # Pillow's numbers


@pytest.fixture
def noise(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [92, 85, 75, 50])
def test_a_jpeg_has_the_quality_and_sampling_of_its_name(noise: np.ndarray, quality: int, sampling: str) -> None:
    (entry,) = choose_grid([f"jpeg {quality} {sampling}"])
    (step,) = entry.steps
    assert isinstance(step, Jpeg)
    reference = io.BytesIO()
    Image.fromarray(noise).save(reference, "JPEG", quality=quality)
    with Image.open(io.BytesIO(step.encode(noise))) as image, Image.open(reference) as same:
        assert image.format == "JPEG"
        assert JpegImagePlugin.get_sampling(image) == SAMPLING[sampling]
        assert image.quantization == same.quantization


def test_jpeg_is_the_one_of_the_app(noise: np.ndarray) -> None:
    np.testing.assert_array_equal(Jpeg(75, "4:2:0")(noise), recompress(noise, quality=75))


def test_the_other_codecs_are_what_they_say(chelsea: np.ndarray) -> None:
    for step, codec in ((WebP(75), "WEBP"), (Jpeg2000(20), "JPEG2000")):
        with Image.open(io.BytesIO(step.encode(chelsea))) as image:
            assert image.format == codec
    assert len(Jpeg2000(20).encode(chelsea)) == pytest.approx(chelsea.size / 20, rel=0.05)
    assert len(WebP(50).encode(chelsea)) < len(WebP(75).encode(chelsea))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("none", (1050, 2100)),
        ("long side 2048 + JPEG 75 4:2:0", (1024, 2048)),
        ("long side 1080 + JPEG 75 4:2:0", (540, 1080)),
        ("long side 720 + JPEG 75 4:2:0", (360, 720)),
        ("3/4 size + JPEG 75 4:2:0", (788, 1575)),
        ("posted twice", (540, 1080)),
        ("screenshot", (540, 1080)),
    ],
)
def test_sizes_are_those_of_the_name(name: str, size: tuple[int, int]) -> None:
    (entry,) = choose_grid([name])
    posted = entry(np.full((1050, 2100, 3), 90, np.uint8))
    assert posted.shape == (*size, 3)
    assert posted.dtype == np.uint8
    assert abs(int(posted.mean()) - 90) <= 1


def test_a_small_photo_keeps_its_size_but_grows_on_a_screen(noise: np.ndarray) -> None:
    assert LongSide(720)(noise) is noise
    assert Screenshot()(noise).shape == (810, 1080, 3)
    assert Screenshot()(np.zeros((400, 100, 3), np.uint8)).shape == (2340, 585, 3)


@pytest.mark.parametrize("entry", FULL, ids=lambda entry: entry.name)
def test_every_entry_gives_a_photo_and_leaves_the_one_it_got(noise: np.ndarray, entry: Recompression) -> None:
    kept = noise.copy()
    posted = entry(noise)
    assert posted.dtype == np.uint8
    assert posted.ndim == posted.shape[2] == 3
    np.testing.assert_array_equal(noise, kept)


def test_none_changes_nothing(noise: np.ndarray) -> None:
    assert NONE(noise) is noise


def test_posted_twice_is_one_site_after_the_other(noise: np.ndarray) -> None:
    (entry,) = choose_grid(["posted twice"])
    np.testing.assert_array_equal(entry(noise), Jpeg(75, "4:2:0")(Jpeg(85, "4:2:0")(noise)))


def test_bit_depth_by_hand() -> None:
    ramp = np.arange(256, dtype=np.uint8)
    assert len(np.unique(BitDepth(4)(ramp))) == 16
    assert BitDepth(4)(np.uint8([0, 8, 9, 25, 26, 255])).tolist() == [0, 0, 17, 17, 34, 255]  # 8.5 and 25.5 divide
    assert BitDepth(1)(np.uint8([127, 128])).tolist() == [0, 255]
    np.testing.assert_array_equal(BitDepth(8)(ramp), ramp)


def test_median_takes_a_speck_away_and_blur_spreads_it() -> None:
    speck = np.zeros((9, 9, 3), np.uint8)
    speck[4, 4] = 255
    assert Median(3)(speck).max() == 0
    blurred = Blur(1.0)(speck)
    assert 0 < blurred[4, 4, 0] < 80  # the peak of a Gaussian of 1 px is 255 / (2 pi) = 41
    assert blurred[4, 3, 0] == blurred[3, 4, 0] > 0


def test_grids_are_chosen_by_name_in_one_order() -> None:
    assert choose_grid(["full"]) == FULL
    assert choose_grid(["WebP 50", "quick", "none"]) == QUICK
    assert set(QUICK) < set(FULL)
    assert len({entry.name for entry in FULL}) == len(FULL)


@pytest.mark.parametrize("names", [[], ["JPEG 76"], ["quick", "blur"]])
def test_an_unknown_or_empty_grid_is_refused(names: list[str]) -> None:
    with pytest.raises(TrainingError, match="grid: expected"):
        choose_grid(names)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Jpeg(0, "4:4:4"),
        lambda: Jpeg(75, "4:1:1"),
        lambda: WebP(101),
        lambda: Jpeg2000(0.5),
        lambda: LongSide(0),
        lambda: Share(1.5),
        lambda: BitDepth(9),
    ],
)
def test_settings_out_of_range_are_refused(make) -> None:
    with pytest.raises(ValueError, match="expected"):
        make()
