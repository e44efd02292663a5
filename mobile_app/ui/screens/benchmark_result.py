"""One run of the benchmark: a plot, the figures of each graph, how they were before, the file to share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.errors import PetalveilError
from mobile_app.ui.benchmarking import Benchmarking
from mobile_app.ui.screen import Screen
from mobile_app.ui.widgets import Card, Chip, Column, Empty, Grid, IconButton, Notice, Row, Text, TextButton
from mobile_app.ui.widgets.plots import BarPlot, LinePlot


class BenchmarkResultScreen(Screen):
    """params: id, of an entry of the history."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.model = app.model(Benchmarking)
        self.entry = self.model.history.find(str(params.get("id", "")))
        super().__init__(app, params, state)

    def title(self) -> str:
        return self.t("benchmark.result")

    def actions(self) -> Sequence[Widget]:
        if self.entry is None:
            return ()
        return [IconButton(self.theme, "trash", self.t("benchmark.delete"), self._delete)]

    def body(self) -> Iterator[Widget | None]:
        if self.entry is None:
            yield Empty(self.theme, "chart-bar", self.t("benchmark.gone"), "")
            return
        rows = self.entry["rows"]
        bars = [
            (row["graph"], row["latency"]["p50_ms"], row["latency"]["p99_ms"], f"{row['latency']['p50_ms']:.1f} ms")
            for row in rows
        ]
        facts = self.entry["environment"]
        machine = " · ".join(str(facts[name]) for name in ("system", "release", "machine") if facts.get(name))
        yield Column(
            self.theme,
            Text(self.theme, self.entry["time"], "heading"),
            Text(self.theme, machine, "small", colour="soft"),
            gap=2,
        )
        yield Card(
            self.theme,
            Text(self.theme, self.t("benchmark.p50"), "heading"),
            Text(self.theme, self.t("benchmark.p50_text"), "small", colour="soft"),
            BarPlot(self.theme, bars),
        )
        for row in rows:
            yield self._graph(row)
        yield from self._over_time()

    def footer(self) -> Sequence[Widget]:
        if self.entry is None:
            return ()
        return [TextButton(self.theme, self.t("benchmark.share"), self._share, kind="soft", icon="share-network")]

    def _graph(self, row: dict[str, Any]) -> Widget:
        times = row["latency"]
        figures = [
            ("load", f"{row['load_ms']:.0f} ms"),
            ("warm_up", f"{row['first_run_ms']:.1f} ms"),
            ("p50", f"{times['p50_ms']:.1f} ms"),
            ("p90", f"{times['p90_ms']:.1f} ms"),
            ("p99", f"{times['p99_ms']:.1f} ms"),
            ("cpu", f"{row['cpu_ms_per_run']:.1f} ms"),
            ("memory", "–" if row["memory_peak_mb"] is None else f"{row['memory_peak_mb']:.0f} MB"),
            ("drift", "–" if row["drift"] is None else f"{row['drift']:+.0%}"),
            ("runs", str(times["n"])),
            ("threads", str(row["threads"])),
            ("precision", row["precision"]),
            ("size", f"{row['size_px']} px"),
        ]
        cells = [
            Column(
                self.theme,
                Text(self.theme, self.t(f"benchmark.{name}_short"), "small", colour="soft"),
                Text(self.theme, value, "strong"),
                gap=0,
            )
            for name, value in figures
        ]
        parity = Chip(
            self.theme,
            self.t("benchmark.parity_ok" if row["parity_ok"] else "benchmark.parity_failed"),
            icon="check-circle" if row["parity_ok"] else "warning-circle",
            fill="primary_soft" if row["parity_ok"] else "danger_soft",
        )
        doubts = Notice(self.theme, "; ".join(row["faults"]), kind="warning") if row["faults"] else None
        return Card(
            self.theme,
            Text(self.theme, row["graph"], "heading"),
            Grid(self.theme, *cells, column=88, most=4, gap=10),
            Row(self.theme, parity, Widget(size_hint_y=None, height=1)),
            doubts,
            gap=12,
        )

    def _over_time(self) -> list[Widget]:
        assert self.entry is not None
        cards: list[Widget] = []
        for row in self.entry["rows"]:
            before = [
                other["latency"]["p50_ms"]
                for entry in reversed(self.model.history.entries())
                for other in entry["rows"]
                if (other["graph"], other["threads"]) == (row["graph"], row["threads"])
            ]
            if len(before) > 1:
                cards += [Text(self.theme, row["graph"], "small", colour="soft"), LinePlot(self.theme, before)]
        return [Card(self.theme, Text(self.theme, self.t("benchmark.over_time"), "heading"), *cards)] if cards else []

    def _share(self) -> None:
        from mobile_app.core.files import write_whole

        entry = self.entry
        assert entry is not None
        path = self.model.history.files(entry["id"]) / "benchmark.json"
        try:
            write_whole(path, json.dumps(entry, indent=1, allow_nan=False).encode(), force=True)
            self.app.system.share([path], "application/json")
        except PetalveilError as error:
            self.app.complain(str(error))

    def _delete(self) -> None:
        assert self.entry is not None
        self.model.history.remove(self.entry["id"])
        self.app.back()
