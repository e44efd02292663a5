"""Protecting photos: what was picked, what is under way, what became of it. `app.model(Protection)` outlives pages.

The work itself is in protecting.py, what recognisers see in seeing.py; both run on the worker and touch no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobile_app.core.errors import PetalveilError
from mobile_app.ui.background import Task, describe
from mobile_app.ui.protecting import Views, find_protected, protect_one, recent_photos, thumbnail
from mobile_app.ui.seeing import find_posting

if TYPE_CHECKING:
    from mobile_app.core.engines import Engine
    from mobile_app.core.step import StepConfig
    from mobile_app.ui.app import PetalveilApp
    from mobile_app.ui.graphs import Graphs

STRONGEST = "gradient"  # until the bundle has been asked
WITHIN = "within"  # the way that takes as many steps of the strongest engine as fit
WITHIN_SECONDS = 2.0


def chosen_engine(graphs: Graphs, way: str, megapixels: float, config: StepConfig) -> tuple[Engine, StepConfig]:
    """A way to protect as an engine, and the steps that it has time for. Raises: BundleError, GraphError."""
    if way == WITHIN:
        return graphs.engine_within(WITHIN_SECONDS, megapixels, config)
    return graphs.engine(way), config


def known_engines(graphs: Graphs) -> tuple[str, ...]:
    """What a person may choose of what the bundle has, the strongest first. Raises: BundleError.

    One that is neither the strongest nor the quickest for its strength is for the command line alone.
    """
    from mobile_app.core.loading import engines_of

    return tuple(name for name in engines_of(graphs.bundle()) if name != "comreadv")


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where the work is."""

    photo: int  # from 0
    photos: int
    stage: str
    step: int = 0
    steps: int = 0

    @property
    def share(self) -> float:
        """Of the whole work, roughly by the time that each stage takes."""
        begins = {"read": 0.0, "load": 0.08, "change": 0.14, "write": 0.82, "look": 0.9}
        within = begins[self.stage]
        if self.stage == "change" and self.steps:
            within += (begins["write"] - within) * self.step / self.steps
        return (self.photo + within) / self.photos


@dataclass
class Picked:
    """A photo to protect."""

    path: Path
    thumbnail: Any = None  # pixels, once the worker has them
    looking: Task[Any] | None = None  # while it fetches them
    fault: str = ""


