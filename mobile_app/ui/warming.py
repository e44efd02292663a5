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
        elif not gc.get_freeze_count():
            # Modules stay for good: to walk through all of them at each full collection holds up a frame by 60 ms.
            gc.freeze()

    Clock.schedule_once(begin, AFTER_SECONDS)


def _import_core(_task: Any) -> None:
    from mobile_app.core import cloak, flowers, loading, photo, quality, recogniser, views  # noqa: F401
    from mobile_app.core.runtime import runtime_label

    with suppress(GraphError):
        runtime_label()
