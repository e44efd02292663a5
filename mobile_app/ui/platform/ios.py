"""iPhone and iPad. Written for a later day: nothing here has run on one, and what is missing says so in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole
from mobile_app.ui.platform import Insets, OnFailure, OnPhotos


class Ios:
    """See Platform. Photos come from the app's folder, which the Files app shows, until there is a picker."""

    name = "ios"
    has_camera = False
    has_picker = False
    opens_share_sheet = False

    def data_dir(self) -> Path:
        return Path.home() / "Library" / "Application Support" / "petalveil"

    def languages(self) -> list[str]:
        from pyobjus import autoclass

        preferred = autoclass("NSLocale").preferredLanguages()
        return [preferred.objectAtIndex_(place).UTF8String() for place in range(preferred.count())]

    def is_dark(self) -> bool:
        return False

    def text_scale(self) -> float:
        return 1.0

    def insets(self) -> Insets:
        return Insets()

    def photo_folders(self) -> list[Path]:
        return [Path.home() / "Documents"]

    def pick_photos(self, copies: Path, done: OnPhotos, failed: OnFailure, *, many: bool) -> None:
        failed("platform.no_picker")

    def take_photo(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        failed("platform.no_camera")

    def save_photo(self, data: bytes, name: str, kind: str) -> str:
        """Into the app's folder of the Files app."""
        from mobile_app.ui.platform.desktop import SUFFIXES, free_name

        path = free_name(self.photo_folders()[0], name, SUFFIXES[kind])
        write_whole(path, data)
        return path.name

    def share(self, files: Sequence[Path], kind: str) -> None:
        raise OutputError(f"{files[0].name}: sharing is not built for this system yet; find the file in the Files app")

    def receive(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        pass

    def leave(self) -> bool:
        return False

    def detach(self) -> None:
        pass
