"""A history keeps the newest entries and their files, and nothing of those that it dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobile_app.core.history import History, folder_bytes


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "recent", most=3)


def add(history: History, name: str) -> None:
    (history.files(name) / "photo.jpg").write_bytes(b"12345")
    history.add({"id": name, "name": name.upper()})


def test_the_newest_stands_first_and_the_oldest_goes_with_its_files(history: History) -> None:
    for name in "abcd":
        add(history, name)
    assert [entry["id"] for entry in history.entries()] == ["d", "c", "b"]
    assert sorted(path.name for path in history.folder.iterdir()) == ["b", "c", "d", "list.json"]


def test_an_entry_with_a_known_id_takes_its_place_in_front(history: History) -> None:
    for name in "ab":
        add(history, name)
    history.add({"id": "a", "name": "again"})
    assert [entry["name"] for entry in history.entries()] == ["again", "B"]
    assert (history.files("a") / "photo.jpg").is_file()


def test_an_update_leaves_the_order_as_it_is(history: History) -> None:
    for name in "ab":
        add(history, name)
    history.update({"id": "a", "name": "new"})
    history.update({"id": "gone", "name": "nobody"})
    assert [entry["name"] for entry in history.entries()] == ["B", "new"]


def test_an_entry_is_found_and_removed_with_its_files(history: History) -> None:
    add(history, "a")
    assert history.find("a") == {"id": "a", "name": "A"}
    history.remove("a")
    history.remove("a")
    assert history.find("a") is None
    assert not (history.folder / "a").exists()


@pytest.mark.parametrize("content", ["", "{}", '[1, "a", {"name": "no id"}, {"id": "../up"}]'])
def test_a_damaged_list_is_empty(history: History, content: str) -> None:
    history.folder.mkdir()
    (history.folder / "list.json").write_text(content, encoding="utf-8")
    assert history.entries() == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-x"])
def test_an_id_that_could_lead_elsewhere_is_refused(history: History, name: str) -> None:
    with pytest.raises(ValueError, match="id: expected"):
        history.files(name)
    with pytest.raises(ValueError, match="id: expected"):
        history.add({"id": name})


def test_erasing_forgets_everything(history: History) -> None:
    add(history, "a")
    assert history.size_bytes() == folder_bytes(history.folder) > 5
    history.erase()
    assert history.entries() == []
    assert history.size_bytes() == 0


def test_a_history_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="most: expected 1"):
        History(tmp_path, most=0)
