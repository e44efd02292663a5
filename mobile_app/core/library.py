"""The articles about the flowers: the files of mobile_app/content in, checked, as a Library out.

An article is articles/<id>.json, its facts each with the keys of their sources in sources.json; names come from
species.json, and what to do about a poison from poison.json. Every text is there in English and in Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobile_app.core.articles import LANGUAGES, LEVELS, WHOM, Advice, Article, Both, Fact, Library, LookAlike, Source
from mobile_app.core.content import read_object
from mobile_app.core.errors import BundleError
from mobile_app.core.species import load_species

DEFAULT_ROOT = Path(__file__).parent.parent / "content"

Names = Mapping[str, tuple[str | None, str, str | None]]


def load_library(root: Path = DEFAULT_ROOT) -> Library:
    """Read and check everything. Raises: BundleError naming the file and the entry that is wrong."""
    species = load_species(root / "species.json")
    sources = {name: _source(name, row) for name, row in read_object(root / "sources.json").items()}
    advice = {level: _advice(row, f"poison.json: {level}") for level, row in read_object(root / "poison.json").items()}
    if set(advice) != set(LEVELS):
        raise BundleError(f"poison.json: expected the levels {', '.join(LEVELS)}, found {', '.join(advice)}")
    articles = {}
    for name, names in species.items():
        path = root / "articles" / f"{name}.json"
        row = read_object(path)
        articles[name] = _article(
            name, row, {one: (them.latin, them.english, them.zh) for one, them in species.items()}
        )
        if not (root / "pictures" / f"{name}.jpg").is_file():
            raise BundleError(f"pictures/{name}.jpg: expected the picture of {names.english}, found none; restore it")
    _refuse_unknown_sources(articles, advice, sources)
    return Library(articles=articles, sources=sources, advice=advice, root=root)


def _article(name: str, row: dict[str, Any], names: Names) -> Article:
    where = f"{name}.json"
    _expect(
        where, row, {"family", "also", "lead", "know", "lookalikes", "season", "habitat", "range", "poison", "stories"}
    )
    latin, english, zh = names[name]
    family, season, poison = row["family"], row["season"], row["poison"]
    months = season.get("months")
    if (
        not months
        or not all(isinstance(month, int) and 1 <= month <= 12 for month in months)
        or sorted(set(months)) != months
    ):
        raise BundleError(f"{where}: season: expected months of 1 to 12 in order, found {months}")
    to = poison.get("to", {})
    if set(to) != set(WHOM) or not set(to.values()) <= set(LEVELS):
        raise BundleError(f"{where}: poison: expected one of {', '.join(LEVELS)} to each of {', '.join(WHOM)}")
    return Article(
        id=name,
        latin=latin or name,
        name=Both(en=english, zh=zh or english),
        also={language: tuple(_text(f"{where}: also", one) for one in row["also"][language]) for language in LANGUAGES},
        family_latin=_text(f"{where}: family", family.get("latin")),
        family=_both(family, f"{where}: family"),
        lead=_both(row["lead"], f"{where}: lead"),
        know=_facts(row["know"], f"{where}: know", names),
        lookalikes=tuple(
            _lookalike(one, f"{where}: lookalikes {n}", name, names) for n, one in enumerate(row["lookalikes"])
        ),
        months=tuple(months),
        season=_fact(season, f"{where}: season", names),
        habitat=_fact(row["habitat"], f"{where}: habitat", names),
        range=_fact(row["range"], f"{where}: range", names),
        poison_to=to,
        poison=_fact(poison, f"{where}: poison", names),
        stories=_facts(row["stories"], f"{where}: stories", names),
    )


def _facts(rows: Any, where: str, names: Names) -> tuple[Fact, ...]:
    if not isinstance(rows, list) or not rows:
        raise BundleError(f"{where}: expected facts, found none")
    return tuple(_fact(row, f"{where} {n}", names) for n, row in enumerate(rows))


def _fact(row: Any, where: str, names: Names) -> Fact:
    text, sources = _both(row, where), tuple(row.get("sources", ()))
    if not sources:
        raise BundleError(f"{where}: expected a source for every fact, found none")
    ask = row.get("ask")
    also = tuple(ask.get("also", ())) if ask else ()
    if not set(also) <= set(names):
        raise BundleError(f"{where}: ask: `also` names a flower that the app does not know")
    return Fact(text=text, sources=sources, ask=_both(ask, f"{where}: ask") if ask else None, also=also)


def _lookalike(row: Any, where: str, name: str, names: Names) -> LookAlike:
    tell = _fact(row, where, names)
    if "id" in row:
        if row["id"] not in names or row["id"] == name:
            raise BundleError(f"{where}: expected the id of another flower, found {row['id']!r}")
        latin, english, zh = names[row["id"]]
        return LookAlike(id=row["id"], latin=latin or "", name=Both(en=english, zh=zh or english), tell=tell)
    other = row.get("name", {})
    return LookAlike(latin=_text(where, other.get("latin")), name=_both(other, where), tell=tell)


def _source(name: str, row: Any) -> Source:
    where = f"sources.json: {name}"
    try:
        source = Source(**row)
    except TypeError as error:
        raise BundleError(f"{where}: has missing or unknown fields ({error})") from error
    _text(where, source.title)
    _text(where, source.publisher)
    if source.url and not source.url.startswith(("https://", "http://")):
        raise BundleError(f"{where}: expected an address of the web, found {source.url!r}")
    return source


def _advice(row: Any, where: str) -> Advice:
    _expect(where, row, {"title", "todo", "sources"})
    return Advice(title=_both(row["title"], where), todo=_both(row["todo"], where), sources=tuple(row["sources"]))


def _both(row: Any, where: str) -> Both:
    if not isinstance(row, dict):
        raise BundleError(f"{where}: expected a text in {' and '.join(LANGUAGES)}, found {row!r}")
    return Both(en=_text(f"{where}: en", row.get("en")), zh=_text(f"{where}: zh", row.get("zh")))


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or value != value.strip():
        raise BundleError(f"{where}: expected a text, found {value!r}")
    return value


def _expect(where: str, row: Any, fields: set[str]) -> None:
    if not isinstance(row, dict) or set(row) != fields:
        raise BundleError(f"{where}: expected the fields {', '.join(sorted(fields))}")


def _refuse_unknown_sources(
    articles: Mapping[str, Article], advice: Mapping[str, Advice], sources: Mapping[str, Source]
) -> None:
    cited = {f"poison.json: {level}": one.sources for level, one in advice.items()}
    for name, article in articles.items():
        cited |= {f"{name}.json: {place}": fact.sources for place, fact in article.facts().items()}
    for where, keys in cited.items():
        for key in keys:
            if key not in sources:
                raise BundleError(f"{where}: cites {key!r}, which sources.json does not list")
    unused = sorted(set(sources) - {key for keys in cited.values() for key in keys})
    if unused:
        raise BundleError(f"sources.json: nothing cites {unused[0]}; remove it or cite it")
