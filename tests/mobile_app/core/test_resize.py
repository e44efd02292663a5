"""A photo is brought down to a long side, with all that belongs to it, and never up."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from mobile_app.core.photo import EncodeConfig, Photo, decode, encode
from mobile_app.core.resize import brought_down


@pytest.mark.parametrize(
    ("size", "long_side_px", "expected"),
    [
        ((400, 600), 300, (300, 200)),
        ((600, 400), 300, (200, 300)),
        ((40, 600), 100, (100, 7)),
        ((3, 600), 100, (100, 1)),
    ],
)
def test_the_long_side_decides_and_the_shape_stays(size, long_side_px, expected):
    photo = Photo(rgb_hwc=np.zeros((*size, 3), np.uint8), alpha_hw=np.full(size, 255, np.uint8))
    small = brought_down(photo, long_side_px)
    assert small.size_px == expected
    assert small.alpha_hw is not None
    assert small.alpha_hw.shape == expected[::-1]
    assert not small.is_transparent


@pytest.mark.parametrize("long_side_px", [451, 452, 4000])
def test_a_photo_that_is_no_longer_stays_as_it_is(chelsea, long_side_px):
    photo = Photo(rgb_hwc=chelsea)
    assert brought_down(photo, long_side_px) is photo


def test_pixels_are_those_of_lanczos(coffee):
    expected = np.asarray(Image.fromarray(coffee).resize((300, 200), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(brought_down(Photo(rgb_hwc=coffee), 300).rgb_hwc, expected)


def test_a_much_too_large_photo_is_brought_down_in_two_goes_that_hardly_show(coffee):
    large = coffee.repeat(4, 0).repeat(4, 1)[:1597, :2399]  # 10 times too large, and no whole number of blocks
    expected = np.asarray(Image.fromarray(large).resize((240, 160), Image.Resampling.LANCZOS))
    found = brought_down(Photo(rgb_hwc=large), 240).rgb_hwc
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 1


def test_grey_stays_grey_and_the_rest_goes_along(chelsea):
    photo = Photo(
        rgb_hwc=chelsea[..., :1].repeat(3, 2), is_grey=True, icc_profile=b"profile", name="a.jpg", notes=("x",)
    )
    small = brought_down(photo, 100)
    assert (small.rgb_hwc == small.rgb_hwc[..., :1]).all()
    assert (small.is_grey, small.icc_profile, small.name, small.notes) == (True, b"profile", "a.jpg", ("x",))


def test_exif_states_the_new_size_and_keeps_the_rest(chelsea):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "camera"
    details = {
        ExifTags.Base.ExifImageWidth: 451,
        ExifTags.Base.ExifImageHeight: 300,
        ExifTags.Base.ISOSpeedRatings: 200,
    }
    exif[ExifTags.IFD.Exif] = details
    exif[ExifTags.IFD.GPSInfo] = {1: "N"}
    buffer = io.BytesIO()
    Image.fromarray(chelsea).save(buffer, "JPEG", exif=exif)
    small = brought_down(decode(buffer.getvalue()), 200)
    with Image.open(io.BytesIO(encode(small, EncodeConfig(keep_metadata=True)))) as written:
        assert written.size == (200, 133)
        found = written.getexif()
        assert found[ExifTags.Base.Make] == "camera"
        assert dict(found.get_ifd(ExifTags.IFD.Exif)) == {**details, 40962: 200, 40963: 133}
        assert dict(found.get_ifd(ExifTags.IFD.GPSInfo)) == {1: "N"}


def test_a_long_side_of_nothing_is_refused(chelsea):
    with pytest.raises(ValueError, match="long_side_px: expected 1 or more, got 0"):
        brought_down(Photo(rgb_hwc=chelsea), 0)
