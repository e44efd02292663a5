"""Starting the app: settings that Kivy reads when it is imported, then the window. Imports Kivy inside `run` alone."""

from __future__ import annotations

import logging
import os
from pathlib import Path

SIZE_PX = (412, 880)  # of the window on a desk
SMALLEST_PX = (320, 480)

_ICON = Path(__file__).parent / "art" / "icon.png"


def run(size_px: tuple[int, int] = SIZE_PX) -> None:
    """Open the app and return when it is closed. Raises: ModuleNotFoundError if Kivy is not installed."""
    prepare(size_px)
    from kivy.base import ExceptionManager

    from mobile_app.ui.app import PetalveilApp
    from mobile_app.ui.faults import Faults

    app = PetalveilApp()
    ExceptionManager.add_handler(Faults(app))
    app.run()


def prepare(size_px: tuple[int, int] = SIZE_PX) -> None:
    """Tell Kivy what it asks for when the window's module is imported."""
    # The command line is ours, not Kivy's; and what somebody set up for other Kivy programs is not for this one.
    # Its log tells of libraries for tablets that nobody here needs; a traceback reaches stderr without it.
    os.environ |= {"KIVY_NO_ARGS": "1", "KIVY_NO_CONFIG": "1", "KIVY_NO_FILELOG": "1", "KIVY_LOG_MODE": "PYTHON"}
    logging.getLogger("kivy").addFilter(lambda record: record.levelno > logging.ERROR)  # Kivy sets the level itself
    from kivy.config import Config

    for section, name, value in (
        ("kivy", "exit_on_escape", "0"),
        ("kivy", "window_icon", str(_ICON)),
        ("graphics", "width", str(size_px[0])),
        ("graphics", "height", str(size_px[1])),
        ("graphics", "minimum_width", str(SMALLEST_PX[0])),
        ("graphics", "minimum_height", str(SMALLEST_PX[1])),
        ("graphics", "multisamples", "0"),
        ("input", "mouse", "mouse,disable_multitouch"),
    ):
        Config.set(section, name, value)
    for name, _ in Config.items("input"):
        if name != "mouse":  # SDL brings the fingers; the other providers only ask for libraries that are not there
            Config.remove_option("input", name)
