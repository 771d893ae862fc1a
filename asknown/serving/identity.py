"""Whose an identifier was at a moment, by the knowledge of another.

The rule is `asknown.reference.naming.decide`; this module reads the few rows of the value asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from asknown.reference.identifiers import ResolutionStatus as Status
from asknown.reference.naming import Asked, Identity, Moment, Row, decide, newest, refusal
from asknown.serving.problems import ApiError
from asknown.serving.store import Store

# A row as one text, kept by sql/clickhouse/002_index_identities.sql. FINAL by hand (naming.newest):
# it would read the table instead.
_ROWS = "SELECT claim FROM silver.identifier_map WHERE claimed IN {values:Array(String)}"
_NEAREST = (
    "SELECT DISTINCT id_value FROM silver.identifier_map WHERE id_type = 'SYMBOL'"
    " ORDER BY editDistanceUTF8(upper(id_value), upper({name:String})), id_value LIMIT 3"
)


def resolve(store: Store, asked: Sequence[Asked], at: Moment) -> list[Identity]:
    """Return what each identifier meant, in the order asked; one statement for all of them."""
    if not asked:
        return []
    rows = read(store, sorted({value for one in asked for value in one.values()}))
    return [decide(one, rows, at) for one in asked]


class Texts(Protocol):
    """What reads the texts of a statement: the store, or a quicker connection to it."""

    def lines(self, sql: str, parameters: Mapping[str, Any]) -> list[bytes]:
        """Return the texts that a statement of one column gives."""


def read(store: Texts, values: Sequence[str]) -> list[Row]:
    """Return every row of some values, of whatever type, by any knowledge."""
    return newest(orjson.loads(line) for line in store.lines(_ROWS, {"values": list(values)}))


def require(store: Store, identity: Identity, at: Moment) -> str:
    """Return the listing that was meant.

    Raises ApiError 404 for UNKNOWN and CLOSED, 409 with the candidates for AMBIGUOUS and CONFLICT.
    """
    if identity.status is Status.RESOLVED:
        return identity.listing_ids[0]
    raise problem(store, identity, at)


def problem(store: Store, identity: Identity, at: Moment) -> ApiError:
    """Return the error for an identifier that does not name one listing."""
    code, text, hint = refusal(identity, at)
    status = HTTPStatus.NOT_FOUND if code.endswith("404") else HTTPStatus.CONFLICT
    hint = hint or _nearest(store, identity.asked.value)
    return ApiError(status, code, text, hint=hint).with_data(identity.as_json(at))


def _nearest(store: Store, name: str) -> str:
    near = [str(row[0]) for row in store.query(_NEAREST, {"name": name})]
    return f"nearest: {', '.join(near)}" if near else "no instrument is loaded yet"
