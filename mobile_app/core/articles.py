"""What an article about a flower is made of: facts, each in both languages and with its sources.

The module library reads them from their files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("en", "zh")
LEVELS = ("none", "mild", "dangerous")  # of a poison, from harmless to worst
WHOM = ("people", "cats", "dogs", "horses")


@dataclass(frozen=True, kw_only=True)
class Both:
    """One text in both languages."""

    en: str
    zh: str

    def of(self, language: str) -> str:
        """The text in a language; English in any that is not there."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A statement with where it comes from, and perhaps a question that this flower alone answers."""

    text: Both
    sources: tuple[str, ...]
    ask: Both | None = None
    also: tuple[str, ...] = ()  # ids of other flowers of which it is true as well


@dataclass(frozen=True, kw_only=True)
class LookAlike:
    """Another plant and how to tell it; `id` where the app knows it, else its names."""

    tell: Fact
    latin: str
    name: Both
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Article:
    """All that is told about one flower."""

    id: str
    latin: str
    name: Both
    also: Mapping[str, tuple[str, ...]]  # language -> further names
    family_latin: str
    family: Both
    lead: Both
    know: tuple[Fact, ...]
    lookalikes: tuple[LookAlike, ...]
    months: tuple[int, ...]  # 1 to 12, in flower on the northern half of the earth
    season: Fact
    habitat: Fact
    range: Fact
    poison_to: Mapping[str, str]  # WHOM -> LEVELS
    poison: Fact
    stories: tuple[Fact, ...]

    @property
    def poison_level(self) -> str:
        """The worst it is to anybody."""
        return max(self.poison_to.values(), key=LEVELS.index)

    def facts(self) -> dict[str, Fact]:
        """Every fact by a name that stays: know.0, habitat, stories.1 and so on."""
        rows = {f"know.{n}": fact for n, fact in enumerate(self.know)}
        rows |= {f"lookalikes.{n}": one.tell for n, one in enumerate(self.lookalikes)}
        rows |= {"season": self.season, "habitat": self.habitat, "range": self.range, "poison": self.poison}
        return rows | {f"stories.{n}": fact for n, fact in enumerate(self.stories)}

    def tell_from(self, other: str) -> Fact | None:
        """How to tell another flower of the app from this one."""
        return next((one.tell for one in self.lookalikes if one.id == other), None)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A book, a paper or a site."""

    title: str
    publisher: str
    author: str = ""
    year: int | None = None
    url: str = ""

    def line(self) -> str:
        """As it is cited."""
        author = f"{self.author}: " if self.author else ""
        return f"{author}{self.title}. {self.publisher}{f', {self.year}' if self.year else ''}."


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What a level of poison is called and what to do."""

    title: Both
    todo: Both
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Library:
    """All articles by id, in the order of the Latin alphabet of their ids, with their sources and pictures."""

    articles: Mapping[str, Article]
    sources: Mapping[str, Source]
    advice: Mapping[str, Advice]
    root: Path

    def picture(self, name: str) -> Path:
        """The drawn picture of a flower."""
        return self.root / "pictures" / f"{name}.jpg"
