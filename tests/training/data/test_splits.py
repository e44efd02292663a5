"""Splits follow content, and twins stay together."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from training.data.splits import split_by_content, thumbnail, twins

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]


def test_seventy_fifteen_fifteen() -> None:
    splits = split_by_content(HASHES)
    for name, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        assert abs(splits.count(name) / len(splits) - share) < 0.02


def test_a_photo_stays_where_it_is_when_others_come_or_go() -> None:
    assert split_by_content(HASHES[100:]) == split_by_content(HASHES)[100:]


def test_a_group_is_on_the_side_of_its_smallest_hash() -> None:
    alone = split_by_content(HASHES)
    groups = [number // 4 for number in range(len(HASHES))]
    together = split_by_content(HASHES, groups)
    for start in range(0, len(HASHES), 4):
        leader = min(range(start, start + 4), key=lambda index: HASHES[index])
        assert set(together[start : start + 4]) == {alone[leader]}


def test_the_thumbnail_does_not_see_brightness_and_contrast() -> None:
    rgb = np.random.default_rng(0).integers(60, 120, (64, 64, 3)).astype(np.uint8)
    plain, brighter = thumbnail(rgb), thumbnail((rgb * 2 + 10).astype(np.uint8))
    np.testing.assert_allclose(np.linalg.norm(plain, axis=1), 1, rtol=1e-5)
    assert plain[0] @ brighter[0] > 0.99
    assert thumbnail(np.full((20, 30, 3), 7, np.uint8)).max() == 0


def test_resized_mirrored_and_chained_copies_are_twins_and_strangers_are_not() -> None:
    rng = np.random.default_rng(1)
    photos = [Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)).resize((96, 96)) for _ in range(3)]
    copy = photos[0].resize((80, 80))
    mirrored = copy.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    plain = Image.new("RGB", (50, 50), "white")
    shown = [photos[0], photos[1], copy, photos[2], mirrored, plain, plain]
    assert twins(np.array([thumbnail(np.asarray(photo)) for photo in shown])) == [0, 1, 0, 3, 0, 5, 6]


def test_a_twin_of_two_groups_joins_them() -> None:
    a, b = np.zeros(4, np.float32), np.zeros(4, np.float32)
    a[0], b[1] = 1, 1
    middle = (a + b) / np.sqrt(2, dtype=np.float32)
    both = np.stack([np.stack([v, v]) for v in (a, b, middle)])
    assert twins(both, correlation=0.8) == [0, 1, 2]
    assert twins(both, correlation=0.7) == [0, 0, 0]
