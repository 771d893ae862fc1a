"""Words to write reference cases in: exchanges, facts, actions, closes, and what is expected.

A date is written '2014-04-03' and means its first instant at the exchange; '2014-04-03 10:00' is
a moment of it. Every record has an event id that its content gives, so the same record sent again
has the same one. Where it lay (partition, offset) is given to it when the cases are put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

import msgspec

from asknown.reference import calendars
from asknown.reference.records import Close, RawAction, RawSecurity
from asknown.reference.symbology import listing_id

ALWAYS = "2150-01-01"  # by everything that will ever be known

Said = TypeVar("Said", RawSecurity, RawAction)
Number = int | str | Decimal | Fraction


@dataclass(frozen=True)
class Exchange:
    """A venue and the prefix its source writes before the symbols."""

    mic: str
    prefix: str

    def key(self, symbol: str) -> str:
        """Return the source's own key of a symbol."""
        return symbol if ":" in symbol else f"{self.prefix}:EQ:{symbol}"

    def at(self, text: str) -> int:
        """Return an instant of the exchange's own clock in UTC milliseconds."""
        if len(text) == len("2014-04-03"):
            return calendars.day_start(self.mic, date.fromisoformat(text))
        local = datetime.fromisoformat(text).replace(tzinfo=calendars.zone(self.mic))
        return int(local.timestamp() * 1000)

    def listing(self, symbol: str, on: str, security_class: str = "EQ") -> str:
        """Return the permanent id of what was first listed as `symbol` on that date."""
        return listing_id(self.mic, symbol, date.fromisoformat(on), security_class)

    def fact(self, kind: str, name: str, on: str | None, known: str, **more: Any) -> RawSecurity:
        """Return a fact about the listing that `name` names from `on` on."""
        columns = {
            "raw_key": self.key(name),
            "symbol": name.rpartition(":")[2],
            "venue": self.mic,
            "kind": kind,
            "security_class": "EQ" if kind == "LIST" else None,
            "valid_from": None if on is None else date.fromisoformat(on),
            "event_time": self.at(known),
        }
        return _named(RawSecurity(partition=0, offset=0, event_id="", **(columns | more)))

    def listed(self, name: str, *, on: str, known: str | None = None, **more: Any) -> RawSecurity:
        """Say that a listing begins to trade as `name`."""
        return self.fact("LIST", name, on, known or on, **more)

    def renamed(
        self, old: str, new: str, *, on: str, known: str | None = None, **more: Any
    ) -> RawSecurity:
        """Say that what was called `old` until then is called `new`."""
        return self.fact("RENAME", new, on, known or on, previous_symbol=old, **more)

    def got_isin(
        self, name: str, isin: str, *, on: str, known: str | None = None, **more: Any
    ) -> RawSecurity:
        """Say that a listing has another ISIN from then on."""
        return self.fact("ISIN_CHANGE", name, on, known or on, isin=isin, **more)

    def moved_to(
        self, name: str, series: str, *, on: str, known: str | None = None, **more: Any
    ) -> RawSecurity:
        """Say that a listing trades in another series from then on."""
        return self.fact("SERIES_CHANGE", name, on, known or on, series=series, **more)

    def delisted(self, name: str, *, on: str, known: str | None = None, **more: Any) -> RawSecurity:
        """Say that a listing trades no longer from then on."""
        return self.fact("DELIST", name, on, known or on, **more)

    def merged(
        self, name: str, into: str, *, on: str, known: str | None = None, **more: Any
    ) -> RawSecurity:
        """Say that a listing ends and its holders get another one."""
        return self.fact("MERGE", name, on, known or on, successor_symbol=into, **more)

    def action(self, kind: str, name: str, *, ex: str | None, known: str, **more: Any) -> RawAction:
        """Return a corporate action filed under `name`; numbers may be text."""
        columns = {
            "raw_key": self.key(name),
            "symbol": name.rpartition(":")[2],
            "venue": self.mic,
            "kind": kind,
            "ex_date": None if ex is None else date.fromisoformat(ex),
            "event_time": self.at(known),
        }
        for column in ("cash_amount", "reference_price", "subscription_price", "distributed_value"):
            if more.get(column) is not None:
                more[column] = Decimal(str(more[column]))
        return _named(RawAction(partition=0, offset=0, event_id="", **(columns | more)))

    def _ratio(
        self, kind: str, name: str, terms: tuple[int, int], when: tuple[str, str], more: Any
    ) -> RawAction:
        ratio = {"ratio_numerator": terms[0], "ratio_denominator": terms[1]}
        return self.action(kind, name, ex=when[0], known=when[1], **(ratio | more))

    def split(
        self, name: str, new: int, old: int, *, ex: str, known: str, **more: Any
    ) -> RawAction:
        """Say that `old` shares become `new` ones."""
        return self._ratio("SPLIT", name, (new, old), (ex, known), more)

    def bonus(
        self, name: str, new: int, held: int, *, ex: str, known: str, **more: Any
    ) -> RawAction:
        """Say that holders get `new` shares for every `held` ones."""
        return self._ratio("BONUS", name, (new, held), (ex, known), more)

    def dividend(self, name: str, cash: Number, *, ex: str, known: str, **more: Any) -> RawAction:
        """Say that a share is paid cash; `kind` may make it a special one."""
        kind = more.pop("kind", "CASH_DIVIDEND")
        return self.action(kind, name, ex=ex, known=known, cash_amount=cash, **more)

    def rights(
        self, name: str, new: int, held: int, *, at: Number, ex: str, known: str, **more: Any
    ) -> RawAction:
        """Say that holders may buy `new` shares for every `held` ones at a price."""
        more["subscription_price"] = at
        return self._ratio("RIGHTS", name, (new, held), (ex, known), more)

    def demerger(
        self, name: str, value: Number | None, *, ex: str, known: str, **more: Any
    ) -> RawAction:
        """Say that a part of the company worth `value` a share leaves it."""
        return self.action("DEMERGER", name, ex=ex, known=known, distributed_value=value, **more)

    def close(self, listing: str, on: str, price: Number, known: str | None = None) -> Close:
        """Say at what raw price a listing closed; known in the evening unless it is said."""
        return Close(
            listing_id=listing,
            venue=self.mic,
            trade_date=date.fromisoformat(on),
            close=Decimal(str(price)),
            event_time=self.at(known or f"{on} 18:00"),
        )


