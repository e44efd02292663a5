"""A running app without a display: software rendering into no window at all, taps as a finger makes them.

One process has one window, so one session-wide driver restarts the app in it. Skipped where no window opens.
"""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

WITHOUT_KIVY = {"test_buildozer.py", "test_language.py"}
LARGEST = (800, 1280)  # the window is made this large: the offscreen driver draws no more than it began with


def _prepare() -> None:
    """Tell Kivy how to start. Before anything imports it: a test file that did so first would open another window."""
    os.environ.pop("DISPLAY", None)
    os.environ.update(SDL_VIDEODRIVER="offscreen", KIVY_NO_ARGS="1", KIVY_NO_FILELOG="1", KIVY_LOG_MODE="PYTHON")
    os.environ["KIVY_CLIPBOARD"] = "dummy"
    os.environ["KIVY_HOME"] = home = tempfile.mkdtemp(prefix="petalveil-kivy-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    logging.getLogger("kivy").addFilter(lambda record: record.levelno > logging.ERROR)
    from kivy.config import Config

    for name, value in (("width", LARGEST[0]), ("height", LARGEST[1]), ("multisamples", 0), ("maxfps", 0)):
        Config.set("graphics", name, str(value))
    Config.set("kivy", "exit_on_escape", "0")
    for name, _ in Config.items("input"):  # no mouse and no touch screen but ours
        Config.remove_option("input", name)


@cache
def _why_not() -> str | None:
    """Why the app cannot be started here, found out in another process: where OpenGL is broken, some libraries exit."""
    if importlib.util.find_spec("kivy") is None or importlib.util.find_spec("filetype") is None:
        return "needs Kivy: pip install 'petalveil[app]'"
    _prepare()
    command = [sys.executable, "-c", "import sys; from kivy.core.window import Window; sys.exit(Window is None)"]
    found = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return None if found.returncode == 0 else "no window opens here; on Debian: apt-get install libegl1 libgl1-mesa-dri"


class _LeftOut(pytest.Module):
    """A file of tests that is skipped before it imports anything."""

    def _getobj(self) -> Any:
        pytest.skip(str(_why_not()), allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip the files that import Kivy where the app cannot start."""
    if module_path.name not in WITHOUT_KIVY and _why_not() is not None:
        return _LeftOut.from_parent(parent, path=module_path)
    return None


class FakeSystem:
    """A platform that answers at once, from what the test put into it."""

    name = "fake"
    has_camera = True
    has_picker = True
    opens_share_sheet = True
    loses_textures = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.photos: list[Path] = []  # what the picker and the camera hand over
        self.failure: str | None = None  # or what goes wrong
        self.shared: list[Path] = []
        self.saved: list[str] = []
        self.save_error: Exception | None = None
        self.language, self.dark, self.scale = "en", False, 1.0

    def data_dir(self) -> Path:
        return self.folder

    def languages(self) -> list[str]:
        return [self.language]

    def is_dark(self) -> bool:
        return self.dark

    def text_scale(self) -> float:
        return self.scale

    def insets(self) -> Any:
        from mobile_app.ui.platform import Insets

        return Insets()

    def photo_folders(self) -> list[Path]:
        return [self.folder]

    def pick_photos(self, copies: Path, done: Any, failed: Any, *, many: bool) -> None:
        done(self.photos if many else self.photos[:1]) if self.failure is None else failed(self.failure)

    def take_photo(self, copies: Path, done: Any, failed: Any) -> None:
        done(self.photos[:1]) if self.failure is None else failed(self.failure)

    def save_photo(self, data: bytes, name: str, kind: str) -> str:
        if self.save_error is not None:
            raise self.save_error
        self.saved.append(name)
        (self.folder / f"saved-{len(self.saved)}.{kind}").write_bytes(data)
        return f"Pictures/petalveil/{name}"

    def share(self, files: Sequence[Path], kind: str) -> None:
        self.shared.extend(files)

    def receive(self, copies: Path, done: Any, failed: Any) -> None:
        self.hand_over = done  # for a test, which sends photos by it

    def leave(self) -> bool:
        return False

    def device_name(self) -> str | None:
        return None

    def thermal_status(self) -> str | None:
        return None

    def detach(self) -> None:
        pass


class Driver:
    """What a test does with the app."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs = folder, 0
        self.app: Any = None
        self.system: Any = None
        self.size = (412, 915)

    # Running

    def restart(
        self,
        *,
        language: str = "en",
        theme: str = "light",
        size: tuple[int, int] = (412, 915),
        scale: float = 1.0,
        keep: bool = False,
        used: Path | None = None,
        knows_app: bool = True,
    ) -> Any:
        """Start the app anew; keep: with what the run before wrote; used: with a copy of this folder."""
        from kivy.base import EventLoop
        from kivy.core.window import Window

        from mobile_app.core.settings import Settings, save_settings
        from mobile_app.ui.app import PetalveilApp

        self.stop()
        self._runs += 0 if keep else 1
        data = self._folder / f"data-{self._runs}"
        if used is not None:
            shutil.copytree(used, data)
        data.mkdir(exist_ok=True)
        if not keep:
            save_settings(data / "settings.json", Settings(language=language, theme=theme, knows_app=knows_app))
        old, self.system = self.system, FakeSystem(data)
        if keep and old is not None:
            self.system.photos = old.photos
        self.system.scale = scale
        self.resize(size)
        self.app = PetalveilApp(system=self.system, data=data, moves=False)
        self.app._run_prepare()
        EventLoop.window = Window
        self.frames()
        return self.app

    def stop(self, *, kill: bool = False) -> None:
        """End the app; kill: as the system does in the background, after on_pause and without on_stop."""
        from kivy.core.window import Window

        if self.app is None:
            return
        if kill:
            self.app.dispatch("on_pause")
            Window.unbind(on_keyboard=self.app._on_key, on_drop_file=self.app._on_drop)
            self.app.worker.close()
        else:
            self.app.dispatch("on_stop")
        Window.remove_widget(self.app.root)
        self.frames(2)
        self.app = None

    def resize(self, size: tuple[int, int]) -> None:
        from kivy.core.window import Window

        self.size = size
        if tuple(Window.size) != size:
            Window.size = size
            self.frames(1)

    def frames(self, count: int = 4, *, draw: bool = False) -> None:
        """Let time pass: layout, timers and fingers. Drawing takes most of a frame here, and few tests look at it."""
        from kivy.base import EventLoop
        from kivy.clock import Clock

        for _ in range(count):
            if draw:
                EventLoop.idle()
            else:
                Clock.tick()
                EventLoop.dispatch_input()
                Clock.tick_draw()
        if self.app is not None and count > 1 and not self.app.navigator.current.is_whole:
            self.frames(count, draw=draw)

    def wait(self, condition: Callable[[], Any], seconds: float = 120) -> Any:
        """Run frames until the condition holds. Fails after `seconds`, many, for tests run beside other work."""
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, f"waited for {seconds} s; the screen says: {self.texts()}"
            self.frames(1)
            time.sleep(0.002)
        self.frames()
        return found

    # Doing

    def go(self, name: str, /, **params: Any) -> Any:
        screen = self.app.go(name, **params)
        self.frames()
        return screen

    def back(self) -> None:
        """The back key."""
        from kivy.core.window import Window

        Window.dispatch("on_keyboard", 27, 0, None, [])
        self.frames()

    def tap(self, what: Any) -> None:
        """Tap a widget, or the one that says `what`, with a finger in its middle; it is scrolled to first."""
        self.frames()  # until the page is whole and lies still
        target = self.target(what) if isinstance(what, str) else what
        self.scroll_to(target)
        self.touch(*target.to_window(target.x + target.width / 2, target.y + target.height / 2))

    def touch(self, x: float, y: float, to: tuple[float, float] | None = None) -> None:
        """Put a finger down and take it away, at another place perhaps."""
        from kivy.tests.common import UnitTestTouch

        finger = UnitTestTouch(x, y)
        finger.touch_down()
        if to is not None:
            for share in (0.25, 0.5, 0.75, 1):
                finger.touch_move(x + (to[0] - x) * share, y + (to[1] - y) * share)
                self.frames(1)
        finger.touch_up()
        end = time.monotonic() + 0.15  # a page that scrolls hands a tap on a tenth of a second later
        while time.monotonic() < end:
            self.frames(1)
            time.sleep(0.005)
        self.frames()

    def scroll_to(self, widget: Any) -> None:
        from kivy.uix.scrollview import ScrollView

        parent = widget.parent
        while parent is not None and parent is not parent.parent:
            if isinstance(parent, ScrollView):
                parent.scroll_to(widget, padding=8, animate=False)
                self.frames()
            parent = parent.parent

    # Seeing

    def widgets(self, kind: type | tuple[type, ...] | None = None) -> list[Any]:
        """Every widget that can be reached now: those of a sheet alone while there is one."""
        from kivy.uix.widget import Widget

        shell = self.app.shell
        root = shell.overlays.sheet or shell
        return [widget for widget in root.walk(restrict=True) if isinstance(widget, kind or Widget)]

    def texts(self) -> list[str]:
        """What stands on the screen, each text without its line breaks."""
        return [whole(widget) for widget in self.widgets() if whole(widget)]

    def shows(self, text: str) -> bool:
        return any(text in said for said in self.texts())

    def target(self, text: str) -> Any:
        """What is tapped to tap this text: the exact one, or one that contains it."""
        from kivy.uix.behaviors import ButtonBehavior

        found = [widget for widget in self.widgets() if whole(widget) == text]
        found = found or [widget for widget in self.widgets() if text in whole(widget)]
        found += [widget for widget in self.widgets() if getattr(widget, "name", None) == text]
        for widget in found:
            while widget is not None and widget is not self.app.shell and not isinstance(widget, ButtonBehavior):
                widget = widget.parent
            if isinstance(widget, ButtonBehavior):
                return widget
        raise AssertionError(f"nothing to tap says {text!r}; the screen says: {self.texts()}")

    def shot(self, path: Path) -> Path:
        """Save what is on the screen."""
        from kivy.core.window import Window

        self.frames(6, draw=True)
        Window.dispatch("on_draw")
        written = Window.screenshot(name=str(path.with_suffix(".png")))
        if Path(written) != path:
            shutil.move(written, path)
        return path

    def check_layout(self) -> None:
        """Fails if a text is cut off or outside, a target is small, or a colour is hard to read on its ground."""
        faults = [*self._cut_off(), *self._small_targets(), *self._faint()]
        assert not faults, "\n".join([f"{self.size}, {self.app.t.language}:", *faults])

    def _cut_off(self) -> Iterator[str]:
        from kivy.uix.label import Label
        from kivy.uix.scrollview import ScrollView

        for label in self.widgets(Label):
            if not label.text or label.max_lines or label.opacity == 0:
                continue
            width, height = label.texture_size
            if width > label.width + 1 or height > label.height + 1:
                yield f"cut off: {label.text!r}, {width} x {height} in {label.width:.0f} x {label.height:.0f}"
            left, _ = label.to_window(label.x, label.y)
            sideways = any(isinstance(up, ScrollView) and up.do_scroll_x for up in _ancestors(label))
            if not sideways and (left < -1 or left + label.width > self.size[0] + 1):
                yield f"outside: {label.text!r} from {left:.0f} to {left + label.width:.0f}"

    def _small_targets(self) -> Iterator[str]:
        from kivy.metrics import dp
        from kivy.uix.behaviors import ButtonBehavior

        for target in self.widgets(ButtonBehavior):
            if getattr(target, "_on_tap", True) is not None and min(target.size) < dp(48) - 0.5:
                yield f"small target: {_said(target)}, {target.width:.0f} x {target.height:.0f}"

    def _faint(self) -> Iterator[str]:
        from kivy.uix.label import Label

        from mobile_app.ui.theme import contrast

        palette = self.app.theme.palette
        for label in self.widgets(Label):
            token = getattr(label, "token", None)
            ground = next((up.fill for up in (label, *_ancestors(label)) if getattr(up, "fill", None)), None)
            if not label.text or token is None or ground in (None, "hero"):
                continue
            least = 3 if type(label).__name__ == "Icon" else 4.5
            found = contrast(getattr(palette, token), getattr(palette, ground))
            if found < least:
                yield f"faint: {label.text!r}, {token} on {ground}: {found:.2f}"


def whole(widget: Any) -> str:
    """The text of a widget without the line breaks that wrapping put in."""
    said = getattr(widget, "whole", None)
    if isinstance(said, str):
        return said
    from kivy.uix.label import Label

    is_part = isinstance(getattr(widget.parent, "whole", None), str)  # of a button, which says it already
    return widget.text if isinstance(widget, Label) and type(widget).__name__ != "Icon" and not is_part else ""


def _ancestors(widget: Any) -> Iterator[Any]:
    while widget.parent is not None and widget.parent is not widget:
        widget = widget.parent
        yield widget


def _said(widget: Any) -> str:
    texts = [whole(part) for part in widget.walk(restrict=True) if whole(part)]
    return " / ".join(texts) or getattr(widget, "name", "") or type(widget).__name__


@pytest.fixture(scope="session")
def _driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    from kivy.base import EventLoop, runTouchApp

    runTouchApp(embedded=True)
    driver = Driver(tmp_path_factory.mktemp("app"))
    yield driver
    driver.stop()
    EventLoop.close()


@pytest.fixture
def driver(_driver: Driver) -> Iterator[Driver]:
    """The app, freshly started on Home in English at 412 x 915, and stopped after the test."""
    _driver.restart()
    yield _driver
    _driver.stop()


@pytest.fixture(scope="session")
def sample(root: Path) -> Path:
    """A real photo: a cup of coffee, 600 x 400."""
    return root / "mobile_app" / "samples" / "coffee.jpg"


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cloaks of a few steps, for what does not ask how good they are: the cup resists, and would take 57."""
    _take_few_steps(monkeypatch)


@pytest.fixture(scope="session")
def used_data(_driver: Driver, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an app that protected two photos and ran the benchmark once, all with the real bundle."""
    from mobile_app.ui.benchmarking import Benchmarking
    from mobile_app.ui.protection import Protection

    photos = tmp_path_factory.mktemp("photos")
    copies = [Path(shutil.copy(sample, photos / f"{name}.jpg")) for name in ("coffee", "a rather long name of a photo")]
    app = _driver.restart()
    model, bench = app.model(Protection), app.model(Benchmarking)
    model.pick(copies)
    with pytest.MonkeyPatch.context() as patch:
        _take_few_steps(patch)
        model.start()
        _driver.wait(lambda: model.phase == "done")
    bench.find_graphs()
    _driver.wait(lambda: bench.graphs)
    bench.chosen, bench.length = {"flowers.int8", "objects"}, "quick"
    bench.start()
    _driver.wait(lambda: bench.phase == "choose")
    _driver.stop()
    kept = tmp_path_factory.mktemp("used") / "data"
    shutil.copytree(app.data, kept, ignore=shutil.ignore_patterns("session.json"))
    return kept


def _take_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from mobile_app.core.cloak import MEDIUM  # NumPy is for the app to import first: app_frames.py uses this file
    from mobile_app.core.step import with_steps

    monkeypatch.setattr("mobile_app.core.cloak.MEDIUM", with_steps(MEDIUM, 4))
