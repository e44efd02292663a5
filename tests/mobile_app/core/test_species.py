"""The names of the flowers that ship, and what is refused as a list of names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mobile_app.core.errors import BundleError
from mobile_app.core.species import Species, load_species, named

IDS = (
    "bluebell buttercup coltsfoot cowslip crocus daffodil daisy dandelion fritillary iris lily_of_the_valley pansy "
    "rose snowdrop sunflower tigerlily tulip windflower"
).split()
GOOD = {"latin": "Bellis perennis", "english": "daisy", "zh": "雏菊"}


def test_the_eighteen_species_are_named_in_three_languages():
    found = load_species()
    assert list(found) == IDS
    for one in found.values():
        assert re.fullmatch(r"[A-Z][a-z]+( (× )?[a-z-]+)?", one.latin or ""), one
        assert re.fullmatch(r"[a-z ]+", one.english), one
        assert re.fullmatch(r"[\u4e00-\u9fff]+", one.zh or ""), one
        assert one.english.replace(" ", "") == one.id.replace("_", "")


@pytest.mark.parametrize(
    ("name", "latin", "zh"),
    [
        ("windflower", "Anemone nemorosa", "丛林银莲花"),
        ("tigerlily", "Lilium lancifolium", "卷丹"),
        ("cowslip", "Primula veris", "黄花九轮草"),
    ],
)
def test_names_that_are_easily_mistaken(name, latin, zh):
    assert (load_species()[name].latin, load_species()[name].zh) == (latin, zh)


def test_a_genus_says_that_it_is_one():
    for one in load_species().values():
        assert (" " not in (one.latin or "")) == (one.zh or "").endswith("属")


def test_an_id_that_is_not_listed_goes_by_itself():
    assert named("passion_flower", load_species()) == Species(id="passion_flower", english="passion flower")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"daisy": {**GOOD, "colour": "white"}}, "daisy: expected the fields latin, english, zh"),
        ({"daisy": {"latin": "Bellis perennis"}}, "daisy: expected the fields"),
        ({"daisy": "Bellis"}, "daisy: expected the fields"),
        ({"daisy": {**GOOD, "zh": ""}}, "daisy: expected a name as zh"),
        ({"daisy": {**GOOD, "latin": 3}}, "daisy: expected a name as latin"),
        ({"daisy": {**GOOD, "english": " daisy"}}, "daisy: expected a name as english"),
        ({"Daisy": GOOD}, "expected an id of small letters"),
        ({"daisy": GOOD, "rose": {**GOOD, "english": "rose", "zh": "蔷薇"}}, "latin: Bellis perennis stands for two"),
        ({}, "expected an object with entries"),
        ([], "expected an object with entries"),
    ],
)
def test_a_wrong_list_is_refused_by_the_entry(tmp_path: Path, content, words):
    path = tmp_path / "species.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleError, match=f"^species.json: {words}"):
        load_species(path)


def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(BundleError, match="cannot be read"):
        load_species(tmp_path / "species.json")
    (tmp_path / "species.json").write_bytes(b"{")
    with pytest.raises(BundleError, match="cannot be read"):
        load_species(tmp_path / "species.json")
