"""Linux, macOS and Windows: a file dialog of the system's where there is one, folders as everybody knows them."""

from __future__ import annotations

import importlib.util
import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kivy.clock import Clock

from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole
from mobile_app.ui.platform import Insets, OnFailure, OnPhotos

PATTERNS = "*.jpg *.jpeg *.png *.webp *.heic *.heif *.avif *.tif *.tiff *.bmp *.gif"
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
_POLL_SECONDS = 0.1
_TK = """
import sys, tkinter, tkinter.filedialog as dialog
root = tkinter.Tk(); root.withdraw()
kinds = [("Photos", sys.argv[2]), ("*", "*")]
names = dialog.askopenfilenames(filetypes=kinds) if sys.argv[1] == "many" else [dialog.askopenfilename(filetypes=kinds)]
print("\\n".join(name for name in names if name))
"""


class Desktop:
    """See Platform."""

    name = "desktop"
    has_camera = False
    opens_share_sheet = False
    loses_textures = False

    def __init__(self, home: Path | None = None) -> None:
        self._home = home or Path.home()
        self.has_picker = _dialog(many=True) is not None

    def data_dir(self) -> Path:
        if sys.platform == "win32":
            return Path(os.environ.get("LOCALAPPDATA", self._home)) / "petalveil"
        if sys.platform == "darwin":
            return self._home / "Library" / "Application Support" / "petalveil"
        return Path(os.environ.get("XDG_DATA_HOME") or self._home / ".local" / "share") / "petalveil"

    def languages(self) -> list[str]:
        names = [os.environ.get(name, "") for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
        tags = [tag for name in names for tag in name.split(":") if tag]
        return tags or [tag for tag in [locale.getlocale()[0]] if tag]

    def is_dark(self) -> bool:
        """GNOME's and macOS's setting; light elsewhere."""
        if sys.platform == "darwin":
            return "Dark" in _said(["defaults", "read", "-g", "AppleInterfaceStyle"])
        if shutil.which("gsettings") and _has_display():
            return "dark" in _said(["gsettings", "get", "org.gnome.desktop.interface", "color-scheme"])
        return False

    def text_scale(self) -> float:
        return 1.0

    def insets(self) -> Insets:
        return Insets()

    def photo_folders(self) -> list[Path]:
        wanted = (self._home / "Pictures", self._home / "Downloads", self._home, Path.cwd())
        return [folder for place, folder in enumerate(wanted) if folder.is_dir() and folder not in wanted[:place]]

    def pick_photos(self, copies: Path, done: OnPhotos, failed: OnFailure, *, many: bool) -> None:
        command = _dialog(many=many)
        if command is None:
            failed("platform.no_picker")
            return
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        def look(_dt: float) -> bool:
            if process.poll() is None:
                return True
            output, _ = process.communicate()
            done([Path(line) for line in output.splitlines() if line])
            return False

        Clock.schedule_interval(look, _POLL_SECONDS)

    def take_photo(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        failed("platform.no_camera")

    def save_photo(self, data: bytes, name: str, kind: str) -> str:
        pictures = self._home / "Pictures"
        folder = (pictures if pictures.is_dir() else self._home) / "petalveil"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: this folder cannot be made ({error.strerror})") from error
        path = free_name(folder, name, SUFFIXES[kind])
        write_whole(path, data)
        return str(path)

    def share(self, files: Sequence[Path], kind: str) -> None:
        """Show the file in its folder."""
        opener = {"darwin": "open", "win32": "explorer"}.get(sys.platform, "xdg-open")
        if shutil.which(opener) is None or not (_has_display() or sys.platform in ("darwin", "win32")):
            raise OutputError(f"{files[0]}: is ready in this folder; there is no program here to show it with")
        subprocess.Popen([opener, str(files[0].parent)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def receive(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        pass

    def leave(self) -> bool:
        return True  # nothing happens: a window is closed by its own button, not by Escape

    def device_name(self) -> str | None:
        return None

    def thermal_status(self) -> str | None:
        return None

    def detach(self) -> None:
        pass


def free_name(folder: Path, name: str, suffix: str) -> Path:
    """`name` with `suffix`, numbered if that is taken."""
    path, number = folder / f"{name}{suffix}", 2
    while path.exists():
        path, number = folder / f"{name} {number}{suffix}", number + 1
    return path


def _dialog(*, many: bool) -> list[str] | None:
    """The command of the system's file dialog, which prints paths; None where there is no screen or no such program."""
    if not _has_display():
        return None
    if shutil.which("zenity"):
        several = ["--multiple", "--separator=\n"] if many else []
        return ["zenity", "--file-selection", *several, f"--file-filter=Photos | {PATTERNS}"]
    if shutil.which("kdialog"):
        several = ["--multiple", "--separate-output"] if many else []
        return ["kdialog", "--getopenfilename", ".", PATTERNS, *several]
    if importlib.util.find_spec("tkinter") is not None:
        return [sys.executable, "-c", _TK, "many" if many else "one", PATTERNS]
    return None


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _said(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=1, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
