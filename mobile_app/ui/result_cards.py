"""The report on a protected photo: what recognisers see, what was done. An entry in, the parts of a card out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kivy.uix.widget import Widget

from mobile_app.core.errors import BundleError
from mobile_app.core.objects import load_object_names
from mobile_app.core.platforms import Platform
from mobile_app.core.species import load_species, named
from mobile_app.ui.graphs import FLOWERS
from mobile_app.ui.language import Catalogue
from mobile_app.ui.theme import Theme
from mobile_app.ui.widgets import Chip, Column, Icon, Row, Rule, Spacer, Text, TextButton

Entry = dict[str, Any]


def seen_parts(
    theme: Theme, t: Catalogue, entry: Entry, posting: Platform, on_posting: Callable[[], Any]
) -> Iterator[Widget]:
    """What each recogniser said before, after, and after a posting; a button that asks for another posting."""
    yield Text(theme, t("protect.seen"), "heading")
    for place, row in enumerate(entry["seen"]):
        if place:
            yield Rule(theme)
        yield Text(theme, t(f"protect.by_{row['by']}"), "small", colour="soft")
        yield _line(theme, t, "seen_before", row["before"], None, row["by"])
        for key, guess in (("seen_after", row["after"]), ("seen_posted", row["posted"].get(posting.name))):
            if guess is not None:
                yield _line(theme, t, key, guess, verdict(row["before"], guess), row["by"])
    yield Spacer(2)
    yield Text(theme, t("protect.posting"), "small", colour="soft")
    yield TextButton(theme, posting_text(t, posting), on_posting, kind="outline", icon="export")


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


def fact_parts(theme: Theme, t: Catalogue, entry: Entry) -> Iterator[Widget]:
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
        ("timer", t("protect.fact_time"), _time_text(t, entry)),
        ("file-text", t("protect.fact_file"), file),
    ]
    if entry["notes"]:
        facts.append(("info", t("protect.fact_notes"), "; ".join(entry["notes"])))
    yield Text(theme, t("protect.facts"), "heading")
    for icon, name, text in facts:
        words = Column(theme, Text(theme, name, "small", colour="soft"), Text(theme, text), gap=1)
        yield Row(theme, Icon(theme, icon, size=22, colour="primary"), words, gap=14)


def _time_text(t: Catalogue, entry: Entry) -> str:
    seconds = f"{entry['seconds']:.1f}"
    if (steps := entry.get("steps")) is None:  # one prepared change, or an entry of an older version
        return t("protect.fact_time_text", seconds=seconds)
    return t.count("protect.fact_steps_text", steps, seconds=seconds)


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
    """A label in the language of the screen."""
    if by == FLOWERS:
        species = named(label, load_species())
        return species.zh or species.english if t.language == "zh" else species.english
    try:
        return load_object_names().get(label, {}).get(t.language, label)
    except BundleError:  # the network's own word is better than no report
        return label
