"""The invented venue of the synthetic session: who is listed, who is not, and what happens.

Forty symbols trade on XSIM. One of them splits in the middle of the session, one has just been
renamed, one was delisted the week before, one lists later. Everything follows from constants, so
the session, its reference data and the right answer agree without talking to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from asknown.reference import isin
from asknown.reference.actions import Action, ActionKind
from asknown.reference.bundle import ReferenceBundle
from asknown.reference.symbology import FactKind, SecurityFact, listing_id

SOURCE = "synthetic"
VENUE = "XSIM"
ZONE = ZoneInfo("Asia/Kolkata")
SESSION_DATE = date(2024, 10, 28)
LISTED_ON = date(2024, 10, 1)
DELISTED_ON = date(2024, 10, 25)
LISTS_ON = date(2024, 12, 2)

SYMBOLS = tuple(f"SYM{number:02d}" for number in range(40))
SPLIT_SYMBOL = SYMBOLS[1]
SPLIT_NEW, SPLIT_OLD = 5, 1
RENAMED_TO = SYMBOLS[2]
RENAMED_FROM = "OLD02"
DELISTED = "GONE"
LISTED_LATER = "SOON"
UNKNOWN = ("NOBODY0", "NOBODY1", "NOBODY2")


def raw_key(symbol: str) -> str:
    """Return the key the source gives a symbol."""
    return f"SIM:EQ:{symbol}"


def instant(day: date, hour: int = 0, minute: int = 0) -> int:
    """Return the UTC milliseconds of a local time of the venue."""
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)
    return int(local.astimezone(UTC).timestamp() * 1000)


OPEN_MS = instant(SESSION_DATE, 9, 15)
CLOSE_MS = instant(SESSION_DATE, 15, 30)


def listing_of(symbol: str) -> str:
    """Return the permanent id behind a symbol that trades in the session."""
    first = RENAMED_FROM if symbol == RENAMED_TO else symbol
    return listing_id(VENUE, first, LISTED_ON, "EQ")


@dataclass(frozen=True, slots=True)
class Split:
    """The split of the session: from `at_ms` on, one old share is `ratio` new ones."""

    at_ms: int
    ratio: Fraction

    def factors(self, symbol: str, at_ms: int) -> tuple[float, float, float, int]:
        """Return price, split and share factor and their version for a trade."""
        if symbol != SPLIT_SYMBOL or at_ms < self.at_ms:
            return 1.0, 1.0, 1.0, 0
        price = float(1 / self.ratio)
        return price, price, float(self.ratio), 1


def split_of(span_ms: int) -> Split:
    """Return the split of a session of `span_ms`: at the whole minute nearest its middle."""
    middle = OPEN_MS + span_ms // 2
    return Split(at_ms=round(middle / 60_000) * 60_000, ratio=Fraction(SPLIT_NEW, SPLIT_OLD))


def reference(split: Split) -> ReferenceBundle:
    """Return the facts and the action a session with `split` needs.

    Everything is known before the session opens; the split waits for its minute as a change point
    in the future.
    """
    facts = [_listed(symbol, LISTED_ON) for symbol in SYMBOLS if symbol != RENAMED_TO]
    facts += [_listed(RENAMED_FROM, LISTED_ON), _listed(DELISTED, LISTED_ON)]
    facts += [_listed(LISTED_LATER, LISTS_ON), _renamed(), _delisted()]
    action = Action(
        action_id=f"{SOURCE}:{SPLIT_SYMBOL}:split",
        listing_id=listing_of(SPLIT_SYMBOL),
        kind=ActionKind.SPLIT,
        ex_date=SESSION_DATE,
        valid_from=split.at_ms,
        known_from=instant(LISTED_ON),
        ratio_numerator=split.ratio.numerator,
        ratio_denominator=split.ratio.denominator,
    )
    return ReferenceBundle(SOURCE, tuple(facts), (action,))


def _isin(symbol: str) -> str:
    """Return a code of the form of an ISIN, from the range XS; nobody was given it."""
    body = f"XS{sum(ord(letter) * 37**at for at, letter in enumerate(symbol)) % 10**9:09d}"
    return next(code for digit in range(10) if isin.is_valid(code := f"{body}{digit}"))


def _listed(symbol: str, day: date) -> SecurityFact:
    return SecurityFact(
        kind=FactKind.LIST,
        listing_id=listing_id(VENUE, symbol, day, "EQ"),
        raw_key=raw_key(symbol),
        symbol=symbol,
        venue=VENUE,
        valid_from=instant(day),
        known_from=instant(LISTED_ON),
        first_date=day,
        isin=_isin(symbol),
    )


def _renamed() -> SecurityFact:
    return SecurityFact(
        kind=FactKind.RENAME,
        listing_id=listing_of(RENAMED_TO),
        raw_key=raw_key(RENAMED_TO),
        symbol=RENAMED_TO,
        venue=VENUE,
        valid_from=OPEN_MS,
        known_from=instant(SESSION_DATE - timedelta(days=7)),
        first_date=SESSION_DATE,
        isin=_isin(RENAMED_FROM),
    )


def _delisted() -> SecurityFact:
    return SecurityFact(
        kind=FactKind.DELIST,
        listing_id=listing_id(VENUE, DELISTED, LISTED_ON, "EQ"),
        raw_key=raw_key(DELISTED),
        symbol=DELISTED,
        venue=VENUE,
        valid_from=instant(DELISTED_ON),
        known_from=instant(DELISTED_ON - timedelta(days=3)),
        first_date=DELISTED_ON,
        isin=_isin(DELISTED),
    )
