"""What the schema registry remembers, in one SQLite file.

A registration is on disk before it is answered (write-ahead log, synchronous FULL), so that a
killed registry never forgets an id that is already inside a message.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asknown.contracts.compatibility import Difference, Level, canonical, violations

DEFAULT_LEVEL = Level.BACKWARD
_TABLES = """
CREATE TABLE IF NOT EXISTS schema (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    canonical TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS version (
    subject TEXT NOT NULL,
    version INTEGER NOT NULL,
    schema_id INTEGER NOT NULL REFERENCES schema (id),
    PRIMARY KEY (subject, version),
    UNIQUE (subject, schema_id)
);
CREATE TABLE IF NOT EXISTS level (subject TEXT PRIMARY KEY, level TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Version:
    """One version of a subject."""

    subject: str
    version: int
    id: int
    schema: str


class IncompatibleError(Exception):
    """A new version breaks the subject's compatibility level."""

    def __init__(self, level: Level, differences: list[Difference]) -> None:
        """Take the level and what breaks it."""
        super().__init__(f"{level}: " + "; ".join(str(d) for d in differences))
        self.differences = differences


class Store:
    """Schemas, subjects and levels; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def register(self, subject: str, text: str) -> Version:
        """Return the version of this schema in the subject, adding it when it is new.

        Raises:
            IncompatibleError: the subject's level forbids it.
        """
        identity = canonical(text)
        with self._transaction() as db:
            known = _find(db, subject, identity)
            if known:
                return known
            level = _level(db, subject) or _level(db, "") or DEFAULT_LEVEL
            earlier = _versions(db, subject)
            broken = violations(level, text, [version.schema for version in earlier])
            if broken:
                raise IncompatibleError(level, broken)
            db.execute(
                "INSERT OR IGNORE INTO schema (canonical, text) VALUES (?, ?)", (identity, text)
            )
            row = db.execute(
                "SELECT id, text FROM schema WHERE canonical = ?", (identity,)
            ).fetchone()
            number = earlier[-1].version + 1 if earlier else 1
            db.execute("INSERT INTO version VALUES (?, ?, ?)", (subject, number, row[0]))
            return Version(subject, number, row[0], row[1])

    def find(self, subject: str, text: str) -> Version | None:
        """Return the version of this schema in the subject, or None."""
        identity = canonical(text)
        with self._transaction() as db:
            return _find(db, subject, identity)

    def versions(self, subject: str) -> list[Version]:
        """Return a subject's versions, oldest first."""
        with self._transaction() as db:
            return _versions(db, subject)

    def subjects(self) -> list[str]:
        """Return every subject, sorted."""
        with self._transaction() as db:
            rows = db.execute("SELECT DISTINCT subject FROM version ORDER BY subject")
            return [row[0] for row in rows]

    def schema(self, schema_id: int) -> str | None:
        """Return the text of a schema, or None."""
        with self._transaction() as db:
            row = db.execute("SELECT text FROM schema WHERE id = ?", (schema_id,)).fetchone()
            return None if row is None else str(row[0])

    def uses(self, schema_id: int) -> list[Version]:
        """Return every subject's version that is this schema."""
        query = _SELECT + " WHERE v.schema_id = ? ORDER BY v.subject, v.version"
        with self._transaction() as db:
            return [Version(*row) for row in db.execute(query, (schema_id,))]

    def level(self, subject: str = "") -> Level | None:
        """Return the level set for a subject (or, with '', for all), or None."""
        with self._transaction() as db:
            return _level(db, subject)

    def set_level(self, level: Level, subject: str = "") -> None:
        """Set the level of a subject, or with '' of all that have none."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO level VALUES (?, ?)", (subject, str(level)))


_SELECT = (
    "SELECT v.subject, v.version, s.id, s.text FROM version v JOIN schema s ON s.id = v.schema_id"
)


def _find(db: sqlite3.Connection, subject: str, identity: str) -> Version | None:
    query = _SELECT + " WHERE v.subject = ? AND s.canonical = ?"
    row = db.execute(query, (subject, identity)).fetchone()
    return None if row is None else Version(*row)


def _versions(db: sqlite3.Connection, subject: str) -> list[Version]:
    query = _SELECT + " WHERE v.subject = ? ORDER BY v.version"
    return [Version(*row) for row in db.execute(query, (subject,))]


def _level(db: sqlite3.Connection, subject: str) -> Level | None:
    row = db.execute("SELECT level FROM level WHERE subject = ?", (subject,)).fetchone()
    return None if row is None else Level(row[0])
