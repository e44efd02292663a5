"""Faults of the app itself: written down, told in a sentence, and survived, as long as they do not go on and on."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from kivy.base import ExceptionHandler, ExceptionManager

from mobile_app.core.errors import OutputError
from mobile_app.core.files import write_whole

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp

NOTE = "last-fault.txt"
MOST = 5  # in one run; then something is broken for good


class Faults(ExceptionHandler):
    """What Kivy asks about an exception that nobody caught on the screen's thread."""

    def __init__(self, app: PetalveilApp) -> None:
        self._app, self._seen = app, 0

    def handle_exception(self, inst: BaseException) -> int:
        """PASS after a sentence; RAISE for what ends a program, and where faults do not stop."""
        self._seen += 1
        if not isinstance(inst, Exception):
            return ExceptionManager.RAISE
        text = "".join(traceback.format_exception(inst))
        try:
            self._app.data.mkdir(parents=True, exist_ok=True)
            write_whole(self._app.data / NOTE, text.encode("utf-8", "backslashreplace"), force=True)
        except (OSError, OutputError):
            pass  # telling is what matters
        if self._seen > MOST or self._app.shell is None:
            return ExceptionManager.RAISE
        self._app.complain(self._app.t("common.fault", note=str(self._app.data / NOTE)))
        return ExceptionManager.PASS
