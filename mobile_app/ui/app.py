"""The app: settings, theme, language, worker and pages, held together. Screens are handed it as `self.app`."""

from __future__ import annotations

import dataclasses
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from kivy.app import App
from kivy.base import EventLoop
from kivy.core.window import Window
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from mobile_app.core.errors import OutputError
from mobile_app.core.settings import Settings, load_settings, read_json, save_settings, write_json
from mobile_app.ui.background import Worker
from mobile_app.ui.language import Catalogue, best_language
from mobile_app.ui.navigation import TABS, Navigator, Place, has_screen, screen_class
from mobile_app.ui.platform import Platform, this_platform
from mobile_app.ui.protecting import recent_photos
from mobile_app.ui.screen import Screen
from mobile_app.ui.shell import Shell
from mobile_app.ui.theme import Theme, make_theme
from mobile_app.ui.warming import warm_up
from mobile_app.ui.widgets import Sheet, question

ESCAPE = 27  # the key code of Escape and of Android's back
Model = TypeVar("Model")


class PetalveilApp(App):
    """Args: system: the platform; data: where to keep what is kept; moves: whether anything is animated."""

    title = "petalveil"

    def __init__(self, *, system: Platform | None = None, data: Path | None = None, moves: bool = True) -> None:
        super().__init__()
        self.system = system or this_platform()
        self.data = data or self.system.data_dir()
        self.settings = load_settings(self.data / "settings.json")
        self._moves = moves
        self._models: dict[type, Any] = {}
        self._session = read_json(self.data / "session.json") or {}
        self._language_and_theme()
        self.worker = Worker(lambda key, **values: self.t(key, **values), self.system.detach)
        self.navigator = Navigator(self._make_screen, self._show_screen)
        self.shell: Shell | None = None

    # What screens use

    def go(self, name: str, /, **params: Any) -> Screen:
        """To a page by the name of its module."""
        return self.navigator.go(name, **params)

    def back(self) -> bool:
        """Close what lies over the page, else to the page before; False on the first page."""
        return self._shell.overlays.close_sheet() or self.navigator.back()

    def model(self, kind: Callable[[PetalveilApp], Model]) -> Model:
        """The one object of this class: what has to outlive a page, as work under way. It may have a `state()`, JSON
        values that are handed to its `restore(state)` after a restart."""
        if kind not in self._models:
            self._models[kind] = made = kind(self)  # type: ignore[index]
            kept = self._session.get("models", {}).get(kind.__name__)
            if kept is not None and hasattr(made, "restore"):
                made.restore(kept)
        return self._models[kind]  # type: ignore[index]

    def snack(self, text: str, action: str = "", on_tap: Callable[[], Any] | None = None) -> None:
        """Say something in passing."""
        foot = self.navigator.current.foot
        lift = self._shell.bar_height + (0 if foot is None else foot.height)  # over what may be tapped next
        self._shell.overlays.show_snack(text, action, on_tap, lift=lift)

    def complain(self, sentence: str) -> None:
        """Say what went wrong, until it is read."""
        self.sheet(sentence_as_text(self.theme, sentence), title=self.t("common.failed"), ok=True)

    def sheet(
        self, *children: Widget, title: str = "", ok: bool = False, on_close: Callable[[], Any] | None = None
    ) -> Sheet:
        """Lay a panel over the page; `close_sheet`, back or a tap beside it takes it away. ok: with an OK button."""
        from mobile_app.ui.widgets import TextButton

        button = [TextButton(self.theme, self.t("common.ok"), self.close_sheet, kind="soft")] if ok else []
        sheet = Sheet(
            self.theme,
            *children,
            *button,
            title=title,
            close=self.close_sheet,
            on_close=on_close,
            inset=self.system.insets().bottom,
        )
        self._shell.overlays.show_sheet(sheet)
        return sheet

    def close_sheet(self) -> None:
        self._shell.overlays.close_sheet()

    def ask(self, text: str, yes: str, on_yes: Callable[[], Any], *, title: str = "", danger: bool = False) -> Sheet:
        """Ask for a yes before something that cannot be taken back."""
        content = question(self.theme, text, yes, self.t("common.cancel"), on_yes, self.close_sheet, danger=danger)
        return self.sheet(*content, title=title)

    def change(self, **fields: Any) -> None:
        """Change settings, keep them, and show every page anew if it looks different now. Raises: ValueError."""
        before, self.settings = self.settings, dataclasses.replace(self.settings, **fields)
        self._keep("settings.json", lambda path: save_settings(path, self.settings))
        if (before.language, before.theme) != (self.settings.language, self.settings.theme):
            self.rebuild()

    def rebuild(self) -> None:
        """Make the frame and every page anew: the language, the theme or the text size changed."""
        self._language_and_theme()
        self._new_shell()
        self.navigator.rebuild()

    def can_go_back(self, screen: Screen) -> bool:
        """Whether the page shows an arrow back: tabs do not."""
        return not any(screen.name_is(name) for name in TABS)

    # What Kivy calls

    def build(self) -> Widget:
        self._holder = BoxLayout()
        self._new_shell()
        self.navigator.start(self._session.get("pages"))
        return self._holder

    def on_start(self) -> None:
        gc.freeze()  # what the modules made stays; else each collection looks at all of it, for longer than a frame
        Window.softinput_mode = "below_target"  # the keyboard of a phone must not hide what is typed
        Window.bind(on_keyboard=self._on_key, on_drop_file=self._on_drop)
        self.system.receive(self.data / "picked", self._on_photos, lambda key: self.complain(self.t(key)))
        warm_up(self)

    def on_pause(self) -> bool:
        self.navigator.current.on_leave()
        self.keep_session()
        return True

    def on_resume(self) -> None:
        # Where the textures may be gone meanwhile, pages that are made anew hand over new ones.
        if self.system.loses_textures or self._looks() != (
            self.theme.is_dark,
            self.theme.text_scale,
            self.t.language,
        ):
            self.rebuild()

    def on_stop(self) -> None:
        Window.unbind(on_keyboard=self._on_key, on_drop_file=self._on_drop)
        self.keep_session()
        self.worker.close()

    def keep_session(self) -> None:
        """Write down the pages and what the models know, so that being killed loses nothing."""
        models = dict(self._session.get("models", {}))
        for kind, model in self._models.items():
            if hasattr(model, "state"):
                models[kind.__name__] = model.state()
        self._session = {"pages": self.navigator.saved(), "models": models}
        self._keep("session.json", lambda path: write_json(path, self._session))

    def erase(self) -> None:
        """Delete everything that the app keeps, and begin as on the first day. Models with a `close()` are closed."""
        for model in self._models.values():
            if hasattr(model, "close"):
                model.close()
        self._models.clear()
        self._session = {}
        for path in self.data.iterdir() if self.data.is_dir() else ():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        # A photo that was just being written when its job was cancelled: this comes after it, and before any other.
        recent = recent_photos(self.data).folder
        self.worker.run(
            lambda _task: shutil.rmtree(recent, ignore_errors=True), done=lambda _: None, failed=lambda _why: None
        )
        self.settings = Settings()
        self._language_and_theme()
        self._new_shell()
        self.navigator = Navigator(self._make_screen, self._show_screen)
        self.navigator.start()

    # How

    @property
    def _shell(self) -> Shell:
        assert self.shell is not None
        return self.shell

    def _keep(self, name: str, write: Callable[[Path], None]) -> None:
        try:
            write(self.data / name)
        except OutputError as error:
            if self.shell is not None:
                self.snack(str(error))

    def _on_key(self, _window: Any, key: int, *_: Any) -> bool:
        if key != ESCAPE:
            return False
        return self.back() or self.system.leave()

    def _on_drop(self, _window: Any, name: bytes, *_: Any) -> None:
        self._on_photos([Path(os.fsdecode(name))])

    def _on_photos(self, photos: list[Path]) -> None:
        """Another app sent photos, or a hand dropped them on the window."""
        if photos:
            self.navigator.back_to_tab()
            self.go("protect", picked=[str(photo) for photo in photos])

    def _looks(self) -> tuple[bool, float, str]:
        wanted, language = self.settings.theme, self.settings.language
        is_dark = self.system.is_dark() if wanted == "system" else wanted == "dark"
        spoken = best_language(self.system.languages()) if language == "system" else language
        return is_dark, self.system.text_scale(), spoken

    def _language_and_theme(self) -> None:
        is_dark, text_scale, language = self._looks()
        self.t = Catalogue(language)
        self.theme: Theme = make_theme(dark=is_dark, text_scale=text_scale, is_rtl=self.t.is_rtl, moves=self._moves)

    def _new_shell(self) -> None:
        tabs = [(name, self.t(f"common.tab_{name}")) for name in TABS if has_screen(name)]
        self._holder.clear_widgets()
        self.shell = Shell(self.theme, tabs, self.go, self.system.insets())
        self._holder.add_widget(self.shell)
        if EventLoop.window is not None:
            Window.clearcolor = self.theme.colour("ground")

    def _make_screen(self, place: Place) -> Screen:
        return screen_class(place.name)(self, place.params, place.state)

    def _show_screen(self, screen: Screen, _forward: bool) -> None:
        self._shell.show(screen, self.navigator.tab)


def sentence_as_text(theme: Theme, sentence: str) -> Widget:
    """A sentence of an error, whose file names stand in the face that has the most characters."""
    from mobile_app.ui.widgets import Text

    return Text(theme, sentence)
