"""Heat maps against maps known by hand, and the sheet that shows them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from training.evaluate.attention import activation_map, area_share, attention_sheet, heat_colours, overlay
from training.models.efficientnet_lite import efficientnet_lite

RED, GREEN = 0, 1


class ColourCounter(nn.Module):
    """Its features are the colours themselves; logits are weighted means of them."""

    def __init__(self, weights: list[list[float]]) -> None:
        super().__init__()
        self.features = nn.Identity()
        self.fc = nn.Linear(3, len(weights), bias=False)
        self.fc.weight.data = torch.tensor(weights)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.features(images).mean((2, 3)))


@pytest.fixture
def counter() -> ColourCounter:
    return ColourCounter([[2.0, -1.0, 0.0], [0.0, 1.0, 0.0]]).eval()


def test_the_map_is_the_weighted_sum_of_the_features_without_its_negative_part(counter):
    image = torch.zeros(1, 3, 2, 2)
    image[0, RED] = torch.tensor([[0.5, 0.25], [0.25, 0.0]])
    image[0, GREEN] = torch.tensor([[0.0, 0.5], [0.25, 1.0]])
    # class 0: 2 * red - green = (1, 0 | 0.25, -1); class 1: green
    maps = activation_map(counter, counter.features, image.repeat(2, 1, 1, 1), torch.tensor([0, 1]))
    torch.testing.assert_close(maps[0], torch.tensor([[1.0, 0.0], [0.25, 0.0]]))
    torch.testing.assert_close(maps[1], torch.tensor([[0.0, 0.5], [0.25, 1.0]]))


def test_a_class_that_nothing_speaks_for_has_a_map_of_zeros(counter):
    image = torch.zeros(1, 3, 4, 4)
    image[0, GREEN] = 1
    assert not activation_map(counter, counter.features, image, torch.tensor([0])).any()


def test_coarse_features_are_enlarged_to_the_image():
    pooled = ColourCounter([[1.0, 0.0, 0.0]])
    pooled.features = nn.AvgPool2d(4)
    image = torch.zeros(1, 3, 8, 8)
    image[0, RED, :4, 4:] = 1  # one of four cells
    heat = activation_map(pooled.eval(), pooled.features, image, torch.tensor([0]))[0]
    assert heat.shape == (8, 8)
    assert heat[0, 7] == heat.max() == 1
    assert heat[7, 0] == 0
    assert heat[0, 3] == pytest.approx(0.375)  # bilinear: 1.5 px from the first cell's centre, of 4 to the second's


def test_it_explains_the_class_that_is_asked_for_whatever_the_batch(counter):
    images = torch.rand((5, 3, 6, 6), generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 1, 0, 1, 1])
    at_once = activation_map(counter, counter.features, images, classes)
    torch.testing.assert_close(activation_map(counter, counter.features, images, classes, batch=2), at_once)


def test_the_maps_of_our_backbone_are_its_class_activation_maps():
    torch.manual_seed(0)
    network = efficientnet_lite(0, pretrained=False, classes=4)
    # the features of an untrained network are near 1e-9; spread them over both ends of ReLU6
    network.bn1.eps = 1e-24
    network.bn1.running_var.data.fill_(6e-18)
    network.bn1.weight.data.uniform_(2, 6)
    images = torch.rand((2, 3, 64, 64))
    classes = torch.tensor([3, 0])
    outputs: list[torch.Tensor] = []
    handle = network.bn1.register_forward_hook(lambda _m, _i, output: outputs.append(F.relu6(output.detach())))
    network(images)
    handle.remove()
    found = activation_map(network, network.bn1, images, classes, activation="relu6")
    assert all(0.05 < share < 0.9 for share in ((outputs[0] == 0).float().mean(), (outputs[0] == 6).float().mean()))
    by_hand = F.relu(torch.einsum("nchw,nc->nhw", outputs[0], network.fc.weight[classes].detach()))
    by_hand = F.interpolate(by_hand[:, None], size=(64, 64), mode="bilinear")[:, 0]
    assert (by_hand.amax((1, 2)) > 0).all()
    torch.testing.assert_close(found, by_hand / by_hand.amax((1, 2), keepdim=True), atol=2e-3, rtol=0)


def test_a_network_without_gradients_is_explained_and_left_as_it_was(counter):
    counter.requires_grad_(False)
    with torch.no_grad():
        heat = activation_map(counter, counter.features, torch.ones(1, 3, 4, 4), torch.tensor([1]))
    torch.testing.assert_close(heat, torch.ones(1, 4, 4))
    assert not counter.features._forward_hooks
    assert counter.fc.weight.grad is None


def test_nothing_in_front_of_the_features_is_recorded_and_the_grad_mode_comes_back(counter):
    modes: list[bool] = []
    counter.features.register_forward_pre_hook(lambda _module, _inputs: modes.append(torch.is_grad_enabled()))
    activation_map(counter, counter.features, torch.ones(1, 3, 4, 4), torch.tensor([1]))
    assert modes == [False]
    assert torch.is_grad_enabled()
    with torch.no_grad():
        activation_map(counter, counter.features, torch.ones(1, 3, 4, 4), torch.tensor([1]))
        assert not torch.is_grad_enabled()


def test_training_mode_and_features_of_another_shape_are_refused(counter):
    image, label = torch.ones(1, 3, 4, 4), torch.tensor([1])
    with pytest.raises(ValueError, match="features"):
        activation_map(counter, counter.fc, image, label)
    with pytest.raises(ValueError, match="features"):
        activation_map(counter, nn.Identity(), image, label)
    with pytest.raises(ValueError, match="eval mode"):
        activation_map(counter.train(), counter.features, image, label)


def test_the_share_of_the_area_counts_values_from_the_threshold_on():
    maps = torch.tensor([[[1.0, 0.5], [0.49, 0.2]], [[0.0, 0.0], [0.0, 0.0]]])
    assert area_share(maps).tolist() == [0.5, 0.0]
    assert area_share(maps, 0.2).tolist() == [1.0, 0.0]


def test_colours_run_from_dark_blue_to_red():
    np.testing.assert_allclose(heat_colours(np.array([0, 0.25, 0.5, 0.875, 1, 2])),
        [(0, 0, 96), (0, 96, 224), (0, 192, 160), (255, 128, 0), (255, 48, 0), (255, 48, 0)])  # fmt: skip


def test_an_overlay_leaves_grey_where_the_map_is_zero():
    photo = np.full((2, 2, 3), (30, 60, 90), np.uint8)
    shown = overlay(photo, np.array([[0.0, 1.0], [0.0, 0.0]]), strength=0.5)
    assert shown[0, 0].tolist() == [60, 60, 60]
    assert shown[0, 1].tolist() == [158, 54, 30]  # half of (60, 60, 60) and half of (255, 48, 0)
    with pytest.raises(ValueError, match="heat"):
        overlay(photo, np.zeros((3, 2)))


def test_the_sheet_has_a_row_for_each_photo_and_a_column_for_each_caption():
    photo = np.full((20, 20, 3), (30, 60, 90), np.uint8)
    rows = [(photo, [np.zeros((20, 20)), np.ones((20, 20))])] * 2
    sheet = attention_sheet(rows, ["photo", "Base", "AdvMask"], cell_px=56)
    gap, text = 2, 10
    assert sheet.size == (3 * 58 + gap, (text + 2 * gap) * 2 + 2 * 58)
    pixels = np.asarray(sheet)
    for row in range(2):
        middle = 14 + row * 58 + 28
        assert [pixels[middle, gap + column * 58 + 28].tolist() for column in range(2)] == [[30, 60, 90], [60, 60, 60]]
        assert pixels[middle, gap + 2 * 58 + 28, 0] > 180  # red
    assert (pixels[:14] < 128).any()  # captions


def test_a_sheet_with_row_captions_is_higher_by_them():
    rows = [(np.zeros((8, 8, 3), np.uint8), [np.zeros((8, 8))])] * 3
    plain, captioned = (
        attention_sheet(rows, ["photo", "Base"], row_captions=names, cell_px=56) for names in ((), ("rose",) * 3)
    )
    assert captioned.height == plain.height + 3 * 14


@pytest.mark.parametrize(
    ("rows", "captions", "row_captions"),
    [([], ["photo"], ()), ([(np.zeros((4, 4, 3), np.uint8), [])], ["photo", "Base"], ()),
     ([(np.zeros((4, 4, 3), np.uint8), [])], ["photo"], ("a", "b"))],
)  # fmt: skip
def test_a_sheet_whose_numbers_do_not_agree_is_refused(rows, captions, row_captions):
    with pytest.raises(ValueError, match=r"^(rows|row_captions):"):
        attention_sheet(rows, captions, row_captions=row_captions)
