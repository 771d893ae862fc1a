"""ClickHouse: clients, and the numbered migrations in sql/clickhouse.

A migration is applied once, in the order of its number, and never changed afterwards: its checksum
is kept in `ops.migration` and compared. `sql/clickhouse/001_create_tables.sql` is rendered from the
contracts; a column that a contract gains later comes as a further migration.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from asknown.contracts.catalog import contracts
from asknown.contracts.render import BRONZE, clickhouse_ddl
from asknown.errors import AsknownError, UnreachableError, UsageError
from asknown.settings import CHECKOUT, Settings
from asknown.settings import settings as process_settings
from asknown.stack.secrets import secret

MIGRATIONS = CHECKOUT / "sql" / "clickhouse"
FIRST = "001_create_tables.sql"
_NAME = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")
_SEPARATOR = ";\n"
CONNECT_TIMEOUT_S = 5
RECEIVE_TIMEOUT_S = 120

Role = Literal["writer", "reader"]


def client(role: Role, *, settings: Settings | None = None) -> Client:
    """Return a client that may write, or one that may only read.

    Raises `UnreachableError` ASKNOWN-CLICKHOUSE-001 when the server does not answer or refuses.
    """
    config = settings or process_settings()
    user = config.clickhouse_writer if role == "writer" else config.clickhouse_reader
    try:
        return clickhouse_connect.get_client(
            dsn=config.clickhouse_url,
            username=user,
            password=secret(f"clickhouse_{role}", config),
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=RECEIVE_TIMEOUT_S,
            autogenerate_session_id=False,  # a session would serialise the client's queries
        )
    except (ClickHouseError, OSError) as error:
        raise UnreachableError(
            "ASKNOWN-CLICKHOUSE-001",
            f"expected ClickHouse to let user {user} in, found: {_first_line(error)}",
            where=config.clickhouse_url,
            hint="`asknown status` shows whether it runs; `asknown up` starts it.",
        ) from error


def tables() -> list[str]:
    """Return the tables that ClickHouse holds, as `database.table`."""
    found = [c.topic for c in contracts().values() if c.topic.namespace != BRONZE]
    return [topic.table for topic in found]


def create_tables_sql() -> str:
    """Return the text of the first migration: databases and tables of the contracts."""
    held = [c for c in contracts().values() if c.topic.namespace != BRONZE]
    databases = sorted({c.topic.namespace for c in held})
    statements = [f"CREATE DATABASE IF NOT EXISTS {name} ENGINE = Atomic" for name in databases]
    statements += [clickhouse_ddl(c) for c in held]
    return (
        "-- Rendered from the contracts: python -m asknown.storage.clickhouse\n"
        + "".join(f"{statement}{_SEPARATOR}\n" for statement in statements).rstrip()
        + "\n"
    )


@dataclass(frozen=True)
class Migration:
    """One numbered file of statements."""

    name: str
    statements: tuple[str, ...]
    checksum: str

    @classmethod
    def read(cls, path: Path) -> Migration:
        """Read a file; statements end with a semicolon at the end of a line."""
        text = path.read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
        parts = ("\n".join(lines) + "\n").split(_SEPARATOR)
        statements = tuple(part.strip() for part in parts if part.strip())
        return cls(path.name, statements, hashlib.sha256(text.encode()).hexdigest())


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """Return the migrations in order.

    Raises `UsageError` ASKNOWN-CLICKHOUSE-002 unless they are named NNN_verb_noun.sql and numbered
    from 001 without a gap.
    """
    paths = sorted(folder.glob("*.sql"))
    for number, path in enumerate(paths, start=1):
        match = _NAME.fullmatch(path.name)
        if match is None or int(match[1]) != number:
            raise UsageError(
                "ASKNOWN-CLICKHOUSE-002",
                f"expected migration {number:03d}_verb_noun.sql, found {path.name}.",
                where=str(path),
                hint="number migrations from 001 without a gap.",
            )
    return [Migration.read(path) for path in paths]


def migrate(config: Settings | None = None, folder: Path = MIGRATIONS) -> list[str]:
    """Apply the migrations that have not been applied yet and return their names.

    Raises `AsknownError` ASKNOWN-CLICKHOUSE-003 when an applied migration was changed since.
    A statement that fails leaves its migration unrecorded: it is run again, so every statement
    has to bear repetition (IF NOT EXISTS).
    """
    wanted = migrations(folder)
    with client("writer", settings=config) as connection:
        connection.command("CREATE DATABASE IF NOT EXISTS ops ENGINE = Atomic")
        connection.command(
            "CREATE TABLE IF NOT EXISTS ops.migration (name String, checksum String,"
            " applied_time DateTime64(3, 'UTC') DEFAULT now64(3))"
            " ENGINE = ReplacingMergeTree ORDER BY name"
        )
        rows = connection.query("SELECT name, checksum FROM ops.migration FINAL").result_rows
        applied = {str(name): str(checksum) for name, checksum in rows}
        done = []
        for migration in wanted:
            if migration.name in applied:
                _require_unchanged(migration, applied[migration.name])
                continue
            for statement in migration.statements:
                connection.command(statement)
            row = [[migration.name, migration.checksum]]
            connection.insert("ops.migration", row, column_names=["name", "checksum"])
            done.append(migration.name)
        return done


def _require_unchanged(migration: Migration, checksum: str) -> None:
    if migration.checksum != checksum:
        raise AsknownError(
            "ASKNOWN-CLICKHOUSE-003",
            f"expected {migration.name} as it was applied, found another text.",
            where=f"sql/clickhouse/{migration.name}",
            hint="restore the file and write the change as a new migration; or start from empty"
            " data with `asknown down --purge`.",
        )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


if __name__ == "__main__":
    (MIGRATIONS / FIRST).write_text(create_tables_sql(), encoding="utf-8")
