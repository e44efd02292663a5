"""Protect: choose photos, say how strongly, watch the steps, see what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kivy.clock import Clock
from kivy.metrics import dp
from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget

from mobile_app.core.settings import STRENGTHS
from mobile_app.ui.protecting import STAGES, recent_photos
from mobile_app.ui.protection import Picked, Protection
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import (
    Bar,
    Card,
    Choices,
    Column,
    Empty,
    Grid,
    Icon,
    IconButton,
    ListRow,
    Notice,
    Picture,
    Row,
    Segmented,
    Spacer,
    Text,
    TextButton,
    texture_of,
)


class ProtectScreen(Screen):
    """One page in three phases: choosing, working, done."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.model = app.model(Protection)
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t(f"protect.title_{self.model.phase}")

    def body(self) -> Iterable[Widget | None]:
        self._shown_changes = self.model.changes
        self.cells: dict[int, _Thumbnail] = {}
        self.ways: Column | None = None
        return {"choose": self._choosing, "working": self._working, "done": self._done}[self.model.phase]()

    def footer(self) -> Sequence[Widget]:
        model = self.model
        if model.phase == "working":
            return [TextButton(self.theme, self.t("common.cancel"), model.cancel, kind="outline", icon="x")]
        if model.phase == "done":
            save = TextButton(self.theme, self.t("protect.save_all"), self._save_all, icon="download-simple")
            another = TextButton(self.theme, self.t("protect.another"), model.clear, kind="soft", icon="plus")
            return [save, another] if len(model.done) > 1 else [another]
        sound = [photo for photo in model.photos if not photo.fault]
        if not model.photos:
            return []
        start = TextButton(
            self.theme, self.app.t.count("protect.start", len(sound)), model.start, kind="accent", icon="shield-check"
        )
        start.disabled = not sound
        return [start]

    def on_enter(self) -> None:
        self.model.on_change, self.model.on_progress = self._changed, self._progressed
        self.model.on_look, self.model.on_engines = self._looked_at, self._show_ways
        if picked := self.params.pop("picked", None):
            self.model.pick([Path(path) for path in picked])
        if self._shown_changes != self.model.changes:
            self.refresh()
        if self.model.photos and not self.model.engines:
            self.model.find_engines()
        if self.params.pop("pick", False) and self.model.phase == "choose" and not self.model.photos:
            Clock.schedule_once(lambda _dt: self.choose())

    def on_leave(self) -> None:
        self.model.on_change = self.model.on_progress = self.model.on_look = self.model.on_engines = None

    def on_back(self) -> bool:
        """Back from the results leads to a new choice, as the arrow of a page would."""
        if self.model.phase == "done":
            self.model.clear()
            return True
        return False

    def choose(self) -> None:
        """Open the system's picker, or the list of files where there is none."""
        if not self.app.system.has_picker:
            self.app.go("browse", many=True)
            return
        self.app.system.pick_photos(self._copies(), self.model.pick, self._complain, many=True)

    def take(self) -> None:
        """Open the camera."""
        self.app.system.take_photo(self._copies(), self.model.pick, self._complain)

    def _complain(self, key: str) -> None:
        self.app.complain(self.t(key))

    def _copies(self) -> Path:
        return self.app.data / "picked"

    def _changed(self) -> None:
        done = self.model.done
        if (
            self.model.phase == "done"
            and len(done) == 1
            and not self.model.failed
            and self.app.navigator.current is self
        ):
            self.app.go("protect_result", id=done[0]["id"])
        else:
            self.refresh(at_once=False)

    def _looked_at(self, photo: Picked) -> None:
        """Show a photo of the list, and leave the rest of the page alone."""
        self._shown_changes = self.model.changes
        if self.model.phase == "choose" and id(photo) in self.cells:
            self.cells[id(photo)].show(photo)
        elif self.model.phase == "working":
            self.shown_photo = None
            self._progressed()

    # Choosing

    def _choosing(self) -> Iterator[Widget | None]:
        if not self.model.photos:
            yield Empty(self.theme, "images", self.t("protect.empty"), self.t("protect.empty_text"))
            yield TextButton(self.theme, self.t("protect.choose"), self.choose, kind="accent", icon="images")
            if self.app.system.has_camera:
                yield TextButton(self.theme, self.t("protect.take"), self.take, kind="soft", icon="camera")
            yield Notice(self.theme, self.t("protect.promise"), icon="lock-key")
            return
        self.cells = {id(photo): _Thumbnail(self, photo) for photo in self.model.photos}
        faults = [Notice(self.theme, photo.fault, kind="warning") for photo in self.model.photos if photo.fault]
        add = TextButton(self.theme, self.t("protect.add"), self.choose, kind="plain", icon="plus")
        yield Grid(self.theme, *self.cells.values(), column=100, most=5, gap=10)
        yield from faults
        yield add
        yield self._strength()
        self.ways = Column(self.theme, gap=0)
        yield self.ways
        self._show_ways()

    def _strength(self) -> Widget:
        chosen = self.app.settings.strength
        self.strength_text = Text(self.theme, self.t(f"protect.about_{chosen}"), "small", colour="soft")
        options = [(name, self.t(f"protect.strength_{name}")) for name in STRENGTHS]
        self.strength = Segmented(self.theme, options, chosen, self._choose_strength)
        return Card(
            self.theme, Text(self.theme, self.t("protect.strength"), "heading"), self.strength, self.strength_text
        )

    def _choose_strength(self, name: str) -> None:
        self.app.change(strength=name)
        self.strength_text.set(self.t(f"protect.about_{name}"))

    def _show_ways(self) -> None:
        """What the bundle offers, once the worker has looked."""
        if self.ways is None or self.ways.children or not self.model.engines or len(self.model.ways) < 2:
            return
        options = [(way, self.t(f"protect.time_{way}"), self.t(f"protect.about_{way}")) for way in self.model.ways]
        choices = Choices(self.theme, options, self.model.way, lambda way: self.app.change(engine=way))
        self.ways.fill_with([Card(self.theme, Text(self.theme, self.t("protect.time"), "heading"), choices)])

    # Working

    def _working(self) -> Iterator[Widget | None]:
        sound = [photo for photo in self.model.photos if not photo.fault]
        self.picture = Picture(self.theme, height=220, radius=24)
        self.bar, self.percent = Bar(self.theme, height=10), Text(self.theme, "", "heading", fit=True)
        self.now_text = Text(self.theme, "", "body")
        self.stages = {stage: _Stage(self.theme, self.t(f"protect.stage_{stage}")) for stage in STAGES}
        self.shown_photo: int | None = None
        self._sound = sound
        yield self.picture
        head = Row(self.theme, self.now_text, self.percent, gap=12)
        yield Card(self.theme, head, self.bar, Spacer(4), *self.stages.values(), gap=12)
        yield Text(self.theme, self.t("protect.patience"), "small", colour="soft", align="centre")
        self._progressed()

    def _progressed(self) -> None:
        progress = self.model.progress
        if self.model.phase != "working" or progress is None:
            return
        if self.shown_photo != progress.photo and progress.photo < len(self._sound):
            pixels = self._sound[progress.photo].thumbnail
            self.picture.show(None if pixels is None else texture_of(pixels))
            self.shown_photo = progress.photo
        self.bar.share = self.model.share
        self.percent.set(f"{self.model.share:.0%}")
        many = (
            self.t("protect.photo_of", photo=progress.photo + 1, photos=progress.photos) if progress.photos > 1 else ""
        )
        step = self.t("protect.step_of", step=progress.step, steps=progress.steps) if progress.stage == "change" else ""
        self.now_text.set(" · ".join(part for part in (many, step) if part) or self.t("protect.under_way"))
        order = list(STAGES)
        for stage, line in self.stages.items():
            line.set(order.index(stage) - order.index(progress.stage))

    # Done

    def _done(self) -> list[Widget | None]:
        done, failed = self.model.done, self.model.failed
        folder = recent_photos(self.app.data).folder
        rows = [
            ListRow(
                self.theme,
                entry["name"],
                self.t("protect.row", seconds=f"{entry['seconds']:.1f}"),
                lead=Picture(self.theme, folder / entry["id"] / "thumbnail.jpg", size=64, radius=14),
                on_tap=lambda entry=entry: self.app.go("protect_result", id=entry["id"]),
            )
            for entry in done
        ]
        return [
            Notice(self.theme, self.app.t.count("protect.done", len(done)), kind="good"),
            *(Notice(self.theme, why, kind="warning") for _, why in failed),
            Card(self.theme, *rows, gap=4) if rows else None,
        ]

    def _save_all(self) -> None:
        recent, system, done = recent_photos(self.app.data), self.app.system, self.model.done

        def job(_task: Any) -> list[str]:
            return [
                system.save_photo((recent.files(e["id"]) / e["file"]).read_bytes(), f"{e['name']}.cloaked", e["kind"])
                for e in done
            ]

        self.app.worker.run(
            job,
            done=lambda places: self.app.snack(self.app.t.count("protect.saved_all", len(places))),
            failed=self.app.complain,
        )


