"""What the schema registry remembers, in one SQLite file.

A registration is on disk before it is answered (write-ahead log, synchronous FULL), so that a
killed registry never forgets an id that is already inside a message. An id belongs to one schema
for ever: a schema's row is never deleted, also where no version uses it any more.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asknown.contracts.compatibility import Difference, Level, canonical, violations

DEFAULT_LEVEL = Level.BACKWARD
FORMAT = 1  # of the file, as its user_version; 0 had no deletions
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
    deleted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subject, version)
);
CREATE TABLE IF NOT EXISTS level (subject TEXT PRIMARY KEY, level TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mode (subject TEXT PRIMARY KEY, mode TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Version:
    """One version of a subject; a deleted one is kept, and answered only when asked for."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False


class IncompatibleError(Exception):
    """A new version breaks the subject's compatibility level."""

    def __init__(self, level: Level, differences: list[Difference]) -> None:
        """Take the level and what breaks it."""
        super().__init__(f"{level}: " + "; ".join(str(d) for d in differences))
        self.differences = differences


class Store:
    """Schemas, subjects, levels and modes; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it where there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        with self._transaction() as db:
            _make(db)

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

        A schema whose version was deleted keeps its id and gets a new version.

        Raises:
            IncompatibleError: the subject's level forbids it.
        """
        identity = canonical(text)
        with self._transaction() as db:
            known = _find(db, subject, identity)
            if known:
                return known
            level = _value(db, "level", subject) or _value(db, "level", "") or DEFAULT_LEVEL
            every = _versions(db, subject)
            earlier = [version.schema for version in every if not version.deleted]
            broken = violations(Level(level), text, earlier)
            if broken:
                raise IncompatibleError(Level(level), broken)
            schema_id, kept = _schema(db, identity, text)
            number = every[-1].version + 1 if every else 1
            add = "INSERT INTO version (subject, version, schema_id) VALUES (?, ?, ?)"
            db.execute(add, (subject, number, schema_id))
            return Version(subject, number, schema_id, kept)

    def find(self, subject: str, text: str, *, deleted: bool = False) -> Version | None:
        """Return the version of this schema in the subject, or None."""
        identity = canonical(text)
        with self._transaction() as db:
            return _find(db, subject, identity, deleted=deleted)

    def versions(self, subject: str, *, deleted: bool = False) -> list[Version]:
        """Return a subject's versions, oldest first; with `deleted` the deleted ones too."""
        with self._transaction() as db:
            return [v for v in _versions(db, subject) if deleted or not v.deleted]

    def subjects(self, *, deleted: bool = False) -> list[str]:
        """Return every subject, sorted; with `deleted` those without a version left too."""
        query = "SELECT DISTINCT subject FROM version WHERE ? OR NOT deleted ORDER BY subject"
        with self._transaction() as db:
            return [row[0] for row in db.execute(query, (deleted,))]

    def schema(self, schema_id: int) -> str | None:
        """Return the text of a schema that some version uses, be it a deleted one; or None."""
        query = (
            "SELECT text FROM schema WHERE id = ?"
            " AND EXISTS (SELECT 1 FROM version WHERE schema_id = schema.id)"
        )
        with self._transaction() as db:
            row = db.execute(query, (schema_id,)).fetchone()
            return None if row is None else str(row[0])

    def newest_id(self) -> int:
        """Return the highest id that was ever given; 0 when none was."""
        with self._transaction() as db:
            return int(db.execute("SELECT coalesce(max(id), 0) FROM schema").fetchone()[0])

    def uses(self, schema_id: int, *, deleted: bool = False) -> list[Version]:
        """Return every subject's version that is this schema."""
        query = _SELECT + " WHERE v.schema_id = ? AND (? OR NOT v.deleted) ORDER BY 1, 2"
        with self._transaction() as db:
            return [_version(row) for row in db.execute(query, (schema_id, deleted))]

    def delete(self, subject: str, versions: Sequence[int], *, permanent: bool) -> None:
        """Mark versions as deleted or, permanently, forget them; the ids of schemas stay taken."""
        statement = "UPDATE version SET deleted = 1" if not permanent else "DELETE FROM version"
        with self._transaction() as db:
            for version in versions:
                where = " WHERE subject = ? AND version = ?"
                db.execute(statement + where, (subject, version))
            if permanent and not _versions(db, subject):
                for table in ("level", "mode"):
                    db.execute(f"DELETE FROM {table} WHERE subject = ?", (subject,))  # noqa: S608  # one of two names

    def level(self, subject: str = "") -> Level | None:
        """Return the level set for a subject (or, with '', for all), or None."""
        with self._transaction() as db:
            found = _value(db, "level", subject)
            return None if found is None else Level(found)

    def set_level(self, level: Level | None, subject: str = "") -> None:
        """Set the level of a subject, or with '' of all that have none; None forgets it."""
        self._set("level", subject, level)

    def mode(self, subject: str = "") -> str | None:
        """Return the mode set for a subject (or, with '', for all), or None."""
        with self._transaction() as db:
            return _value(db, "mode", subject)

    def set_mode(self, mode: str | None, subject: str = "") -> None:
        """Set the mode of a subject, or with '' of all that have none; None forgets it."""
        self._set("mode", subject, mode)

    def _set(self, table: str, subject: str, value: str | None) -> None:
        with self._transaction() as db:
            if value is None:
                db.execute(f"DELETE FROM {table} WHERE subject = ?", (subject,))  # noqa: S608  # a name of ours
            else:
                db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (subject, str(value)))  # noqa: S608


