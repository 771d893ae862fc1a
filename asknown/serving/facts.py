"""What the API may read of reference data, and the statements that read it.

Every table is read by one knowledge: rows that are bitemporal by [known_from, known_to), versions
by the newest that was known. With `all` come those that were superseded by then, too. An end of
knowledge that lies after `known_at` was not known then and is null, as open ends are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from asknown.reference.moments import milliseconds
from asknown.serving.cursor import Position
from asknown.serving.datasets import Row
from asknown.serving.store import Store

_K = "fromUnixTimestamp64Milli({known_at:Int64}, 'UTC')"
_OPEN = "toDateTime64('2200-01-01', 3, 'UTC')"
_TIME = "DateTime64(3, 'UTC')"
Columns = tuple[tuple[str, str], ...]


def _same(*names: str) -> Columns:
    return tuple((name, name) for name in names)


_ID = (("entity_id", "listing_id"),)
_VALID = (("valid_from", "valid_from"), ("valid_to", f"if(valid_to < {_OPEN}, valid_to, NULL)"))
_KNOWN = (("known_from", "known_from"), ("known_to", f"if(known_to <= {_K}, known_to, NULL)"))
_BELIEVED = (f"known_from <= {_K}", f"known_to > {_K}")


@dataclass(frozen=True)
class Facts:
    """One readable table.

    `columns` are (name in the response, SQL expression); `order` are (name, ClickHouse type) of
    those that make a row unique and give the order of pages. `of_listings` picks the rows of
    `{listings}`. `known` keeps what was believed, `ever` what had been learnt at all. `version`
    names the key whose newest version counts, where versions are not bitemporal themselves.
    """

    name: str
    table: str
    columns: Columns
    order: Columns
    of_listings: str
    known: tuple[str, ...]
    ever: tuple[str, ...]
    version: str = ""
    decimals: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns of the response in their order."""
        return tuple(name for name, _ in self.columns)


SYMBOLS = Facts(
    name="instrument",
    table="silver.identifier_map",
    columns=(
        ("symbol", "id_value"),
        *_ID,
        *_same("venue", "series"),
        *_VALID,
        *_KNOWN,
        *_same("reason", "link"),
    ),
    order=(
        ("symbol", "String"),
        ("entity_id", "String"),
        ("valid_from", _TIME),
        ("known_from", _TIME),
    ),
    of_listings="listing_id IN {listings:Array(String)}",
    known=_BELIEVED,
    ever=_BELIEVED[:1],
)

HISTORY = Facts(
    name="instrument_history",
    table="silver.entity_history",
    columns=(
        *_ID,
        *_same("raw_key", "symbol", "venue", "series", "isin", "security_class", "status"),
        *_VALID,
        *_KNOWN,
        *_same("price_factor", "split_factor", "share_factor", "factor_version"),
        *_same("strike", "lot_size", "security_id", "issuer_id"),
    ),
    order=(("valid_from", _TIME), ("known_from", _TIME), ("raw_key", "String")),
    of_listings="raw_key IN (SELECT raw_key FROM silver.entity_history"
    " WHERE listing_id IN {listings:Array(String)}) AND listing_id IN {listings:Array(String)}",
    known=_BELIEVED,
    ever=_BELIEVED[:1],
    decimals=("strike", "lot_size"),
)

ACTIONS = Facts(
    name="corporate_action",
    table="silver.corporate_action",
    columns=(
        *_same("entity_id", "action_id", "version", "kind", "status", "symbol", "isin", "venue"),
        *_same("ex_date", "effective_time", "announce_date", "record_date", "pay_date"),
        *_same("ratio_numerator", "ratio_denominator", "cash_amount", "currency"),
        *_same("subscription_price", "distributed_value", "method", "reference_price"),
        *_same("purpose", "known_from", "source", "event_id"),
    ),
    order=(
        ("entity_id", "String"),
        ("ex_date", "Date32"),
        ("action_id", "String"),
        ("version", "Int32"),
    ),
    of_listings="entity_id IN {listings:Array(String)}",
    known=_BELIEVED[:1],
    ever=_BELIEVED[:1],
    version="entity_id, action_id",
    decimals=("cash_amount", "subscription_price", "distributed_value", "reference_price"),
)

