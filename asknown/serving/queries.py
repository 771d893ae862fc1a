"""The query parameters of identity, corporate actions and factors."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from asknown.reference.naming import IdType
from asknown.serving.parameters import MAX_LIMIT, Day, Instant, Name, Names


class KnownQuery(BaseModel):
    """By the knowledge of which moment."""

    model_config = ConfigDict(extra="forbid")

    known_at: Instant | None = Field(
        default=None,
        description="Answer by the knowledge of this moment, nothing learnt later. Default now, "
        "which `meta.known_at` states.",
    )


class OnQuery(KnownQuery):
    """At which moment, by the knowledge of which."""

    on: Day | None = Field(
        default=None,
        description="At which moment; a date is that day at the exchange. Default `known_at`.",
    )


class ResolveQuery(OnQuery):
    """A question whose an identifier was."""

    symbol: Name = Field(
        description="A symbol (`AAPL`), a symbol of one venue (`AAPL.XNAS`), an ISIN or a source's "
        "key (`NSE:EQ:CCCL`).",
        min_length=1,
        examples=["AAPL"],
    )
    id_type: IdType = Field(default=IdType.AUTO, description="What `symbol` is.")
    venue: Name | None = Field(default=None, description="Only at this venue (MIC).")
    series: Name | None = Field(default=None, description="Only in this series or group.")


class PageQuery(KnownQuery):
    """One page of rows."""

    limit: int = Field(default=1000, ge=1, le=MAX_LIMIT, description="Rows per page.")
    next: str | None = Field(
        default=None, description="The cursor of the answer before; other parameters unchanged."
    )


class InstrumentsQuery(PageQuery):
    """A search for listings by the symbols they bear."""

    on: Day | None = Field(
        default=None,
        description="Symbols in force at this moment; a date is that day at the exchange. Default "
        "`known_at`.",
    )
    prefix: Name = Field(default="", description="Symbols that begin like this.")
    venue: Name | None = Field(default=None, description="Only at this venue (MIC).")
    all: bool = Field(default=False, description="Symbols in force at any time instead of `on`.")


class HistoryQuery(PageQuery):
    """The rectangles of a listing."""

    all: bool = Field(
        default=False,
        description="Also what was believed once and superseded by `known_at`; `known_to` says "
        "when.",
    )


class OfInstrumentsQuery(PageQuery):
    """A question about instruments."""

    symbols: Names = Field(
        default=[],
        description="Symbols, SYMBOL.VENUE, ISINs or source keys, with commas; at most 100. They "
        "mean what they meant at `symbol_as_of`.",
    )
    entity_ids: Names = Field(
        default=[], description="Permanent listing ids instead of, or besides, symbols."
    )
    symbol_as_of: Day | None = Field(
        default=None,
        description="The moment at which `symbols` are read; a date is that day at the exchange. "
        "Default `known_at`.",
    )


class ExDateQuery(OfInstrumentsQuery):
    """A question by instrument and ex-date; without instruments, start and end are needed."""

    start: date | None = Field(default=None, description="First ex-date, inclusive.")
    end: date | None = Field(default=None, description="Last ex-date, exclusive.")
    all: bool = Field(
        default=False,
        description="Every version known by `known_at`, not only the newest.",
    )


class RestatementsQuery(OfInstrumentsQuery):
    """A question by instrument and restated time; without instruments, a start is needed."""

    start: Instant | None = Field(
        default=None, description="Restated ranges that end after this moment."
    )
    end: Instant | None = Field(
        default=None, description="Restated ranges that begin before this moment."
    )
