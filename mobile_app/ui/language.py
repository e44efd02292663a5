"""A key in, a sentence in the person's language out. The sentences are data: text/<language>/<screen>.json.

A key is `<screen>.<name>`: t("home.title") is the entry `title` of text/en/home.json. A catalogue is read when the
first of its keys is asked for, so that starting the app reads one or two of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEXT = Path(__file__).parent / "text"
LANGUAGES = {"en": "English", "zh": "中文"}
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
FALLBACK = "en"


class Catalogue:
    """The sentences of one language: `t(key, **values)`."""

    def __init__(self, language: str, folder: Path = TEXT) -> None:
        self.language = language if language in LANGUAGES else FALLBACK
        self._folder = folder
        self._read: dict[tuple[str, str], dict[str, str]] = {}

    @property
    def is_rtl(self) -> bool:
        return self.language in RIGHT_TO_LEFT

    def __call__(self, key: str, /, **values: Any) -> str:
        """The sentence of a key with its {names} filled in; English where this language lacks it.

        Raises: KeyError if English lacks it too.
        """
        sentence = self._find(self.language, key)
        if sentence is None:
            sentence = self._find(FALLBACK, key)
        if sentence is None:
            raise KeyError(key)
        return sentence.format_map(values) if values else sentence

    def count(self, key: str, n: int, /, **values: Any) -> str:
        """Like a call, with {n}; the entry `<key>.one` is taken for 1 where there is one."""
        single = f"{key}.one"
        return self(single if n == 1 and self.has(single) else key, n=n, **values)

    def or_else(self, key: str, other: str) -> str:
        """The sentence of a key that data was put into, or the data itself where it is new to this version."""
        return self(key) if self.has(key) else other

    def has(self, key: str) -> bool:
        return self._find(self.language, key) is not None

    def _find(self, language: str, key: str) -> str | None:
        part, _, name = key.partition(".")
        if (language, part) not in self._read:
            path = self._folder / language / f"{part}.json"
            self._read[language, part] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return self._read[language, part].get(name)


def best_language(tags: list[str]) -> str:
    """The first language of the system, as zh-Hans-CN or en_GB, that the app speaks; English if none."""
    for tag in tags:
        language = tag.replace("_", "-").partition("-")[0].lower()
        if language in LANGUAGES:
            return language
    return FALLBACK
