"""One protected photo: before and after to compare, what recognisers see, what was done; save and share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kivy.clock import Clock
from kivy.uix.widget import Widget

from mobile_app.ui.graphs import Graphs
from mobile_app.ui.protecting import Views, find_protected, load_views, recent_photos, whole_pair
from mobile_app.ui.protection import Protection
from mobile_app.ui.result_cards import fact_parts, posting_text, seen_parts
from mobile_app.ui.screen import NEXT_FRAME, Screen, card_of
from mobile_app.ui.seeing import find_posting, postings, see_posted, with_posting
from mobile_app.ui.widgets import (
    Card,
    Choices,
    Column,
    Empty,
    IconButton,
    Notice,
    Row,
    Segmented,
    Text,
    TextButton,
    texture_of,
)
from mobile_app.ui.widgets.compare import Compare
from mobile_app.ui.widgets.viewport import Box

_MOST_OF_WINDOW = 0.52  # that the photo takes of the height
_SHARP_PX = 1200


class ProtectResultScreen(Screen):
    """params: id, of an entry of the history."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.recent = recent_photos(app.data)
        self.entry = find_protected(self.recent, str(params.get("id", "")))
        self.shown = state.get("shown", "compare")
        self.posting = find_posting(app.settings.posting)
        self.compare: Compare | None = None
        self._views: Views | None = None
        self.is_gone = False
        self._sharpening: Any = None
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("protect.result")

    def state(self) -> dict[str, Any]:
        return {"shown": self.shown}

    def actions(self) -> Sequence[Widget]:
        if self.entry is None:
            return ()
        return [IconButton(self.theme, "trash", self.t("protect.forget"), self._ask_to_forget)]

    def body(self) -> Iterator[Widget | None]:
        if self.entry is None:
            words = self.t("protect.gone"), self.t("protect.gone_text")
            again = self.t("home.protect")
            yield Empty(self.theme, "image", *words, action=again, on_tap=lambda: self.app.go("protect", pick=True))
            return
        yield NEXT_FRAME
        width, height = self.entry["size_px"]
        self.compare = Compare(
            self.theme,
            (self.t("protect.before"), self.t("protect.after")),
            ratio=width / height,
            zoom_names=(self.t("protect.zoom_in"), self.t("protect.zoom_out")),
            on_rest=self._sharpen,
        )
        self.bind(width=self._fit, height=self._fit)
        options = [("compare", self.t("protect.view_compare")), ("difference", self.t("protect.view_difference"))]
        self.switch = Segmented(self.theme, options, self.shown, self._switch)
        self.note = Text(self.theme, "", "small", colour="soft")
        self.seen = Column(self.theme, gap=14)
        self._fit()
        self._switch(self.shown)
        if self._views is not None:
            self._show(self._views)
        if self.scroll is not None:
            self.scroll.first.append(self.compare)
        yield self.compare
        yield Column(self.theme, self.switch, self.note, gap=8)
        yield self.seen
        for part in card_of(self.theme, self._seen_parts()):
            if part is not None:
                self.seen.fill_with([part])
            yield None
        yield Notice(self.theme, self.t("protect.limits"), icon="scales")
        yield from card_of(self.theme, fact_parts(self.theme, self.app.t, self.entry))

    def footer(self) -> Sequence[Widget]:
        if self.entry is None:
            return ()
        self.save = TextButton(self.theme, self.t("protect.save"), self._save, icon="download-simple")
        self.share = TextButton(self.theme, self.t("protect.share"), self._share, kind="soft", icon="share-network")
        return [Row(self.theme, self.save, self.share, gap=10)]

    def on_enter(self) -> None:
        if self.entry is None or self._views is not None:
            return
        kept = self.app.model(Protection).views.get(self.entry["id"])
        if kept is not None:
            self._show(kept)
            return
        entry, recent = self.entry, self.recent
        self.app.worker.run(lambda _task: load_views(entry, recent), done=self._show, failed=self.app.complain)

    def on_gone(self) -> None:
        self.is_gone = True
        self._views = None
        if self.compare is not None:
            self.compare.clear()

    # The photo

    def _show(self, views: Views) -> None:
        compare = self.compare
        if self.is_gone:
            return
        if compare is None or not self.is_whole:  # the page first: large textures take a frame each
            Clock.schedule_once(lambda _dt: self._show(views))
            return
        compare.show(before=texture_of(views.before))

        def show_after(_dt: float) -> None:
            if self.compare is compare and not self.is_gone:
                compare.show(after=texture_of(views.after))
                self._views = views
                self._switch(self.shown)

        Clock.schedule_once(show_after)

    def _fit(self, *_: Any) -> None:
        assert self.compare is not None
        width = self.compare.width
        self.compare.height = max(160, min(width / self.compare.view.ratio, self.height * _MOST_OF_WINDOW))
        self.compare.fbind("width", self._fit) if not hasattr(self.compare, "is_bound") else None
        self.compare.is_bound = True

    def _switch(self, shown: str) -> None:
        self.shown = shown
        assert self.compare is not None
        if shown == "difference" and self._views is not None and not self.compare.has("difference"):
            self.compare.show(difference=texture_of(self._views.difference))
        self.compare.alone("difference" if shown == "difference" else None)
        self.note.set(self.t("protect.difference_text") if shown == "difference" else "")

    def _sharpen(self, part: Box) -> None:
        """Fetch the photo's own pixels of the part that is looked at."""
        from mobile_app.core.views import part_of, shrunk

        if self._sharpening is not None:
            self._sharpening.cancel()
        entry, recent = self.entry, self.recent
        assert entry is not None

        def job(_task: Any) -> tuple[Box, Any, Any]:
            before, after = whole_pair(entry, recent)
            seen_after, exact = part_of(after, part)
            seen_before, _ = part_of(before, part)
            return exact, shrunk(seen_before, _SHARP_PX), shrunk(seen_after, _SHARP_PX)

        def show(found: tuple[Box, Any, Any]) -> None:
            if self.compare is not None:
                self.compare.sharpen(found[0], texture_of(found[1]), texture_of(found[2]))

        self._sharpening = self.app.worker.run(job, done=show, failed=lambda _why: None)  # the view stays as it is

    # What recognisers see

    def _seen_parts(self) -> Iterator[Widget]:
        assert self.entry is not None
        return seen_parts(self.theme, self.app.t, self.entry, self.posting, self._choose_posting)

    def _fill_seen(self) -> None:
        self.seen.fill_with([Card(self.theme, *self._seen_parts(), gap=12)])

    def _choose_posting(self) -> None:
        options = [(posting.name, posting_text(self.app.t, posting), "") for posting in postings()]
        self.app.sheet(
            Text(self.theme, self.t("protect.posting_reported"), "small", colour="soft"),
            Choices(self.theme, options, self.posting.name, self._set_posting),
            title=self.t("protect.posting_choose"),
        )

    def _set_posting(self, posting_id: str) -> None:
        self.app.close_sheet()
        self.app.change(posting=posting_id)
        self.posting = find_posting(posting_id)
        self._fill_seen()
        entry = self.entry
        assert entry is not None
        if all(posting_id in row["posted"] for row in entry["seen"]):
            return
        graphs, recent, posting = self.app.model(Graphs), self.recent, self.posting
        names = [row["by"] for row in entry["seen"]]

        def job(_task: Any) -> dict[str, Any]:
            from mobile_app.core.photo import decode

            after = decode(recent.files(entry["id"]) / entry["file"]).rgb_hwc
            found = with_posting(entry, posting.name, see_posted(after, names, graphs, posting))
            recent.update(found)
            return found

        def show(found: dict[str, Any]) -> None:
            self.entry = found
            self._fill_seen()

        self.app.worker.run(job, done=show, failed=self.app.complain)

    # Saving and sharing

    def _save(self) -> None:
        entry, recent, system = self.entry, self.recent, self.app.system
        assert entry is not None

        def job(_task: Any) -> str:
            data = (recent.files(entry["id"]) / entry["file"]).read_bytes()
            return system.save_photo(data, f"{entry['name']}.cloaked", entry["kind"])

        def say(place: str) -> None:
            self.app.snack(self.t("protect.saved", place=place))

        self.app.worker.run(job, done=say, failed=self.app.complain)

    def _share(self) -> None:
        from mobile_app.core.errors import PetalveilError

        entry = self.entry
        assert entry is not None
        try:
            self.app.system.share([self.recent.files(entry["id"]) / entry["file"]], f"image/{entry['kind']}")
        except PetalveilError as error:
            self.app.complain(str(error))

    def _ask_to_forget(self) -> None:
        self.app.ask(
            self.t("protect.forget_ask"),
            self.t("protect.forget_yes"),
            self._forget,
            title=self.t("protect.forget"),
            danger=True,
        )

    def _forget(self) -> None:
        assert self.entry is not None
        model = self.app.model(Protection)
        self.recent.remove(self.entry["id"])
        model.done = [entry for entry in model.done if entry["id"] != self.entry["id"]]
        model.views.pop(self.entry["id"], None)
        if not model.done and model.phase == "done":
            model.clear()
        self.app.back()