_SELECT = (
    "SELECT v.subject, v.version, s.id, s.text, v.deleted"
    " FROM version v JOIN schema s ON s.id = v.schema_id"
)


def _make(db: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older file to today's; all of it or nothing."""
    older = db.execute("PRAGMA user_version").fetchone()[0] < FORMAT
    exists = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'version'").fetchone()
    if older and exists:
        db.execute("ALTER TABLE version RENAME TO version_0")
    for statement in _TABLES.split(";"):
        db.execute(statement)
    if older and exists:
        columns = "subject, version, schema_id"
        db.execute(f"INSERT INTO version ({columns}) SELECT {columns} FROM version_0")  # noqa: S608  # names above
        db.execute("DROP TABLE version_0")
    db.execute(f"PRAGMA user_version = {FORMAT}")


def _version(row: Sequence[object]) -> Version:
    subject, version, schema_id, text, deleted = row
    return Version(str(subject), int(str(version)), int(str(schema_id)), str(text), bool(deleted))


def _find(
    db: sqlite3.Connection, subject: str, identity: str, *, deleted: bool = False
) -> Version | None:
    query = _SELECT + " WHERE v.subject = ? AND s.canonical = ? AND (? OR NOT v.deleted)"
    row = db.execute(query + " ORDER BY v.deleted, v.version DESC", (subject, identity, deleted))
    found = row.fetchone()
    return None if found is None else _version(found)


def _schema(db: sqlite3.Connection, identity: str, text: str) -> tuple[int, str]:
    """Return the id of a schema and the text it was first sent with, adding it when it is new."""
    query = "SELECT id, text FROM schema WHERE canonical = ?"
    row = db.execute(query, (identity,)).fetchone()
    if row is not None:
        return int(row[0]), str(row[1])
    added = db.execute("INSERT INTO schema (canonical, text) VALUES (?, ?)", (identity, text))
    return int(added.lastrowid or 0), text


def _versions(db: sqlite3.Connection, subject: str) -> list[Version]:
    query = _SELECT + " WHERE v.subject = ? ORDER BY v.version"
    return [_version(row) for row in db.execute(query, (subject,))]


def _value(db: sqlite3.Connection, table: str, subject: str) -> str | None:
    row = db.execute(f"SELECT * FROM {table} WHERE subject = ?", (subject,)).fetchone()  # noqa: S608  # a name of ours
    return None if row is None else str(row[1])