class _Thumbnail(FloatLayout):
    """A picked photo with a button that takes it off the list."""

    def __init__(self, screen: ProtectScreen, photo: Picked) -> None:
        theme = screen.theme
        super().__init__(size_hint_y=None)
        self.bind(width=lambda _w, width: setattr(self, "height", width))
        self.picture = Picture(theme, radius=18)
        self.picture.pos_hint = {"x": 0, "y": 0}
        self.add_widget(self.picture)
        self.show(photo)
        if photo.fault:
            self.add_widget(
                Icon(theme, "warning", size=30, colour="danger", pos_hint={"center_x": 0.5, "center_y": 0.5})
            )
        self.drop = IconButton(
            theme, "x", screen.t("protect.drop"), lambda: screen.model.drop(photo), colour="text", fill=None
        )
        disc = Widget(size_hint=(None, None), size=(dp(30), dp(30)))
        from mobile_app.ui.widgets import paint

        paint(disc, theme, "surface", radius=15)
        self.drop.add_widget(disc, index=1)
        self.drop.icon.font_size = dp(16)
        self.drop.pos_hint = {"right": 1, "top": 1}
        self.drop.bind(pos=lambda button, pos: setattr(disc, "pos", (pos[0] + dp(9), pos[1] + dp(9))))
        self.add_widget(self.drop)

    def show(self, photo: Picked) -> None:
        """Show the photo if it was read."""
        if photo.thumbnail is not None:
            self.picture.show(texture_of(photo.thumbnail))


class _Stage(Row):
    """A line of the list of stages: over, under way, or to come."""

    def __init__(self, theme: Any, text: str) -> None:
        self.icon = Icon(theme, "circle", size=20, colour="edge")
        self.text = Text(theme, text, "body", colour="soft")
        super().__init__(theme, self.icon, self.text, gap=12)

    def set(self, distance: int) -> None:
        """Below 0 is over, 0 under way, above to come."""
        if distance < 0:
            self.icon.set("check-circle", colour="primary", filled=True)
        else:
            self.icon.set("radio-button" if distance == 0 else "circle", colour="primary" if distance == 0 else "edge")
            self.icon.set(filled=False)
        self.text.set(self.text.whole, colour="text" if distance <= 0 else "soft")
