"""The right answer of a synthetic session: one row per record sent, kept as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from asknown.errors import UsageError
from asknown.ingestion.event import Event


class Outcome(StrEnum):
    """What becomes of a record: exactly one of these."""

    NORMALIZED = "normalized"
    DUPLICATE = "duplicate"
    LATE = "late"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Expected:
    """One record of the session and what must become of it.

    `reason` holds the right reason codes with `|` between them; '' when it is normalized.
    `listing_id`, price, size and the factors are those of the normalized record; None or '' when
    there is none. Times are UTC milliseconds; `clock_ms` is when it was delivered.

    `healed` and `healed_reason` say what a late record becomes when it is healed, and what it is
    where it was not found late. Not `certain`: a running job may find it late or not.
    """

    topic: str
    key: str
    outcome: Outcome
    reason: str = ""
    poison: str = ""
    index: int = -1
    clock_ms: int = -1
    event_id: str = ""
    listing_id: str = ""
    symbol: str = ""
    event_time_ms: int = -1
    sequence: int | None = None
    price: Decimal | None = None
    size: Decimal | None = None
    price_factor: float | None = None
    split_factor: float | None = None
    share_factor: float | None = None
    factor_version: int | None = None
    healed: Outcome | None = None
    healed_reason: str = ""
    certain: bool = True

    @property
    def in_time(self) -> tuple[Outcome, str]:
        """What the record is but for its lateness, and the reason codes that then are right."""
        return (self.healed, self.healed_reason) if self.healed else (self.outcome, self.reason)

    def late(self, reason: str, *, certain: bool = True) -> Expected:
        """Return the row of the same record when it comes too late."""
        return replace(
            self,
            outcome=Outcome.LATE,
            reason=reason,
            healed=self.outcome,
            healed_reason=self.reason,
            certain=certain,
        )

    @classmethod
    def of_event(
        cls,
        event: Event,
        outcome: Outcome,
        *,
        reason: str,
        listing_id: str,
        factors: tuple[float, float, float, int],
    ) -> Expected:
        """Return the row of a sound record."""
        price, split, share, version = factors
        return cls(
            topic=event.topic,
            key=event.entity_id,
            outcome=outcome,
            reason=reason,
            event_id=event.event_id,
            listing_id=listing_id,
            symbol=str(event.payload["symbol"]),
            event_time_ms=event.event_time_ms,
            sequence=event.payload["sequence"],
            price=event.payload["price"],
            size=event.payload["size"],
            price_factor=price,
            split_factor=split,
            share_factor=share,
            factor_version=version,
        )

    @classmethod
    def refused(cls, event: Event, reason: str) -> Expected:
        """Return the row of a readable record that must be quarantined."""
        return cls(
            topic=event.topic,
            key=event.entity_id,
            outcome=Outcome.QUARANTINED,
            reason=reason,
            event_id=event.event_id,
            symbol=str(event.payload["symbol"]),
            event_time_ms=event.event_time_ms,
            sequence=event.payload["sequence"],
        )


_DECIMAL = pa.decimal128(18, 8)
_TYPES: Mapping[str, pa.DataType] = {
    "index": pa.int64(),
    "clock_ms": pa.int64(),
    "event_time_ms": pa.int64(),
    "sequence": pa.int64(),
    "price": _DECIMAL,
    "size": _DECIMAL,
    "price_factor": pa.float64(),
    "split_factor": pa.float64(),
    "share_factor": pa.float64(),
    "factor_version": pa.int32(),
    "certain": pa.bool_(),
}
SCHEMA = pa.schema([(one.name, _TYPES.get(one.name, pa.string())) for one in fields(Expected)])


def write_ledger(path: Path, rows: Iterable[Expected]) -> None:
    """Write the rows to a Parquet file at `path`, in the order of delivery.

    Raises `UsageError` ASKNOWN-INGEST-021 when the folder does not take it.
    """
    table = pa.Table.from_pylist([_plain(row) for row in rows], schema=SCHEMA)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
    except OSError as error:
        raise UsageError(
            "ASKNOWN-INGEST-021",
            f"expected a file that can be written, found: {error.strerror or error}.",
            where=str(path),
            hint="give another --ledger.",
        ) from error


def read_ledger(path: Path) -> list[Expected]:
    """Return the rows of a ledger file.

    Raises `UsageError` ASKNOWN-INGEST-022 when it is no ledger.
    """
    try:
        table = pq.read_table(path, schema=SCHEMA)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise UsageError(
            "ASKNOWN-INGEST-022",
            f"expected a ledger of `asknown ingest synthetic`, found: {error}.",
            where=str(path),
            hint="asknown ingest synthetic --ledger FILE",
        ) from error
    return [_row(row) for row in table.to_pylist()]


def counts(rows: Iterable[Expected]) -> dict[str, int]:
    """Return how many records there are of each outcome, and of all as `raw`."""
    found = {outcome.value: 0 for outcome in Outcome}
    for row in rows:
        found[row.outcome.value] += 1
    return {"raw": sum(found.values()), **found}


def _plain(row: Expected) -> dict[str, Any]:
    healed = row.healed.value if row.healed else None
    return {**asdict(row), "outcome": row.outcome.value, "healed": healed}


def _row(plain: dict[str, Any]) -> Expected:
    healed = Outcome(plain["healed"]) if plain["healed"] else None
    return Expected(**{**plain, "outcome": Outcome(plain["outcome"]), "healed": healed})
