"""The codec for photos: what is measured and where it comes back, by hand; how far a pixel's surroundings matter."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mobile_app.core.sensing_format import LUMA, MEASUREMENTS
from training.errors import TrainingError
from training.models.sensing_photo import (
    REACH_PX,
    RING_PX,
    SensingCodec,
    kept,
    load_sensing,
    measurement_noise,
    save_sensing,
    with_edges,
)


@pytest.fixture
def codec() -> SensingCodec:
    """Samples smooth waves, and its deep part is far from nothing."""
    torch.manual_seed(0)
    codec = SensingCodec().eval()
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    images = torch.stack(
        [
            torch.stack([0.5 + 0.3 * torch.sin(a * rows / 20 + b * columns / 15 + c) for c in range(3)])
            for a in range(5)
            for b in range(5)
        ]
    )
    codec.encoder.start_at_principal_components(images)
    codec.decoder.start_at(codec.encoder)
    with torch.no_grad():
        for layer in codec.decoder.deep:
            layer.weight.normal_(0, 0.08)
    return codec


def test_a_grey_photo_has_no_colour_to_measure(codec: SensingCodec) -> None:
    grey = torch.rand(1, 1, 32, 64).expand(-1, 3, -1, -1)
    measured = codec.encoder(grey)
    assert measured.shape == (1, MEASUREMENTS, 1, 2)
    assert measured[:, LUMA:].abs().max() < 1e-5
    luma, chroma = codec.encoder.planes(grey)
    torch.testing.assert_close(luma, grey[:, :1] - 0.5)
    assert chroma.shape == (1, 2, 16, 32)


def test_the_phases_of_brightness_return_to_their_pixels(codec: SensingCodec) -> None:
    with torch.no_grad():
        codec.decoder.luma.weight.zero_()
        # measurement 0 is the pixel in row 3, column 6 of the block: phase (1, 0) at row 1, column 3 of the halves
        codec.decoder.luma.weight[(2 * 1 + 0) * 256 + 1 * 16 + 3, 0] = 1
        for parameter in codec.decoder.deep.parameters():
            parameter.zero_()
    measured = torch.zeros(1, MEASUREMENTS, 1, 2)
    measured[0, 0, 0, 1] = 0.25
    image = codec.decoder(measured).detach()
    assert image.shape == (1, 3, 32, 64)
    assert (image - 0.5).abs().sum() == pytest.approx(3 * 0.25)
    assert image[0, :, 3, 32 + 6].tolist() == pytest.approx([0.75] * 3)


def test_the_linear_part_gives_back_what_its_components_explain(codec: SensingCodec) -> None:
    with torch.no_grad():
        for parameter in codec.decoder.deep.parameters():
            parameter.zero_()
        rows = torch.arange(64.0)[:, None].expand(64, 96)
        image = (0.5 + 0.3 * torch.sin(rows / 20)).expand(1, 3, 64, 96)
        torch.testing.assert_close(codec(image), image, atol=0.01, rtol=0)


def test_a_lower_rate_is_the_first_measurements_of_a_higher_one() -> None:
    found = kept(torch.ones(1, MEASUREMENTS, 1, 1), 0.1)[0, :, 0, 0]
    assert int(found.sum()) == 102 + 16
    assert found[:102].all()
    assert found[LUMA : LUMA + 16].all()
    with pytest.raises(ValueError, match=r"rate: expected one of 0\.1, 0\.2, 0\.3"):
        kept(torch.ones(1, MEASUREMENTS, 1, 1), 0.25)


def test_a_change_reaches_no_farther_than_it_is_said_to(codec: SensingCodec) -> None:
    measured = codec.encoder(torch.rand(1, 3, 96, 96))
    other = measured.clone()
    other[..., 1, 1] += 1  # the block in the middle
    with torch.no_grad():
        change = (codec.decoder.finished(codec.decoder.first(other)) - codec.decoder.finished(
            codec.decoder.first(measured))).abs().amax((0, 1))  # fmt: skip
    rows = (change.amax(1) > 1e-6).nonzero()
    assert (int(rows.min()), int(rows.max())) == (32 - REACH_PX, 63 + REACH_PX)
    assert REACH_PX < RING_PX


def test_a_photo_rebuilt_with_its_edges_has_its_own_size(codec: SensingCodec) -> None:
    measured = codec.encoder(torch.rand(2, 3, 64, 96))
    with torch.no_grad():
        whole = with_edges(codec.decoder, measured)
        inner = codec.decoder.finished(codec.decoder.first(measured))
    assert whole.shape == (2, 3, 64, 96)
    inside = slice(REACH_PX, -REACH_PX)
    torch.testing.assert_close(whole[..., inside, inside], inner[..., inside, inside], atol=1e-5, rtol=1e-5)


def test_the_noise_of_rounding_is_as_wide_as_a_step() -> None:
    measured = torch.zeros(1, 50, 40, 40)
    noise = measurement_noise(measured, 0.2, torch.Generator().manual_seed(0))
    assert noise.abs().max() <= 0.1
    assert noise.std().item() == pytest.approx(0.2 / 12**0.5, rel=0.02)


def test_a_codec_comes_back_from_its_file(codec: SensingCodec, tmp_path: Path) -> None:
    save_sensing(tmp_path / "model.pt", codec, {"against": ["lite0"]})
    found, facts = load_sensing(tmp_path / "model.pt")
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(found(image), codec(image))
    assert facts == {"against": ["lite0"]}
    torch.save({"other": 1}, tmp_path / "other.pt")
    with pytest.raises(TrainingError, match=r"other\.pt: expected a codec for photos"):
        load_sensing(tmp_path / "other.pt")
    with pytest.raises(TrainingError, match=r"none\.pt: expected a codec for photos, found no file"):
        load_sensing(tmp_path / "none.pt")
