"""The report on a protected photo, as cards: what recognisers see, what was done. An entry in, widgets out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.platforms import Platform
from mobile_app.ui.graphs import FLOWERS
from mobile_app.ui.language import Catalogue
from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets import Card, Chip, Column, Icon, Row, Rule, Spacer, Text, TextButton

Entry = dict[str, Any]


def seen_card(theme: Theme, t: Catalogue, entry: Entry, posting: Platform, on_posting: Callable[[], Any]) -> Card:
    """What each recogniser said before, after, and after a posting; a button that asks for another posting."""
    lines: list[Widget] = []
    for place, row in enumerate(entry["seen"]):
        lines += [Rule(theme)] if place else []
        lines.append(Text(theme, t(f"protect.by_{row['by']}"), "small", colour="soft"))
        lines.append(_line(theme, t, "seen_before", row["before"], None, row["by"]))
        for key, guess in (("seen_after", row["after"]), ("seen_posted", row["posted"].get(posting.name))):
            if guess is not None:
                lines.append(_line(theme, t, key, guess, verdict(row["before"], guess), row["by"]))
    button = TextButton(theme, posting_text(t, posting), on_posting, kind="outline", icon="export")
    return Card(
        theme,
        Text(theme, t("protect.seen"), "heading"),
        *lines,
        Spacer(2),
        Text(theme, t("protect.posting"), "small", colour="soft"),
        button,
        gap=12,
    )


def posting_text(t: Catalogue, posting: Platform) -> str:
    """A preset in words: by its settings, since which network uses them is hearsay that grows old."""
    return t("protect.posting_named", side=posting.long_side_px, quality=posting.quality)


def verdict(before: Entry, after: Entry) -> str | None:
    """Whether a recogniser was misled: None where it was not sure in the first place, for then nothing was shown."""
    if before["unsure"]:
        return None
    if before["label"] != after["label"]:
        return "fooled"
    return "in_doubt" if after["unsure"] else "not_fooled"


def facts_card(theme: Theme, t: Catalogue, entry: Entry) -> Card:
    """What the change is, what was left out, how long it took, what the file is."""
    width, height = entry["size_px"]
    change = t(
        "protect.fact_change_text",
        composed=entry["composed_levels"],
        largest=entry["largest_levels"],
        mean=f"{entry['mean_levels']:.1f}",
    )
    size_mb = f"{entry['bytes'] / 1e6:.1f}"
    file = t("protect.fact_file_text", kind=entry["kind"].upper(), width=width, height=height, size=size_mb)
    metadata = t("protect.metadata_removed" if entry["had_metadata"] else "protect.metadata_none")
    facts = [
        ("sliders-horizontal", t("protect.fact_change"), change),
        ("map-pin", t("protect.fact_metadata"), metadata),
        ("timer", t("protect.fact_time"), t("protect.fact_time_text", seconds=f"{entry['seconds']:.1f}")),
        ("file-text", t("protect.fact_file"), file),
    ]
    if entry["notes"]:
        facts.append(("info", t("protect.fact_notes"), "; ".join(entry["notes"])))
    rows = [
        Row(
            theme,
            Icon(theme, icon, size=22, colour="primary"),
            Column(theme, Text(theme, name, "small", colour="soft"), Text(theme, text), gap=1),
            gap=14,
        )
        for icon, name, text in facts
    ]
    return Card(theme, Text(theme, t("protect.facts"), "heading"), *rows, gap=12)


_BADGES = {  # icon, its colour, ground of the badge
    "fooled": ("mask-happy", "accent", "accent_soft"),
    "in_doubt": ("question", "soft", "warning_soft"),
    "not_fooled": ("eye", "soft", "raised"),
}


def _line(theme: Theme, t: Catalogue, key: str, guess: Entry, result: str | None, by: str) -> Row:
    share = t("protect.unsure") if guess["unsure"] else f"{guess['probability']:.0%}"
    words = Column(
        theme,
        Text(theme, t(f"protect.{key}"), "small", colour="soft"),
        Text(theme, f"{_name(t, guess['label'], by)} · {share}", "body"),
        gap=1,
    )
    if result is None:
        return Row(theme, Icon(theme, "eye", size=22, colour="soft"), words, gap=12)
    name, colour, ground = _BADGES[result]
    icon = Icon(theme, name, size=22, colour=colour, filled=result == "fooled")
    return Row(theme, icon, words, Chip(theme, t(f"protect.{result}"), fill=ground), gap=12)


def _name(t: Catalogue, label: str, by: str) -> str:
    if by != FLOWERS:
        return label
    from mobile_app.core.species import load_species, named

    species = named(label, load_species())
    return species.zh or species.english if t.language == "zh" else species.english
