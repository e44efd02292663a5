"""The iPhone's platform against classes of ours that answer as Apple's documentation says theirs do."""

from __future__ import annotations

import ctypes
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kivy.clock import Clock

from mobile_app.core.errors import OutputError
from mobile_app.ui.platform import Insets
from mobile_app.ui.platform.ios import Ios

ADD_ONLY, DENIED, AUTHORIZED = 1, 2, 3
LIBRARY, CAMERA = 0, 1


class FakeObjC:
    """Objects are Python's, known by a number; a message is looked up in a table and written down."""

    def __init__(self) -> None:
        self._things: list[Any] = [None]
        self.sent: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Callable[..., Any]] = {}
        self.functions: dict[str, Callable[..., Any]] = {}
        self.methods: dict[str, Callable[..., None]] = {}
        self.pools = 0

    def put(self, thing: Any) -> int:
        if thing is None:
            return 0
        self._things.append(thing)
        return len(self._things) - 1

    def get(self, number: int) -> Any:
        return self._things[number]

    def cls(self, name: str) -> int:
        return self.put(name)

    def string(self, text: str) -> int:
        return self.put(text)

    def text(self, string: int) -> str:
        return self.get(string) or ""

    def send(self, receiver: int, selector: str, *arguments: Any, returns: Any = ctypes.c_void_p) -> Any:
        plain = tuple(getattr(argument, "value", argument) for argument in arguments)
        self.sent.append((selector, plain))
        if not receiver:  # nil answers everything with nothing
            return None if returns is None else 0
        found = self.answers.get(selector, lambda *_: None)(self.get(receiver), *plain)
        return self.put(found) if returns is ctypes.c_void_p else found

    def call(self, name: str, *arguments: Any, returns: Any = ctypes.c_void_p) -> Any:
        found = self.functions[name](*(getattr(argument, "value", argument) for argument in arguments))
        return self.put(found)

    def block(self, function: Callable[..., Any], _returns: Any, *_takes: Any) -> Any:
        return type("Block", (), {"pointer": self.put(function)})()

    def delegate(self, _name: str, methods: dict[str, Callable[..., None]]) -> Any:
        self.methods = methods
        return type("Delegate", (), {"pointer": self.put("delegate")})()

    @contextmanager
    def pool(self) -> Iterator[None]:
        self.pools += 1
        yield
        self.pools -= 1

    def was_sent(self, selector: str) -> list[tuple[Any, ...]]:
        return [arguments for name, arguments in self.sent if name == selector]


@pytest.fixture
def objc() -> FakeObjC:
    fake = FakeObjC()
    fake.answers |= {
        "isSourceTypeAvailable:": lambda _cls, source: source in (LIBRARY, CAMERA),
        "alloc": lambda cls: f"{cls}.alloc",
        "init": lambda allocated: allocated.removesuffix(".alloc"),
        "sharedApplication": lambda _cls: "app",
        "keyWindow": lambda _app: "window",
        "rootViewController": lambda _window: "root",
        "view": lambda _root: "view",
    }
    return fake


@pytest.fixture
def ios(objc: FakeObjC, tmp_path: Path) -> Ios:
    return Ios(objc, tmp_path)  # type: ignore[arg-type]


def test_the_library_is_asked_for_a_photo_and_a_copy_of_its_file_is_handed_over(
    ios: Ios, objc: FakeObjC, tmp_path: Path
) -> None:
    original = tmp_path / "IMG_1.JPEG"
    original.write_bytes(b"a photo")
    objc.answers["objectForKey:"] = lambda info, key: info.get(objc.get(key))
    objc.answers["path"] = lambda url: url
    found: list[list[Path]] = []
    ios.pick_photos(tmp_path / "picked", found.append, no, many=True)
    assert objc.was_sent("setSourceType:") == [(LIBRARY,)]
    assert len(objc.was_sent("presentViewController:animated:completion:")) == 1
    info = objc.put({"UIImagePickerControllerImageURL": str(original)})
    objc.methods["imagePickerController:didFinishPickingMediaWithInfo:"](objc.put("picker"), info)
    original.unlink()  # the picker's own file goes away with it
    tick()
    ((path,),) = found
    assert (path.parent, path.suffix, path.read_bytes()) == (tmp_path / "picked", ".jpeg", b"a photo")
    assert len(objc.was_sent("dismissViewControllerAnimated:completion:")) == 1


