"""What is needed later, fetched while Home is looked at, so that no page waits for it when it is asked for.

The app starts without NumPy, Pillow and the runtime, and without the modules of the other pages. Each would hold up the
frame that first asks for it: the pages' modules come one a frame, the rest on the worker.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from kivy.clock import Clock

from mobile_app.core.errors import GraphError
from mobile_app.ui.navigation import has_screen, screen_class

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp

AFTER_SECONDS = 0.4  # Home stands by then, and was drawn
_EVERY_SECONDS = 0.02
_QUIET_SECONDS = 3.0  # a page that a job's end makes stands long before
# Collections of the middle generation until a full one: Python's own number, and ours.
_FULL_AFTER, _NEVER = 10, 1 << 30
_PAGES = ("protect", "protect_result", "flowers", "learn", "learn_article", "quiz", "quiz_round", "settings")


def warm_up(app: PetalveilApp) -> None:
    """Begin, some frames from now. What is missing is told of where it is used, not here."""
    pages = iter([name for name in _PAGES if has_screen(name)])

    def begin(_dt: float) -> None:
        if not app.worker.is_closed:
            app.worker.run(_import_core, done=next_page, failed=next_page)

    def next_page(_: Any) -> None:  # after the core: a page that imports it would wait for the worker's import
        if app.worker.is_closed:
            return
        if (name := next(pages, None)) is not None:
            screen_class(name)
            Clock.schedule_once(next_page, _EVERY_SECONDS)
        else:
            _collect_when_quiet(app)

    Clock.schedule_once(begin, AFTER_SECONDS)


def _collect_when_quiet(app: PetalveilApp) -> None:
    """A full collection takes some 50 ms: it waits until no job runs, and leaves out the modules, which stay."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    if not gc.get_freeze_count():
        gc.freeze()

    def look(_dt: float) -> bool:
        if app.worker.is_closed:
            gc.set_threshold(young, middle, _FULL_AFTER)
            return False  # not again
        if not app.worker.is_busy and gc.get_count()[2] > _FULL_AFTER:
            gc.collect()
        return True

    Clock.schedule_interval(look, _QUIET_SECONDS)


def _import_core(_task: Any) -> None:
    from mobile_app.core import cloak, flowers, loading, photo, quality, recogniser, views  # noqa: F401
    from mobile_app.core.runtime import runtime_label

    with suppress(GraphError):
        runtime_label()
