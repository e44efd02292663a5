"""Naming the flower on a photo: what was picked, what is under way, what was found.

`app.model(Naming)` outlives pages and survives being killed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_app.core.feedback import FeedbackError
from mobile_app.core.flowers import Recognition, as_recognition
from mobile_app.ui.background import Task
from mobile_app.ui.graphs import FLOWERS, Graphs
from mobile_app.ui.herbarium import Herbarium

if TYPE_CHECKING:
    from mobile_app.ui.app import PetalveilApp


class Naming:
    """The photo that is being named, or was. phase: "choose", "working" or "found"."""

    def __init__(self, app: PetalveilApp) -> None:
        self.app = app
        self.phase = "choose"
        self.path: Path | None = None
        self.found: Recognition | None = None
        self.entry: int | None = None  # of the list of recognised photos; None if it could not be kept
        self.on_change: Callable[[], None] | None = None  # of the page that shows this now
        self._task: Task[Any] | None = None

    def name(self, paths: list[Path]) -> None:
        """Begin with a photo; nothing happens without one."""
        if paths:
            self._begin(paths[0], keep_as=None)

    def clear(self) -> None:
        """Back to the beginning; work under way is stopped."""
        if self._task is not None:
            self._task.cancel()
        self._set("choose")

    def close(self) -> None:
        """Everything is about to be erased: what is under way must not write again."""
        if self._task is not None:
            self._task.cancel()

    def state(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path is not None else None, "entry": self.entry}

    def restore(self, state: dict[str, Any]) -> None:
        """Look again at the photo that was shown when the app was killed."""
        path, entry = state.get("path"), state.get("entry")
        if isinstance(path, str) and Path(path).is_file():
            self._begin(Path(path), keep_as=entry if isinstance(entry, int) else None)

    def _begin(self, path: Path, keep_as: int | None) -> None:
        app, herbarium = self.app, self.app.model(Herbarium)
        graphs, now, keeps = app.model(Graphs), herbarium.clock(), app.settings.keeps_flowers
        if self._task is not None:
            self._task.cancel()

        def job(task: Task[Any]) -> tuple[Recognition, int | None, str]:
            from mobile_app.core.photo import decode

            rgb_hwc = decode(path).rgb_hwc
            recogniser = graphs.recogniser(FLOWERS)
            found = as_recognition(rgb_hwc, recogniser.look(rgb_hwc), recogniser.crop)
            if keep_as is not None or not keeps or task.should_stop():
                return found, keep_as, ""
            (species, confidence), version = found.best, graphs.bundle().version
            try:
                entry = herbarium.store.add(
                    species=species, confidence=min(confidence, 1.0), unsure=found.is_unsure, bundle=version,
                    thumbnail=found.thumbnail, now=now,
                )  # fmt: skip
            except FeedbackError as error:
                return found, None, str(error)
            return found, entry, ""

        def done(result: tuple[Recognition, int | None, str]) -> None:
            self._task = None
            found, entry, fault = result
            self._set("found", path, found, entry)
            if herbarium.store.moved_aside is not None:
                app.snack(app.t("flowers.moved_aside", name=herbarium.store.moved_aside.name))
                herbarium.store.moved_aside = None
            elif fault:
                app.snack(app.t("flowers.not_kept", reason=fault))

        def failed(sentence: str) -> None:
            self._task = None
            self._set("choose")
            app.complain(sentence)

        self._set("working", path)
        self._task = app.worker.run(job, done=done, failed=failed)

    def _set(
        self, phase: str, path: Path | None = None, found: Recognition | None = None, entry: int | None = None
    ) -> None:
        self.phase, self.path, self.found, self.entry = phase, path, found, entry
        if self.on_change is not None:
            self.on_change()
