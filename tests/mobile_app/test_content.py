"""The content that ships: complete in both languages, every fact sourced, every picture there and small."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mobile_app.core.articles import LANGUAGES, LEVELS, WHOM, Article, Library
from mobile_app.core.errors import BundleError
from mobile_app.core.library import DEFAULT_ROOT, load_library
from mobile_app.core.species import load_species

CHINESE = re.compile("[\u4e00-\u9fff]")
# What no article may tell anybody to do: flowers are named here by a network that errs.
EATING = re.compile(r"\b(edible|recipe|salad|delicious|tasty|cook(ed|ing)?)\b|可食|食用|好吃|凉拌|药膳", re.IGNORECASE)


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library()


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A copy of the content to damage."""
    return Path(shutil.copytree(DEFAULT_ROOT, tmp_path / "content"))


def test_every_species_has_an_article_and_every_article_is_of_a_species(library: Library) -> None:
    assert set(library.articles) == set(load_species())
    assert {path.stem for path in (DEFAULT_ROOT / "articles").glob("*.json")} == set(load_species())


def test_every_text_of_the_chinese_side_is_chinese_and_none_of_the_english(library: Library) -> None:
    for where, row in texts(library):
        assert CHINESE.search(row["zh"]), where
        assert not CHINESE.search(row["en"]), where


def test_an_english_sentence_ends_as_a_sentence(library: Library) -> None:
    for article in library.articles.values():
        for place, fact in article.facts().items():
            assert fact.text.en[-1] in ".”", f"{article.id}: {place}"
            assert fact.text.zh[-1] in "。”", f"{article.id}: {place}"
            if fact.ask is not None:
                assert fact.ask.en.endswith("?"), f"{article.id}: {place}"
                assert fact.ask.zh.endswith("？"), f"{article.id}: {place}"  # noqa: RUF001


def test_a_lead_has_two_sentences(library: Library) -> None:
    for article in library.articles.values():
        assert 2 <= len(re.findall(r"[.!?](?: |$)", article.lead.en)) <= 3, article.id


def test_every_article_has_enough_to_read_and_to_ask(library: Library) -> None:
    for article in library.articles.values():
        assert len(article.know) >= 2, article.id
        assert len(article.lookalikes) >= 2, article.id
        assert len(article.stories) >= 2, article.id
        assert sum(fact.ask is not None for fact in article.facts().values()) >= 2, article.id


def test_no_question_names_its_answer(library: Library) -> None:
    for article in library.articles.values():
        for place, fact in article.facts().items():
            if fact.ask is not None:
                assert article.name.en not in fact.ask.en.lower(), f"{article.id}: {place}"
                assert article.name.zh not in fact.ask.zh, f"{article.id}: {place}"


def test_nothing_invites_anybody_to_eat_a_plant(library: Library) -> None:
    for where, row in texts(library):
        for text in row.values():
            assert not EATING.search(text), f"{where}: {text}"


def test_what_is_known_to_kill_is_called_dangerous(library: Library) -> None:
    to = {name: article.poison_to for name, article in library.articles.items()}
    assert to["lily_of_the_valley"]["people"] == "dangerous"  # cardiac glycosides
    assert to["coltsfoot"]["people"] == "dangerous"  # pyrrolizidine alkaloids
    assert to["tigerlily"]["cats"] == "dangerous"  # kidney failure
    assert to["daffodil"]["dogs"] == "dangerous"
    assert library.articles["daisy"].poison_level == "none"


def test_every_source_says_who_published_it(library: Library) -> None:
    for key, source in library.sources.items():
        assert source.year is not None or source.url or "century" in source.line() or "written" in source.line() or (
            "compiled" in source.line()
        ), key  # fmt: skip


def test_the_pictures_are_small_and_of_one_size(library: Library) -> None:
    paths = sorted((DEFAULT_ROOT / "pictures").glob("*.jpg"))
    assert {path.stem for path in paths} == set(library.articles)
    assert sum(path.stat().st_size for path in paths) < 600_000
    for path in paths:
        with Image.open(path) as picture:
            assert picture.size == (512, 512), path.name
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 60, path.name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda row: row["lead"].pop("zh"), "lead"),
        (lambda row: row["know"][0].update(sources=[]), "source for every fact"),
        (lambda row: row["know"][0].update(sources=["nobody"]), "nobody"),
        (lambda row: row["know"][0].update(zh=" "), "expected a text"),
        (lambda row: row["season"].update(months=[4, 13]), "months"),
        (lambda row: row["season"].update(months=[5, 4]), "months"),
        (lambda row: row["lookalikes"][0].update(id="orchid"), "another flower"),
        (lambda row: row["lookalikes"][0].update(id="rose"), "another flower"),
        (lambda row: row["poison"]["to"].pop("cats"), "poison"),
        (lambda row: row["poison"]["to"].update(cats="deadly"), "poison"),
        (lambda row: row.pop("stories"), "fields"),
        (lambda row: row.update(stories=[]), "expected facts"),
    ],
)
def test_an_article_with_a_fault_is_refused_by_name(content: Path, change: Any, sentence: str) -> None:
    path = content / "articles" / "rose.json"
    row = json.loads(path.read_text(encoding="utf-8"))
    change(row)
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(BundleError, match=sentence) as caught:
        load_library(content)
    assert "rose.json" in str(caught.value)


def test_a_source_that_nothing_cites_is_refused(content: Path) -> None:
    path = content / "sources.json"
    row = json.loads(path.read_text(encoding="utf-8"))
    row["spare"] = {"title": "A book", "publisher": "A house", "year": 1900}
    path.write_text(json.dumps(row), encoding="utf-8")
    with pytest.raises(BundleError, match="spare"):
        load_library(content)


@pytest.mark.parametrize("name", ["articles/rose.json", "sources.json", "poison.json", "pictures/rose.jpg"])
def test_a_file_that_is_missing_is_named(content: Path, name: str) -> None:
    (content / name).unlink()
    with pytest.raises(BundleError, match=re.escape(Path(name).name)):
        load_library(content)


def test_every_level_of_poison_says_what_to_do(library: Library) -> None:
    assert tuple(library.advice) == LEVELS
    assert all(set(article.poison_to) == set(WHOM) for article in library.articles.values())


def texts(library: Library) -> list[tuple[str, dict[str, str]]]:
    """Every text of every article by language, with where it stands."""
    rows = []
    for article in library.articles.values():
        rows += [(f"{article.id}: {place}", texts_of(both)) for place, both in _boths(article)]
    return rows


def texts_of(both: Any) -> dict[str, str]:
    return {language: both.of(language) for language in LANGUAGES}


def _boths(article: Article) -> list[tuple[str, Any]]:
    facts = article.facts()
    asks = [(f"{place}: ask", fact.ask) for place, fact in facts.items() if fact.ask is not None]
    return [("name", article.name), ("family", article.family), ("lead", article.lead), *asks,
            *((place, fact.text) for place, fact in facts.items())]  # fmt: skip
