"""Benchmark: choose graphs, run them, watch; the runs before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.ui.benchmarking import ENGINE, SECONDS, Benchmarking, subject_of, thread_counts
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import (
    Bar,
    Card,
    ListRow,
    Notice,
    Row,
    Segmented,
    SwitchRow,
    Text,
    TextButton,
)


class BenchmarkScreen(Screen):
    """One page in two phases."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.model = app.model(Benchmarking)
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("benchmark.title")

    def body(self) -> Sequence[Widget | None]:
        return self._working() if self.model.phase == "working" else self._choosing()

    def footer(self) -> Sequence[Widget]:
        model = self.model
        if model.phase == "working":
            return [TextButton(self.theme, self.t("common.cancel"), model.cancel, kind="outline", icon="x")]
        start = TextButton(self.theme, self.t("benchmark.start"), model.start, icon="play")
        start.disabled = not model.chosen or not model.graphs
        self.start_button = start
        return [start]

    def on_enter(self) -> None:
        self.model.on_change, self.model.on_progress = self.refresh, self._progressed
        self.refresh()
        if not self.model.graphs:
            self.model.find_graphs()

    def on_leave(self) -> None:
        self.model.on_change = self.model.on_progress = None

    def _choosing(self) -> list[Widget | None]:
        model = self.model
        networks, engines = (
            [
                SwitchRow(
                    self.theme,
                    self._title(name),
                    self._purpose(name),
                    is_on=name in model.chosen,
                    on_change=lambda is_on, name=name: self._choose(name, is_on),
                )
                for name in names
            ]
            for names in (model.graphs, model.engines)
        )
        heading = Text(self.theme, self.t("benchmark.engines"), "heading")
        about = Text(self.theme, self.t("benchmark.engines_text"), "small", colour="soft")
        lengths = [(name, self.t(f"benchmark.length_{name}", seconds=f"{SECONDS[name]:g}")) for name in SECONDS]
        counts = [(str(count), str(count)) for count in thread_counts()]
        return [
            Text(self.theme, self.t("benchmark.about"), "body", colour="soft"),
            Card(self.theme, Text(self.theme, self.t("benchmark.graphs"), "heading"), *networks, gap=2),
            Card(self.theme, heading, about, *engines, gap=2) if engines else None,
            Card(
                self.theme,
                Text(self.theme, self.t("benchmark.length"), "heading"),
                Segmented(self.theme, lengths, model.length, lambda name: setattr(model, "length", name)),
                Text(self.theme, self.t("benchmark.threads"), "heading"),
                Segmented(self.theme, counts, str(model.threads), lambda count: setattr(model, "threads", int(count))),
            ),
            *self._history(),
        ]

    def _purpose(self, name: str) -> str:
        """What a graph is for; engines say it by their names."""
        task = self.model.graphs.get(name, "")
        return self.app.t.or_else(f"settings.task_{task}", task)

    def _title(self, name: str) -> str:
        return title_of(self.t, name)

    def _choose(self, name: str, is_on: bool) -> None:
        (self.model.chosen.add if is_on else self.model.chosen.discard)(name)
        self.start_button.disabled = not self.model.chosen

    def _history(self) -> list[Widget]:
        entries = self.model.history.entries()
        if not entries:
            return []
        rows = [
            ListRow(
                self.theme,
                entry["time"],
                ", ".join(self._title(subject_of(row)) for row in entry["rows"]),
                lead="chart-bar",
                on_tap=lambda entry=entry: self.app.go("benchmark_result", id=entry["id"]),
            )
            for entry in entries
        ]
        return [Card(self.theme, Text(self.theme, self.t("benchmark.history"), "heading"), *rows, gap=4)]

    def _working(self) -> list[Widget | None]:
        self.now_text, self.percent = Text(self.theme, "", "body"), Text(self.theme, "", "heading", fit=True)
        self.bar = Bar(self.theme, height=10)
        self._progressed()
        head = Row(self.theme, self.now_text, self.percent, gap=12)
        return [
            Card(self.theme, Text(self.theme, self.t("benchmark.measuring"), "heading"), head, self.bar, gap=12),
            Notice(self.theme, self.t("benchmark.hands_off"), icon="hand-heart"),
        ]

    def _progressed(self) -> None:
        if self.model.phase != "working":
            return
        place, places, share = self.model.place
        names = self.model.subjects
        self.bar.share = (place + share) / places
        self.percent.set(f"{self.bar.share:.0%}")
        self.now_text.set(self._title(names[place]) if place < len(names) else "")


def title_of(t: Callable[..., str], subject: str) -> str:
    """What a person reads for a subject: graphs have names of their own, engines those of the page that protects."""
    if not subject.startswith(ENGINE):
        return subject
    return t("benchmark.engine", name=t(f"protect.engine_{subject.removeprefix(ENGINE)}"))
