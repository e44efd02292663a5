"""What people call the object network's labels, in both languages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobile_app.core.errors import BundleError
from mobile_app.core.objects import load_object_names


def test_every_label_of_the_object_network_has_a_name_of_its_own_in_both_languages(root: Path) -> None:
    labels = (root / "mobile_app" / "bundle" / "imagenet.labels.txt").read_text(encoding="utf-8").split("\n")
    found = load_object_names()
    assert list(found) == [label for label in labels if label]  # all thousand, in their order
    for language in ("en", "zh"):
        assert len({names[language] for names in found.values()}) == 1000
    for names in found.values():
        assert any("\u4e00" <= sign <= "\u9fff" for sign in names["zh"]), names
        assert not any("\u4e00" <= sign <= "\u9fff" for sign in names["en"]), names
        assert len(names["zh"]) <= 10, names  # it stands on one line beside a share
        assert len(names["en"]) <= 30, names


@pytest.mark.parametrize(
    ("label", "english", "chinese"),
    [
        ("crane bird", "crane", "鹤"),
        ("crane", "crane, the machine", "起重机"),
        ("Cardigan", "Cardigan corgi", "卡迪根柯基犬"),
        ("cardigan", "cardigan", "开襟毛衣"),
        ("lesser panda", "red panda", "小熊猫"),
        ("Madagascar cat", "ring-tailed lemur", "环尾狐猴"),
        ("robin", "robin", "旅鸫"),  # the American one
        ("tarantula", "tarantula", "捕鸟蛛"),
        ("wolf spider", "wolf spider", "狼蛛"),
        ("swab", "mop", "拖把"),
        ("plane", "wood plane", "刨子"),
        ("pick", "plectrum", "拨片"),
        ("mouse", "computer mouse", "鼠标"),
    ],
)
def test_names_follow_what_the_network_was_shown_and_not_the_bare_word(label: str, english: str, chinese: str) -> None:
    assert load_object_names()[label] == {"en": english, "zh": chinese}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            {"hen": {"en": "hen", "zh": "鸡"}, "cock": {"en": "cockerel", "zh": "鸡"}},
            "cock: expected a name of its own, found that of hen",
        ),
        ({"hen": {"en": "hen", "zh": " "}}, "hen: expected a name, found ' '"),
        ({"hen": {"en": 7, "zh": "母鸡"}}, "hen: expected a name, found 7"),
        ({"hen": {"en": "hen"}}, "hen: expected names in en, zh"),
        ({"hen": "母鸡"}, "hen: expected names in en, zh"),
    ],
)
def test_a_name_that_is_missing_or_given_twice_is_refused(
    tmp_path: Path, content: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "objects.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(BundleError, match=complaint):
        load_object_names(path)