def again(raw: Said, known: str | None = None) -> Said:
    """Return the same record, sent once more."""
    exchange = BY_MIC[raw.venue or ""]
    when = raw.event_time if known is None else exchange.at(known)
    return msgspec.structs.replace(raw, event_time=when)


def _named(raw: Said) -> Said:
    return msgspec.structs.replace(raw, event_id=f"r-{raw.digest()}")


NSE, NASDAQ, NYSE = Exchange("XNSE", "NSE"), Exchange("XNAS", "NAS"), Exchange("XNYS", "NYS")
SIMULATED = Exchange("XSIM", "SIM")  # trades by the hours of India; also for what needs a third
BY_MIC = {one.mic: one for one in (NSE, NASDAQ, NYSE, SIMULATED)}


# What is expected -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Means:
    """By the knowledge of `known`, `raw_key` means this at `at`; None is not asked about.

    `listing` '' asks for none. `status` 'UNKNOWN' asks for no row at all.
    """

    raw_key: str
    at: int
    known: int
    status: str = "LISTED"
    listing: str | None = None
    price: Fraction | None = None
    split: Fraction | None = None
    share: Fraction | None = None
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A record is quarantined for `reason`, and the detail mentions these words."""

    raw: RawSecurity | RawAction
    reason: str
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accepted:
    """A record is accepted, and its row says this."""

    raw: RawSecurity | RawAction
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Repeated:
    """A record is a duplicate, this many times."""

    raw: RawSecurity | RawAction
    times: int = 1


@dataclass(frozen=True)
class Restated:
    """A range of the past of `raw_key` turned out to mean something else: MAPPING or ACTION.

    The ranges a case names are all there are for its keys.
    """

    raw_key: str
    start: int
    end: int
    reason: str = "ACTION"


@dataclass(frozen=True)
class Published:
    """The change points of a key in the order of their time: (effective, status, price factor)."""

    raw_key: str
    points: tuple[tuple[int, str, Fraction], ...]


@dataclass(frozen=True)
class Resolves:
    """An identifier names listings at `at` by the knowledge of `known`, or does not."""

    id_type: str
    value: str
    at: int
    known: int
    status: str = "RESOLVED"
    listings: tuple[str, ...] = ()
    venue: str | None = None
    series: str | None = None


@dataclass(frozen=True)
class Agrees:
    """Symbol and ISIN of one record name the same at `at`, or do not."""

    symbol: str
    isin: str
    at: int
    known: int
    status: str
    venue: str | None = None


@dataclass(frozen=True)
class Factor:
    """By the knowledge of `known`, the factors of an ex-date are exactly these."""

    listing: str
    ex: str
    known: int
    price: Fraction
    share: Fraction
    status: str = "FINAL"
    columns: dict[str, Any] = field(default_factory=dict)


Expectation = (
    Means | Refused | Accepted | Repeated | Restated | Published | Resolves | Agrees | Factor
)


@dataclass(frozen=True)
class Case:
    """Records in the order in which they became known, and what must follow from them."""

    name: str
    records: tuple[RawSecurity | RawAction | Close, ...]
    expected: tuple[Expectation, ...]

    @property
    def raw_keys(self) -> frozenset[str]:
        """Return the keys the case is about."""
        return frozenset(one.raw_key for one in self.records if not isinstance(one, Close))
