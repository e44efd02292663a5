"""Pages on a stack: `go` to one, `back` from it. What lies on the stack can be written down and taken up again.

The first page is Home; the tabs of the bar come over it, one at a time, and other pages over them. So back leads from
any page to the tab that opened it, from there to Home, and from Home out of the app.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobile_app.ui.screen import Screen

HOME = "home"
TABS = ("home", "protect", "flowers", "learn", "quiz")
TAB_ICONS = {
    "home": "house", "protect": "shield-check", "flowers": "flower", "learn": "book-open", "quiz": "graduation-cap",
}  # fmt: skip


@dataclass
class Place:
    """One page of the stack; the screen is made when it is first shown."""

    name: str
    params: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    screen: Screen | None = None


class Navigator:
    """The stack. Args: make: a place -> its screen; show: puts a screen in front, forward or not."""

    def __init__(self, make: Callable[[Place], Screen], show: Callable[[Screen, bool], None]) -> None:
        self._make, self._show = make, show
        self._stack: list[Place] = []
        self._kept: dict[str, Place] = {}  # tabs that are not on the stack now, as they were left

    @property
    def names(self) -> list[str]:
        return [place.name for place in self._stack]

    @property
    def current(self) -> Screen:
        """The screen in front."""
        screen = self._stack[-1].screen
        assert screen is not None
        return screen

    @property
    def tab(self) -> str:
        """The tab that the page in front belongs to."""
        return next((name for name in reversed(self.names) if name in TABS), HOME)

    def go(self, name: str, /, **params: Any) -> Screen:
        """To a page. Going to a tab that is under others uncovers it; params are JSON values."""
        self._leave()
        if name in TABS:
            self._go_to_tab(name, params)
        else:
            self._stack.append(Place(name, params))
        return self._enter(forward=True)

    def back(self) -> bool:
        """To the page before; False on the first one. A page may keep the key for itself (see Screen.on_back)."""
        if self.current.on_back():
            return True
        if len(self._stack) == 1:
            return False
        self._leave()
        self._keep(self._stack.pop())
        self._enter(forward=False)
        return True

    def back_to_tab(self) -> None:
        """Drop the pages over the tab, without showing it: a `go` follows."""
        self._leave()
        while len(self._stack) > 1 and self._stack[-1].name not in TABS:
            self._keep(self._stack.pop())

    def rebuild(self) -> None:
        """Make every page anew, in the state that it was in: the language, the theme or the text size changed."""
        self._leave()
        for place in (*self._stack, *self._kept.values()):
            if place.screen is not None:
                place.state, place.screen = place.screen.state(), None
        self._enter(forward=True)

    def saved(self) -> list[dict[str, Any]]:
        """The stack as JSON values."""
        for place in self._stack:
            if place.screen is not None:
                place.state = place.screen.state()
        return [{"name": place.name, "params": place.params, "state": place.state} for place in self._stack]

    def start(self, saved: Any = None) -> Screen:
        """Home, or the pages that were written down, as far as they still exist."""
        self._stack = [Place(HOME)]
        for entry in saved if isinstance(saved, list) else []:
            match entry:
                case {"name": str(name), "params": dict(params), "state": dict(state)} if has_screen(name):
                    if name == HOME:
                        self._stack = [Place(name, params, state)]
                    else:
                        self._stack.append(Place(name, params, state))
        return self._enter(forward=True)

    def _go_to_tab(self, name: str, params: dict[str, Any]) -> None:
        if name in self.names:
            while self._stack[-1].name != name:
                self._keep(self._stack.pop())
            if params:
                self._stack[-1] = Place(name, params)
            return
        while len(self._stack) > 1:
            self._keep(self._stack.pop())
        kept = self._kept.pop(name, None)
        self._stack.append(kept if kept is not None and not params else Place(name, params))

    def _keep(self, place: Place) -> None:
        if place.name in TABS:
            self._kept[place.name] = place
        elif place.screen is not None:
            place.screen.on_gone()

    def _leave(self) -> None:
        if self._stack and self._stack[-1].screen is not None:
            self._stack[-1].screen.on_leave()

    def _enter(self, *, forward: bool) -> Screen:
        place = self._stack[-1]
        if place.screen is None:
            place.screen = self._make(place)
        self._show(place.screen, forward)
        place.screen.on_enter()
        return place.screen


@cache
def has_screen(name: str) -> bool:
    """Whether mobile_app/ui/screens has a module of this name."""
    return name.isidentifier() and importlib.util.find_spec(f"mobile_app.ui.screens.{name}") is not None


def screen_class(name: str) -> type[Screen]:
    """`learn_article` -> LearnArticleScreen of mobile_app/ui/screens/learn_article.py, imported when first needed."""
    module = importlib.import_module(f"mobile_app.ui.screens.{name}")
    return getattr(module, "".join(word.capitalize() for word in name.split("_")) + "Screen")
