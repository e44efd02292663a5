"""Recognised photos and what the person said about them, in an SQLite file on the device. Nothing is sent.

Each operation opens the file for itself, so that any thread and a second process may use it; they wait for one another.
A file that is damaged is moved aside and a new one begun: `moved_aside` says where to.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from mobile_app.core.errors import PetalveilError
from mobile_app.core.files import write_whole

FILE = "flowers.sqlite"
SCHEMA = 1
Result = TypeVar("Result")

VERDICTS = ("right", "other", "none")  # it was right; it is another species; it is none of those known

_WAIT_SECONDS = 5.0  # for another thread or process
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SENTENCES = {
    sqlite3.SQLITE_FULL: "there is no room left on the device; make room and try again",
    sqlite3.SQLITE_BUSY: "another program is using it; close that and try again",
    sqlite3.SQLITE_LOCKED: "another program is using it; close that and try again",
    sqlite3.SQLITE_READONLY: "it may not be written; change its permissions",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that its folder is there and may be written",
    sqlite3.SQLITE_IOERR: "the storage failed while it was used; check that there is room and try again",
}
_CREATE = """
CREATE TABLE recognised (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,           -- ISO 8601 with its offset
    species TEXT NOT NULL,        -- the first guess
    confidence REAL NOT NULL,     -- its probability
    unsure INTEGER NOT NULL,      -- 1 where the app said that it was not sure
    bundle TEXT NOT NULL,         -- version of the model bundle
    thumbnail BLOB NOT NULL,      -- JPEG
    verdict TEXT,                 -- right, other, none; NULL where nothing was said
    said TEXT                     -- the species that the person named
)
"""
_COLUMNS = "id, time, species, confidence, unsure, bundle, verdict, said"


class FeedbackError(PetalveilError):
    """The list of recognised photos cannot be read or written."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One recognised photo; its thumbnail is read on its own."""

    id: int
    time: datetime
    species: str
    confidence: float
    unsure: bool
    bundle: str
    verdict: str | None = None
    said: str | None = None

    @property
    def is_of(self) -> str | None:
        """The species it shows, as far as anybody knows: what the person said, else a guess that was sure."""
        match self.verdict:
            case "other":
                return self.said
            case "none":
                return None
            case "right":
                return self.species
            case _:
                return None if self.unsure else self.species


