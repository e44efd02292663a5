"""What a photo file says beside its pixels: read once, cleaned of every second picture and of the old orientation.

A thumbnail inside EXIF, a maker note or XMP would show the photo as it was before it was protected. So tags are kept
by a list of what describes a photo, and an XMP packet that holds or points to another picture is left out whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from PIL import ExifTags, Image

from mobile_app.core.formats import DAMAGE

MAX_BLOCK_BYTES = 65_000  # EXIF, XMP and a comment each have to fit into one JPEG segment

_Tag = ExifTags.Base
_DESCRIPTIVE_TAGS = (
    _Tag.ImageDescription,
    _Tag.Make,
    _Tag.Model,
    _Tag.XResolution,
    _Tag.YResolution,
    _Tag.ResolutionUnit,
    _Tag.Software,
    _Tag.DateTime,
    _Tag.Artist,
    _Tag.HostComputer,
    _Tag.Copyright,
    _Tag.Rating,
    _Tag.RatingPercent,
    _Tag.XPTitle,
    _Tag.XPComment,
    _Tag.XPAuthor,
    _Tag.XPKeywords,
    _Tag.XPSubject,
)
_LEFT_OUT_OF_EXIF = {_Tag.MakerNote, ExifTags.IFD.Interop}  # both point to offsets that no longer hold
_SECOND_PICTURE = re.compile(rb"xmpGImg:|GImage:|GDepth:|GCamera:|GContainer|Container:Directory|hdrgm:|HDRGainMap")
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>)\s*)[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """Cleaned blocks, ready to be written: orientation is 1 and no block holds a picture."""

    exif: bytes | None = None  # starts with b"Exif\0\0"
    xmp: bytes | None = None
    comment: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()  # PNG keyword and text


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8, of an image that has been loaded; 1 where it is absent or damaged."""
    try:
        value = image.getexif().get(_Tag.Orientation, 1)
    except DAMAGE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def read_metadata(image: Image.Image, size_px: tuple[int, int]) -> tuple[Metadata, list[str]]:
    """Read and clean the metadata of an image that has been loaded.

    Args:
        size_px: (width, height) of the photo the right way up; it replaces the size that EXIF states.
    Returns: (metadata, notes), a note for each block that had to be left out.
    """
    notes: list[str] = []
    metadata = Metadata(
        exif=_fitting("EXIF", _clean_exif(image, size_px, notes), notes),
        xmp=_fitting("XMP", _clean_xmp(image.info.get("xmp"), notes), notes),
        comment=_fitting("comment", _as_bytes(image.info.get("comment")), notes),
        text=_text(getattr(image, "text", {})),
    )
    return metadata, notes


def _clean_exif(image: Image.Image, size_px: tuple[int, int], notes: list[str]) -> bytes | None:
    try:
        source = image.getexif()
        details = {k: v for k, v in source.get_ifd(ExifTags.IFD.Exif).items() if k not in _LEFT_OUT_OF_EXIF}
        position = dict(source.get_ifd(ExifTags.IFD.GPSInfo))
        kept = Image.Exif()
        for tag in _DESCRIPTIVE_TAGS:
            if tag in source:
                kept[tag] = source[tag]
        if not (details or position or len(kept)):
            return None
        kept[_Tag.Orientation] = 1
        for tag, value in zip((_Tag.ExifImageWidth, _Tag.ExifImageHeight), size_px, strict=True):
            if tag in details:
                details[tag] = value
        if details:
            kept[ExifTags.IFD.Exif] = details
        if position:
            kept[ExifTags.IFD.GPSInfo] = position
        return kept.tobytes()
    except DAMAGE:
        notes.append("the EXIF block is damaged and was left out")
        return None


def _clean_xmp(xmp: object, notes: list[str]) -> bytes | None:
    packet = _as_bytes(xmp)
    if packet is None:
        return None
    if b"rdf:RDF" not in packet or _SECOND_PICTURE.search(packet):  # UTF-16 would hide from the second test
        notes.append("the XMP block is unreadable or refers to a second picture and was left out")
        return None
    return _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def _as_bytes(value: object) -> bytes | None:
    data = value.encode() if isinstance(value, str) else value
    return data or None if isinstance(data, bytes) else None


def _fitting(block: str, data: bytes | None, notes: list[str]) -> bytes | None:
    if data is None or len(data) <= MAX_BLOCK_BYTES:
        return data
    notes.append(f"the {block} block is larger than {MAX_BLOCK_BYTES} bytes and was left out")
    return None


def _text(chunks: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """PNG text without the chunks in which EXIF, IPTC and XMP blocks, thumbnails included, are smuggled."""
    return tuple((k, str(v)) for k, v in chunks.items() if not k.startswith(("Raw profile type", "XML:com.adobe")))
