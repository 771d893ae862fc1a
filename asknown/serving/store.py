"""Read ClickHouse: fixed statements, values as server-side parameters, errors as ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from asknown.errors import UnreachableError
from asknown.reference.moments import milliseconds
from asknown.serving.cursor import Position
from asknown.serving.datasets import Dataset
from asknown.serving.parameters import Span
from asknown.serving.problems import ApiError
from asknown.settings import Settings
from asknown.storage import clickhouse

# Limits of one statement; memory and threads are limited by the server's reader profile.
LIMITS = {"max_execution_time": 20}
QUICK = {**LIMITS, "max_threads": 1}  # there is nothing to divide
_TIMEOUT, _TOO_MUCH_MEMORY = 159, 241  # ClickHouse's error codes
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Page:
    """Which rows of a dataset to read."""

    entity_ids: Sequence[str]
    span: Span
    filters: Mapping[str, str | int]
    limit: int
    after: Position | None = None


class Store:
    """The reader's connection, made when first needed and again after a failure.

    Safe for use from several threads: the client pools its connections and holds no session.
    """

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._client: Client | None = None
        self._lock = threading.Lock()

    def query(self, sql: str, parameters: Mapping[str, Any]) -> Rows:
        """Return the rows of a statement.

        Raises UnreachableError when ClickHouse does not answer, ApiError 400 when the statement
        would take longer or more memory than a request may.
        """
        with self._errors():
            answer = self._connected().query(
                sql, parameters=dict(parameters), settings=LIMITS, tz_mode="aware"
            )
        rows: Rows = answer.result_rows
        return rows

    def lines(self, sql: str, parameters: Mapping[str, Any]) -> list[bytes]:
        """Return the texts that a statement of one column gives: quicker than `query`.

        Raises what `query` raises.
        """
        with self._errors():
            answer = self._connected().raw_query(
                sql, parameters=dict(parameters), settings=QUICK, fmt="TSVRaw"
            )
        return answer.splitlines()

    def page(self, dataset: Dataset, page: Page) -> Rows:
        """Return up to `page.limit` rows in the dataset's order, one per key."""
        sql, parameters = statement(dataset, page)
        return self.query(sql, parameters)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = clickhouse.client("reader", settings=self._config)
            return self._client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except DatabaseError as error:
            if isinstance(error, OperationalError):
                raise unreachable() from error
            raise _refused(error) from error
        except (ClickHouseError, OSError) as error:
            raise unreachable() from error


def unreachable() -> UnreachableError:
    """Return the error for a store that does not answer."""
    return UnreachableError(
        "ASKNOWN-API-503",
        "ClickHouse does not answer; the data are safe and the request can be repeated.",
        hint="`asknown status` shows whether it runs",
    )


def statement(dataset: Dataset, page: Page) -> tuple[str, dict[str, Any]]:
    """Return the SQL of a page and its parameters.

    Rows are deduplicated by LIMIT 1 BY, not FINAL: among the versions of a key it takes the
    newest that was known at `known_at`, where FINAL would first drop all but the newest of all.
    A version that a merge has dropped is gone: then a row corrected later is left out, never
    shown with later knowledge.
    """
    expressions = dict(dataset.columns)
    order = [expressions[name] for name, _ in dataset.order]
    where = [
        "entity_id IN {entity_ids:Array(String)}",
        f"{dataset.time} >= {_time('start')}",
        f"{dataset.time} < {_time('end')}",
        f"ingest_time <= {_time('known_at')}",
        *(f"{column} = {{{column}:{kind}}}" for column, kind in dataset.filters),
    ]
    parameters: dict[str, Any] = {
        "entity_ids": list(page.entity_ids),
        "start": milliseconds(page.span.start),
        "end": milliseconds(page.span.end),
        "known_at": milliseconds(page.span.known_at),
        "limit": page.limit,
        **{column: page.filters[column] for column, _ in dataset.filters},
    }
    if page.after is not None:
        names = [f"after_{number}" for number in range(len(order))]
        values = [_placeholder(n, kind) for n, (_, kind) in zip(names, dataset.order, strict=True)]
        where.append(f"({', '.join(order)}) > ({', '.join(values)})")
        where.append("entity_id >= {after_0:String}")  # lets the primary key skip what was read
        parameters.update(zip(names, page.after, strict=True))
    keys = ", ".join(order)
    sql = (
        f"SELECT {', '.join(expressions.values())} FROM {dataset.table}"  # noqa: S608  # allow-list
        f" WHERE {' AND '.join(where)}"
        f" ORDER BY {keys}, {dataset.newest} DESC LIMIT 1 BY {keys} LIMIT {{limit:UInt32}}"
    )
    return sql, parameters


def position(dataset: Dataset, row: Mapping[str, Any]) -> Position:
    """Return the key of a row as a cursor holds it: times as milliseconds."""
    values = (row[name] for name, _ in dataset.order)
    return tuple(milliseconds(v) if isinstance(v, datetime) else v for v in values)


def _time(name: str) -> str:
    return f"fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"


def _placeholder(name: str, kind: str) -> str:
    return _time(name) if kind.startswith("DateTime64") else f"{{{name}:{kind}}}"


def _refused(error: DatabaseError) -> Exception:
    text = str(error)
    if f"Code: {_TIMEOUT}." in text or f"Code: {_TOO_MUCH_MEMORY}." in text:
        return ApiError(
            HTTPStatus.BAD_REQUEST,
            "ASKNOWN-API-002",
            "The request would read more than one request may.",
            hint="ask for fewer instruments or a shorter range",
        )
    return error
