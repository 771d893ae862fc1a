"""The query parameters, and the rules they must satisfy before anything is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from asknown.reference.adjusting import Adjust
from asknown.reference.moments import iso, parse_day, parse_time
from asknown.serving.datasets import Dataset
from asknown.serving.problems import bad_parameter

MAX_INSTRUMENTS = 100
MAX_LIMIT = 10_000


def _split(value: Any) -> list[str]:
    """Accept lists with commas, repeated parameters, or both; keep the order, drop repeats."""
    given = value if isinstance(value, list) else [value]
    names = [name.strip() for item in given for name in str(item).split(",")]
    return list(dict.fromkeys(name for name in names if name))


def _time_schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": "date-time", "examples": [example]})


Name = Annotated[str, Field(max_length=64)]
Names = Annotated[list[Name], BeforeValidator(_split), Field(max_length=MAX_INSTRUMENTS)]
Instant = Annotated[datetime, BeforeValidator(parse_time), _time_schema("2024-10-28T03:45:00Z")]
Day = Annotated[datetime, BeforeValidator(parse_day), _time_schema("2024-10-28")]


class RowsQuery(BaseModel):
    """What every request for rows can say."""

    model_config = ConfigDict(extra="forbid")

    symbols: Names = Field(
        default=[],
        description="Symbols (`AAPL`), symbols of one venue (`AAPL.XNAS`) or source keys, with "
        "commas; at most 100. They mean what they meant at `symbol_as_of`; the answer holds the "
        "whole history of those instruments, under whatever symbols they traded.",
        examples=[["AAPL"]],
    )
    entity_ids: Names = Field(
        default=[], description="Permanent listing ids instead of, or besides, symbols."
    )
    start: Instant = Field(
        description="From here on, inclusive: RFC 3339 with an offset, or a date."
    )
    end: Instant | None = Field(
        default=None,
        description="Up to here, exclusive; default `known_at`, or as far from start as allowed.",
    )
    adjust: Adjust = Field(
        default=Adjust.RAW,
        description="Take splits, dividends or both out of prices and sizes, seen from "
        "`known_at` and by its knowledge. Adjusted values are rounded half to even to 8 decimals; "
        "factors are doubles.",
    )
    known_at: Instant | None = Field(
        default=None,
        description="Answer by the knowledge of this moment: no row ingested later, no factor "
        "and no symbol known later. Default now, which `meta.known_at` states.",
    )
    symbol_as_of: Day | None = Field(
        default=None,
        description="The moment at which `symbols` are read; a date is that day at the exchange. "
        "Default `known_at`.",
    )
    limit: int = Field(default=1000, ge=1, le=MAX_LIMIT, description="Rows per page.")
    next: str | None = Field(
        default=None, description="The cursor of the answer before; other parameters unchanged."
    )


class BarsQuery(RowsQuery):
    """A request for bars."""

    interval: Literal["1s", "1m", "1d"] = Field(
        default="1m", description="1d are the source's own daily bars, with official prices."
    )
    price_type: Literal["trade", "bid", "ask", "mid"] = Field(default="trade")


@dataclass(frozen=True)
class Span:
    """The times of a request, with every default filled in."""

    start: datetime
    end: datetime
    known_at: datetime
    symbol_as_of: datetime


def knowledge(asked: datetime | None, now: datetime) -> datetime:
    """Return the knowledge time of a request; nothing is known of the future."""
    if asked is not None and asked > now:
        raise bad_parameter("known_at", f"a time not after now ({iso(now)})", iso(asked))
    return asked or now


def span(query: RowsQuery, dataset: Dataset, known_at: datetime) -> Span:
    """Return the times to read.

    Raises ApiError 422 when they are the wrong way round or too far apart for this dataset.
    """
    end = query.end or max(query.start, min(known_at, query.start + dataset.max_range))
    if end < query.start or (query.end and end == query.start):
        raise bad_parameter("end", f"a time after start ({iso(query.start)})", iso(end))
    if end - query.start > dataset.max_range:
        raise bad_parameter(
            "end",
            f"at most {_days(dataset.max_range)} after start",
            iso(end),
            hint="ask for the range in parts, or for bars of a longer interval",
        )
    return Span(query.start, end, known_at, query.symbol_as_of or known_at)


def require_instruments(query: RowsQuery) -> None:
    """Raise ApiError 422 when a request names no instrument, or too many."""
    count = len(query.symbols) + len(query.entity_ids)
    if not 1 <= count <= MAX_INSTRUMENTS:
        raise bad_parameter(
            "symbols",
            f"1 to {MAX_INSTRUMENTS} symbols or entity_ids",
            count,
            hint="symbols=AAPL,MSFT; GET /v1/instruments/resolve?symbol= tells who a symbol is",
        )


def _days(span: timedelta) -> str:
    return f"{span.days:,} days"
