"""Android through pyjnius. Written from the documentation of API 24 to 35 and never run on a phone: try every method.

No permission is asked for. Photos come from the system's picker or camera app and are copied into the app's folder;
they go out through MediaStore, which needs no permission from API 29 on. CAMERA must not be declared in the manifest:
declared and not granted, it would forbid to call the camera app. Other apps are handed content URIs of MediaStore
alone, never a path, so the manifest needs no FileProvider either. A test compares the names that are used here with
the stubs of Android's API. Numbers and truths go into intents by a Bundle, since pyjnius cannot tell `putExtra` of an
int from that of a long.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kivy.clock import Clock

from mobile_app.core.errors import GraphError, OutputError
from mobile_app.ui.platform import Insets, OnFailure, OnPhotos

ALBUM = "petalveil"
MOST_PICKED = 50
_PICK, _CAMERA = 4101, 4102  # request codes
_RESULT_OK = -1
_NIGHT_MASK, _NIGHT_YES = 0x30, 0x20
_EDGE_TO_EDGE_FROM = 35  # from here on the app draws under the system's bars whether it wants to or not
_MEDIASTORE_FROM = 29  # from here on it takes photos from an app without a permission
_DECODER_FROM = 28
_THERMAL_FROM = 29
_THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")  # THERMAL_STATUS_NONE is 0
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/heic": ".heic"}
_SYSTEM_READS = ("image/heic", "image/heif", "image/avif")  # and Pillow, as it is built for Android, does not
_JPEG_QUALITY = 97
_AFTER_HOME_SECONDS = 2.0  # the first page is there by then, and the worker has imported what this needs


class Android:
    """See Platform."""

    name = "android"
    has_camera = True
    has_picker = True
    opens_share_sheet = True
    loses_textures = True

    def __init__(self) -> None:
        from android import activity, mActivity
        from jnius import autoclass

        self._java: Callable[[str], Any] = autoclass
        self._activity, self._events = mActivity, activity
        self._api: int = autoclass("android.os.Build$VERSION").SDK_INT
        self.has_camera = self._api >= _MEDIASTORE_FROM
        self._waiting: dict[int, Callable[[int, Any], None]] = {}
        activity.bind(on_activity_result=self._on_result)
        Clock.schedule_once(lambda _dt: _find_runtime(), _AFTER_HOME_SECONDS)

    def data_dir(self) -> Path:
        return Path(self._activity.getFilesDir().getAbsolutePath()) / "petalveil"

    def languages(self) -> list[str]:
        locales = self._java("android.os.LocaleList").getDefault()
        return [locales.get(place).toLanguageTag() for place in range(locales.size())]

    def is_dark(self) -> bool:
        return self._configuration().uiMode & _NIGHT_MASK == _NIGHT_YES

    def text_scale(self) -> float:
        return float(self._configuration().fontScale)

    def insets(self) -> Insets:
        if self._api < _EDGE_TO_EDGE_FROM:
            return Insets()
        found = self._activity.getWindow().getDecorView().getRootWindowInsets()
        if found is None:  # before the first layout
            return Insets()
        kinds = self._java("android.view.WindowInsets$Type")
        edges = found.getInsets(kinds.systemBars() | kinds.displayCutout())
        return Insets(left=edges.left, top=edges.top, right=edges.right, bottom=edges.bottom)

    def photo_folders(self) -> list[Path]:
        return [self.data_dir()]

    def pick_photos(self, copies: Path, done: OnPhotos, failed: OnFailure, *, many: bool) -> None:
        def picked(result: int, intent: Any) -> None:
            if result != _RESULT_OK or intent is None:
                done([])
            else:
                self._copy(_uris(intent), copies, done, failed)

        self._start(self._pick_intent(many), _PICK, picked, lambda: failed("platform.no_picker"))

    def take_photo(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        """The camera app writes into an entry of the gallery made for it, so the photo is kept there too."""
        if self._api < _MEDIASTORE_FROM:
            failed("platform.no_camera")
            return
        media = self._java("android.provider.MediaStore$Images$Media")
        target = self._new_entry(media.EXTERNAL_CONTENT_URI, f"{ALBUM}-{os.urandom(4).hex()}", "image/jpeg", "DCIM")
        if target is None:
            failed("platform.no_camera")
            return
        intent = self._intent("android.media.action.IMAGE_CAPTURE")
        intent.putExtra("output", self._parcelable(target))
        intent.addFlags(self._java("android.content.Intent").FLAG_GRANT_WRITE_URI_PERMISSION)

        def taken(result: int, _intent: Any) -> None:
            if result == _RESULT_OK:
                self._copy([target], copies, done, failed)
            else:
                self._resolver().delete(target, None, None)
                done([])

        def refuse() -> None:
            self._resolver().delete(target, None, None)
            failed("platform.no_camera")

        self._start(intent, _CAMERA, taken, refuse)

    def save_photo(self, data: bytes, name: str, kind: str) -> str:
        if self._api < _MEDIASTORE_FROM:
            from mobile_app.core.files import write_whole
            from mobile_app.ui.platform.desktop import SUFFIXES, free_name

            folder = self._activity.getExternalFilesDir("Pictures")
            if folder is None:
                raise OutputError(f"{name}: the storage for photos is not there now; put the card back and try again")
            path = free_name(Path(folder.getAbsolutePath()), name, SUFFIXES[kind])
            write_whole(path, data)
            return str(path)
        self._publish(data, name, f"image/{kind}")
        return f"Pictures/{ALBUM}/{name}"

    def share(self, files: Sequence[Path], kind: str) -> None:
        """Through entries of MediaStore, which other apps can read: so what is shared lies in the gallery too."""
        if self._api < _MEDIASTORE_FROM:
            raise OutputError("sharing needs Android 10 or later; save the photo and share it from the gallery")
        kinds = self._java("android.content.Intent")
        entries = [self._publish(path.read_bytes(), path.stem, kind) for path in files]
        if len(entries) == 1:
            intent = self._intent(kinds.ACTION_SEND)
            intent.putExtra(kinds.EXTRA_STREAM, self._parcelable(entries[0]))
        else:
            intent = self._intent(kinds.ACTION_SEND_MULTIPLE)
            several = self._java("java.util.ArrayList")()
            for entry in entries:
                several.add(entry)
            intent.putParcelableArrayListExtra(kinds.EXTRA_STREAM, several)
        intent.setType(kind)
        intent.addFlags(kinds.FLAG_GRANT_READ_URI_PERMISSION)
        self._activity.startActivity(kinds.createChooser(intent, None))

    def receive(self, copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        """Photos that another app sends here, at the start and later."""
        from jnius import JavaException

        def look(intent: Any) -> None:
            if intent is None or not str(intent.getAction() or "").startswith("android.intent.action.SEND"):
                return
            try:
                uris = _uris(intent)
            except JavaException:
                uris = []
            if uris:
                intent.setAction("android.intent.action.MAIN")  # seen: a rotation must not bring it again
                self._copy(uris, copies, done, failed)

        self._events.bind(on_new_intent=look)
        look(self._activity.getIntent())

    def leave(self) -> bool:
        return bool(self._activity.moveTaskToBack(True))

    def device_name(self) -> str | None:
        build = self._java("android.os.Build")
        return f"{build.MANUFACTURER} {build.MODEL}"

    def thermal_status(self) -> str | None:
        if self._api < _THERMAL_FROM:
            return None
        from jnius import cast

        power = cast("android.os.PowerManager", self._activity.getSystemService("power"))
        status = power.getCurrentThermalStatus()
        return _THERMAL[status] if 0 <= status < len(_THERMAL) else None

    def detach(self) -> None:
        import jnius

        jnius.detach()

    # How

    def _configuration(self) -> Any:
        return self._activity.getResources().getConfiguration()

    def _resolver(self) -> Any:
        return self._activity.getContentResolver()

    def _intent(self, action: str) -> Any:
        return self._java("android.content.Intent")(action)

    def _parcelable(self, uri: Any) -> Any:
        from jnius import cast

        return cast("android.os.Parcelable", uri)

    def _pick_intent(self, many: bool) -> Any:
        if self._has_photo_picker():
            intent = self._intent("android.provider.action.PICK_IMAGES")
            if many:
                most = self._java("android.provider.MediaStore").getPickImagesMaxLimit()
                extras = self._java("android.os.Bundle")()
                extras.putInt("android.provider.extra.PICK_IMAGES_MAX", min(MOST_PICKED, most))
                intent.putExtras(extras)
        else:
            kinds = self._java("android.content.Intent")
            intent = self._intent(kinds.ACTION_OPEN_DOCUMENT)
            intent.addCategory(kinds.CATEGORY_OPENABLE)
            extras = self._java("android.os.Bundle")()
            extras.putBoolean(kinds.EXTRA_ALLOW_MULTIPLE, many)
            intent.putExtras(extras)
        intent.setType("image/*")
        return intent

    def _has_photo_picker(self) -> bool:
        if self._api >= 33:
            return True
        return self._api >= 30 and self._java("android.os.ext.SdkExtensions").getExtensionVersion(30) >= 2

    def _start(self, intent: Any, code: int, then: Callable[[int, Any], None], refused: Callable[[], None]) -> None:
        from jnius import JavaException

        self._waiting[code] = then
        try:
            self._activity.startActivityForResult(intent, code)
        except JavaException:  # no app does this here
            self._waiting.pop(code, None)
            refused()

    def _on_result(self, code: int, result: int, intent: Any) -> None:
        """On Android's own thread: hand it to the screen's."""
        then = self._waiting.pop(code, None)
        if then is not None:
            Clock.schedule_once(lambda _dt: then(result, intent))

    def _copy(self, uris: Sequence[Any], copies: Path, done: OnPhotos, failed: OnFailure) -> None:
        """Copy what stands behind content URIs, whose permission ends with the app, off the screen's thread."""

        def work() -> None:
            from jnius import JavaException

            paths: list[Path] = []
            try:
                copies.mkdir(parents=True, exist_ok=True)
                paths = [self._copy_one(uri, copies) for uri in uris]
            except (JavaException, OSError):
                Clock.schedule_once(lambda _dt: failed("platform.cannot_copy"))
            else:
                Clock.schedule_once(lambda _dt: done(paths))
            finally:
                self.detach()

        threading.Thread(target=work, name="copy", daemon=True).start()

    def _copy_one(self, uri: Any, copies: Path) -> Path:
        kind = str(self._resolver().getType(uri) or "image/jpeg")
        stem = f"{Path(self._display_name(uri)).stem}-{os.urandom(3).hex()}"
        if kind in _SYSTEM_READS and self._api >= _DECODER_FROM:
            return self._as_jpeg(uri, copies / f"{stem}.jpg")
        path = copies / f"{stem}{_SUFFIXES.get(kind, '.jpg')}"
        # Bytes by Java streams would take seconds.
        descriptor = self._resolver().openFileDescriptor(uri, "r").detachFd()
        with os.fdopen(descriptor, "rb") as source, path.open("xb") as target:
            shutil.copyfileobj(source, target)
        return path

    def _as_jpeg(self, uri: Any, path: Path) -> Path:
        """Have the system decode a photo, the right way up, and write it finely as a JPEG. Raises: OSError."""
        decoder = self._java("android.graphics.ImageDecoder")
        bitmap = decoder.decodeBitmap(decoder.createSource(self._resolver(), uri))
        pixels = bitmap.copy(self._java("android.graphics.Bitmap$Config").ARGB_8888, False)  # out of the GPU's memory
        jpeg = self._java("android.graphics.Bitmap$CompressFormat").JPEG
        stream = self._java("java.io.FileOutputStream")(str(path))
        try:
            if not pixels.compress(jpeg, _JPEG_QUALITY, stream):
                raise OSError(f"{path.name}: the system could not write it")
        finally:
            stream.close()
            bitmap.recycle()
            pixels.recycle()
        return path

    def _display_name(self, uri: Any) -> str:
        cursor = self._resolver().query(uri, ["_display_name"], None, None, None)
        if cursor is None:
            return "photo"
        try:
            return str(cursor.getString(0) or "photo") if cursor.moveToFirst() else "photo"
        finally:
            cursor.close()

    def _new_entry(self, collection: Any, name: str, kind: str, folder: str) -> Any | None:
        values = self._java("android.content.ContentValues")()
        values.put("_display_name", name)
        values.put("mime_type", kind)
        values.put("relative_path", f"{folder}/{ALBUM}")
        return self._resolver().insert(collection, values)

    def _publish(self, data: bytes, name: str, kind: str) -> Any:
        """Put a file where other apps see it, whole or not at all. Raises: OutputError."""
        if kind.startswith("image/"):
            collection = self._java("android.provider.MediaStore$Images$Media").EXTERNAL_CONTENT_URI
            entry = self._new_entry(collection, name, kind, "Pictures")
        else:
            collection = self._java("android.provider.MediaStore$Downloads").EXTERNAL_CONTENT_URI
            entry = self._new_entry(collection, name, kind, "Download")
        if entry is None:
            raise OutputError(f"{name}: the gallery did not take it; make room on the device and try again")
        try:
            with os.fdopen(self._resolver().openFileDescriptor(entry, "w").detachFd(), "wb") as target:
                target.write(data)
        except OSError as error:
            self._resolver().delete(entry, None, None)
            raise OutputError(f"{name}: cannot be written ({error.strerror}); make room on the device") from error
        return entry


def _find_runtime() -> None:
    """Look for the runtime on this thread: one that Python started finds no Java classes of the app's own."""
    from mobile_app.core.runtime import runtime_label

    with suppress(GraphError):  # whoever needs a graph is told
        runtime_label()


def _uris(intent: Any) -> list[Any]:
    """The content URIs that an intent carries: several in its clip, or one, or a stream that another app sends."""
    from jnius import cast

    clip = intent.getClipData()
    if clip is not None and clip.getItemCount() > 0:
        return [clip.getItemAt(place).getUri() for place in range(clip.getItemCount())]
    if intent.getData() is not None:
        return [intent.getData()]
    stream = intent.getParcelableExtra("android.intent.extra.STREAM")
    return [] if stream is None else [cast("android.net.Uri", stream)]
