"""Codecs by name: what comes back, what a name means, and what is said of a name that means nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from training.data import codecs
from training.data.codecs import CONDITION_VALUES, back_to_size, missing, parse_codec, parse_range
from training.errors import TrainingError

ALL = ("jpeg:75", "jpeg:75:444", "webp:50", "jpeg2000:20", "avif:50")


@pytest.mark.parametrize("text", ALL)
def test_a_codec_changes_a_photo_a_little_and_keeps_its_size(text: str, photo: np.ndarray) -> None:
    if reason := missing(text):
        pytest.skip(reason)
    before = photo.copy()
    returned = parse_codec(text)(photo)
    assert returned.shape == photo.shape
    assert returned.dtype == np.uint8
    assert 0.5 < np.abs(returned.astype(int) - photo).mean() < 8
    assert np.array_equal(photo, before)


def test_jpeg_is_that_of_pillow_by_hand(photo: np.ndarray) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=50, subsampling=0)
    assert np.array_equal(parse_codec("jpeg:50:4:4:4")(photo), np.asarray(Image.open(buffer)))


@pytest.mark.parametrize(
    ("gentle", "hard"), [("jpeg:90", "jpeg:25"), ("webp:90", "webp:25"), ("jpeg2000:5", "jpeg2000:40")]
)
def test_the_harder_of_two_loses_more_and_its_condition_says_so(gentle: str, hard: str, photo: np.ndarray) -> None:
    errors = [np.abs(parse_codec(text)(photo).astype(int) - photo).mean() for text in (gentle, hard)]
    assert errors[0] < errors[1]
    conditions = [parse_codec(text).condition() for text in (gentle, hard)]
    assert conditions[0][-1] < conditions[1][-1]
    assert np.array_equal(conditions[0][:-1], conditions[1][:-1])


def test_a_chain_downscales_first_and_compresses_then(photo: np.ndarray) -> None:
    chain = parse_codec("225+jpeg:75")
    small = parse_codec("225")(photo)
    assert small.shape == (150, 225, 3)  # 300 x 451
    assert np.array_equal(chain(photo), parse_codec("jpeg:75")(small))
    assert parse_codec("4000")(photo).shape == photo.shape


def test_none_does_nothing_and_has_no_condition(photo: np.ndarray) -> None:
    nothing = parse_codec("none")
    assert np.array_equal(nothing(photo), photo)
    assert nothing.text == "none"
    assert not nothing.condition().any()


@pytest.mark.parametrize(
    ("text", "name"),
    [("jpeg:75", "jpeg:75:420"), ("jpeg:75:4:2:0", "jpeg:75:420"), ("720+webp:50", "720+webp:50"), ("none", "none")],
)
def test_a_name_is_written_in_one_way_and_read_again(text: str, name: str) -> None:
    assert parse_codec(text).text == name
    assert parse_codec(name) == parse_codec(text)


def test_condition_of_jpeg_by_hand() -> None:
    condition = parse_codec("jpeg:25:444").condition()
    assert condition.shape == (CONDITION_VALUES,)
    assert condition.tolist() == pytest.approx([0, 1, 0, 0, 0, 1 / 3])  # twice the tables of quality 50


def test_a_range_gives_every_strength_between_its_ends(rng: np.random.Generator) -> None:
    drawn = {parse_range("jpeg:70-72").draw(rng).text for _ in range(60)}
    assert drawn == {"jpeg:70:420", "jpeg:71:420", "jpeg:72:420"}
    assert not parse_range("jpeg:70-72").is_one
    assert parse_range("jpeg:70").is_one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("png", "expected jpeg:QUALITY"),
        ("", "expected jpeg:QUALITY"),
        ("jpeg:75+", "got ''"),
        ("jpeg:0", "quality: expected 1 to 100, got 0"),
        ("jpeg2000:201", "ratio: expected 1 to 200, got 201"),
        ("8+jpeg:75", "long side in px: expected 16 to 16384, got 8"),
        ("jpeg:75:422", "expected 4:2:0 or 4:4:4"),
        ("webp:75:420", "expected no subsampling"),
        ("jpeg:90-30", "smaller number first"),
        ("jpeg:30-90", "one strength, found a range"),
    ],
)
def test_a_name_that_is_none_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(TrainingError, match=words) as raised:
        parse_codec(text)
    assert text in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_codec_that_pillow_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs.features, "check", lambda _name: False)
    with pytest.raises(TrainingError, match=r"'avif:50': this Pillow was built without avif"):
        parse_codec("avif:50")
    assert "without webp" in (missing("webp:50") or "")
    assert missing("jpeg:50") is None


def test_a_photo_of_the_right_size_is_left_alone(photo: np.ndarray) -> None:
    assert back_to_size(photo, *photo.shape[:2]) is photo
    assert back_to_size(photo, 30, 45).shape == (30, 45, 3)
