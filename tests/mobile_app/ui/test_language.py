"""The catalogues: both languages say the same things, every key in the code is there, every character has a glyph."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import pytest

from mobile_app.ui.language import FALLBACK, LANGUAGES, TEXT, Catalogue, best_language

UI = TEXT.parent
CONTENT = UI.parent / "content"
PLAIN_ALONE = ("objects.json",)  # shown in running text alone: the plain face is enough


def catalogues(language: str) -> dict[str, str]:
    return {
        f"{path.stem}.{name}": sentence
        for path in sorted((TEXT / language).glob("*.json"))
        for name, sentence in json.loads(path.read_text(encoding="utf-8")).items()
    }


def test_every_language_has_every_sentence_and_no_other() -> None:
    wanted = set(catalogues(FALLBACK))
    for language in LANGUAGES:
        found = {key for key in catalogues(language) if not key.endswith(".one")}
        assert found == {key for key in wanted if not key.endswith(".one")}, language


def test_every_sentence_has_the_same_places_to_fill_in() -> None:
    english = catalogues(FALLBACK)
    for language in LANGUAGES:
        for key, sentence in catalogues(language).items():
            if key in english and not key.endswith(".one"):
                assert _places(sentence) == _places(english[key]), f"{language}: {key}"


def test_no_sentence_is_empty_or_has_spaces_around_it() -> None:
    for language in LANGUAGES:
        for key, sentence in catalogues(language).items():
            assert sentence, f"{language}: {key}"
            if re.search(r"\w", sentence):  # else it is what stands between two
                assert sentence.strip() == sentence, f"{language}: {key}"


def test_chinese_sentences_are_chinese() -> None:
    def untranslated(text: str) -> bool:
        said = re.sub(r"{\w+}", "", text)
        return not re.search("[\u4e00-\u9fff]", said) and re.search("[A-Za-z]{4,}", said) is not None

    assert [key for key, text in catalogues("zh").items() if untranslated(text)] == []


def test_every_key_in_the_code_is_in_the_catalogue() -> None:
    english = catalogues(FALLBACK)
    missing = {
        f"{path.name}: {key}"
        for path in sorted(UI.rglob("*.py"))
        for key in keys(path)
        if not any(re.fullmatch(key, known) for known in english)
    }
    assert not missing


def test_every_sentence_is_asked_for_somewhere() -> None:
    asked = [key for path in sorted(UI.rglob("*.py")) for key in keys(path)]
    unused = [
        key
        for key in catalogues(FALLBACK)
        if not any(re.fullmatch(pattern, key.removesuffix(".one")) for pattern in asked)
    ]
    assert not unused


def test_every_shown_character_is_in_the_fonts() -> None:
    tools = pytest.importorskip("fontTools.ttLib", reason="needs fonttools: pip install fonttools")
    for name in ("sans-regular.otf", "sans-bold.otf", "serif-bold.otf"):
        left_out = () if name == "sans-regular.otf" else PLAIN_ALONE
        paths = [path for folder in (TEXT, CONTENT) for path in folder.rglob("*.json") if path.name not in left_out]
        texts = [path.read_text(encoding="utf-8") for path in paths]
        wanted = {sign for text in texts for sign in text if sign.isprintable()} | set(string.printable[:95])
        with tools.TTFont(UI / "fonts" / name) as font:
            known = font.getBestCmap()
        missing = sorted(character for character in wanted if ord(character) not in known)
        assert not missing, f"{name} lacks {''.join(missing)}; run python -m export.fonts"


def test_the_fonts_are_small_and_their_licences_stand_beside_them() -> None:
    folder = UI / "fonts"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    assert "SIL OPEN FONT LICENSE" in (folder / "LICENSE-noto.txt").read_text(encoding="utf-8")
    assert "MIT License" in (folder / "LICENSE-phosphor.txt").read_text(encoding="utf-8")


def test_a_sentence_is_filled_in_and_counted() -> None:
    english, chinese = Catalogue("en"), Catalogue("zh")
    assert english.count("protect.start", 1) == "Protect this photo"
    assert english.count("protect.start", 3) == "Protect 3 photos"
    assert "3" in chinese.count("protect.start", 3)
    assert english("protect.step_of", step=2, steps=9) == "Step 2 of 9"


def test_what_a_language_lacks_is_said_in_english_and_what_is_nowhere_raises(tmp_path: Path) -> None:
    for language, content in (("en", {"a": "one", "b": "two"}), ("zh", {"a": "一"})):
        (tmp_path / language).mkdir()
        (tmp_path / language / "x.json").write_text(json.dumps(content), encoding="utf-8")
    chinese = Catalogue("zh", tmp_path)
    assert (chinese("x.a"), chinese("x.b")) == ("一", "two")
    with pytest.raises(KeyError, match=r"x\.c"):
        chinese("x.c")


def test_data_that_is_new_to_the_catalogues_stands_for_itself() -> None:
    for language in LANGUAGES:
        catalogue = Catalogue(language)
        assert catalogue.or_else("settings.task_classify", "classify") == catalogue("settings.task_classify")
        assert catalogue.or_else("settings.task_of_tomorrow", "of tomorrow") == "of tomorrow"
    manifest = json.loads((UI.parent / "bundle" / "manifest.json").read_text(encoding="utf-8"))
    assert all(Catalogue("zh").has(f"settings.task_{graph['task']}") for graph in manifest["graphs"].values())


@pytest.mark.parametrize(
    ("tags", "language"),
    [(["zh-Hans-CN"], "zh"), (["zh_CN.UTF-8", "en"], "zh"), (["de_DE", "en_GB"], "en"), (["fr"], "en"), ([], "en")],
)
def test_the_language_is_the_first_of_the_system_that_the_app_speaks(tags: list[str], language: str) -> None:
    assert best_language(tags) == language


def keys(path: Path) -> set[str]:
    """The keys that a module asks for, as patterns: what an f-string fills in may be anything.

    Any string of the form `part.name`, where text/en/part.json exists, counts: keys are handed around too.
    """
    parts = {catalogue.stem for catalogue in (TEXT / FALLBACK).glob("*.json")}
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    pieces = {id(piece) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in ast.walk(tree):
        pattern = ""
        if id(node) in pieces or (isinstance(node, ast.Constant) and str(node.value).endswith(".json")):
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            pattern = re.escape(node.value)
        elif isinstance(node, ast.JoinedStr):
            pattern = "".join(re.escape(p.value) if isinstance(p, ast.Constant) else "[a-z0-9_]+" for p in node.values)
        if (match := re.match(r"([a-z]+)\\\.[a-z\[]", pattern)) and match[1] in parts and not re.search(r"\s", pattern):
            found.add(pattern)
    return found


def _places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
