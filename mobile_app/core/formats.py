"""The first bytes of a file in, the one Pillow reader that fits them out; no pixel is decoded here.

Readers are called directly: only the plugin that is needed gets imported, Pillow's registry stays as it is, and its
own bomb warning, which depends on a global, never enters into it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import IO

from PIL import ImageFile, features

from mobile_app.core.errors import PhotoError

# What Pillow raises for a damaged file, in its header, its pixels or its metadata
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "jpeg_factory"),  # MPO comes through here too, at its first frame
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEAD_BYTES = 256


def open_image(file: IO[bytes], name: str) -> tuple[str, ImageFile.ImageFile]:
    """Open a photo without decoding it.

    Args:
        file: opened for reading at its start, seekable.
        name: what to call the photo in an error.
    Returns: (format, image); format is a key such as "JPEG", and an MPO is called "JPEG".
    Raises: PhotoError if it is empty, no photo, or of a format for which a library is missing; whatever Pillow raises
        for a damaged header (one of DAMAGE).
    """
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head:
        raise PhotoError(f"{name}: the file is empty; get a fresh copy of the photo")
    found = _format_of(head)
    if found is None:
        raise PhotoError(f"{name}: not a photo; expected JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP or GIF")
    return found, _reader(found, name)(file)


def is_lossless_webp(file: IO[bytes]) -> bool:
    """Whether the pixels of a WebP file lie in a VP8L chunk; the file is left at its start."""
    file.seek(12)  # past "RIFF", the length and "WEBP"
    while len(header := file.read(8)) == 8 and header[:4] not in (b"VP8L", b"VP8 "):
        size = int.from_bytes(header[4:], "little")
        file.seek(size + size % 2, 1)
    file.seek(0)
    return header[:4] == b"VP8L"


def _format_of(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _format_of_brands(head)
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def _format_of_brands(head: bytes) -> str | None:
    """Both AVIF and HEIC may call themselves mif1 first, so every brand of the ftyp box counts."""
    box = head[: int.from_bytes(head[:4], "big")]
    brands = {box[8:12]} | {box[at : at + 4] for at in range(16, len(box), 4)}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def _reader(found: str, name: str) -> Callable[[IO[bytes]], ImageFile.ImageFile]:
    if found in ("WEBP", "AVIF") and not features.check(found.lower()):
        raise PhotoError(f"{name}: this build of Pillow reads no {found}; convert the photo to JPEG or PNG")
    module, factory = _READERS[found]
    try:
        return getattr(import_module(module), factory)
    except ImportError as error:
        raise PhotoError(f"{name}: reading HEIC needs one more package; run `pip install pillow-heif`") from error