@dataclass
class Protection:
    """The state of the Protect tab. phase: "choose", "working" or "done"."""

    app: PetalveilApp
    photos: list[Picked] = field(default_factory=list)
    phase: str = "choose"
    progress: Progress | None = None
    share: float = 0.0  # of the work under way, as the bar shows it
    done: list[dict[str, Any]] = field(default_factory=list)  # entries of the history
    failed: list[tuple[str, str]] = field(default_factory=list)  # name, sentence
    views: dict[str, Views] = field(default_factory=dict)  # of the last one alone
    engines: tuple[str, ...] = ()  # that the bundle has; empty until the worker has looked
    on_change: Callable[[], None] | None = None  # of the page that shows this now
    on_progress: Callable[[], None] | None = None
    on_look: Callable[[Picked], None] | None = None  # a photo of the list was read
    on_engines: Callable[[], None] | None = None
    changes: int = 0  # so that a page that was away sees that it is out of date
    _task: Task[Any] | None = None

    # Choosing

    @property
    def ways(self) -> tuple[str, ...]:
        """What the person may choose from: the engines, and after the first the one that keeps to a time."""
        first, *others = self.engines or (STRONGEST,)
        return (first, WITHIN, *others) if first == STRONGEST else (first, *others)

    @property
    def way(self) -> str:
        """The one of the settings, or the strongest where the bundle lacks that one."""
        wanted = self.app.settings.engine
        return wanted if wanted in self.ways else self.ways[0]

    def find_engines(self) -> None:
        """Ask the bundle for its engines, off the screen's thread. A faulty bundle is told of when it is used."""
        from mobile_app.ui.graphs import Graphs

        graphs = self.app.model(Graphs)

        def show(names: tuple[str, ...]) -> None:
            self.engines = names
            if self.on_engines is not None:
                self.on_engines()
            way = STRONGEST if self.way == WITHIN else self.way  # it is loaded while the person still chooses
            self.app.worker.run(lambda _task: graphs.engine(way), done=lambda _: None, failed=lambda _why: None)

        self.app.worker.run(lambda _task: known_engines(graphs), done=show, failed=lambda _why: None)

    def pick(self, paths: Sequence[Path]) -> None:
        """Put photos on the list; those that are there already stay once."""
        if self.phase == "done":
            self.clear()
        known = {photo.path for photo in self.photos}
        new = [Picked(path) for path in dict.fromkeys(paths) if path not in known]
        self.photos += new
        self._changed()
        for photo in new:
            self._look_at(photo)
        if not self.engines:
            self.find_engines()

    def drop(self, photo: Picked) -> None:
        self.photos.remove(photo)
        self._changed()

    def clear(self) -> None:
        """Back to the beginning."""
        self.photos, self.done, self.failed, self.views = [], [], [], {}
        self.phase, self.progress = "choose", None
        self._changed()

    # Working

    def start(self) -> None:
        """Protect what is on the list."""
        settings = self.app.settings
        photos = [photo.path for photo in self.photos if not photo.fault]
        for photo in self.photos[1:]:  # the pictures of the list can wait; the first is shown while it is worked on
            if photo.looking is not None:
                photo.looking.cancel()
        self.phase, self.progress = "working", Progress(photo=0, photos=len(photos), stage="read")
        self.share = 0.0
        self.done, self.failed, self.views = [], [], {}
        self._changed()
        from mobile_app.ui.graphs import Graphs

        graphs = self.app.model(Graphs)
        recent, sentence = recent_photos(self.app.data), self.app.t
        way = self.way

        def job(task: Task[Any]) -> Views | None:
            views = None
            for place, path in enumerate(photos):
                views = None  # before the next photo needs the room
                task.report(("at", Progress(photo=place, photos=len(photos), stage="read")))
                try:
                    entry, views = protect_one(
                        path,
                        graphs,
                        recent,
                        strength=settings.strength,
                        choose=lambda megapixels, config: chosen_engine(graphs, way, megapixels, config),
                        posting=find_posting(settings.posting),
                        on_stage=lambda stage, step=0, steps=0, place=place: task.report(
                            ("at", Progress(photo=place, photos=len(photos), stage=stage, step=step, steps=steps))
                        ),
                        should_stop=task.should_stop,
                    )
                except (PetalveilError, MemoryError, OSError) as error:
                    if task.should_stop():
                        raise
                    finished.append(("failed", path.name, describe(error, sentence)))
                else:
                    finished.append(("done", entry, None))
            return views

        finished: list[tuple[str, Any, Any]] = []

        def end(views: Views | None) -> None:
            self.done = [entry for kind, entry, _ in finished if kind == "done"]
            self.failed = [(name, why) for kind, name, why in finished if kind == "failed"]
            if self.done and views is not None:
                self.views = {self.done[-1]["id"]: views}
            self.phase = "done" if self.done else "choose"
            self._task = None
            self._changed()
            if not self.done and self.failed:
                self.app.complain("\n".join(why for _, why in self.failed))

        self._task = self.app.worker.run(job, done=end, failed=self._give_up, progress=self._advance)

    def cancel(self) -> None:
        """Stop after the step under way; what was finished before stays among the recent photos."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.phase, self.progress = "choose", None
        for photo in self.photos:
            if photo.thumbnail is None and not photo.fault:
                self._look_at(photo)
        self._changed()

    # Surviving

    def close(self) -> None:
        """Everything is about to be erased: what is under way must not write again."""
        if self._task is not None:
            self._task.cancel()
        for photo in self.photos:
            if photo.looking is not None:
                photo.looking.cancel()

    def state(self) -> dict[str, Any]:
        return {"photos": [str(photo.path) for photo in self.photos], "done": [entry["id"] for entry in self.done]}

    def restore(self, state: dict[str, Any]) -> None:
        recent = recent_photos(self.app.data)
        self.done = [entry for name in state.get("done", []) if (entry := find_protected(recent, name)) is not None]
        self.phase = "done" if self.done else "choose"
        paths = [Path(path) for path in state.get("photos", [])]
        self.photos = [Picked(path) for path in paths if path.is_file()]
        for photo in self.photos:
            self._look_at(photo)

    # How

    def _changed(self) -> None:
        self.changes += 1
        if self.on_change is not None:
            self.on_change()

    def _advance(self, fact: tuple[str, Progress]) -> None:
        self.progress = fact[1]
        self.share = max(self.share, self.progress.share)  # a photo that gets more steps holds the bar, not back
        if self.on_progress is not None:
            self.on_progress()

    def _give_up(self, sentence: str) -> None:
        self._task = None
        self.phase, self.progress = "choose", None
        self._changed()
        self.app.complain(sentence)

    def _look_at(self, photo: Picked) -> None:
        def show(pixels: Any) -> None:
            photo.thumbnail = pixels
            self.changes += 1
            if self.on_look is not None:
                self.on_look(photo)

        def blame(sentence: str) -> None:
            photo.fault = sentence
            self._changed()

        photo.looking = self.app.worker.run(lambda _task: thumbnail(photo.path), done=show, failed=blame)
