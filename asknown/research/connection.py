"""What a quant holds: a place to ask, with one method a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from pyiceberg.catalog import Catalog

from asknown.reference.moments import iso
from asknown.reference.naming import Asked, IdType, Moment
from asknown.research import asking
from asknown.research.asking import Ask, When
from asknown.research.lake import Lake
from asknown.research.result import Result
from asknown.research.sources import INTERVALS
from asknown.settings import Settings
from asknown.storage.iceberg import lake

Names = str | Iterable[str]
_PRICE_TYPES = ("trade", "bid", "ask", "mid")


class Answers(Protocol):
    """A place that answers: the lake, or the API."""

    @property
    def place(self) -> str:
        """Return where answers come from."""

    def now(self) -> datetime:
        """Return the newest knowledge there can be."""

    def answer(self, ask: Ask) -> Result:
        """Return the rows of a question."""

    def resolve(self, asked: Asked, at: Moment) -> dict[str, Any]:
        """Return what an identifier meant."""

    def close(self) -> None:
        """Let go of what is open."""


class Connection:
    """Ask for rows as they are now, or as they were known at any moment.

    Common to all questions: `known_at` is the moment by whose knowledge is answered (default now):
    no row, correction, mapping or factor learnt later is used. `symbols` are read as they were
    borne at `symbol_as_of` (default `known_at`); the answer holds the instrument's whole history,
    under whatever symbols it traded. `start` and `end` are half open: dates are session dates of
    the venue, times are instants. `adjust` is raw, split, dividend or all, seen from `known_at`.
    """

    def __init__(self, answers: Answers) -> None:
        """Keep the place that answers."""
        self._answers = answers

    def __repr__(self) -> str:
        return f"<asknown research over {self._answers.place}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what is open; the lake holds nothing."""
        self._answers.close()

    def bars(  # noqa: PLR0913  # the parts of one question
        self,
        symbols: Names = (),
        start: When | None = None,
        end: When | None = None,
        *,
        interval: str = "1d",
        price_type: str = "trade",
        adjust: str = "raw",
        known_at: When | None = None,
        symbol_as_of: When | None = None,
        entity_ids: Names = (),
    ) -> Result:
        """Return bars of 1s, 1m or 1d, labelled by their start.

        Raises UsageError ASKNOWN-RESEARCH-001 for what cannot be asked, NotNamedError for symbols.
        """
        seconds = asking.one_of("interval", interval, INTERVALS)
        kind = asking.one_of("price_type", price_type, {one: one for one in _PRICE_TYPES})
        daily = seconds == INTERVALS["1d"]
        if daily and kind != "trade":
            raise asking.bad("price_type", "trade, for bars of a day", price_type)
        options = {} if daily else {"interval_seconds": seconds, "price_type": kind}
        ask = Ask(
            "daily_bar" if daily else "bar",
            adjust=asking.adjustment(adjust),
            options=options,
            **_instruments(symbols, entity_ids, required=True),
            **_range(start, end, required=True),
            **_as_of(known_at, symbol_as_of),
        )
        return self._answers.answer(ask)

    def trades(  # noqa: PLR0913  # the parts of one question
        self,
        symbols: Names = (),
        start: When | None = None,
        end: When | None = None,
        *,
        adjust: str = "raw",
        known_at: When | None = None,
        symbol_as_of: When | None = None,
        entity_ids: Names = (),
    ) -> Result:
        """Return trades in the order of their venue.

        Raises UsageError ASKNOWN-RESEARCH-001 for what cannot be asked, NotNamedError for symbols.
        """
        ask = Ask(
            "trade",
            adjust=asking.adjustment(adjust),
            **_instruments(symbols, entity_ids, required=True),
            **_range(start, end, required=True),
            **_as_of(known_at, symbol_as_of),
        )
        return self._answers.answer(ask)

    def features(  # noqa: PLR0913  # the parts of one question
        self,
        names: Names = (),
        symbols: Names = (),
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        version: int | None = None,
        revisions: bool = False,
        known_at: When | None = None,
        symbol_as_of: When | None = None,
        entity_ids: Names = (),
    ) -> Result:
        """Return features by session day; `close_time` is when that session ended.

        Of each feature the newest version that was known, or `version`. With `revisions` also what
        was superseded by `known_at`: what `asof_join` needs to look back from several moments.
        """
        options = {"names": list(asking.names("names", names)), "version": version}
        ask = Ask(
            "feature",
            options={**options, "revisions": revisions},
            **_instruments(symbols, entity_ids),
            **_range(start, end),
            **_as_of(known_at, symbol_as_of),
        )
        return self._answers.answer(ask)

    def universe(  # noqa: PLR0913  # the parts of one question
        self,
        name: str,
        on: date | str | None = None,
        *,
        start: date | str | None = None,
        end: date | str | None = None,
        revisions: bool = False,
        known_at: When | None = None,
    ) -> Result:
        """Return who was a member `on` a session day, or at any time from start to end.

        Without known_at: by what is known now, which may include members added afterwards.
        """
        if on is not None and (start is not None or end is not None):
            raise asking.bad("on", "either a day, or start and end", on)
        span = _range(start if on is None else on, end)
        if on is not None:
            span["end"] = _next_day(span["start"])
        options = {"universe": name, "revisions": revisions}
        ask = Ask("universe_member", options=options, **span, **_as_of(known_at, None))
        return self._answers.answer(ask)

    def actions(  # noqa: PLR0913  # the parts of one question
        self,
        symbols: Names = (),
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        revisions: bool = False,
        known_at: When | None = None,
        symbol_as_of: When | None = None,
        entity_ids: Names = (),
    ) -> Result:
        """Return corporate actions by ex-date: of each the newest version known, or all versions.

        Raises UsageError ASKNOWN-RESEARCH-001 for what cannot be asked, NotNamedError for symbols.
        """
        ask = Ask(
            "corporate_action",
            options={"revisions": revisions},
            **_instruments(symbols, entity_ids),
            **_range(start, end),
            **_as_of(known_at, symbol_as_of),
        )
        return self._answers.answer(ask)

    def resolve(  # noqa: PLR0913  # the parts of one question
        self,
        symbol: str,
        on: When | None = None,
        *,
        known_at: When | None = None,
        id_type: str = "auto",
        venue: str | None = None,
        series: str | None = None,
    ) -> dict[str, Any]:
        """Return whose an identifier was: status, entity_id (null unless RESOLVED), candidates.

        A date `on` is that day at the exchange; default `known_at`, whose default is now.
        """
        kind = asking.one_of("id_type", id_type, {one.value: one for one in IdType})
        known = asking.instant("known_at", known_at) or self._answers.now()
        at = Moment(asking.day("on", on) or known, known)
        found = self._answers.resolve(Asked(symbol, kind, venue, series), at)
        return {**found, "on": iso(at.on), "known_at": iso(known)}

    def table(
        self, name: str, where: str = "", columns: Names = (), *, snapshot: int | None = None
    ) -> Result:
        """Return rows of a table of the lake as they are stored, of one of its states.

        `where` is a condition such as `trade_date >= '2024-10-01' AND venue = 'XNSE'`. Raises
        UsageError ASKNOWN-RESEARCH-001 for one that cannot be read, ASKNOWN-RESEARCH-002 for a
        table the lake does not have.
        """
        options = {"table": name, "where": where}
        chosen = list(asking.names("columns", columns))
        pinned = {} if snapshot is None else {name: snapshot}
        question = Ask("table", options={**options, "columns": chosen}, snapshots=pinned)
        return self._answers.answer(question)

    def ask(self, question: Ask) -> Result:
        """Return the rows of a question that was kept."""
        return self._answers.answer(question)


