"""Android's platform against Android's API as its stubs say it is: no member, argument or type that is not there."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from kivy.clock import Clock

from mobile_app.core.errors import GraphError, OutputError
from tests.android_stubs import FakeAndroid, JavaThing, Stubs, stub_folder

if stub_folder() is None:
    pytest.skip("needs chaquopy-stubs-android, which `make test` installs", allow_module_level=True)

OLDEST, FIRST_WITH_MEDIASTORE, NEWEST = 24, 29, 35
RESULT_OK, RESULT_CANCELLED = -1, 0
MODULE = "mobile_app.ui.platform.android"


class JavaException(Exception):  # as jnius names it
    pass


class Phone:
    """An Android of a release, with its platform."""

    def __init__(self, api: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.api = folder, api
        self.java = FakeAndroid(
            _stubs(),
            {
                ("android.os.Build.VERSION", "SDK_INT"): api,
                ("android.os.ParcelFileDescriptor", "detachFd"): lambda: self.open(),
                ("android.content.ContentResolver", "getType"): lambda _uri: self.kind,
                ("android.database.Cursor", "getString"): lambda _column: "IMG 1.jpg",
                ("java.io.File", "getAbsolutePath"): lambda: str(folder / "files"),
                ("android.content.ContentResolver", "insert"): lambda *_: self.entry(),
                ("android.app.Activity", "startActivityForResult"): lambda *_: self.started(),
                ("android.content.ClipData", "getItemCount"): lambda: self.clips,
                ("android.content.Intent", "getAction"): lambda: self.action,
                ("android.content.Intent", "getClipData"): lambda: self.clip(),
            },
        )
        self.kind, self.action, self.clips = "image/jpeg", "android.intent.action.MAIN", 1
        self.gallery_is_full = self.nothing_takes_pictures = False
        self.file = folder / "behind the address"
        self.file.write_bytes(b"a photo")
        (folder / "files").mkdir()
        self.written = folder / "written"
        self.bound: dict[str, Callable[..., None]] = {}
        self.reads = True
        activity = ModuleType("android.activity")
        activity.bind = self.bound.update  # type: ignore[attr-defined]
        android, jnius = ModuleType("android"), ModuleType("jnius")
        android.activity, android.mActivity = activity, self.java.object("android.app.Activity")  # type: ignore[attr-defined]
        jnius.autoclass, jnius.cast = self.java.autoclass, self.java.cast  # type: ignore[attr-defined]
        jnius.JavaException, jnius.detach = JavaException, lambda: None  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "android", android)
        monkeypatch.setitem(sys.modules, "jnius", jnius)
        self.platform = importlib.import_module(MODULE).Android()

    def open(self) -> int:
        return os.open(self.file, os.O_RDONLY) if self.reads else os.open(self.written, os.O_WRONLY | os.O_CREAT)

    def entry(self) -> JavaThing | None:
        self.reads = False
        return None if self.gallery_is_full else self.java.object("android.net.Uri")

    def started(self) -> None:
        if self.nothing_takes_pictures:
            raise JavaException("ActivityNotFoundException")

    def clip(self) -> JavaThing | None:
        return self.java.object("android.content.ClipData") if self.clips else None

    def answer(self, result: int, intent: JavaThing | None) -> None:
        """The activity that was started came back."""
        _, code = self.java.called("startActivityForResult")[-1]
        self.reads = True
        self.bound["on_activity_result"](code, result, intent)
        wait(0.1)


@pytest.fixture(params=[OLDEST, 28, FIRST_WITH_MEDIASTORE, 32, NEWEST])
def phone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    yield Phone(request.param, tmp_path, monkeypatch)
    sys.modules.pop(MODULE, None)


@pytest.fixture
def newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    yield Phone(NEWEST, tmp_path, monkeypatch)
    sys.modules.pop(MODULE, None)


def test_what_the_person_set_is_read(phone: Phone) -> None:
    assert phone.platform.languages() == ["text"]
    assert phone.platform.text_scale() == 1.0
    assert phone.platform.is_dark() in (True, False)
    assert phone.platform.insets().left >= 0
    assert phone.platform.data_dir() == phone.folder / "files" / "petalveil"
    assert phone.platform.photo_folders() == [phone.platform.data_dir()]
    assert phone.platform.leave() is True


def test_name_and_heat_of_the_device_are_told(phone: Phone) -> None:
    phone.java.answers["android.os.PowerManager", "getCurrentThermalStatus"] = lambda: 3
    assert phone.platform.device_name() == "text text"
    assert phone.platform.thermal_status() == ("severe" if phone.api >= 29 else None)


@pytest.mark.parametrize("many", [True, False])
def test_picked_photos_are_copied(phone: Phone, many: bool) -> None:
    found: list[list[Path]] = []
    phone.platform.pick_photos(phone.folder / "picked", found.append, no, many=many)
    phone.answer(RESULT_OK, phone.java.object("android.content.Intent"))
    ((path,),) = wait_for(found)
    assert path.read_bytes() == b"a photo"
    assert path.name.startswith("IMG 1-")
    assert path.suffix == ".jpg"


def test_a_picker_that_was_closed_gives_no_photo(newest: Phone) -> None:
    found: list[list[Path]] = []
    newest.platform.pick_photos(newest.folder, found.append, no, many=True)
    newest.answer(RESULT_CANCELLED, None)
    assert found == [[]]


def test_how_many_may_be_picked_is_told_to_the_picker_as_an_int(newest: Phone) -> None:
    newest.platform.pick_photos(newest.folder, no, no, many=True)
    assert newest.java.called("putInt") == [("android.provider.extra.PICK_IMAGES_MAX", 1)]  # the phone's own limit: 1


def test_a_phone_without_the_picker_opens_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = Phone(OLDEST, tmp_path, monkeypatch)
    phone.platform.pick_photos(tmp_path, no, no, many=True)
    assert phone.java.called("addCategory")
    assert phone.java.called("putBoolean") == [("text", True)]


def test_a_photo_that_pillow_cannot_read_is_decoded_by_the_system(phone: Phone) -> None:
    phone.kind = "image/heic"
    phone.java.answers["android.graphics.Bitmap", "compress"] = lambda *_: True
    found: list[list[Path]] = []
    phone.platform.pick_photos(phone.folder / "picked", found.append, no, many=False)
    phone.answer(RESULT_OK, phone.java.object("android.content.Intent"))
    ((path,),) = wait_for(found)
    decoded = bool(phone.java.called("decodeBitmap"))
    assert path.suffix == (".jpg" if decoded else ".heic")
    assert decoded == (phone.platform._api >= 28)
    assert len(phone.java.called("recycle")) == (2 if decoded else 0)


def test_a_photo_that_the_system_cannot_decode_is_told(newest: Phone) -> None:
    newest.kind = "image/heic"
    newest.java.answers["android.graphics.Bitmap", "compress"] = lambda *_: False
    told: list[str] = []
    newest.platform.pick_photos(newest.folder / "picked", no, told.append, many=False)
    newest.answer(RESULT_OK, newest.java.object("android.content.Intent"))
    assert wait_for(told) == ["platform.cannot_copy"]


def test_the_camera_writes_into_an_entry_of_the_gallery_and_needs_no_file_provider(phone: Phone) -> None:
    found: list[list[Path]] = []
    told: list[str] = []
    phone.platform.take_photo(phone.folder / "picked", found.append, told.append)
    if not phone.platform.has_camera:
        assert told == ["platform.no_camera"]
        return
    ((name, target),) = [call for call in phone.java.called("putExtra") if call[0] == "output"]
    assert (name, target.java.name) == ("output", "android.os.Parcelable")  # an address of MediaStore, never a file's
    phone.answer(RESULT_OK, None)
    assert wait_for(found)[0][0].read_bytes() == b"a photo"


@pytest.mark.parametrize("why", ["cancelled", "no camera app", "no room"])
def test_an_entry_without_a_picture_is_taken_back(newest: Phone, why: str) -> None:
    newest.nothing_takes_pictures, newest.gallery_is_full = why == "no camera app", why == "no room"
    found: list[list[Path]] = []
    told: list[str] = []
    newest.platform.take_photo(newest.folder, found.append, told.append)
    if why == "cancelled":
        newest.answer(RESULT_CANCELLED, None)
        assert found == [[]]
    else:
        assert told == ["platform.no_camera"]
    assert len(newest.java.called("delete")) == (0 if why == "no room" else 1)


def test_a_saved_photo_is_written_byte_for_byte(phone: Phone) -> None:
    where = phone.platform.save_photo(b"\xff\xd8 cloaked", "cat.cloaked", "jpeg")
    if phone.platform._api < FIRST_WITH_MEDIASTORE:
        assert Path(where).read_bytes() == b"\xff\xd8 cloaked"
        return
    assert where == "Pictures/petalveil/cat.cloaked"
    assert phone.written.read_bytes() == b"\xff\xd8 cloaked"
    assert ("relative_path", "Pictures/petalveil") in phone.java.called("put")
    assert ("mime_type", "image/jpeg") in phone.java.called("put")


def test_a_full_gallery_is_told(newest: Phone) -> None:
    newest.gallery_is_full = True
    with pytest.raises(OutputError, match="make room"):
        newest.platform.save_photo(b"", "a", "png")


@pytest.mark.parametrize("count", [1, 2])
def test_files_are_shared_by_addresses_that_the_other_app_may_read(phone: Phone, count: int) -> None:
    files = [phone.folder / f"{number}.json" for number in range(count)]
    for path in files:
        path.write_bytes(b"{}")
    if phone.platform._api < FIRST_WITH_MEDIASTORE:
        with pytest.raises(OutputError, match="Android 10"):
            phone.platform.share(files, "application/json")
        return
    phone.platform.share(files, "application/json")
    assert len(phone.java.called("insert")) == count
    assert ("relative_path", "Download/petalveil") in phone.java.called("put")
    assert len(phone.java.called("addFlags")) == 1
    assert len(phone.java.called("startActivity")) == 1


def test_a_photo_from_another_app_is_received_once(newest: Phone) -> None:
    found: list[list[Path]] = []
    newest.action = "android.intent.action.SEND"
    newest.platform.receive(newest.folder / "picked", found.append, no)
    assert len(wait_for(found)) == 1
    assert newest.java.called("setAction") == [("android.intent.action.MAIN",)]
    newest.bound["on_new_intent"](newest.java.object("android.content.Intent"))
    assert len(wait_for(found, 2)) == 2


def test_a_photo_that_comes_as_a_stream_alone_is_received(newest: Phone) -> None:
    found: list[list[Path]] = []
    newest.action, newest.clips = "android.intent.action.SEND", 0
    newest.java.answers["android.content.Intent", "getClipData"] = lambda: None
    newest.java.answers["android.content.Intent", "getData"] = lambda: None
    newest.platform.receive(newest.folder / "picked", found.append, no)
    assert len(wait_for(found)) == 1
    assert newest.java.called("getParcelableExtra") == [("android.intent.extra.STREAM",)]


def test_the_runtime_is_looked_for_on_the_main_thread(newest: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobile_app.core import runtime

    asked: list[str] = []

    def label() -> str:
        asked.append(threading.current_thread().name)
        raise GraphError("there is none")  # which is told to whoever needs one, and stops nothing here

    monkeypatch.setattr(runtime, "runtime_label", label)
    wait(0.8)
    assert set(asked) == {threading.main_thread().name}  # more than once, if the test before ended early


def test_a_member_that_android_lacks_would_be_found(newest: Phone) -> None:
    activity = newest.java.object("android.app.Activity")
    with pytest.raises(AssertionError, match="has no getFilesFolder"):
        activity.getFilesFolder()
    with pytest.raises(AssertionError, match="does not take"):
        activity.moveTaskToBack("yes")
    with pytest.raises(AssertionError, match="no such class"):
        newest.java.autoclass("android.provider.MediaStore$Pictures")
    with pytest.raises(AssertionError, match="is no"):
        newest.java.cast("android.net.Uri", activity)


@cache  # a second to read
def _stubs() -> Stubs:
    folder = stub_folder()
    assert folder is not None
    return Stubs(folder)


def wait_for(found: list[Any], count: int = 1) -> list[Any]:
    end = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < end
        wait(0.01)
    return found


def wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        Clock.tick()
        time.sleep(0.002)


def no(*_facts: Any) -> None:
    raise AssertionError("this must not be called")