FACTORS = Facts(
    name="adjustment_factor",
    table="silver.adjustment_factor",
    columns=(
        *_ID,
        *_same("venue", "ex_date", "effective_time"),
        *_same("price_numerator", "price_denominator", "share_numerator", "share_denominator"),
        *_same("price_factor", "split_factor", "share_factor", "method"),
        *_same("reference_price", "reference_date", "action_ids", "status", "factor_version"),
        *_KNOWN,
    ),
    order=(("entity_id", "String"), ("ex_date", "Date32"), ("known_from", _TIME)),
    of_listings="listing_id IN {listings:Array(String)}",
    known=_BELIEVED,
    ever=_BELIEVED[:1],
    decimals=("reference_price",),
)

RESTATEMENTS = Facts(
    name="restatement",
    table="silver.restatement",
    columns=(
        *_same("entity_id", "event_time", "event_id", "raw_key", "venue", "from_time", "to_time"),
        *_same("old_listing_id", "new_listing_id", "old_factor_version", "new_factor_version"),
        *_same("reason", "cause"),
    ),
    order=(("entity_id", "String"), ("event_time", _TIME), ("event_id", "String")),
    of_listings="hasAny([entity_id, old_listing_id, new_listing_id], {listings:Array(String)})",
    known=(f"to_time <= {_K}",),
    ever=(f"to_time <= {_K}",),
)


@dataclass(frozen=True)
class Wanted:
    """Which rows of a table to read; `where` are expressions over bound `parameters`."""

    known_at: datetime
    limit: int
    all: bool = False
    where: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    after: Position | None = None


def select(store: Store, facts: Facts, wanted: Wanted) -> list[Row]:
    """Return up to `wanted.limit` rows in the order of the table."""
    sql, parameters = statement(facts, wanted)
    return [dict(zip(facts.names, row, strict=True)) for row in store.query(sql, parameters)]


def statement(facts: Facts, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """Return the SQL of a page and its parameters.

    The newest version is picked before anything else is asked of it: an action whose ex-date was
    moved away from the range is not in the range any more.
    """
    parameters = {
        "known_at": milliseconds(wanted.known_at),
        "limit": wanted.limit,
        **wanted.parameters,
    }
    source = f"{facts.table} FINAL"
    where = [*(facts.ever if wanted.all else facts.known), *wanted.where]
    if facts.version and not wanted.all:
        of_listings = [facts.of_listings] if "listings" in parameters else []
        inner = " AND ".join([*facts.known, *of_listings])
        source = (
            f"(SELECT * FROM {source} WHERE {inner}"  # noqa: S608  # of fixed parts
            f" ORDER BY {facts.version}, version DESC LIMIT 1 BY {facts.version})"
        )
    expressions = dict(facts.columns)
    keys = [expressions[name] for name, _ in facts.order]
    if wanted.after is not None:
        names = [f"after_{number}" for number in range(len(keys))]
        values = [_bound(n, kind) for n, (_, kind) in zip(names, facts.order, strict=True)]
        where.append(f"({', '.join(keys)}) > ({', '.join(values)})")
        where.append(f"{keys[0]} >= {values[0]}")  # lets the primary key skip what was read
        parameters |= dict(zip(names, wanted.after, strict=True))
    sql = (
        f"SELECT {', '.join(expressions.values())} FROM {source}"  # noqa: S608
        f" WHERE {' AND '.join(where)}"
        f" ORDER BY {', '.join(keys)} LIMIT {{limit:UInt32}}"
    )
    return sql, parameters


def position(facts: Facts, row: Row) -> Position:
    """Return the key of a row as a cursor holds it."""
    return tuple(_held(row[name]) for name, _ in facts.order)


def _held(value: Any) -> str | int:
    if isinstance(value, datetime):
        return milliseconds(value)
    return value.isoformat() if isinstance(value, date) else value


def _bound(name: str, kind: str) -> str:
    if kind == _TIME:
        return f"fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"
    return f"{{{name}:{kind}}}"
