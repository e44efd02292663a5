"""The app's own list of files, for a system without a picker: walk through folders, mark photos, take them.

params: to, the page that gets them (the tab Protect by default), as `app.go(to, picked=[paths])`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import Card, Chip, Empty, Grid, Icon, ListRow, Text, TextButton

MOST = 300  # rows; a folder with more says so


class BrowseScreen(Screen):
    """One folder at a time; back leads to the folder before."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.starts = [folder for folder in app.system.photo_folders() if folder.is_dir()] or [app.data]
        kept = Path(state["folder"]) if state.get("folder") else self.starts[0]
        self.folder = kept if kept.is_dir() else self.starts[0]
        self.marked = [Path(path) for path in state.get("marked", [])]
        self.before: list[Path] = []
        self.found: tuple[list[Path], list[Path], int] | None = None
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("browse.title")

    def state(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "marked": [str(path) for path in self.marked]}

    def on_enter(self) -> None:
        self._read()

    def on_back(self) -> bool:
        if not self.before:
            return False
        self.folder = self.before.pop()
        self._read()
        return True

    def body(self) -> Sequence[Widget | None]:
        places = [
            Chip(
                self.theme, place.name or str(place), lambda place=place: self._open(place), is_on=place == self.folder
            )
            for place in self.starts
        ]
        head = (
            Grid(self.theme, *places, column=96, most=4) if len(places) > 1 else None,
            Text(self.theme, str(self.folder), "small", colour="soft"),
        )
        if self.found is None:
            return head
        folders, photos, left_out = self.found
        if not folders and not photos:
            return (*head, Empty(self.theme, "folder-open", self.t("browse.empty"), self.t("browse.empty_text")))
        rows = [
            ListRow(self.theme, folder.name, lead="folder", on_tap=lambda folder=folder: self._open(folder))
            for folder in folders
        ]
        rows += [self._photo(path) for path in photos]
        more = Text(self.theme, self.t("browse.more", n=left_out), "small", colour="soft") if left_out else None
        return (*head, Card(self.theme, *rows, gap=0, padding=10), more)

    def footer(self) -> Sequence[Widget]:
        if not self.marked:
            return ()
        return [TextButton(self.theme, self.app.t.count("browse.take", len(self.marked)), self._take, icon="check")]

    def _photo(self, path: Path) -> ListRow:
        is_on = path in self.marked
        mark = Icon(
            self.theme, "check-circle" if is_on else "circle", colour="primary" if is_on else "edge", filled=is_on
        )
        return ListRow(self.theme, path.name, lead="image", end=mark, on_tap=lambda: self._mark(path))

    def _mark(self, path: Path) -> None:
        if path in self.marked:
            self.marked.remove(path)
        else:
            self.marked = [*self.marked, path] if self.params.get("many", True) else [path]
        self.refresh()

    def _open(self, folder: Path) -> None:
        self.before.append(self.folder)
        self.folder = folder
        self._read()

    def _read(self) -> None:
        folder = self.folder
        self.found = None
        self.refresh()

        def show(found: tuple[list[Path], list[Path], int]) -> None:
            if folder == self.folder:
                self.found = found
                self.refresh()

        self.app.worker.run(lambda _task: listing(folder), done=show, failed=self.app.complain)

    def _take(self) -> None:
        to = self.params.get("to", "protect")
        self.app.navigator.back_to_tab()
        self.app.go(to, picked=[str(path) for path in self.marked])


def listing(folder: Path) -> tuple[list[Path], list[Path], int]:
    """(folders, photos, how many more there are) of a folder, by name; hidden ones are passed over. Raises: OSError."""
    from mobile_app.core.photo import EXTENSIONS  # late, and on the worker: it brings NumPy and Pillow along

    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".")]
    folders = sorted((Path(e.path) for e in seen if e.is_dir()), key=lambda path: path.name.casefold())
    photos = [Path(e.path) for e in seen if e.is_file() and Path(e.name).suffix.lower() in EXTENSIONS]
    photos.sort(key=lambda path: path.name.casefold())
    shown = folders[:MOST], photos[: max(0, MOST - len(folders))]
    return *shown, len(folders) + len(photos) - len(shown[0]) - len(shown[1])
