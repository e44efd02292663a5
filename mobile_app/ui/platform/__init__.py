"""The one place that knows Android, iOS and desktop: `this_platform()` -> a Platform.

Pickers and the camera answer later, on the screen's thread; what writes files is called on the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kivy.utils import platform as system

OnPhotos = Callable[[list[Path]], None]  # empty where the person changed their mind
OnFailure = Callable[[str], None]  # a key of the catalogue `platform`


@dataclass(frozen=True)
class Insets:
    """What the system covers of each edge, in pixels."""

    left: float = 0
    top: float = 0
    right: float = 0
    bottom: float = 0


class Platform(Protocol):
    """What the app asks of the system."""

    name: str
    has_camera: bool
    has_picker: bool  # a picker of the system's own; else the app's file browser is used
    opens_share_sheet: bool  # else `share` shows the file in its folder
    loses_textures: bool  # while the app is in the background

    def data_dir(self) -> Path:
        """Where the app keeps what it keeps; removed with the app on a phone."""
        ...

    def languages(self) -> list[str]:
        """Tags as zh-Hans-CN, the preferred first."""
        ...

    def is_dark(self) -> bool: ...

    def text_scale(self) -> float:
        """By how much larger than usual the person wants text."""
        ...

    def insets(self) -> Insets: ...

    def photo_folders(self) -> list[Path]:
        """Where the app's own file browser begins."""
        ...

    def pick_photos(self, copies: Path, done: OnPhotos, failed: OnFailure, *, many: bool) -> None:
        """Ask for photos. Where the system gives no path, they are copied into the folder `copies`."""
        ...

    def take_photo(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None: ...

    def save_photo(self, data: bytes, name: str, kind: str) -> str:
        """Put a photo among the person's others, under a name that is free; kind: "jpeg", "png" or "webp".

        Returns: where, for a sentence. Raises: OutputError.
        """
        ...

    def share(self, files: Sequence[Path], kind: str) -> None:
        """Offer files to other apps; kind: a media type. Raises: OutputError."""
        ...

    def receive(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        """From now on, hand over photos that other apps send to this one."""
        ...

    def leave(self) -> bool:
        """Back was pressed on the first page: whether that was dealt with, if only by doing nothing."""
        ...

    def device_name(self) -> str | None:
        """What the device is sold as, for a benchmark; None where the system does not tell."""
        ...

    def thermal_status(self) -> str | None:
        """How hot the device is: none, light, moderate, severe, critical, emergency or shutdown; None: not told."""
        ...

    def detach(self) -> None:
        """A job on the worker ended."""
        ...


def this_platform() -> Platform:
    """The platform that the app runs on."""
    if system == "android":
        from mobile_app.ui.platform.android import Android

        return Android()
    if system == "ios":
        from mobile_app.ui.platform.ios import Ios

        return Ios()
    from mobile_app.ui.platform.desktop import Desktop

    return Desktop()