def test_a_picker_that_was_closed_gives_no_photo(ios: Ios, objc: FakeObjC, tmp_path: Path) -> None:
    found: list[list[Path]] = []
    ios.pick_photos(tmp_path, found.append, no, many=False)
    objc.methods["imagePickerControllerDidCancel:"](objc.put("picker"))
    objc.methods["imagePickerControllerDidCancel:"](objc.put("picker"))  # a second tap while it goes
    tick()
    assert found == [[]]


def test_a_photo_that_cannot_be_copied_is_told(ios: Ios, objc: FakeObjC, tmp_path: Path) -> None:
    told: list[str] = []
    objc.answers["objectForKey:"] = lambda info, key: info.get(objc.get(key))
    objc.answers["path"] = lambda url: url
    ios.pick_photos(tmp_path, no, told.append, many=False)
    info = objc.put({"UIImagePickerControllerImageURL": str(tmp_path / "gone.jpg")})
    objc.methods["imagePickerController:didFinishPickingMediaWithInfo:"](objc.put("picker"), info)
    tick()
    assert told == ["platform.cannot_copy"]


def test_the_cameras_picture_is_written_as_a_fine_jpeg(ios: Ios, objc: FakeObjC, tmp_path: Path) -> None:
    objc.answers["objectForKey:"] = lambda info, key: info.get(objc.get(key))
    objc.answers["writeToFile:atomically:"] = lambda data, name, _whole: bool(
        Path(objc.get(name)).write_bytes(data.encode())
    )
    objc.functions["UIImageJPEGRepresentation"] = lambda image, quality: f"{objc.get(image)} at {quality}"
    found: list[list[Path]] = []
    ios.take_photo(tmp_path / "picked", found.append, no)
    assert objc.was_sent("setSourceType:") == [(CAMERA,)]
    info = objc.put({"UIImagePickerControllerOriginalImage": "picture"})
    objc.methods["imagePickerController:didFinishPickingMediaWithInfo:"](objc.put("picker"), info)
    tick()
    assert [path.read_bytes() for path in found[0]] == [b"picture at 0.97"]


def test_a_phone_without_a_camera_says_so(objc: FakeObjC, tmp_path: Path) -> None:
    objc.answers["isSourceTypeAvailable:"] = lambda _cls, source: source == LIBRARY
    ios, told = Ios(objc, tmp_path), []  # type: ignore[arg-type]
    assert not ios.has_camera
    ios.take_photo(tmp_path, no, told.append)
    assert told == ["platform.no_camera"]


def test_without_a_window_the_picker_is_refused_and_let_go(ios: Ios, objc: FakeObjC, tmp_path: Path) -> None:
    objc.answers["keyWindow"] = lambda _app: None
    told: list[str] = []
    ios.pick_photos(tmp_path, no, told.append, many=False)
    assert told == ["platform.no_picker"]
    assert len(objc.was_sent("release")) == 1


def saving(objc: FakeObjC, *, status: int, error: str = "") -> list[tuple[int, bytes]]:
    """Let the photo library answer; returns what is added to it, as (kind, bytes)."""
    added: list[tuple[int, bytes]] = []
    objc.answers |= {
        "authorizationStatusForAccessLevel:": lambda _cls, level: status if level == ADD_ONLY else DENIED,
        "sharedPhotoLibrary": lambda _cls: "library",
        "creationRequestForAsset": lambda _cls: "request",
        "fileURLWithPath:": lambda _cls, name: objc.get(name),
        "addResourceWithType:fileURL:options:": lambda _request, kind, url, _options: added.append(
            (kind, Path(objc.get(url)).read_bytes())
        ),
        "localizedDescription": lambda _error: error,
    }

    def perform(_library: str, block: int, where: int) -> bool:
        if error:
            ctypes.c_void_p.from_address(where).value = objc.put("error")
            return False
        objc.get(block)()
        return True

    objc.answers["performChangesAndWait:error:"] = perform
    return added