def connect(
    url: str | None = None,
    *,
    catalog: Catalog | None = None,
    config: Settings | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Connection:
    """Return a connection: to an API at `url`, to a catalog, or to the lake of this checkout.

    Raises UnreachableError when the catalog's database does not answer.
    """
    if url is not None:
        from asknown.research.api import Api

        return Connection(Api(url))
    return Connection(Lake(catalog or lake(config), now))


def _instruments(symbols: Names, entity_ids: Names, *, required: bool = False) -> dict[str, Any]:
    named = {
        "symbols": asking.names("symbols", symbols),
        "entity_ids": asking.names("entity_ids", entity_ids),
    }
    if required and not any(named.values()):
        raise asking.bad("symbols", "symbols or entity_ids", "neither")
    return named


def _range(start: When | None, end: When | None, *, required: bool = False) -> dict[str, Any]:
    first, last = asking.bound("start", start), asking.bound("end", end)
    if required and first is None:
        raise asking.bad("start", "a session date or a UTC time", start)
    asking.check_order(first, last)
    return {"start": first, "end": last}


def _as_of(known_at: When | None, symbol_as_of: When | None) -> dict[str, Any]:
    return {
        "known_at": asking.instant("known_at", known_at),
        "symbol_as_of": asking.day("symbol_as_of", symbol_as_of),
    }


def _next_day(day: Any) -> date:
    if isinstance(day, datetime) or not isinstance(day, date):
        raise asking.bad("on", "a session date", day)
    return date.fromordinal(day.toordinal() + 1)
