"""Pixels and small picture files in, textures out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kivy.core.image import Image as CoreImage
from kivy.graphics.texture import Texture


def load_texture(source: Path) -> Any | None:
    """The texture of a small picture file; None if it is missing or damaged."""
    if not source.is_file():
        return None
    image = CoreImage.load(str(source), nocache=True, keep_data=False) if _looks_whole(source) else None
    return None if image is None else image.texture


def texture_of(rgb_hwc: Any) -> Any:
    """A texture of pixels (H, W, 3) uint8, of up to about 2000 px a side. For the screen's thread."""
    height, width = rgb_hwc.shape[:2]
    texture = Texture.create(size=(width, height), colorfmt="rgb")
    texture.blit_buffer(rgb_hwc.tobytes(), colorfmt="rgb", bufferfmt="ubyte")
    texture.flip_vertical()
    return texture


def _looks_whole(source: Path) -> bool:
    """Whether a JPEG or PNG begins and ends as one: Kivy's readers raise all kinds of errors where it does not."""
    with source.open("rb") as file:
        start = file.read(8)
        file.seek(-12 if source.stat().st_size >= 12 else 0, 2 if source.stat().st_size >= 12 else 0)
        end = file.read()
    is_jpeg = start[:3] == b"\xff\xd8\xff" and b"\xff\xd9" in end
    return is_jpeg or (start == b"\x89PNG\r\n\x1a\n" and b"IEND" in end)
