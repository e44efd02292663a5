"""What the app is made of: model cards, the sha256 of every file of the bundle, licences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.ui.graphs import Graphs
from mobile_app.ui.screen import Screen
from mobile_app.ui.theme import FONTS
from mobile_app.ui.widgets import Card, Column, ListRow, Rule, Text

LICENCES = Path(__file__).parents[1] / "licences.json"
_PLAIN = ("task", "size_px", "precision", "opset", "unsure_below", "source", "licence", "command")


class DocumentScreen(Screen):
    """params: name, one of models, hashes, licences, model (with graph) and licence (with file)."""

    def __init__(self, app: Any, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.bundle: Any = None
        super().__init__(app, params, state)

    def title(self) -> str:
        name = self.params.get("name", "models")
        return self.params.get("graph") or self.params.get("title") or self.t(f"settings.about_{name}")

    def body(self) -> Sequence[Widget | None]:
        name = self.params.get("name", "models")
        if name == "licences":
            return [self._licences()]
        if name == "licence":
            return [Text(self.theme, self._licence_text(), "small")]
        if self.bundle is None:
            return [Text(self.theme, self.t("settings.reading"), "body", colour="soft")]
        if name == "hashes":
            return [self._hashes()]
        return [self._model(self.params["graph"])] if name == "model" else [self._models()]

    def on_enter(self) -> None:
        if self.bundle is None and self.params.get("name") in ("models", "model", "hashes"):
            graphs = self.app.model(Graphs)
            self.app.worker.run(lambda _task: graphs.bundle(), done=self._show, failed=self.app.complain)

    def _show(self, bundle: Any) -> None:
        self.bundle = bundle
        self.refresh()

    def _models(self) -> Widget:
        rows = [
            ListRow(
                self.theme,
                entry.name,
                f"{self._purpose(entry.task)} · {entry.size_px} px, {entry.precision}",
                lead="cpu",
                on_tap=lambda name=entry.name: self.app.go("document", name="model", graph=name),
            )
            for entry in self.bundle.graphs.values()
        ]
        return Card(self.theme, *rows, gap=4)

    def _purpose(self, task: str) -> str:
        return self.app.t.or_else(f"settings.task_{task}", task)

    def _model(self, name: str) -> Widget:
        entry = self.bundle.graphs.get(name)
        if entry is None:
            return Text(self.theme, self.t("settings.no_model"))
        facts = [(field, getattr(entry, field)) for field in _PLAIN]
        facts += [(f"metrics: {key}", value) for key, value in entry.metrics.items()]
        facts += [(f"trained on: {key}", value) for key, value in entry.trained_on.items()]
        return Card(
            self.theme, *(self._fact(field.replace("_", " "), _readable(value)) for field, value in facts), gap=12
        )

    def _hashes(self) -> Widget:
        rows = [self._fact(name, sha256) for name, sha256 in self.bundle.sha256.items()]
        version = self._fact(self.t("settings.bundle_version"), self.bundle.version)
        return Card(self.theme, version, Rule(self.theme), *rows, gap=12)

    def _licences(self) -> Widget:
        rows = [
            ListRow(
                self.theme,
                part["name"],
                f"{part['licence']} · {part['holder']}",
                on_tap=None
                if "file" not in part
                else lambda part=part: self.app.go("document", name="licence", file=part["file"], title=part["name"]),
            )
            for part in json.loads(LICENCES.read_text(encoding="utf-8"))
        ]
        return Card(self.theme, *rows, gap=2)

    def _licence_text(self) -> str:
        known = {part.get("file") for part in json.loads(LICENCES.read_text(encoding="utf-8"))}
        name = self.params.get("file")
        return _unwrapped((FONTS / name).read_text(encoding="utf-8")) if name in known and name else ""

    def _fact(self, name: str, value: str) -> Widget:
        role = "small" if "\n" in value or len(value) > 60 else "body"
        return Column(self.theme, Text(self.theme, name, "small", colour="soft"), Text(self.theme, value, role), gap=1)


def _unwrapped(text: str) -> str:
    """A text whose lines were broken at some eighty characters, with a line a paragraph."""
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    return "\n\n".join(part for part in paragraphs if part.strip("- "))


def _readable(value: Any) -> str:
    """A value of a manifest as lines of text."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_readable(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "\n".join(_readable(inner) for inner in value) if value and isinstance(value[0], dict) else str(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
