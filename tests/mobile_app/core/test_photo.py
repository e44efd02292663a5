"""decode and encode, on small photos made by hand and files damaged on purpose."""

from __future__ import annotations

import builtins
import io
import os
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from PIL.JpegImagePlugin import get_sampling

from mobile_app.core import quality
from mobile_app.core.errors import PhotoError
from mobile_app.core.photo import EXTENSIONS, MAX_PIXELS, EncodeConfig, Photo, decode, encode, encoded_format
from mobile_app.core.posting import recompress

WIDTH, HEIGHT = 48, 32
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def rgb_hwc() -> np.ndarray:
    """A smooth ramp with another brightness in each corner, so that a wrong turn shows even after JPEG."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 5, y * 7, (x + y) * 3], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def grey_hw(rgb_hwc) -> np.ndarray:
    return rgb_hwc[..., 0].copy()


@pytest.fixture(scope="module")
def alpha_hw() -> np.ndarray:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:8, :8] = 40
    return alpha


@pytest.fixture(scope="module")
def rgba(rgb_hwc, alpha_hw) -> Image.Image:
    return Image.fromarray(np.dstack([rgb_hwc, alpha_hw]))


def file_of(image: Image.Image | np.ndarray, fmt: str = "JPEG", **options) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def reopened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def tables_of(image: Image.Image) -> dict[int, list[int]]:
    return image.quantization  # pyright: ignore[reportAttributeAccessIssue]


def camera_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pocket Camera"
    exif[ExifTags.Base.Orientation] = orientation
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.ExposureTime] = 0.01
    details[ExifTags.Base.MakerNote] = b"a preview of the photo"
    details[ExifTags.Base.ExifImageWidth] = 4000
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 12.0, 30.5), 3: "E", 4: (11.0, 30.0, 0.0)})
    loaded = Image.Exif()  # as if from a file: Pillow's TIFF writer wants it so
    loaded.load(exif.tobytes())
    return loaded


# What is read


@pytest.mark.parametrize("fmt", ["PNG", "BMP", "TIFF"])
def test_lossless_files_are_read_exactly(rgb_hwc, fmt):
    photo = decode(file_of(rgb_hwc, fmt))
    assert photo.format == fmt
    np.testing.assert_array_equal(photo.rgb_hwc, rgb_hwc)


@pytest.mark.parametrize("fmt", ["JPEG", "WEBP", "AVIF"])
def test_lossy_files_are_read_closely(rgb_hwc, fmt):
    photo = decode(file_of(rgb_hwc, fmt, quality=95))
    assert photo.format == fmt
    assert quality.psnr_db(photo.rgb_hwc, rgb_hwc) > 30


def test_photo_states_its_size_and_megapixels(rgb_hwc):
    photo = decode(file_of(rgb_hwc))
    assert photo.size_px == (WIDTH, HEIGHT)
    assert photo.megapixels == WIDTH * HEIGHT / 1e6


def test_photo_wider_than_a_strip_is_read_whole():
    rgb_hwc = np.random.default_rng(0).integers(0, 256, (1100, 1000, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(file_of(rgb_hwc, "BMP")).rgb_hwc, rgb_hwc)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_pillow_does(rgb_hwc, orientation, fmt):
    from PIL import ImageOps

    data = file_of(rgb_hwc, fmt, exif=camera_exif(orientation))
    expected = np.asarray(ImageOps.exif_transpose(reopened(data)))
    np.testing.assert_array_equal(decode(data).rgb_hwc, expected)


def test_orientation_six_turns_the_photo_clockwise(rgb_hwc):
    data = file_of(rgb_hwc, "PNG", exif=camera_exif(6))
    np.testing.assert_array_equal(decode(data).rgb_hwc, np.rot90(rgb_hwc, -1))


def test_alpha_turns_with_the_photo(rgba, alpha_hw):
    photo = decode(file_of(rgba, "PNG", exif=camera_exif(6)))
    np.testing.assert_array_equal(photo.alpha_hw, np.rot90(alpha_hw, -1))


def test_grey_photo_has_three_equal_channels(grey_hw):
    photo = decode(file_of(grey_hw, "PNG"))
    assert photo.is_grey
    np.testing.assert_array_equal(photo.rgb_hwc, np.repeat(grey_hw[..., None], 3, axis=2))


def test_one_bit_photo_is_black_and_white():
    bits = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 3 == 0
    photo = decode(file_of(Image.fromarray(bits), "PNG"))
    assert photo.is_grey
    np.testing.assert_array_equal(photo.rgb_hwc[..., 0], bits * np.uint8(255))


@pytest.mark.parametrize("fmt", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(grey_hw, fmt):
    photo = decode(file_of(Image.fromarray(grey_hw.astype(np.uint16) * 257), fmt))
    np.testing.assert_array_equal(photo.rgb_hwc[..., 0], grey_hw)
    assert photo.notes == ("16 bits a channel became 8",)


def test_sixteen_bit_colour_becomes_eight_bit_and_says_so(rgb_hwc):
    photo = decode(sixteen_bit_png(rgb_hwc))
    np.testing.assert_array_equal(photo.rgb_hwc, rgb_hwc)
    assert photo.notes == ("16 bits a channel became 8",)


def test_grey_with_alpha_keeps_both(grey_hw, alpha_hw):
    photo = decode(file_of(Image.merge("LA", [Image.fromarray(grey_hw), Image.fromarray(alpha_hw)]), "PNG"))
    assert photo.is_grey
    np.testing.assert_array_equal(photo.rgb_hwc[..., 1], grey_hw)
    np.testing.assert_array_equal(photo.alpha_hw, alpha_hw)


def test_palette_becomes_rgb(rgb_hwc):
    palette = Image.fromarray(rgb_hwc).quantize(32)
    photo = decode(file_of(palette, "PNG"))
    assert photo.alpha_hw is None
    np.testing.assert_array_equal(photo.rgb_hwc, np.asarray(palette.convert("RGB")))


def test_transparent_palette_entry_becomes_alpha(rgb_hwc):
    palette = Image.fromarray(rgb_hwc).quantize(32)
    photo = decode(file_of(palette, "PNG", transparency=3))
    np.testing.assert_array_equal(photo.alpha_hw, np.where(np.asarray(palette) == 3, 0, 255))


def test_palette_with_an_alpha_a_colour_becomes_alpha(rgb_hwc):
    palette = Image.fromarray(rgb_hwc).quantize(32)
    photo = decode(file_of(palette, "PNG", transparency=bytes(range(0, 256, 8))))
    np.testing.assert_array_equal(photo.alpha_hw, np.asarray(palette) * 8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparent_grey_level_becomes_alpha(grey_hw, dtype):
    grey = grey_hw.astype(dtype)
    photo = decode(file_of(grey, "PNG", transparency=int(grey[3, 3])))
    np.testing.assert_array_equal(photo.alpha_hw, np.where(grey == grey[3, 3], 0, 255))


def test_single_frame_gif_is_read(rgb_hwc):
    palette = Image.fromarray(rgb_hwc).quantize(32)
    photo = decode(file_of(palette, "GIF"))
    np.testing.assert_array_equal(photo.rgb_hwc, np.asarray(palette.convert("RGB")))


def test_mpo_is_read_as_a_jpeg_at_its_first_picture(rgb_hwc):
    second = Image.fromarray(255 - rgb_hwc)
    photo = decode(file_of(rgb_hwc, "MPO", save_all=True, append_images=[second], quality=95))
    assert photo.format == "JPEG"
    assert photo.notes == ("the first of 2 pictures was taken",)
    assert quality.psnr_db(photo.rgb_hwc, rgb_hwc) > 30


def test_heic_is_read_when_pillow_heif_is_installed(rgb_hwc):
    photo = decode(heic_of(rgb_hwc))
    assert photo.format == "HEIF"
    assert quality.psnr_db(photo.rgb_hwc, rgb_hwc) > 30


def test_heic_is_read_with_its_orientation_applied_once(rgb_hwc):
    photo = decode(heic_of(rgb_hwc, exif=camera_exif(6).tobytes()))
    assert photo.size_px == (HEIGHT, WIDTH)
    assert quality.psnr_db(photo.rgb_hwc, np.rot90(rgb_hwc, -1)) > 30


def test_reading_heic_leaves_pillow_as_it_was(rgb_hwc):
    before = dict(Image.OPEN)
    decode(heic_of(rgb_hwc))
    assert ("HEIF" in Image.OPEN) == ("HEIF" in before)


def test_heic_without_pillow_heif_names_the_package(rgb_hwc, monkeypatch):
    data = heic_of(rgb_hwc)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match=r"^p\.heic: .*pip install pillow-heif"):
        decode(data, name="p.heic")


def test_cmyk_without_a_profile_becomes_rgb_and_says_so(rgb_hwc):
    photo = decode(file_of(Image.fromarray(rgb_hwc).convert("CMYK"), "JPEG", quality=95))
    assert photo.notes == ("CMYK became RGB without a colour profile",)
    assert quality.psnr_db(photo.rgb_hwc, rgb_hwc) > 30


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb_by_its_own_profile(fmt):
    ink = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    ink[:, WIDTH // 2 :, 0] = 255  # cyan on the right
    photo = decode(file_of(Image.fromarray(ink, "CMYK"), fmt, icc_profile=cmyk_profile(lightness_of_cyan=60)))
    assert photo.notes == ("CMYK became sRGB by its colour profile, which was left out",)
    assert photo.icc_profile is None
    np.testing.assert_allclose(photo.rgb_hwc[5, 5], 255, atol=2)
    np.testing.assert_allclose(photo.rgb_hwc[5, -5], 145, atol=3)  # L* = 60 is level 145 of sRGB; Pillow alone: cyan


def test_cmyk_with_a_damaged_profile_is_still_read(rgb_hwc):
    cmyk = Image.fromarray(rgb_hwc).convert("CMYK")
    photo = decode(file_of(cmyk, "JPEG", icc_profile=b"no profile at all"))
    assert photo.notes == ("CMYK became RGB without its colour profile, which is damaged",)


def test_colour_profile_is_kept(rgb_hwc):
    photo = decode(file_of(rgb_hwc, icc_profile=SRGB))
    assert photo.icc_profile == SRGB
    assert reopened(encode(photo)).info["icc_profile"] == SRGB


def test_profile_of_another_colour_space_is_left_out_and_said(grey_hw):
    photo = decode(file_of(grey_hw, icc_profile=SRGB))
    assert photo.icc_profile is None
    assert photo.notes == ("the colour profile is not one for these pixels and was left out",)


def test_damaged_exif_does_not_stop_a_photo(rgb_hwc):
    photo = decode(file_of(rgb_hwc, exif=b"Exif\0\0II*\0\xff\xff\0\0garbage"))
    assert photo.size_px == (WIDTH, HEIGHT)


def test_path_and_bytes_read_alike(rgb_hwc, tmp_path):
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(file_of(rgb_hwc))
    np.testing.assert_array_equal(decode(path).rgb_hwc, decode(path.read_bytes()).rgb_hwc)
    assert decode(path).name == "IMG_1.jpg"


def test_every_format_that_is_read_has_its_extension_listed():
    assert {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif", ".tif", ".bmp", ".gif"} <= EXTENSIONS


# What is refused


def test_something_else_than_a_photo_is_refused():
    with pytest.raises(PhotoError, match=r"^notes\.jpg: not a photo"):
        decode(b"Dear diary, today I took no photo." * 9, name="notes.jpg")


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "IMG_2.jpg").touch()
    with pytest.raises(PhotoError, match=r"^IMG_2\.jpg: the file is empty"):
        decode(tmp_path / "IMG_2.jpg")


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_file_is_refused(fmt, share):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = file_of(noise, fmt)
    with pytest.raises(PhotoError, match=r"^p\.img: (damaged or cut short|.* are too few)"):
        decode(data[: int(len(data) * share)], name="p.img")


def test_truncated_heic_is_refused(rgb_hwc):
    data = heic_of(rgb_hwc)
    with pytest.raises(PhotoError, match=r"^p\.heic: damaged or cut short"):
        decode(data[: len(data) // 2], name="p.heic")


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_flipped_bytes_give_a_photo_or_a_sentence(rgb_hwc, fmt):
    rng = np.random.default_rng(2)
    original = file_of(rgb_hwc, fmt, exif=camera_exif()) if fmt not in ("BMP", "GIF") else file_of(rgb_hwc, fmt)
    for _ in range(40):
        data = np.frombuffer(original, np.uint8).copy()
        at = rng.integers(8, min(len(data), 600), 4)
        data[at] = rng.integers(0, 256, 4)
        with suppress(PhotoError):
            assert isinstance(decode(data.tobytes()), Photo)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PhotoError, match=r"^IMG_3\.jpg: no such file"):
        decode(tmp_path / "IMG_3.jpg")


def test_folder_is_refused(tmp_path):
    with pytest.raises(PhotoError, match="a folder, where a photo was expected"):
        decode(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="a device or pipe"):
        decode(tmp_path / "pipe.jpg")


def test_file_without_read_permission_is_refused(rgb_hwc, tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "IMG_4.jpg"
    path.write_bytes(file_of(rgb_hwc))
    monkeypatch.setattr(io, "open", refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PhotoError, match=r"^IMG_4\.jpg: no permission to read it"):
        decode(path)


def test_bomb_is_refused_by_its_header_with_both_numbers():
    with pytest.raises(PhotoError, match=r"^bomb\.png: 30000 x 20000 is above the limit of 100,000,000 pixels"):
        decode(png_header(30_000, 20_000), name="bomb.png")


def test_limit_of_pixels_can_be_set_and_includes_itself(rgb_hwc):
    data = file_of(rgb_hwc)
    assert decode(data, max_pixels=WIDTH * HEIGHT).size_px == (WIDTH, HEIGHT)
    with pytest.raises(PhotoError, match="above the limit"):
        decode(data, max_pixels=WIDTH * HEIGHT - 1)


def test_limit_is_as_stated():
    assert MAX_PIXELS == 100_000_000


def test_photo_between_the_limits_of_pillow_and_ours_raises_no_warning():
    photo = decode(file_of(Image.new("1", (10_000, 9_500)), "PNG"))  # 95 megapixels; Pillow warns from 89
    assert photo.size_px == (10_000, 9_500)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (15, 16)])
def test_photo_with_too_few_pixels_is_refused(size):
    with pytest.raises(PhotoError, match=rf"^p\.png: {size[0]} x {size[1]} pixels are too few"):
        decode(file_of(Image.new("RGB", size), "PNG"), name="p.png")


def test_smallest_photo_is_read():
    assert decode(file_of(Image.new("RGB", (16, 16)), "PNG")).size_px == (16, 16)


@pytest.mark.parametrize("fmt", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_animation_is_refused_with_its_number_of_frames(rgb_hwc, fmt):
    others = [Image.fromarray(255 - rgb_hwc), Image.fromarray(rgb_hwc // 2)]
    with pytest.raises(PhotoError, match=r"^p\.img: animated or many pages \(3 frames\)"):
        decode(file_of(rgb_hwc, fmt, save_all=True, append_images=others), name="p.img")


def test_pixels_of_thirty_two_bits_are_refused(grey_hw):
    with pytest.raises(PhotoError, match="pixels of type F are not supported"):
        decode(file_of(Image.fromarray(grey_hw.astype(np.float32)), "TIFF"))


def test_wrong_pixels_are_refused_by_with_pixels(rgb_hwc):
    photo = Photo(rgb_hwc=rgb_hwc)
    with pytest.raises(ValueError, match="expected uint8"):
        photo.with_pixels(rgb_hwc[1:])
    with pytest.raises(ValueError, match="expected uint8"):
        photo.with_pixels(rgb_hwc.astype(np.float32))


# What is written


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("level", [60, 87, 98])
def test_jpeg_keeps_its_tables_and_subsampling(rgb_hwc, subsampling, level):
    data = file_of(rgb_hwc, quality=level, subsampling=subsampling)
    original, written = reopened(data), reopened(encode(decode(data)))
    assert written.format == "JPEG"
    assert tables_of(written) == tables_of(original)
    assert get_sampling(written) == get_sampling(original)


def test_grey_jpeg_stays_a_grey_jpeg_of_the_same_quality(grey_hw):
    data = file_of(grey_hw, quality=80)
    written = reopened(encode(decode(data)))
    assert (written.mode, written.format) == ("L", "JPEG")
    assert tables_of(written) == tables_of(reopened(data))


def test_jpeg_tables_are_matched_by_component_and_not_by_number(rgb_hwc):
    tables = tables_of(reopened(file_of(rgb_hwc, quality=70)))
    data = bytearray(file_of(rgb_hwc, quality=70))
    swap_table_numbers(data)
    written = reopened(encode(decode(bytes(data))))
    assert tables_of(written) == tables


def test_jpeg_written_again_changes_little(rgb_hwc):
    photo = decode(file_of(rgb_hwc, quality=75))
    assert quality.psnr_db(decode(encode(photo)).rgb_hwc, photo.rgb_hwc) > 45


def test_explicit_quality_replaces_the_tables_of_a_jpeg(rgb_hwc):
    photo = decode(file_of(rgb_hwc, quality=95))
    written = reopened(encode(photo, EncodeConfig(quality=40)))
    assert tables_of(written) == tables_of(reopened(file_of(rgb_hwc, quality=40)))


@pytest.mark.parametrize(("subsampling", "number"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_explicit_subsampling_replaces_that_of_a_jpeg_and_nothing_else(rgb_hwc, subsampling, number):
    original = file_of(rgb_hwc, quality=80, subsampling="4:2:0" if number == 0 else "4:4:4")
    written = reopened(encode(decode(original), EncodeConfig(subsampling=subsampling)))
    assert get_sampling(written) == number
    assert tables_of(written) == tables_of(reopened(original))
    other = encode(Photo(rgb_hwc=rgb_hwc), EncodeConfig(format="jpeg", quality=75, subsampling=subsampling))
    assert get_sampling(reopened(other)) == number


@pytest.mark.parametrize("fmt", ["png", "webp"])
def test_subsampling_is_of_jpeg_alone(rgb_hwc, fmt):
    photo = Photo(rgb_hwc=rgb_hwc)
    assert encode(photo, EncodeConfig(format=fmt, subsampling="4:2:0")) == encode(photo, EncodeConfig(format=fmt))


def test_unknown_subsampling_is_refused():
    with pytest.raises(ValueError, match="subsampling: expected 4:4:4 or 4:2:2 or 4:2:0, got '4:1:1'"):
        EncodeConfig(subsampling="4:1:1")  # pyright: ignore[reportArgumentType]


def test_cmyk_jpeg_is_written_as_rgb(rgb_hwc):
    written = reopened(encode(decode(file_of(Image.fromarray(rgb_hwc).convert("CMYK"), "JPEG"))))
    assert (written.mode, written.format) == ("RGB", "JPEG")


def test_png_comes_back_exactly_with_its_alpha(rgba):
    written = reopened(encode(decode(file_of(rgba, "PNG"))))
    assert (written.mode, written.format) == ("RGBA", "PNG")
    np.testing.assert_array_equal(np.asarray(written), np.asarray(rgba))


def test_grey_png_stays_a_grey_png(grey_hw):
    written = reopened(encode(decode(file_of(grey_hw, "PNG"))))
    assert written.mode == "L"
    np.testing.assert_array_equal(np.asarray(written), grey_hw)


def test_grey_png_with_alpha_stays_so(grey_hw, alpha_hw):
    image = Image.merge("LA", [Image.fromarray(grey_hw), Image.fromarray(alpha_hw)])
    written = reopened(encode(decode(file_of(image, "PNG"))))
    assert written.mode == "LA"
    np.testing.assert_array_equal(np.asarray(written), np.asarray(image))


@pytest.mark.parametrize("with_profile", [False, True])  # a profile moves the pixels behind an extended header
def test_lossless_webp_stays_lossless(rgba, with_profile):
    options = {"icc_profile": SRGB} if with_profile else {}
    written = encode(decode(file_of(rgba, "WEBP", lossless=True, exact=True, **options)))
    assert b"VP8L" in written
    np.testing.assert_array_equal(np.asarray(reopened(written)), np.asarray(rgba))


def test_lossy_webp_stays_lossy(rgb_hwc):
    written = encode(decode(file_of(rgb_hwc, "WEBP", quality=80)))
    assert b"VP8 " in written
    assert b"VP8L" not in written


def test_transparent_lossy_webp_keeps_its_alpha(rgba, alpha_hw):
    photo = decode(encode(decode(file_of(rgba, "WEBP", quality=80))))
    np.testing.assert_array_equal(photo.alpha_hw, alpha_hw)


@pytest.mark.parametrize("fmt", ["BMP", "TIFF", "AVIF"])
def test_other_formats_become_a_fine_jpeg(rgb_hwc, fmt):
    photo = decode(file_of(rgb_hwc, fmt))
    written = reopened(encode(photo))
    assert encoded_format(photo) == written.format == "JPEG"
    assert get_sampling(written) == 0
    assert tables_of(written) == tables_of(reopened(file_of(rgb_hwc, quality=95)))


def test_transparent_photo_of_another_format_becomes_a_png(rgba):
    photo = decode(file_of(rgba, "TIFF"))
    assert encoded_format(photo) == "PNG"
    np.testing.assert_array_equal(np.asarray(reopened(encode(photo))), np.asarray(rgba))


@pytest.mark.parametrize("fmt", ["jpeg", "png", "webp"])
def test_format_can_be_chosen(rgb_hwc, fmt):
    photo = Photo(rgb_hwc=rgb_hwc)
    assert reopened(encode(photo, EncodeConfig(format=fmt))).format == fmt.upper()
    assert encoded_format(photo, EncodeConfig(format=fmt)) == fmt.upper()


def test_transparent_photo_as_jpeg_is_refused_with_the_remedy(rgba):
    photo = decode(file_of(rgba, "PNG"), name="logo.png")
    with pytest.raises(PhotoError, match=r"^logo\.png: transparent.*use png or webp"):
        encode(photo, EncodeConfig(format="jpeg"))


def test_opaque_alpha_does_not_stop_a_jpeg(rgb_hwc):
    photo = Photo(rgb_hwc=rgb_hwc, alpha_hw=np.full((HEIGHT, WIDTH), 255, np.uint8))
    assert reopened(encode(photo, EncodeConfig(format="jpeg"))).mode == "RGB"


@pytest.mark.parametrize(("fmt", "side_px"), [("webp", 16_383), ("jpeg", 65_500)])
def test_side_beyond_what_a_format_holds_is_refused(fmt, side_px):
    config = EncodeConfig(format=fmt)
    assert reopened(encode(Photo(rgb_hwc=np.zeros((16, side_px, 3), np.uint8)), config)).size == (side_px, 16)
    with pytest.raises(PhotoError, match=rf"{side_px + 1} x 16 pixels are too large"):
        encode(Photo(rgb_hwc=np.zeros((16, side_px + 1, 3), np.uint8)), config)


@pytest.mark.parametrize("value", [0, 101, -5])
def test_quality_out_of_range_is_refused(value):
    with pytest.raises(ValueError, match="expected 1 to 100"):
        EncodeConfig(quality=value)


def test_unknown_format_is_refused():
    with pytest.raises(ValueError, match="expected keep, jpeg, png or webp"):
        EncodeConfig(format="gif")  # pyright: ignore[reportArgumentType]


def test_with_pixels_changes_pixels_and_nothing_else(rgb_hwc):
    photo = decode(file_of(rgb_hwc, icc_profile=SRGB))
    other = photo.with_pixels(255 - photo.rgb_hwc)
    assert (other.jpeg, other.icc_profile, other.metadata) == (photo.jpeg, photo.icc_profile, photo.metadata)
    np.testing.assert_array_equal(other.rgb_hwc, 255 - photo.rgb_hwc)


# Metadata

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6" dc:creator="Ann"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_metadata_is_dropped_unless_asked_for(rgb_hwc, fmt):
    options = {"comment": b"by Ann"} if fmt == "JPEG" else {}
    written = encode(decode(file_of(rgb_hwc, fmt, exif=camera_exif(), **options)))
    assert not reopened(written).getexif()
    assert b"Pocket Camera" not in written
    assert b"by Ann" not in written


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_kept_exif_holds_the_camera_and_the_position(rgb_hwc, fmt):
    exif = kept(file_of(rgb_hwc, fmt, exif=camera_exif())).getexif()
    assert exif[ExifTags.Base.Model] == "Pocket Camera"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] == 0.01
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (48.0, 12.0, 30.5)


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_kept_exif_says_upright_so_nothing_turns_twice(rgb_hwc, fmt):
    data = file_of(rgb_hwc, fmt, exif=camera_exif(6))
    exif = kept(data).getexif()
    assert exif[ExifTags.Base.Orientation] == 1
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == HEIGHT
    again = decode(encode(decode(data), EncodeConfig(keep_metadata=True)))
    assert again.size_px == (HEIGHT, WIDTH)


def test_kept_exif_holds_no_thumbnail_and_no_maker_note(rgb_hwc):
    thumbnail = file_of(rgb_hwc[:16, :16])
    data = file_of(rgb_hwc, exif=exif_with_thumbnail(thumbnail))
    assert thumbnail in data
    written = encode(decode(data), EncodeConfig(keep_metadata=True))
    assert written.count(b"\xff\xd8\xff") == 1
    assert reopened(written).getexif()[ExifTags.Base.Model] == "Pocket Camera"
    assert b"a preview of the photo" not in encode(
        decode(file_of(rgb_hwc, exif=camera_exif())), EncodeConfig(keep_metadata=True)
    )


@pytest.mark.parametrize("fmt", ["JPEG", "WEBP"])
def test_kept_xmp_says_upright(rgb_hwc, fmt):
    data = file_of(rgb_hwc, fmt, xmp=XMP)
    assert decode(data).size_px == (HEIGHT, WIDTH)  # its orientation counts where EXIF has none
    assert kept(data).info["xmp"] == XMP.replace(b'"6"', b'"1"')


def test_kept_xmp_crosses_into_a_png(rgb_hwc):
    written = encode(decode(file_of(rgb_hwc, xmp=XMP)), EncodeConfig(format="png", keep_metadata=True))
    assert XMP.replace(b'"6"', b'"1"') in written


def test_xmp_that_holds_a_second_picture_is_left_out(rgb_hwc):
    packet = XMP.replace(b"dc:creator", b'xmpGImg:image="/9j/4AAQ" dc:creator')
    photo = decode(file_of(rgb_hwc, xmp=packet))
    assert photo.metadata.xmp is None
    assert photo.notes == ("the XMP block is unreadable or refers to a second picture and was left out",)


def test_kept_comment_stays_in_a_jpeg(rgb_hwc):
    assert kept(file_of(rgb_hwc, comment=b"by Ann")).info["comment"] == b"by Ann"


def test_kept_text_stays_in_a_png(rgb_hwc):
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Ann")
    info.add_text("Raw profile type iptc", "a thumbnail in hexadecimal")
    data = file_of(rgb_hwc, "PNG", pnginfo=info)
    assert kept(data).info == {"Author": "Ann"}
    assert b"Ann" not in encode(decode(data))


def test_metadata_too_large_for_a_jpeg_segment_is_left_out_and_said(rgb_hwc):
    exif = camera_exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 70_000
    photo = decode(file_of(rgb_hwc, "PNG", exif=exif))
    assert photo.metadata.exif is None
    assert photo.notes == ("the EXIF block is larger than 65000 bytes and was left out",)


# Posting


def test_recompressed_photo_is_the_jpeg_of_that_quality(rgb_hwc):
    expected = np.asarray(reopened(file_of(rgb_hwc, quality=50, subsampling="4:2:0")))
    np.testing.assert_array_equal(recompress(rgb_hwc, quality=50), expected)


def test_recompressed_photo_is_made_smaller_by_its_long_side(rgb_hwc):
    assert recompress(rgb_hwc, quality=75, long_side_px=24).shape == (16, 24, 3)


def test_recompressed_photo_is_never_made_larger(rgb_hwc):
    assert recompress(rgb_hwc, quality=75, long_side_px=1000).shape == rgb_hwc.shape


@pytest.mark.parametrize("wrong", [{"quality": 0}, {"quality": 75, "long_side_px": 0}])
def test_recompress_refuses_values_out_of_range(rgb_hwc, wrong):
    with pytest.raises(ValueError, match="expected 1"):
        recompress(rgb_hwc, **wrong)


# Files made by hand


def kept(data: bytes) -> Image.Image:
    return reopened(encode(decode(data), EncodeConfig(keep_metadata=True)))


def heic_of(rgb_hwc: np.ndarray, **options) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(rgb_hwc)).save(buffer, quality=95, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8) -> bytes:
    fields = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", fields) + png_chunk(b"IDAT", zlib.compress(b"\0"))


def sixteen_bit_png(rgb_hwc: np.ndarray) -> bytes:
    """Pillow writes no 16-bit colour."""
    height, width = rgb_hwc.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in (rgb_hwc.astype(np.uint16) * 257).astype(">u2"))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")


def exif_with_thumbnail(thumbnail: bytes) -> bytes:
    """EXIF by hand, since Pillow writes no second directory: the model in the first, a JPEG in the second."""
    model = b"Pocket Camera\0"
    first = struct.pack("<HHHII", 1, 0x0110, 2, len(model), 200) + struct.pack("<I", 40)
    second = struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, 300)
    second += struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail)) + struct.pack("<I", 0)
    body = bytearray(300)
    body[:8] = b"II*\0" + struct.pack("<I", 8)
    body[8 : 8 + len(first)] = first
    body[40 : 40 + len(second)] = second
    body[200 : 200 + len(model)] = model
    return b"Exif\0\0" + bytes(body) + thumbnail


def swap_table_numbers(data: bytearray) -> None:
    """Rename quantisation tables 0 and 1 in a JPEG, in the tables and in the components that use them."""
    at = -1
    while (at := data.find(b"\xff\xdb", at + 1)) >= 0:
        for table in range(at + 4, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"), 65):
            data[table] ^= 1
    frame = data.index(b"\xff\xc0") + 10
    for component in range(3):
        data[frame + 3 * component + 2] ^= 1


def cmyk_profile(lightness_of_cyan: float) -> bytes:
    """A printer of the simplest kind: cyan ink gives a grey of the stated L*, black ink gives black, others nothing."""
    ramp = bytes(range(256))
    lightness = [0.0 if node & 1 else lightness_of_cyan if node & 8 else 100.0 for node in range(16)]  # bits: C M Y K
    grid = b"".join(bytes([round(value * 2.55), 128, 128]) for value in lightness)
    identity = struct.pack(">9i", *[65536 if i % 4 == 0 else 0 for i in range(9)])
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + ramp * 4 + grid + ramp * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"wtpt", white), (b"A2B0", table)]
    offset, directory, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        directory += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = bytearray(128)
    header[:4] = struct.pack(">I", offset + len(body))
    header[8:12] = b"\x02\x40\0\0"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + directory + body
