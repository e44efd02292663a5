"""Which pictures are masked, with what, and by whose randomness."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.augment.augmentation import NAMES, build_augmentation, masked_share
from training.augment.corners import corner_points
from training.augment.fill import FILLS, fill_cleared
from training.augment.settings import CIFAR_MEAN

POINTS = np.random.default_rng(1).random((20, 2)).astype(np.float32)


@pytest.fixture
def photo() -> torch.Tensor:
    return torch.rand((3, 32, 32), generator=torch.Generator().manual_seed(0)) * 0.4 + 0.55  # no value is a mean


def test_the_share_of_masked_pictures_rises_by_equal_steps_to_four_fifths():
    found = [masked_share("advmask", epoch, 4) for epoch in range(5)]
    np.testing.assert_allclose(found, (0.2, 0.4, 0.6, 0.8, 0.8))
    assert masked_share("advmask", 0, 300) == pytest.approx(0.8 / 300)


@pytest.mark.parametrize(("name", "share"), [("none", 0), ("cutout", 1), ("hide_and_seek", 1), ("random_erasing", 0.5)])
def test_rivals_keep_the_share_of_their_papers(name, share):
    assert [masked_share(name, epoch, 4) for epoch in (0, 3)] == [share, share]


@pytest.mark.parametrize("name", ["advmask", "adv", "random_mask", "corner_mask", "grid_mask"])
def test_as_many_pictures_are_masked_as_the_epoch_says(photo, name):
    augment = build_augmentation(name, epochs=10, seed=0, preset="cifar10")
    rng = np.random.default_rng(0)
    for epoch, share in ((0, 0.08), (4, 0.4), (9, 0.8)):
        augment.set_epoch(epoch)
        changed = [augment(photo, POINTS, rng) is not photo for _ in range(400)]
        assert abs(np.mean(changed) - share) < 0.07


@pytest.mark.parametrize("name", NAMES)
def test_every_name_keeps_shape_type_and_input_and_repeats_by_its_generator(photo, name):
    augment = build_augmentation(name, epochs=1, seed=0, preset="cifar10")
    for image in (photo, (photo * 255).to(torch.uint8)):
        before = image.clone()
        first, second = (
            [augment(image, POINTS, rng) for _ in range(6)]
            for rng in (np.random.default_rng(3), np.random.default_rng(3))
        )
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
        assert all(one.shape == image.shape and one.dtype == image.dtype for one in first)
        assert torch.equal(image, before)
        assert any(not torch.equal(one, image) for one in first) == (name != "none")


def test_without_a_generator_the_seed_decides(photo):
    first, second, other = (
        [build_augmentation("cutout", epochs=1, seed=seed)(photo).sum().item()] for seed in (0, 0, 1)
    )
    assert first == second != other


@pytest.mark.parametrize("name", ["advmask", "adv"])
def test_a_method_that_needs_points_says_so(photo, name):
    with pytest.raises(ValueError, match="needs the sensitive points"):
        build_augmentation(name, epochs=1, seed=0)(photo)


def test_cleared_pixels_are_the_mean_and_kept_ones_the_photo(photo):
    augment = build_augmentation("cutout", epochs=1, seed=0, preset="cifar10")
    masked = augment(photo)
    is_kept = (masked == photo).all(0)
    assert 64 <= int((~is_kept).sum()) <= 256
    torch.testing.assert_close(masked[:, ~is_kept].mean(1), torch.tensor(CIFAR_MEAN))


def test_random_points_are_as_many_as_the_sensitive_ones(photo):
    augment = build_augmentation("random_mask", epochs=1, seed=0, points=5)
    rng = np.random.default_rng(0)
    assert augment._points(photo, POINTS, rng).shape == (20, 2)
    assert augment._points(photo, None, rng).shape == (5, 2)


@pytest.mark.parametrize(("fill", "levels"), [("zero", (0, 0, 0)), ("mean", (124, 116, 104))])
def test_a_fill_of_one_colour_in_levels(fill, levels):
    image = torch.full((3, 4, 4), 200, dtype=torch.uint8)
    keep = np.arange(16).reshape(4, 4) != 5
    filled = fill_cleared(image, keep, fill, np.random.default_rng(0))
    assert filled[:, 1, 1].tolist() == list(levels)
    assert (filled != 200).any(0).sum() == 1


def test_blur_leaves_coarse_colours_and_noise_leaves_none():
    left = torch.zeros(3, 64, 64)
    left[:, :, :32] = 0.9
    left += 0.1 * (torch.arange(64) % 2)  # fine detail: averages are 0.95 on the left and 0.05 on the right
    keep = np.zeros((64, 64), bool)
    blurred = fill_cleared(left, keep, "blur", np.random.default_rng(0))
    torch.testing.assert_close(blurred[:, :, :24], torch.full((3, 64, 24), 0.95))
    torch.testing.assert_close(blurred[:, :, 40:], torch.full((3, 64, 24), 0.05))
    noise = fill_cleared(left, keep, "noise", np.random.default_rng(0))
    assert abs(float(noise[:, :, :32].mean() - noise[:, :, 32:].mean())) < 0.05
    assert float(noise.min()) >= 0
    assert float(noise.max()) < 1


def test_fills_are_all_taken(photo):
    for fill in FILLS:
        assert torch.isfinite(build_augmentation("cutout", epochs=1, seed=0, fill=fill)(photo)).all()


def test_the_corners_of_a_bright_square_are_found():
    image = np.zeros((3, 40, 40), np.float32)
    image[:, 10:20, 15:30] = 1
    pixels = np.floor(corner_points(image) * 40).astype(int)
    wanted = np.array([(9.5, 14.5), (9.5, 29.5), (19.5, 14.5), (19.5, 29.5)])  # between the pixels
    distances = np.abs(pixels[:, None] - wanted[None]).max(2)
    assert (distances.min(0) <= 1.5).all()  # each corner has a point
    assert (distances.min(1) <= 1.5).all()  # and no point lies on an edge


def test_corners_are_at_most_as_many_as_asked_for_and_none_in_a_plain_picture():
    noise = np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    assert corner_points(noise, 10).shape == (10, 2)
    assert corner_points(np.full((3, 64, 64), 0.3, np.float32)).shape == (0, 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"name": "mixup"}, "name"), ({"preset": "mnist"}, "preset"), ({"fill": "red"}, "fill"), ({"epochs": 0}, "epochs"),
     ({"final_share": 1.5}, "final_share")],
)  # fmt: skip
def test_unknown_settings_are_refused_by_name(changes, field):
    options = {"name": "advmask", "epochs": 1, "seed": 0, **changes}
    with pytest.raises(ValueError, match=field):
        build_augmentation(options.pop("name"), **options)


def test_a_batch_is_refused(photo):
    with pytest.raises(ValueError, match="image_chw"):
        build_augmentation("cutout", epochs=1, seed=0)(photo[None])
