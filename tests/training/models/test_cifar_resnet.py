"""The CIFAR ResNets: their shapes, option A's shortcut by hand, and the public weights where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.data.cifar10 import Cifar10
from training.errors import TrainingError
from training.models.cifar_resnet import CifarResNet, cifar_resnet


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)])
def test_each_depth_has_the_papers_number_of_parameters(depth, millions):
    count = sum(values.numel() for values in cifar_resnet(depth).parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.006)  # table 6 of arXiv:1512.03385


def test_a_picture_becomes_ten_logits():
    network = cifar_resnet(20)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    assert not network.training


def test_the_shortcut_takes_every_second_pixel_and_adds_empty_channels_on_both_sides():
    block = cifar_resnet(20).layer2[0]
    x = torch.arange(16.0 * 16).view(1, 16, 4, 4)
    found = block._shortcut(x)
    assert found.shape == (1, 32, 2, 2)
    assert torch.equal(found[:, 8:24], x[:, :, ::2, ::2])
    assert found[:, :8].abs().sum() == found[:, 24:].abs().sum() == 0


def test_the_normalisation_is_inside():
    network = cifar_resnet(20)
    seen = []
    network.conv1.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    network(torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 8, 8))
    torch.testing.assert_close(seen[0], torch.zeros(1, 3, 8, 8))


def test_weights_with_the_prefix_of_several_gpus_load(tmp_path):
    source = CifarResNet(3)
    path = tmp_path / "weights.th"
    torch.save({"state_dict": {f"module.{name}": value for name, value in source.state_dict().items()}}, path)
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(cifar_resnet(20, weights=path)(image), source.eval()(image))


def test_an_unknown_depth_is_refused():
    with pytest.raises(ValueError, match="20, 32, 44, 56"):
        cifar_resnet(21)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(TrainingError, match=r"none\.th: no such file"):
        cifar_resnet(20, weights=tmp_path / "none.th")


def test_weights_of_another_depth_are_refused(tmp_path):
    path = tmp_path / "resnet32.th"
    torch.save(CifarResNet(5).state_dict(), path)
    with pytest.raises(TrainingError, match=r"resnet32\.th: expected the weights of a CIFAR ResNet-20"):
        cifar_resnet(20, weights=path)


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    path = tmp_path / "text.th"
    path.write_bytes(b"not a file of weights")
    with pytest.raises(TrainingError, match=r"text\.th: expected the weights"):
        cifar_resnet(20, weights=path)


@pytest.mark.parametrize("depth", [20, 56])
def test_the_public_weights_recognise_the_test_pictures(shared_dir: Path, depth: int):
    weights = next((shared_dir / "weights" / "cifar10_resnets").glob(f"resnet{depth}-*.th"))
    data = Cifar10(shared_dir / "data" / "cifar10" / "cifar10_jpeg.npz", "test")
    chosen = range(0, len(data), 50)  # the file is sorted by class
    images = torch.from_numpy(data.images(chosen)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        answers = cifar_resnet(depth, weights=weights)(images).argmax(1)
    assert (answers == torch.from_numpy(data.labels[::50])).float().mean() >= 0.7  # the copy is lossy: about 0.8
