"""The torchvision transforms, in a Compose and under a DataLoader's workers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from training.augment import transforms
from training.augment.transforms import AdvMask, Cutout, InformationDropping, key_points, relative_points

tv_tensors, v2 = transforms.tv_tensors, transforms.v2  # torchvision by way of its shim
EVERY = [
    getattr(transforms, name) for name in transforms.__all__ if name[0].isupper() and name != "InformationDropping"
]


class GreyPhotos(Dataset):
    """Like a torchvision dataset: an image, its points, its label, and one `transforms` over all of them."""

    def __init__(self, transform) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int):
        image = tv_tensors.Image(torch.full((3, 32, 32), 200, dtype=torch.uint8))
        points = key_points(np.array([[0.25, 0.75], [0.5, 0.5]]), (32, 32))
        masked, _, label = self.transform(image, points, index % 4)
        return masked, label


def test_points_go_to_pixels_and_back():
    points = np.array([[0.5 / 20, 0.5 / 40], [0.25, 0.75]], np.float32)  # (row, column); the first pixel's centre
    xy = key_points(points, (20, 40))
    np.testing.assert_allclose(xy.numpy(), [[0, 0], [29.5, 4.5]], atol=1e-6)
    assert xy.canvas_size == (20, 40)
    np.testing.assert_allclose(relative_points(xy), points, atol=1e-6)


def test_points_follow_a_flip_and_a_crop_and_leave_with_what_is_cut_off():
    pixel = (np.array([[3, 8], [15, 15]]) + 0.5) / 20
    flipped = v2.RandomHorizontalFlip(p=1)(key_points(pixel, (20, 20)))
    np.testing.assert_allclose(relative_points(flipped) * 20 - 0.5, [[3, 11], [15, 4]], atol=1e-5)
    cropped = v2.functional.crop(key_points(pixel, (20, 20)), 2, 4, 10, 10)
    np.testing.assert_allclose(relative_points(cropped) * 10 - 0.5, [[1, 4]], atol=1e-5)


def test_advmask_runs_in_a_compose_over_a_dataset_and_masks_around_the_moved_points():
    mask = AdvMask(epochs=1, seed=0, final_share=1.0, fill="zero")
    chain = v2.Compose([v2.RandomHorizontalFlip(p=0.5), mask, v2.ToDtype(torch.float32, scale=True)])
    images, labels = next(iter(DataLoader(GreyPhotos(chain), batch_size=16)))
    assert images.shape == (16, 3, 32, 32)
    assert labels.tolist() == [0, 1, 2, 3] * 4
    is_cleared = (images == 0).all(1)
    assert (is_cleared.flatten(1).sum(1) > 0).all()
    torch.testing.assert_close(images[~is_cleared[:, None].expand_as(images)].unique(), torch.tensor([200 / 255]))


@pytest.mark.parametrize("kind", EVERY)
def test_every_transform_takes_every_form_of_image_and_gives_it_back(kind):
    transform = kind(epochs=1, seed=0, final_share=1.0)
    points = key_points(np.random.default_rng(0).random((8, 2)), (32, 32))
    plain = torch.rand(3, 32, 32)
    picture = v2.functional.to_pil_image(plain)
    for image in (plain, tv_tensors.Image(plain), (plain * 255).to(torch.uint8), picture):
        result, kept_points, label = transform(image, points, 3)
        assert type(result) is type(image) or isinstance(result, Image.Image)
        assert torch.equal(kept_points, points)
        assert label == 3
        if isinstance(image, torch.Tensor):
            assert result.dtype == image.dtype
            assert result.shape == image.shape


def test_a_sample_without_points_is_refused_by_advmask_alone():
    with pytest.raises(ValueError, match="KeyPoints"):
        AdvMask(epochs=1, seed=0)(torch.rand(3, 32, 32))
    assert Cutout(epochs=1, seed=0)(torch.rand(3, 32, 32)).shape == (3, 32, 32)


def test_the_seed_repeats_a_transform_and_another_changes_it():
    image = torch.rand(3, 32, 32)
    first, second, other = (
        torch.stack([transform(image) for _ in range(4)])
        for transform in (Cutout(epochs=1, seed=0), Cutout(epochs=1, seed=0), Cutout(epochs=1, seed=1))
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def load_twice(transform: InformationDropping, workers: int = 2) -> list[torch.Tensor]:
    loader = DataLoader(
        GreyPhotos(transform),
        batch_size=8,
        num_workers=workers,
        generator=torch.Generator().manual_seed(5),
        persistent_workers=True,
    )
    epochs = []
    for epoch in range(2):
        transform.set_epoch(epoch)
        epochs.append(torch.cat([images for images, _ in loader]))
    return epochs


@pytest.fixture(scope="module")
def loaded() -> list[torch.Tensor]:
    return load_twice(AdvMask(epochs=1000, seed=0, final_share=1.0, preset="cifar10"))


def test_workers_draw_apart_and_the_run_repeats(loaded):
    cutouts, again = (load_twice(Cutout(epochs=1, seed=0))[0] for _ in range(2))
    assert torch.equal(cutouts, again)
    assert len({image.numpy().tobytes() for image in cutouts}) >= 14  # 8 pictures alike would mean workers alike
    assert torch.equal(loaded[0], load_twice(AdvMask(epochs=1000, seed=0, final_share=1.0, preset="cifar10"))[0])


def test_a_new_epoch_reaches_persistent_workers():
    transform = AdvMask(epochs=2, seed=0, final_share=1.0)
    transform.set_epoch(1)
    assert transform.augmentation.share == 1
    late = AdvMask(epochs=1000, seed=0, final_share=1.0)
    loader = DataLoader(GreyPhotos(late), batch_size=16, num_workers=1, persistent_workers=True)
    early_images = next(iter(loader))[0]
    late.set_epoch(999)
    late_images = next(iter(loader))[0]
    count = [int((images != 200).flatten(1).any(1).sum()) for images in (early_images, late_images)]
    assert count[0] <= 1  # a share of 0.001
    assert count[1] == 16
