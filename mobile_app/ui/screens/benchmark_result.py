"""One run of the benchmark: a plot, the figures of each graph, how they were before, the file to share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.errors import PetalveilError
from mobile_app.ui.benchmarking import Benchmarking, subject_of
from mobile_app.ui.screen import Screen
from mobile_app.ui.screens.benchmark import title_of
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
            (self._name(row), row["latency"]["p50_ms"], row["latency"]["p99_ms"], f"{row['latency']['p50_ms']:.1f} ms")
            for row in rows
        ]
        facts = self.entry["environment"]
        names = ("device", "system", "machine")  # a kernel's number means little to a person
        runtimes = sorted({row["runtime"] for row in rows if row.get("runtime")})
        machine = " · ".join([*(str(facts[name]) for name in names if facts.get(name)), *runtimes])
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
            ("stop", self.t(f"benchmark.stop_{row['stop']}") if "stop" in row else "–"),
            ("threads", str(row["threads"])),
            ("precision", row["precision"] or "–"),
            ("size", f"{row['size_px']} px"),
            *self._known(row),
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
        doubts = self._doubts(row)
        return Card(
            self.theme,
            Text(self.theme, self._name(row), "heading"),
            Grid(self.theme, *cells, column=88, most=4, gap=10),
            self._parity(row),
            Notice(self.theme, " ".join(doubts), kind="warning") if doubts else None,
            gap=12,
        )

    def _known(self, row: dict[str, Any]) -> list[tuple[str, str]]:
        """What not every device tells."""
        degrees, energy = row.get("temperature_after_c"), row.get("energy_mj_per_run")
        return [
            *([("heat", f"{degrees:.0f} °C")] if degrees is not None else []),
            *([("energy", f"{energy:.0f} mJ")] if energy is not None else []),
        ]

    def _parity(self, row: dict[str, Any]) -> Widget | None:
        """An engine has nothing stored to be compared with."""
        is_as_stored = row["parity_ok"]
        if is_as_stored is None:
            return None
        chip = Chip(
            self.theme,
            self.t("benchmark.parity_ok" if is_as_stored else "benchmark.parity_failed"),
            icon="check-circle" if is_as_stored else "warning-circle",
            fill="primary_soft" if is_as_stored else "danger_soft",
        )
        return Row(self.theme, chip, Widget(size_hint_y=None, height=1))

    def _doubts(self, row: dict[str, Any]) -> list[str]:
        """Sentences in the person's language; runs of earlier versions have them in English."""
        if "doubts" not in row:
            return [f"{fault}." for fault in row["faults"]]
        forms = {"few": ".0f", "drift": "+.0%", "busy": ".0%"}
        return [
            self.t(
                f"benchmark.doubt_{doubt['reason']}", value=format(doubt["value"] or 0, forms.get(doubt["reason"], ""))
            )
            for doubt in row["doubts"]
        ]

    def _name(self, row: dict[str, Any]) -> str:
        return title_of(self.t, subject_of(row))

    def _over_time(self) -> list[Widget]:
        assert self.entry is not None
        cards: list[Widget] = []
        for row in self.entry["rows"]:
            before = [
                other["latency"]["p50_ms"]
                for entry in reversed(self.model.history.entries())
                for other in entry["rows"]
                if (subject_of(other), other["threads"]) == (subject_of(row), row["threads"])
            ]
            if len(before) > 1:
                cards += [Text(self.theme, self._name(row), "small", colour="soft"), LinePlot(self.theme, before)]
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
