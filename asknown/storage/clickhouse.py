"""ClickHouse: clients, and the numbered migrations in sql/clickhouse.

`001_create_tables.sql` is rendered from the contracts and follows them: tables that are missing are
made by it, tables that exist are altered to it, column by column. Every further migration is
applied once, in the order of its number, and never changed afterwards: its checksum is kept in
`ops.migration` and compared.
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

from asknown.contracts.catalog import Contract, contracts
from asknown.contracts.evolution import (
    Change,
    Step,
    clickhouse_column,
    compare,
    described,
    wanted_clickhouse,
)
from asknown.contracts.render import (
    BRONZE,
    clickhouse_ddl,
    clickhouse_type,
    escaped,
    quote,
    store_fields,
)
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
    return [c.topic.table for c in held()]


def create_tables_sql() -> str:
    """Return the text of the first migration: databases and tables of the contracts."""
    databases = sorted({c.topic.namespace for c in held()})
    statements = [f"CREATE DATABASE IF NOT EXISTS {name} ENGINE = Atomic" for name in databases]
    statements += [clickhouse_ddl(c) for c in held()]
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

    Tables of an older contract are brought to today's: one line per change is returned too.
    Raises `AsknownError` ASKNOWN-CLICKHOUSE-003 when an applied migration was changed since, and
    ASKNOWN-CLICKHOUSE-004 for a column that cannot become what its contract says.
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
            if migration.name == FIRST:
                done += _evolve(connection)
            if applied.get(migration.name) == migration.checksum:
                continue
            if migration.name in applied and migration.name != FIRST:
                raise _changed(migration)
            for statement in migration.statements:
                connection.command(statement)
            row = [[migration.name, migration.checksum]]
            connection.insert("ops.migration", row, column_names=["name", "checksum"])
            done.append(migration.name)
        return done


def held() -> list[Contract]:
    """Return the contracts whose tables ClickHouse holds."""
    return [c for c in contracts().values() if c.topic.namespace != BRONZE]


def differences(c: Contract, connection: Client) -> list[Change] | None:
    """Return how a topic's table differs from its contract; None when there is no table."""
    database, _, table = c.topic.table.partition(".")
    rows = connection.query(
        "SELECT name, type, comment FROM system.columns WHERE database = {database:String}"
        " AND table = {table:String} AND default_kind != 'MATERIALIZED' ORDER BY position",
        parameters={"database": database, "table": table},
    ).result_rows
    if not rows:
        return None
    found = [clickhouse_column(str(name), str(kind), str(doc)) for name, kind, doc in rows]
    return compare(found, wanted_clickhouse(c))


def _evolve(connection: Client) -> list[str]:
    """Bring every existing table to its contract; nothing is dropped.

    Safe beside a loader of the old contract: a column that a block does not have is NULL.
    """
    done: list[str] = []
    for c in held():
        changes = differences(c, connection) or []
        wanted = [change for change in changes if change.possible]
        for change in changes:
            if change.step in (Step.RETYPED, Step.REQUIRED):
                raise _impossible(c, change)
        if wanted:
            commands = ", ".join(_command(c, change) for change in wanted)
            connection.command(f"ALTER TABLE {c.topic.table} {commands}")
            done += [described(change, c.topic.table) for change in wanted]
    return done


def _command(c: Contract, change: Change) -> str:
    fields = store_fields(c)
    position = next(n for n, f in enumerate(fields) if f.name == change.name)
    f = fields[position]
    if change.step is Step.DOCUMENTED:
        return f"COMMENT COLUMN {quote(f.name)} '{escaped(f.doc)}'"
    if change.step is not Step.ADDED:
        return f"MODIFY COLUMN {quote(f.name)} {clickhouse_type(f)}"
    place = f"AFTER {quote(fields[position - 1].name)}" if position else "FIRST"
    return (
        f"ADD COLUMN IF NOT EXISTS {quote(f.name)} {clickhouse_type(f)}"
        f" COMMENT '{escaped(f.doc)}' {place}"
    )


def _impossible(c: Contract, change: Change) -> AsknownError:
    return AsknownError(
        "ASKNOWN-CLICKHOUSE-004",
        f"expected column {change.name} to be {change.wanted}, found {change.found}.",
        where=c.topic.table,
        hint="give the contract's field another name; `asknown schema diff` shows all.",
    )


def _changed(migration: Migration) -> AsknownError:
    return AsknownError(
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