class FeedbackStore:
    """The list in one file, made when first needed."""

    def __init__(self, path: Path, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._path, self._wait = path, wait_seconds
        self.moved_aside: Path | None = None  # a damaged file that was found, under its new name

    def add(
        self, *, species: str, confidence: float, unsure: bool, bundle: str, thumbnail: bytes, now: datetime
    ) -> int:
        """Keep a recognised photo. Returns: its id. Raises: FeedbackError."""
        if not 0 <= confidence <= 1:
            raise ValueError(f"confidence: expected 0 to 1, got {confidence}")
        row = (now.isoformat(timespec="seconds"), species, confidence, int(unsure), bundle, thumbnail)
        sql = "INSERT INTO recognised (time, species, confidence, unsure, bundle, thumbnail) VALUES (?, ?, ?, ?, ?, ?)"
        return self._run(lambda db: _row_id(db.execute(sql, row)))

    def say(self, entry_id: int, verdict: str | None, said: str | None = None) -> None:
        """Keep what the person said, in place of what they said before; None takes it back.

        Raises: FeedbackError; ValueError for a verdict that is none, or a species where "other" does not ask for one.
        """
        if verdict is not None and verdict not in VERDICTS:
            raise ValueError(f"verdict: expected one of {', '.join(VERDICTS)}, got {verdict!r}")
        if (verdict == "other") != (said is not None):
            raise ValueError(f"said: expected a species with `other` alone, got {said!r} with {verdict!r}")
        self._run(
            lambda db: db.execute("UPDATE recognised SET verdict = ?, said = ? WHERE id = ?", (verdict, said, entry_id))
        )

    def entries(self, *, most: int = 1000) -> list[Entry]:
        """Newest first. Raises: FeedbackError."""
        sql = f"SELECT {_COLUMNS} FROM recognised ORDER BY id DESC LIMIT ?"
        return self._run(lambda db: [_entry(row) for row in db.execute(sql, (most,))])

    def find(self, entry_id: int) -> Entry | None:
        sql = f"SELECT {_COLUMNS} FROM recognised WHERE id = ?"
        return self._run(lambda db: next((_entry(row) for row in db.execute(sql, (entry_id,))), None))

    def thumbnail(self, entry_id: int) -> bytes | None:
        """The JPEG of a photo; None if it was deleted."""
        sql = "SELECT thumbnail FROM recognised WHERE id = ?"
        return self._run(lambda db: next((bytes(row[0]) for row in db.execute(sql, (entry_id,))), None))

    def photos(self, *, each: int = 8) -> dict[str, list[int]]:
        """The latest photos of each species, for the quiz and the articles: species -> ids."""
        found: dict[str, list[int]] = {}
        for entry in self.entries():
            if entry.is_of is not None and len(found.setdefault(entry.is_of, [])) < each:
                found[entry.is_of].append(entry.id)
        return found

    def delete(self, entry_id: int) -> None:
        """Forget one photo; its bytes are overwritten. Raises: FeedbackError."""
        self._run(lambda db: db.execute("DELETE FROM recognised WHERE id = ?", (entry_id,)))

    def delete_all(self) -> None:
        """Forget everything, and give the room back. Raises: FeedbackError."""
        self._run(lambda db: db.execute("DELETE FROM recognised"))
        try:
            with self._opened() as db:
                db.execute("VACUUM")
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def export(self, target: Path, *, with_thumbnails: bool, now: datetime) -> int:
        """Write the list as a JSON file in place of one that is there. Returns: how many photos it names.

        Raises: FeedbackError, OutputError.
        """
        rows = []
        for entry in self.entries(most=1_000_000):
            row: dict[str, Any] = {
                "time": entry.time.isoformat(), "species": entry.species, "confidence": round(entry.confidence, 6),
                "unsure": entry.unsure, "bundle": entry.bundle, "verdict": entry.verdict, "said": entry.said,
            }  # fmt: skip
            if with_thumbnails:
                row["thumbnail_jpeg_base64"] = base64.b64encode(self.thumbnail(entry.id) or b"").decode("ascii")
            rows.append(row)
        content = {"petalveil_flowers": SCHEMA, "exported": now.isoformat(timespec="seconds"), "photos": rows}
        write_whole(target, json.dumps(content, ensure_ascii=False, indent=1).encode(), force=True)
        return len(rows)

    def size_bytes(self) -> int:
        """What it takes on the device."""
        return self._path.stat().st_size if self._path.is_file() else 0

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do the work in one transaction; once more in a new file if the old one turns out to be damaged."""
        try:
            return self._once(work)
        except sqlite3.DatabaseError as error:
            if _code(error) & 0xFF not in _DAMAGED:
                raise self._failure(error) from error
        self._move_aside()
        try:
            return self._once(work)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _once(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._opened() as db, db:
            return work(db)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FeedbackError(f"{self._path.parent}: this folder cannot be made ({error.strerror})") from error
        with closing(sqlite3.connect(self._path, timeout=self._wait)) as db:
            db.execute("PRAGMA secure_delete = ON")
            self._bring_up(db)
            yield db

    def _bring_up(self, db: sqlite3.Connection) -> None:
        """Make the table in a new file. A later schema is refused: this version would not understand it."""
        if _schema(db) == SCHEMA:
            return
        db.execute("BEGIN IMMEDIATE")  # another process may be at it: look again once it is our turn
        with db:
            found = _schema(db)
            if found > SCHEMA:
                raise FeedbackError(f"{self._path.name}: expected schema {SCHEMA}, found {found}; update petalveil")
            if found == 0:
                db.execute(_CREATE)
                db.execute(f"PRAGMA user_version = {SCHEMA}")

    def _move_aside(self) -> None:
        target = self._path.with_name(f"{self._path.stem}.damaged{self._path.suffix}")
        try:
            self._path.replace(target)
            self._path.with_name(f"{self._path.name}-journal").unlink(missing_ok=True)
        except OSError as error:
            raise FeedbackError(
                f"{self._path.name}: damaged, and cannot be moved ({error.strerror}); delete it"
            ) from error
        self.moved_aside = target

    def _failure(self, error: sqlite3.Error) -> FeedbackError:
        reason = _SENTENCES.get(_code(error) & 0xFF, f"it cannot be used ({error}); close the app and open it again")
        return FeedbackError(f"{self._path.name}: {reason}")


def _code(error: sqlite3.Error) -> int:
    """SQLite's own number of an error; the low byte is what it is about."""
    return getattr(error, "sqlite_errorcode", 0) or 0


def _schema(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _row_id(cursor: sqlite3.Cursor) -> int:
    return int(cursor.lastrowid or 0)


def _entry(row: tuple[Any, ...]) -> Entry:
    entry_id, time, species, confidence, unsure, bundle, verdict, said = row
    return Entry(
        id=entry_id, time=datetime.fromisoformat(time), species=species, confidence=confidence, unsure=bool(unsure),
        bundle=bundle, verdict=verdict, said=said,
    )  # fmt: skip