def test_a_photo_is_added_to_the_library_byte_for_byte_and_no_other_copy_stays(
    ios: Ios, objc: FakeObjC, tmp_path: Path
) -> None:
    added = saving(objc, status=AUTHORIZED)
    assert ios.save_photo(b"\xff\xd8 cloaked", "cat.cloaked", "jpeg") == "cat.cloaked"
    assert added == [(1, b"\xff\xd8 cloaked")]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert objc.pools == 0


def test_leave_to_add_photos_is_asked_for_once_and_from_another_thread_answered(ios: Ios, objc: FakeObjC) -> None:
    added = saving(objc, status=0)
    objc.answers["requestAuthorizationForAccessLevel:handler:"] = lambda _cls, level, block: threading.Thread(
        target=objc.get(block), args=(AUTHORIZED if level == ADD_ONLY else DENIED,)
    ).start()
    ios.save_photo(b"photo", "a", "png")
    assert len(added) == 1
    assert len(objc.was_sent("requestAuthorizationForAccessLevel:handler:")) == 1


def test_a_person_who_refused_is_told_the_way_on(ios: Ios, objc: FakeObjC, tmp_path: Path) -> None:
    added = saving(objc, status=DENIED)
    with pytest.raises(OutputError, match=r"allow it in Settings.* or share the photo"):
        ios.save_photo(b"photo", "a", "png")
    assert added == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_library_that_refuses_says_why(ios: Ios, objc: FakeObjC) -> None:
    saving(objc, status=AUTHORIZED, error="no space left")
    with pytest.raises(OutputError, match=r"a\.png: the photo library did not take it \(no space left\)"):
        ios.save_photo(b"photo", "a", "png")


@pytest.mark.parametrize("bubble", [None, "bubble"])
def test_files_are_shared_on_the_main_thread_and_an_ipad_is_told_from_where(
    ios: Ios, objc: FakeObjC, tmp_path: Path, bubble: str | None
) -> None:
    files = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path in files:
        path.touch()
    objc.answers |= {
        "array": lambda _cls: "items",
        "fileURLWithPath:": lambda _cls, name: objc.get(name),
        "initWithActivityItems:applicationActivities:": lambda _sheet, _items, _activities: "sheet",
        "popoverPresentationController": lambda _sheet: bubble,
    }
    ios.share(files, "image/jpeg")
    assert not objc.was_sent("addObject:")  # not on the worker's thread
    tick()
    assert [objc.get(url) for (url,) in objc.was_sent("addObject:")] == [str(path) for path in files]
    assert len(objc.was_sent("presentViewController:animated:completion:")) == 1
    assert len(objc.was_sent("setSourceView:")) == (0 if bubble is None else 1)


def test_a_file_that_went_away_is_not_shared(ios: Ios, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"gone\.jpg: is not there any more"):
        ios.share([tmp_path / "gone.jpg"], "image/jpeg")


def test_what_the_person_set_is_read(ios: Ios, objc: FakeObjC) -> None:
    objc.answers |= {
        "preferredLanguages": lambda _cls: ["zh-Hans-CN", "en"],
        "count": len,
        "objectAtIndex:": lambda array, place: array[place],
        "mainScreen": lambda _cls: "screen",
        "traitCollection": lambda _screen: "traits",
        "userInterfaceStyle": lambda _traits: 2,
        "defaultMetrics": lambda _cls: "metrics",
        "scaledValueForValue:": lambda _metrics, value: value * 1.35,
    }
    assert ios.languages() == ["zh-Hans-CN", "en"]
    assert ios.is_dark()
    assert ios.text_scale() == pytest.approx(1.35)


def test_the_notch_is_measured_in_pixels(ios: Ios, objc: FakeObjC, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = type("Edges", (), {"top": 59.0, "left": 0.0, "bottom": 34.0, "right": 0.0})
    objc.answers |= {
        "safeAreaInsets": lambda _window: edges,
        "mainScreen": lambda _cls: "screen",
        "scale": lambda _screen: 3.0,
    }
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert ios.insets() == Insets(top=177, bottom=102)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert ios.insets() == Insets()


def tick() -> None:
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        Clock.tick()
        time.sleep(0.005)


def no(*_facts: Any) -> None:
    raise AssertionError("this must not be called")
