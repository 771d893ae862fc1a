"""SQL over the lake through Trino: the research views, and questions by a moment's knowledge."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from trino.dbapi import Connection, connect
from trino.exceptions import TrinoConnectionError, TrinoQueryError

from asknown.errors import AsknownError, UnreachableError
from asknown.settings import CHECKOUT, Settings

VIEWS = CHECKOUT / "sql" / "trino"
SCHEMA = "research"
SUFFIX = "_asof"
OPEN_END = "TIMESTAMP '9999-12-31 00:00:00.000000'"
RESEARCHER = "research"
_WITH = re.compile(r"\s*WITH\s+(RECURSIVE\s+)?", re.IGNORECASE)
_QUESTION = re.compile(r"\s*(SELECT|WITH|VALUES|TABLE|\()", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """The columns of an answer and its rows."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Return the datasets that have a view, such as `bar`."""
    return tuple(sorted(path.stem.removesuffix(SUFFIX) for path in VIEWS.glob(f"*{SUFFIX}.sql")))


def as_known(question: str, known_at: datetime) -> str:
    """Return the question with every dataset's name standing for what was believed at a moment.

    `bar` then is the part of `research.bar_asof` with known_from <= moment < known_to. What is no
    question (SHOW, DESCRIBE) is returned as it is.
    """
    question = question.strip().rstrip(";")
    if not _QUESTION.match(question):
        return question
    moment = known_at.astimezone(UTC).strftime("TIMESTAMP '%Y-%m-%d %H:%M:%S.%f'")
    parts = ",\n".join(
        f"{name} AS (SELECT * FROM lake.{SCHEMA}.{name}{SUFFIX} "  # noqa: S608  # no data
        f"WHERE known_from <= {moment} AND known_to > {moment})"
        for name in names()
    )
    own = _WITH.match(question)
    if own is None:
        return f"WITH {parts}\n{question}"
    recursive = "RECURSIVE " if own[1] else ""
    return f"WITH {recursive}{parts},\n{question[own.end() :]}"


def ask(config: Settings, question: str, *, user: str = "") -> Answer:
    """Run one statement as a researcher, or another user, and return all it answers.

    Raises AsknownError ASKNOWN-SQL-001 for what Trino refuses, UnreachableError ASKNOWN-SQL-002
    when it does not answer.
    """
    with _connection(config, user or config.user or RESEARCHER) as connection:
        cursor = connection.cursor()
        cursor.execute(question)
        rows = [tuple(row) for row in cursor.fetchall()]
        return Answer(tuple(column[0] for column in cursor.description or ()), rows)


def make_views(config: Settings, keeper: str) -> list[str]:
    """Make the research views anew, as the user who may; return their names.

    Of each dataset there are two: `<name>_asof` with all that was ever believed, `<name>` with
    what is believed now.
    """
    made = []
    with _connection(config, keeper) as connection:
        cursor = connection.cursor()
        statements = [f"CREATE SCHEMA IF NOT EXISTS keeper.{SCHEMA}"]
        for name in names():
            body = (VIEWS / f"{name}{SUFFIX}.sql").read_text(encoding="utf-8")
            statements.append(_view(f"{name}{SUFFIX}", body))
            source = f"lake.{SCHEMA}.{name}{SUFFIX}"
            now = f"SELECT * FROM {source} WHERE known_to = {OPEN_END}"  # noqa: S608  # no data
            statements.append(_view(name, now))
            made += [f"{name}{SUFFIX}", name]
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchall()
    return made


def _view(name: str, body: str) -> str:
    # INVOKER: a view shows nobody more than the tables below it would.
    return f"CREATE OR REPLACE VIEW keeper.{SCHEMA}.{name} SECURITY INVOKER AS\n{body}"


@contextlib.contextmanager
def _connection(config: Settings, user: str) -> Iterator[Connection]:
    """Yield a connection; Trino's errors become ours."""
    where = config.trino_url
    try:
        with connect(  # type: ignore[no-untyped-call]  # its wheel is typed, this function is not
            host=config.host,
            port=config.port(config.trino_port),
            user=user,
            source="asknown",
            catalog="lake",
            schema=SCHEMA,
            timezone="UTC",
            request_timeout=30,
        ) as connection:
            yield connection
    except TrinoQueryError as error:
        raise AsknownError(
            "ASKNOWN-SQL-001",
            f"expected an answer, found {error.error_name}: {error.message}",
            where=where,
            hint=f"datasets: {', '.join(names())}; all columns: DESCRIBE bar_asof.",
        ) from error
    except TrinoConnectionError as error:
        raise UnreachableError(
            "ASKNOWN-SQL-002",
            f"expected an answer from Trino, found {error}.",
            where=where,
            hint="`make trino` once, then `asknown up --with trino`.",
        ) from error
