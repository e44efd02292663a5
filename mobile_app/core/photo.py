"""A photo file in, a Photo out, and back: `decode` and `encode`.

A Photo holds 8-bit RGB the right way up, with alpha, colour profile and cleaned metadata beside it. One copy of the
pixels is kept, and decoding and encoding pass through them in strips wherever Pillow would make a copy of its own.
"""

from __future__ import annotations

import dataclasses
import io
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from mobile_app.core.errors import PhotoError
from mobile_app.core.formats import DAMAGE, is_lossless_webp, open_image
from mobile_app.core.metadata import Metadata, orientation_of, read_metadata
from mobile_app.core.pixels import Pixels, is_grey, is_supported, read_pixels

Format = Literal["JPEG", "PNG", "WEBP"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .heic .heif .hif .avif .tif .tiff .bmp .gif".split()
)  # what a folder is searched for; what a file is gets decided by its first bytes
MAX_PIXELS = 100_000_000
MIN_SIDE_PX = 16
LARGEST_ASPECT = 40  # a network sees the short side whole, so a thread would become millions of pixels on the way to it
LONGEST_SIDE_PX = {"JPEG": 65_500, "WEBP": 16_383, "PNG": 2**31 - 1}  # of libjpeg, libwebp, and the PNG standard

_SUBSAMPLINGS: tuple[Subsampling, ...] = ("4:4:4", "4:2:2", "4:2:0")  # in the order of Pillow's numbers
_PROFILE_SPACE = slice(16, 20)  # where an ICC header names its colour space


@dataclass(frozen=True, kw_only=True)
class JpegSettings:
    """How a JPEG was compressed, so that it can be written alike."""

    tables: tuple[tuple[int, ...], ...]  # quantisation of luma and, but for grey, chroma; 64 values each
    subsampling: Subsampling


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """A decoded photo, the right way up."""

    rgb_hwc: Pixels  # (H, W, 3); three equal channels where is_grey
    alpha_hw: Pixels | None = None  # (H, W), 255 is opaque
    is_grey: bool = False
    format: str = "PNG"  # of the file it came from: JPEG, PNG, WEBP, HEIF, AVIF, TIFF, BMP or GIF
    icc_profile: bytes | None = None  # for RGB or for grey, as is_grey says
    metadata: Metadata = field(default_factory=Metadata)
    jpeg: JpegSettings | None = None
    is_lossless: bool = False  # a WebP that lost nothing
    name: str = "photo"  # for messages
    notes: tuple[str, ...] = ()  # what decoding had to change, a phrase each

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        height, width = self.rgb_hwc.shape[:2]
        return width, height

    @property
    def megapixels(self) -> float:
        width, height = self.size_px
        return width * height / 1e6

    @property
    def is_transparent(self) -> bool:
        """Whether any pixel is less than opaque; an alpha channel alone does not make a photo so."""
        return self.alpha_hw is not None and bool(self.alpha_hw.min() < 255)

    def with_pixels(self, rgb_hwc: Pixels) -> Photo:
        """The same photo with other pixels. Raises: ValueError unless they are uint8 of the same shape."""
        if rgb_hwc.dtype != np.uint8 or rgb_hwc.shape != self.rgb_hwc.shape:
            expected = self.rgb_hwc.shape
            raise ValueError(f"rgb_hwc: expected uint8 {expected}, got {rgb_hwc.dtype} {rgb_hwc.shape}")
        return dataclasses.replace(self, rgb_hwc=rgb_hwc)


