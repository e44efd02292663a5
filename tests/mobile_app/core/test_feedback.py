"""Recognised photos and what was said about them: kept, forgotten, exported; damage, a full disk, two processes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mobile_app.core.feedback import FILE, FeedbackError, FeedbackStore

NOW = datetime(2026, 5, 20, 12, 30, tzinfo=UTC)
JPEG = b"\xff\xd8" + bytes(range(256)) * 4


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / FILE)


def add(store: FeedbackStore, species: str = "rose", *, unsure: bool = False, thumbnail: bytes = JPEG) -> int:
    return store.add(species=species, confidence=0.9, unsure=unsure, bundle="0.1.0", thumbnail=thumbnail, now=NOW)


def test_what_was_recognised_is_kept_newest_first(store: FeedbackStore) -> None:
    first, second = add(store), add(store, "tulip", unsure=True)
    newest, oldest = store.entries()
    assert (newest.id, newest.species, newest.unsure) == (second, "tulip", True)
    assert (oldest.id, oldest.confidence, oldest.bundle, oldest.time) == (first, 0.9, "0.1.0", NOW)
    assert store.thumbnail(first) == JPEG
    assert store.find(first) == oldest
    assert store.find(99) is store.thumbnail(99) is None


@pytest.mark.parametrize(
    ("verdict", "said", "shows"),
    [(None, None, "rose"), ("right", None, "rose"), ("other", "tulip", "tulip"), ("none", None, None)],
)
def test_what_a_photo_shows_is_what_the_person_said(
    store: FeedbackStore, verdict: str | None, said: str | None, shows: str | None
) -> None:
    entry_id = add(store)
    store.say(entry_id, verdict, said)
    entry = store.find(entry_id)
    assert entry is not None
    assert (entry.verdict, entry.said, entry.is_of) == (verdict, said, shows)
    assert store.photos() == ({shows: [entry_id]} if shows else {})


def test_an_unsure_guess_shows_nothing_until_it_is_confirmed(store: FeedbackStore) -> None:
    entry_id = add(store, unsure=True)
    assert store.photos() == {}
    store.say(entry_id, "right")
    assert store.photos() == {"rose": [entry_id]}


@pytest.mark.parametrize(("verdict", "said"), [("maybe", None), ("other", None), ("right", "tulip"), (None, "tulip")])
def test_a_verdict_that_makes_no_sense_is_refused(store: FeedbackStore, verdict: str | None, said: str | None) -> None:
    with pytest.raises(ValueError, match=r"verdict|said"):
        store.say(add(store), verdict, said)


def test_one_photo_is_forgotten_bytes_and_all(store: FeedbackStore, tmp_path: Path) -> None:
    secret = b"the garden behind my house" * 40
    gone, kept = add(store, thumbnail=secret), add(store)
    assert secret in (tmp_path / FILE).read_bytes()
    store.delete(gone)
    assert [entry.id for entry in store.entries()] == [kept]
    assert b"behind my house" not in (tmp_path / FILE).read_bytes()


def test_all_is_forgotten_and_the_room_given_back(store: FeedbackStore) -> None:
    for _ in range(30):
        add(store, thumbnail=bytes(20_000))
    large = store.size_bytes()
    store.delete_all()
    assert store.entries() == []
    assert store.size_bytes() < large / 10


def test_the_export_says_all_and_holds_photos_only_if_asked(store: FeedbackStore, tmp_path: Path) -> None:
    store.say(add(store), "other", "tulip")
    add(store, "iris")
    target = tmp_path / "export.json"
    assert store.export(target, with_thumbnails=False, now=NOW) == 2
    rows = json.loads(target.read_text(encoding="utf-8"))["photos"]
    assert [(row["species"], row["verdict"], row["said"]) for row in rows] == [
        ("iris", None, None),
        ("rose", "other", "tulip"),
    ]
    assert not any("thumbnail_jpeg_base64" in row for row in rows)
    store.export(target, with_thumbnails=True, now=NOW)
    assert '"thumbnail_jpeg_base64": "/9gA' in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "damage", [b"not a database at all, by no means" * 100, b"SQLite format 3\x00" + b"\xaa" * 4000]
)
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / FILE
    path.write_bytes(damage)
    store = FeedbackStore(path)
    assert store.entries() == []
    assert store.moved_aside is not None
    assert store.moved_aside.read_bytes() == damage
    add(store)
    assert len(FeedbackStore(path).entries()) == 1


def test_a_list_of_a_later_version_is_left_as_it_is(store: FeedbackStore, tmp_path: Path) -> None:
    add(store)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    with pytest.raises(FeedbackError, match="expected schema 1, found 7; update"):
        store.entries()
    assert store.moved_aside is None


def test_a_full_disk_is_a_sentence_and_loses_nothing(store: FeedbackStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store)
    connect = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        db = connect(*args, **options)  # type: ignore[call-overload]
        db.execute("PRAGMA max_page_count = 4")  # SQLite's own way to have a full disk
        return db

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(FeedbackError, match="no room left"):
        add(store, thumbnail=bytes(100_000))
    monkeypatch.undo()
    assert len(store.entries()) == 1


def test_a_file_in_use_is_a_sentence(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / FILE, wait_seconds=0.05)
    add(store)
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(FeedbackError, match="another program"):
        store.entries()
    other.execute("ROLLBACK")
    other.close()
    assert len(store.entries()) == 1


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(FeedbackError, match="folder"):
        FeedbackStore(tmp_path / "file" / FILE).entries()


def test_threads_share_the_list(store: FeedbackStore) -> None:
    threads = [threading.Thread(target=lambda: [add(store) for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({entry.id for entry in store.entries()}) == 20


def test_two_processes_begin_one_list_together(tmp_path: Path, root: Path) -> None:
    code = (
        "import sys; from datetime import datetime, timezone; from pathlib import Path\n"
        "from mobile_app.core.feedback import FeedbackStore\n"
        "s = FeedbackStore(Path(sys.argv[1]))\n"
        "for _ in range(10): s.add(species='rose', confidence=1, unsure=False, bundle='0', thumbnail=b'x',"
        " now=datetime.now(timezone.utc))\n"
    )
    path = tmp_path / FILE
    runs = [subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=root) for _ in range(2)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert len(FeedbackStore(path).entries()) == 20
