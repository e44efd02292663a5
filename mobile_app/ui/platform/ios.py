"""iPhone and iPad, by Apple's own classes. Written from the documentation of iOS 16 and never run: try every method.

Photos come from UIImagePickerController, one at a time: its newer sibling would give several. Looking into the library
asks for nothing; the camera and adding to the library ask the person, with the sentences of Info.plist.
Kivy runs on the main thread here, where UIKit wants to be called.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import threading
from collections.abc import Callable, Sequence
from ctypes import c_bool, c_double, c_long, c_void_p
from pathlib import Path
from typing import Any

from kivy.clock import Clock

from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole
from mobile_app.ui.platform import Insets, OnFailure, OnPhotos
from mobile_app.ui.platform.objc import Delegate, Edges, ObjC

SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
_LIBRARY, _CAMERA = 0, 1  # UIImagePickerControllerSourceType
_URL, _IMAGE = "UIImagePickerControllerImageURL", "UIImagePickerControllerOriginalImage"  # keys of what was picked
_DARK = 2  # UIUserInterfaceStyle
_ADD_ONLY = 1  # PHAccessLevel
_NOT_ASKED, _ALLOWED = 0, (3, 4)  # PHAuthorizationStatus
_PHOTO = 1  # PHAssetResourceType
_JPEG_QUALITY = 0.97
_ANSWER_SECONDS = 120.0


class Ios:
    """See Platform."""

    name = "ios"
    has_camera = True
    has_picker = True
    opens_share_sheet = True
    loses_textures = False

    def __init__(self, objc: ObjC | None = None, home: Path | None = None) -> None:
        self._objc = objc or ObjC()
        self._home = home or Path.home()
        self._delegate: Delegate | None = None
        self._picked: Callable[[int], None] = _ignore  # what to do with a picked photo; 0: none was
        picker = self._objc.cls("UIImagePickerController")
        self.has_camera = bool(self._send(picker, "isSourceTypeAvailable:", c_long(_CAMERA), returns=c_bool))

    def data_dir(self) -> Path:
        return self._home / "Library" / "Application Support" / "petalveil"

    def languages(self) -> list[str]:
        preferred = self._send(self._objc.cls("NSLocale"), "preferredLanguages")
        return [self._objc.text(self._item(preferred, place)) for place in range(self._count(preferred))]

    def is_dark(self) -> bool:
        traits = self._send(self._send(self._objc.cls("UIScreen"), "mainScreen"), "traitCollection")
        return self._send(traits, "userInterfaceStyle", returns=c_long) == _DARK

    def text_scale(self) -> float:
        metrics = self._send(self._objc.cls("UIFontMetrics"), "defaultMetrics")
        return self._send(metrics, "scaledValueForValue:", c_double(100), returns=c_double) / 100

    def insets(self) -> Insets:
        window = self._window()
        if not window or platform.machine() != "arm64":  # the Intel simulator hands structures back another way
            return Insets()
        found = self._send(window, "safeAreaInsets", returns=Edges)
        scale = self._send(self._send(self._objc.cls("UIScreen"), "mainScreen"), "scale", returns=c_double)
        return Insets(
            left=found.left * scale, top=found.top * scale, right=found.right * scale, bottom=found.bottom * scale
        )

    def photo_folders(self) -> list[Path]:
        return [self._home / "Documents"]

    def pick_photos(self, copies: Path, done: OnPhotos, failed: OnFailure, *, many: bool) -> None:
        self._ask(_LIBRARY, copies, done, lambda: failed("platform.cannot_copy"), lambda: failed("platform.no_picker"))

    def take_photo(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        self._ask(_CAMERA, copies, done, lambda: failed("platform.no_camera"), lambda: failed("platform.no_camera"))

    def save_photo(self, data: bytes, name: str, kind: str) -> str:
        """Into the photo library, byte for byte: UIImage would compress it anew, and harm what protects it."""
        path = self._outgoing(name + SUFFIXES[kind])
        write_whole(path, data, force=True)
        try:
            with self._objc.pool():
                self._allow_adding()
                self._add(path)
        finally:
            path.unlink(missing_ok=True)
        return name

    def share(self, files: Sequence[Path], kind: str) -> None:
        missing = next((path for path in files if not path.is_file()), None)
        if missing is not None:
            raise OutputError(f"{missing.name}: is not there any more; save it anew")
        Clock.schedule_once(lambda _dt: self._share(files))  # from the worker to the main thread

    def receive(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        """Nothing to do: SDL hands a file that another app sends to the window, like one that was dropped there."""

    def leave(self) -> bool:
        return False  # an app does not leave by itself here

    def device_name(self) -> str | None:
        return None

    def thermal_status(self) -> str | None:
        return None

    def detach(self) -> None:
        pass

    # How

    def _send(self, receiver: int, selector: str, *arguments: Any, returns: Any = c_void_p) -> Any:
        return self._objc.send(receiver, selector, *arguments, returns=returns)

    def _count(self, array: int) -> int:
        return self._send(array, "count", returns=ctypes.c_ulong)

    def _item(self, array: int, place: int) -> int:
        return self._send(array, "objectAtIndex:", ctypes.c_ulong(place))

    def _file_url(self, path: Path) -> int:
        return self._send(self._objc.cls("NSURL"), "fileURLWithPath:", self._objc.string(str(path)))

    def _window(self) -> int:
        app = self._send(self._objc.cls("UIApplication"), "sharedApplication")
        return self._send(app, "keyWindow") or self._send(self._send(app, "windows"), "firstObject")

    def _present(self, controller: int) -> bool:
        root = self._send(self._window(), "rootViewController")
        if root:
            self._send(root, "presentViewController:animated:completion:", controller, c_bool(True), 0, returns=None)
        return bool(root)

    def _outgoing(self, name: str) -> Path:
        folder = self.data_dir() / "outgoing"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{name}: cannot be written ({error.strerror}); make room on the device") from error
        return folder / name

    def _ask(
        self,
        source: int,
        copies: Path,
        done: OnPhotos,
        unreadable: Callable[[], None],
        refused: Callable[[], None],
    ) -> None:
        picker_class = self._objc.cls("UIImagePickerController")
        if not self._send(picker_class, "isSourceTypeAvailable:", c_long(source), returns=c_bool):
            refused()
            return

        def picked(info: int) -> None:
            try:
                path = self._copy(info, copies) if info else None
            except OSError:
                Clock.schedule_once(lambda _dt: unreadable())
            else:
                Clock.schedule_once(lambda _dt: done([] if path is None else [path]))

        self._picked = picked
        picker = self._send(self._send(picker_class, "alloc"), "init")
        self._send(picker, "setSourceType:", c_long(source), returns=None)
        self._send(picker, "setDelegate:", self._delegate_for_pickers(), returns=None)
        if not self._present(picker):
            refused()
        self._send(picker, "release", returns=None)  # the screen holds it now

    def _delegate_for_pickers(self) -> int:
        if self._delegate is None:
            self._delegate = self._objc.delegate(
                "PetalveilPickerDelegate",
                {
                    "imagePickerController:didFinishPickingMediaWithInfo:": self._on_picked,
                    "imagePickerControllerDidCancel:": lambda picker: self._on_picked(picker, 0),
                },
            )
        return self._delegate.pointer

    def _on_picked(self, picker: int, info: int) -> None:
        then, self._picked = self._picked, _ignore
        then(info)  # first: the file behind the address is the picker's
        self._send(picker, "dismissViewControllerAnimated:completion:", c_bool(True), 0, returns=None)

    def _copy(self, info: int, copies: Path) -> Path:
        """The picked photo as a file of ours. Raises: OSError."""
        copies.mkdir(parents=True, exist_ok=True)
        url = self._send(info, "objectForKey:", self._objc.string(_URL))
        if url:  # from the library, as a JPEG where it was a HEIC
            source = Path(self._objc.text(self._send(url, "path")))
            path = copies / f"{source.stem}-{os.urandom(3).hex()}{source.suffix.lower()}"
            shutil.copyfile(source, path)
            return path
        image = self._send(info, "objectForKey:", self._objc.string(_IMAGE))
        path = copies / f"photo-{os.urandom(4).hex()}.jpg"
        data = self._objc.call("UIImageJPEGRepresentation", image, c_double(_JPEG_QUALITY)) if image else 0
        where = self._objc.string(str(path))
        if not data or not self._send(data, "writeToFile:atomically:", where, c_bool(True), returns=c_bool):
            raise OSError(f"{path.name}: the system could not write it")
        return path

    def _allow_adding(self) -> None:
        """Ask for leave to add photos, once. Raises: OutputError if it was refused."""
        library = self._objc.cls("PHPhotoLibrary")
        status = self._send(library, "authorizationStatusForAccessLevel:", c_long(_ADD_ONLY), returns=c_long)
        if status == _NOT_ASKED:
            answers: list[int] = []
            answered = threading.Event()

            def answer(status: int) -> None:
                answers.append(status)
                answered.set()

            self._question = self._objc.block(answer, None, c_long)  # kept: the answer may come after we gave up
            selector = "requestAuthorizationForAccessLevel:handler:"
            self._send(library, selector, c_long(_ADD_ONLY), self._question.pointer, returns=None)
            answered.wait(_ANSWER_SECONDS)
            status = answers[0] if answers else _NOT_ASKED
        if status not in _ALLOWED:
            raise OutputError(
                "Photos: petalveil may not add any; allow it in Settings, petalveil, Photos, or share the photo instead"
            )

    def _add(self, path: Path) -> None:
        """Add a file to the photo library. Raises: OutputError."""
        library = self._send(self._objc.cls("PHPhotoLibrary"), "sharedPhotoLibrary")

        def change() -> None:
            request = self._send(self._objc.cls("PHAssetCreationRequest"), "creationRequestForAsset")
            url = self._file_url(path)
            self._send(request, "addResourceWithType:fileURL:options:", c_long(_PHOTO), url, 0, returns=None)

        block, error = self._objc.block(change, None), c_void_p()
        where = c_void_p(ctypes.addressof(error))
        if not self._send(library, "performChangesAndWait:error:", block.pointer, where, returns=c_bool):
            said = self._objc.text(self._send(error.value or 0, "localizedDescription")) if error.value else "no reason"
            raise OutputError(f"{path.name}: the photo library did not take it ({said}); share the photo instead")

    def _share(self, files: Sequence[Path]) -> None:
        items = self._send(self._objc.cls("NSMutableArray"), "array")
        for path in files:
            self._send(items, "addObject:", self._file_url(path), returns=None)
        sheet = self._send(self._objc.cls("UIActivityViewController"), "alloc")
        sheet = self._send(sheet, "initWithActivityItems:applicationActivities:", items, 0)
        bubble = self._send(sheet, "popoverPresentationController")
        if bubble:  # on an iPad, which stops the app if a sheet comes from nowhere
            view = self._send(self._send(self._window(), "rootViewController"), "view")
            self._send(bubble, "setSourceView:", view, returns=None)
        self._present(sheet)
        self._send(sheet, "release", returns=None)


def _ignore(_info: int) -> None:
    pass