@dataclass(frozen=True, kw_only=True)
class EncodeConfig:
    """How to write a photo.

    "keep" writes JPEG, PNG and WebP as they came, and anything else as PNG if it is transparent, else as JPEG.
    """

    format: Literal["keep", "jpeg", "png", "webp"] = "keep"
    quality: int | None = None  # 1 to 100, of JPEG and WebP; None: as the original, or 95 (JPEG) and 90 (WebP)
    keep_metadata: bool = False  # EXIF with its GPS position, XMP, comment and text
    subsampling: Subsampling | None = None  # of the colours of a JPEG; None: as the original, or 4:4:4

    def __post_init__(self) -> None:
        if self.format not in ("keep", "jpeg", "png", "webp"):
            raise ValueError(f"format: expected keep, jpeg, png or webp, got {self.format!r}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise ValueError(f"quality: expected 1 to 100, got {self.quality}")
        if self.subsampling is not None and self.subsampling not in _SUBSAMPLINGS:
            raise ValueError(f"subsampling: expected {' or '.join(_SUBSAMPLINGS)}, got {self.subsampling!r}")


KEEP = EncodeConfig()


def decode(source: Path | bytes, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo: orientation applied, colour profile and alpha kept, grey as three equal channels.

    CMYK becomes RGB by its own profile, 16 bits become 8, the first picture of an MPO or HEIC is taken; notes say so.

    Args:
        source: a path, or the bytes of a file.
        name: what to call the photo in an error; the file's name by default.
        max_pixels: refuse more than this, by the header, before anything is decoded.
    Raises: PhotoError naming the photo, whatever is the matter with the file.
    """
    if isinstance(source, bytes):
        return _decode_file(io.BytesIO(source), name or "photo", max_pixels)
    label = name or source.name
    with _opened(source, label) as file:
        return _decode_file(file, label, max_pixels)


def encode(photo: Photo, config: EncodeConfig = KEEP) -> bytes:
    """Write a photo as the bytes of a file. The colour profile always stays, metadata only if the config says so.

    Raises: PhotoError if the format cannot hold the photo: transparency in a JPEG, or a side that is too long.
    """
    chosen = encoded_format(photo, config)
    if max(photo.size_px) > LONGEST_SIDE_PX[chosen]:
        raise PhotoError(
            f"{photo.name}: {_size_text(photo.size_px)} pixels are too large for {chosen}, whose sides end at "
            f"{LONGEST_SIDE_PX[chosen]}; write a PNG"
        )
    if chosen == "JPEG" and photo.is_transparent:
        raise PhotoError(f"{photo.name}: transparent, which a JPEG cannot be; use png or webp")
    options = {"icc_profile": _profile_for(photo, chosen), **_OPTIONS[chosen](photo, config)}
    if config.keep_metadata:
        options |= _metadata_options(photo.metadata, chosen)
    return _save(_to_image(photo, with_alpha=chosen != "JPEG"), chosen, options)


def encoded_format(photo: Photo, config: EncodeConfig = KEEP) -> Format:
    """The format that `encode` will write."""
    wanted = (photo.format if config.format == "keep" else config.format).upper()
    for known in ("JPEG", "PNG", "WEBP"):
        if wanted == known:
            return known
    return "PNG" if photo.is_transparent else "JPEG"


# Reading


@contextmanager
def _opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise PhotoError(f"{name}: a folder, where a photo was expected")
        if not stat.S_ISREG(mode):
            raise PhotoError(f"{name}: a device or pipe, where a photo was expected")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise PhotoError(f"{name}: no such file; check the path") from error
    except PermissionError as error:
        raise PhotoError(f"{name}: no permission to read it; change its permissions or copy it elsewhere") from error
    except OSError as error:
        raise PhotoError(f"{name}: cannot be opened ({error.strerror})") from error
    with file:
        yield file


def _decode_file(file: IO[bytes], name: str, max_pixels: int) -> Photo:
    with warnings.catch_warnings(), _damage_named(name):
        warnings.simplefilter("ignore")  # Pillow warns of damaged EXIF and the like; what matters becomes a note
        found, image = open_image(file, name)
        with closing(image):
            _refuse_unfit(image, name, found, max_pixels)
            is_lossless = found == "WEBP" and is_lossless_webp(file)
            notes = _notes_on_header(image, found)
            image.load()
            return _to_photo(image, name, found, is_lossless, notes)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise PhotoError(
            f"{name}: damaged or cut short ({_first_line(error)}); get a fresh copy of the photo"
        ) from error
    except Image.DecompressionBombError as error:  # some readers check for themselves, at Pillow's own limit
        raise PhotoError(f"{name}: {_first_line(error).rstrip('.')}; shrink it first") from error
    except MemoryError as error:
        raise PhotoError(f"{name}: not enough memory to decode it; close other programs or shrink the photo") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refuse_unfit(image: ImageFile.ImageFile, name: str, found: str, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise PhotoError(
            f"{name}: {_size_text(image.size)} is above the limit of {max_pixels:,} pixels; shrink it first"
        )
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoError(
            f"{name}: {_size_text(image.size)} pixels are too few; a photo needs {MIN_SIDE_PX} or more on each side"
        )
    if max(width, height) > LARGEST_ASPECT * min(width, height):
        raise PhotoError(
            f"{name}: {_size_text(image.size)} has one side more than {LARGEST_ASPECT} times the other; "
            "crop it into parts first"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and found not in ("JPEG", "HEIF"):
        raise PhotoError(f"{name}: animated or many pages ({frames} frames); save the one to use as a photo of its own")
    if not is_supported(image.mode):
        raise PhotoError(f"{name}: pixels of type {image.mode} are not supported; save it as 8-bit RGB first")


def _notes_on_header(image: ImageFile.ImageFile, found: str) -> list[str]:
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        notes.append(f"the {'first' if found == 'JPEG' else 'main one'} of {frames} pictures was taken")
    if image.mode in ("RGB", "RGBA", "LA") and re.search(r";16[BLN]", str(image.tile)):  # Pillow itself halves these
        notes.append("16 bits a channel became 8")
    return notes


def _to_photo(image: ImageFile.ImageFile, name: str, found: str, is_lossless: bool, notes: list[str]) -> Photo:
    rgb_hwc, alpha_hw, colour_notes = read_pixels(image, orientation_of(image))
    profile, profile_notes = _kept_profile(image)
    height, width = rgb_hwc.shape[:2]
    metadata, metadata_notes = read_metadata(image, (width, height))
    return Photo(
        rgb_hwc=rgb_hwc,
        alpha_hw=alpha_hw,
        is_grey=is_grey(image.mode),
        format=found,
        icc_profile=profile,
        metadata=metadata,
        jpeg=_jpeg_settings(image) if found == "JPEG" else None,
        is_lossless=is_lossless,
        name=name,
        notes=(*notes, *colour_notes, *profile_notes, *metadata_notes),
    )


def _kept_profile(image: Image.Image) -> tuple[bytes | None, list[str]]:
    profile = image.info.get("icc_profile")
    if not profile or image.mode == "CMYK":
        return None, []
    if profile[_PROFILE_SPACE] == (b"GRAY" if is_grey(image.mode) else b"RGB "):
        return profile, []
    return None, ["the colour profile is not one for these pixels and was left out"]


def _jpeg_settings(image: Any) -> JpegSettings | None:
    """Quantisation by component, since the number a file gives a table need not be the one a writer would."""
    from PIL import JpegImagePlugin

    used = [component[3] for component in image.layer[:2]]  # (id, horizontal, vertical, table)
    if not all(table in image.quantization for table in used):
        return None
    sampling = JpegImagePlugin.get_sampling(image)  # -1 for grey, CMYK and the unusual: then lose nothing
    return JpegSettings(
        tables=tuple(tuple(image.quantization[table]) for table in used), subsampling=_SUBSAMPLINGS[max(sampling, 0)]
    )


# Writing


def _size_text(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} x {size_px[1]}"


def _profile_for(photo: Photo, chosen: Format) -> bytes | None:
    """A grey profile has no place in WebP, which knows RGB alone."""
    return None if photo.is_grey and chosen == "WEBP" else photo.icc_profile


def _jpeg_options(photo: Photo, config: EncodeConfig) -> dict[str, Any]:
    settings = photo.jpeg
    subsampling = config.subsampling or (settings.subsampling if settings else "4:4:4")
    if settings and config.quality is None:
        return {"qtables": settings.tables, "subsampling": subsampling}
    return {"quality": config.quality or 95, "subsampling": subsampling}


def _webp_options(photo: Photo, config: EncodeConfig) -> dict[str, Any]:
    if photo.is_lossless and photo.format == "WEBP" and config.quality is None:
        return {"lossless": True, "exact": True}  # exact: keep the colours under full transparency
    return {"quality": config.quality or 90, "exact": True}


def _png_options(_photo: Photo, _config: EncodeConfig) -> dict[str, Any]:
    return {}


_OPTIONS: dict[Format, Callable[[Photo, EncodeConfig], dict[str, Any]]] = {
    "JPEG": _jpeg_options,
    "PNG": _png_options,
    "WEBP": _webp_options,
}


def _metadata_options(metadata: Metadata, chosen: Format) -> dict[str, Any]:
    options: dict[str, Any] = {"exif": metadata.exif} if metadata.exif else {}
    if chosen == "PNG":
        return {**options, "pnginfo": _png_text(metadata)}
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    if metadata.comment and chosen == "JPEG":
        options["comment"] = metadata.comment
    return options


def _png_text(metadata: Metadata) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    if metadata.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    for keyword, text in metadata.text:
        chunks.add_itxt(keyword, text)
    return chunks


def _to_image(photo: Photo, *, with_alpha: bool) -> Image.Image:
    image = Image.fromarray(photo.rgb_hwc)
    if photo.is_grey:
        image = image.convert("L")  # exact where the channels are equal
    if with_alpha and photo.alpha_hw is not None:
        image.putalpha(Image.fromarray(photo.alpha_hw))  # in place: RGB and RGBA take the same room in Pillow
    return image


def _save(image: Image.Image, chosen: Format, options: dict[str, Any]) -> bytes:
    if chosen == "WEBP":
        import_module("PIL.WebPImagePlugin")  # else Pillow imports every plugin it has to find this one
    buffer = io.BytesIO()
    with closing(image):
        image.save(buffer, chosen, **{k: v for k, v in options.items() if v is not None})
    return buffer.getvalue()
