"""CSNet: geometry of blocks by hand, principal components, losses with values and signs worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from training.errors import TrainingError
from training.models.sensing import (
    CSNet,
    CSNetConfig,
    blocks_of,
    build_csnet,
    load_csnet,
    principal_components,
    save_csnet,
)
from training.models.sensing_classifiers import Critic, Recognising, build_classifier
from training.models.sensing_losses import (
    adversarial_loss,
    classifier_loss,
    discriminator_loss,
    discriminator_rec_loss,
    discriminator_rf_loss,
    generator_loss,
    generator_rf_loss,
    reconstruction_loss,
)


@pytest.mark.parametrize(("rate", "channels", "count"), [(0.1, 1, 102), (0.2, 1, 204), (0.3, 1, 307), (0.1, 3, 307)])
def test_a_block_gives_the_floor_of_rate_times_its_values(rate: float, channels: int, count: int) -> None:
    assert CSNetConfig(rate=rate, channels=channels).measurements == count


def _four_of_a_block() -> CSNet:
    """Blocks of 4 px; the measurements are the pixels (0, 0), (0, 1), (1, 0) and (3, 3), put back where they were."""
    model = build_csnet(CSNetConfig(rate=0.25, block_px=4, width=2))
    with torch.no_grad():
        for layer in (model.sampling, model.initial):
            layer.weight.zero_()
        for index, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (3, 3)]):
            model.sampling.weight[index, 0, row, column] = 1
            model.initial.weight[4 * row + column, index] = 1
    return model


def test_measurements_of_two_blocks_by_hand() -> None:
    image = torch.arange(32.0).reshape(1, 1, 4, 8)
    measured = _four_of_a_block().sample(image)
    assert measured.shape == (1, 4, 1, 2)
    assert measured[0, :, 0, 0].tolist() == [0, 1, 8, 27]
    assert measured[0, :, 0, 1].tolist() == [4, 5, 12, 31]


def test_the_initial_reconstruction_puts_each_pixel_into_its_block() -> None:
    image = torch.arange(32.0).reshape(1, 1, 4, 8)
    model = _four_of_a_block()
    rebuilt = model.first_reconstruction(model.sample(image))
    wanted = torch.zeros_like(image)
    for row, column in [(0, 0), (0, 1), (1, 0), (3, 3)]:
        wanted[..., row, column::4] = image[..., row, column::4]
    assert torch.equal(rebuilt, wanted)
    assert torch.equal(model(image), wanted)  # the deep part begins by adding nothing


def test_the_deep_part_goes_over_the_edges_of_blocks() -> None:
    model = _four_of_a_block()
    with torch.no_grad():
        for parameter in model.deep.parameters():
            parameter.fill_(0.1)
    one, other = torch.zeros(1, 1, 4, 8), torch.zeros(1, 1, 4, 8)
    other[..., 3, 3] = 1  # the left block alone
    change = (model(other) - model(one))[..., 4:]
    assert change.abs().max() > 0


def test_an_image_that_is_no_whole_number_of_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4, got"):
        _four_of_a_block().sample(torch.zeros(1, 1, 4, 6))


def test_blocks_come_in_the_order_of_a_kernel() -> None:
    image = torch.arange(32.0).reshape(1, 1, 4, 8)
    assert blocks_of(image, 4)[1].tolist() == [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31]


def test_principal_components_by_hand() -> None:
    rows = torch.tensor([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    found = principal_components(rows, 2)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5**0.5, 0.5**0.5]]))


def test_what_lies_in_the_components_comes_back_as_it_was() -> None:
    generator = torch.Generator().manual_seed(0)
    base = torch.rand(3, 1, 8, 8, generator=generator)
    images = torch.stack([sum(w * one for w, one in zip(torch.rand(3, generator=generator), base, strict=True))
                          for _ in range(20)])  # fmt: skip
    model = build_csnet(CSNetConfig(rate=0.05, block_px=8, width=2))
    assert model.config.measurements == 3
    model.start_at_principal_components(images)
    torch.testing.assert_close(model(images), images, atol=1e-4, rtol=0)
    gram = model.sampling.weight.flatten(1) @ model.sampling.weight.flatten(1).T
    torch.testing.assert_close(gram, torch.eye(3), atol=1e-5, rtol=0)


def test_a_model_comes_back_from_its_file(tmp_path: Path) -> None:
    model = build_csnet(CSNetConfig(rate=0.25, block_px=4, width=2), seed=3)
    save_csnet(tmp_path / "model.pt", model, {"known": 1})
    found, facts = load_csnet(tmp_path / "model.pt")
    assert facts == {"known": 1}
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(found(image), model(image))
    (tmp_path / "model.pt").write_bytes(b"no model")
    with pytest.raises(TrainingError, match=r"model\.pt: expected a CSNet, found something else"):
        load_csnet(tmp_path / "model.pt")


@pytest.mark.parametrize(("field", "value"), [("rate", 0.0), ("rate", 1.5), ("rate", 1e-9), ("block_px", 2)])
def test_a_shape_out_of_bounds_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        CSNetConfig(**{field: value})


# Losses


def test_lg_is_half_the_mean_squared_distance() -> None:
    found, wanted = torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 0.5)
    assert reconstruction_loss(found, wanted).item() == pytest.approx(0.5 * 4 * 0.25)  # 1 / (2 * 2) * (1 + 1)


def test_lc_is_the_cross_entropy_and_ends_at_its_limit() -> None:
    logits, labels = torch.tensor([[0.0, 0.0], [0.0, 20.0]]), torch.tensor([0, 0])
    assert classifier_loss(logits, labels).item() == pytest.approx((math.log(2) + 20) / 2, rel=1e-6)
    assert classifier_loss(logits, labels, limit=8).item() == pytest.approx((math.log(2) + 8) / 2, rel=1e-6)


def test_descending_ladv_raises_the_cross_entropy_and_lowers_the_distance() -> None:
    lg, lc = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    loss = adversarial_loss(lg, lc, alpha=1.0, beta=0.1)
    assert loss.item() == pytest.approx(1.7)
    loss.backward()
    assert lg.grad is not None
    assert lc.grad is not None
    assert (lg.grad.item(), lc.grad.item()) == pytest.approx((1.0, -0.1))


def test_the_discriminator_wants_real_high_and_fake_low() -> None:
    zero = torch.zeros(3)
    assert discriminator_rf_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    right, wrong = torch.full((3,), 5.0), torch.full((3,), -5.0)
    assert discriminator_rf_loss(right, wrong) < 0.02 < 9 < discriminator_rf_loss(wrong, right)


def test_with_gamma_d_of_zero_the_recogniser_learns_nothing() -> None:
    logits = torch.tensor([[2.0, 0.0]], requires_grad=True)
    rec = discriminator_rec_loss(logits, torch.tensor([0]))
    discriminator_loss(torch.tensor(1.0), rec, lambda_d=1.0, gamma_d=0.0).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_the_generator_wants_to_pass_for_real_and_to_be_misread() -> None:
    assert generator_rf_loss(torch.full((2,), 5.0)) < generator_rf_loss(torch.full((2,), -5.0))
    loss = generator_loss(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(4.0), alpha=1.0, lambda_g=1.0, gamma_g=0.1)
    assert loss.item() == pytest.approx(1 + 2 - 0.4)


def test_the_two_heads_share_their_first_two_layers() -> None:
    critic = Critic(classes=5)
    real, recognised = critic(torch.rand(3, 1, 32, 32))
    assert (real.shape, recognised.shape) == ((3,), (3, 5))
    real.sum().backward()
    assert all(value.grad is not None for value in critic.trunk.parameters())
    assert all(value.grad is None for value in critic.recognised.parameters())
    kernels = [part.kernel_size for part in critic.modules() if isinstance(part, torch.nn.Conv2d)]
    assert kernels == [(5, 5)] * 6


@pytest.mark.parametrize("name", ["vgg", "resnet", "critic"])
def test_classifiers_take_grey_pictures_of_cifar_and_of_mnist(name: str) -> None:
    network = build_classifier(name, classes=7)
    assert [network(torch.rand(2, 1, side, side)).shape for side in (32, 28)] == [(2, 7)] * 2
    assert isinstance(network, Recognising) == (name == "critic")
    with pytest.raises(ValueError, match="classifier: expected one of"):
        build_classifier("alexnet")
