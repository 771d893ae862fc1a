"""The identity, the actions and the factors of a small market, as the reference job writes them.

ACME    a 2:1 split on 10-21 announced before, a dividend on 10-26, a split announced for 12-02
LATE    a 2:1 split on 10-21 that was learnt on 10-24 only
PEAR    was called OLD until 06-03; NOVA took that symbol on 07-01
TWIN    one symbol on two venues
GONE    delisted on 08-01
CLASH   two records claim one symbol from 05-10 on
TARDY   listed on 03-01, learnt on 04-01
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

ACME, NOVA, PEAR, TWIN, LATE = "e_acme", "e_nova", "e_pear", "e_twin", "e_late"
OPEN = "2200-01-01"
NONE = (1.0, 1.0, 1.0, 0)
HALF = (0.5, 0.5, 2.0, 1)
ENVELOPE = {"source": "test", "schema_version": 1, "kafka_partition": 0}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Rectangle:
    """What a key meant on [start, end), by the knowledge of [known, until)."""

    key: str
    listing: str
    symbol: str
    start: str
    end: str = OPEN
    known: str = ""
    until: str = OPEN
    factors: tuple[float, float, float, int] = NONE
    status: str = "LISTED"
    venue: str = "XSIM"
    isin: str = ""


DIVIDEND = (0.49, 0.5, 2.0, 2)
ANNOUNCED = (0.245, 0.25, 4.0, 3)
HISTORY = [
    Rectangle("X:ACME", ACME, "ACME", "2024-01-02", until="2024-10-15", isin="US0000000AC1"),
    Rectangle("X:ACME", ACME, "ACME", "2024-01-02", "2024-10-21", "2024-10-15"),
    Rectangle("X:ACME", ACME, "ACME", "2024-10-21", OPEN, "2024-10-15", "2024-10-26", HALF),
    Rectangle("X:ACME", ACME, "ACME", "2024-10-21", "2024-10-26", "2024-10-26", OPEN, HALF),
    Rectangle("X:ACME", ACME, "ACME", "2024-10-26", OPEN, "2024-10-26", "2024-10-30", DIVIDEND),
    Rectangle("X:ACME", ACME, "ACME", "2024-10-26", "2024-12-02", "2024-10-30", OPEN, DIVIDEND),
    Rectangle("X:ACME", ACME, "ACME", "2024-12-02", OPEN, "2024-10-30", OPEN, ANNOUNCED),
    Rectangle("X:LATE", LATE, "LATE", "2024-01-02", until="2024-10-24"),
    Rectangle("X:LATE", LATE, "LATE", "2024-01-02", "2024-10-21", "2024-10-24"),
    Rectangle("X:LATE", LATE, "LATE", "2024-10-21", OPEN, "2024-10-24", OPEN, HALF),
    Rectangle("X:OLD", PEAR, "OLD", "2024-01-02", until="2024-06-03"),
    Rectangle("X:OLD", PEAR, "OLD", "2024-01-02", "2024-06-03", "2024-06-03"),
    Rectangle("X:OLD", "", "OLD", "2024-06-03", OPEN, "", "2024-07-01", status="NOT_LISTED"),
    Rectangle("X:OLD", "", "OLD", "2024-06-03", "2024-07-01", "2024-07-01", status="NOT_LISTED"),
    Rectangle("X:OLD", NOVA, "OLD", "2024-07-01"),
    Rectangle("X:PEAR", PEAR, "PEAR", "2024-06-03"),
    Rectangle("X:TWIN", TWIN, "TWIN", "2024-01-02"),
    Rectangle("Y:TWIN", "e_twin_y", "TWIN", "2024-01-02", venue="XNYS"),
    Rectangle("X:GONE", "e_gone", "GONE", "2024-01-02", until="2024-08-01"),
    Rectangle("X:GONE", "e_gone", "GONE", "2024-01-02", "2024-08-01", "2024-08-01"),
    Rectangle("X:GONE", "e_gone", "GONE", "2024-08-01", status="DELISTED"),
    Rectangle("X:CLASH", "e_clash_a", "CLASH", "2024-01-02"),
    Rectangle("Z:CLASH", "e_clash_b", "CLASH", "2024-05-10"),
    Rectangle("X:TARDY", "e_tardy", "TARDY", "2024-03-01", known="2024-04-01"),
]


def entity_history() -> list[dict[str, Any]]:
    """Return the rows as a loader leaves them: a superseded one was first written as believed."""
    rows = []
    for r in HISTORY:
        row = {
            "event_id": f"{r.key}-{r.start}-{r.known or r.start}",
            "event_time": at(r.known or r.start),
            "ingest_time": at(r.known or r.start),
            "entity_id": r.key,
            "raw_key": r.key,
            "listing_id": r.listing,
            "security_id": "",
            "issuer_id": "",
            "symbol": r.symbol,
            "venue": r.venue,
            "series": "",
            "isin": r.isin,
            "security_class": "EQ",
            "status": r.status,
            "valid_from": at(r.start),
            "valid_to": at(r.end),
            "known_from": at(r.known or r.start),
            "known_to": at(OPEN),
            "strike": None,
            "lot_size": None,
        }
        row |= dict(zip(_FACTORS, r.factors, strict=True))
        rows.append(row)
        if r.until != OPEN:
            rows.append({**row, "known_to": at(r.until)})
    return _numbered(rows)


_FACTORS = ("price_factor", "split_factor", "share_factor", "factor_version")


@dataclass(frozen=True)
class Claim:
    """An identifier of a listing on [start, end), by the knowledge of [known, until)."""

    id_type: str
    value: str
    listing: str
    start: str = "2024-01-02"
    end: str = OPEN
    known: str = ""
    until: str = OPEN
    venue: str = "XSIM"
    reason: str = "LIST"
    link: str = ""


CLAIMS = [
    *(
        Claim(id_type, f"{prefix}{symbol}", listing)
        for symbol, listing in (("ACME", ACME), ("LATE", LATE))
        for id_type, prefix in (("SYMBOL", ""), ("RAW_KEY", "X:"))
    ),
    Claim("ISIN", "US0000000AC1", ACME),
    *(
        Claim(id_type, f"{prefix}OLD", PEAR, *interval)
        for id_type, prefix in (("SYMBOL", ""), ("RAW_KEY", "X:"))
        for interval in (
            ("2024-01-02", OPEN, "2024-01-02", "2024-06-03"),
            ("2024-01-02", "2024-06-03", "2024-06-03"),
        )
    ),
    Claim("SYMBOL", "PEAR", PEAR, "2024-06-03", reason="RENAME", link="RENAME"),
    Claim("RAW_KEY", "X:PEAR", PEAR, "2024-06-03", reason="RENAME", link="RENAME"),
    Claim("SYMBOL", "OLD", NOVA, "2024-07-01"),
    Claim("RAW_KEY", "X:OLD", NOVA, "2024-07-01"),
    Claim("SYMBOL", "TWIN", TWIN),
    Claim("SYMBOL", "TWIN", "e_twin_y", venue="XNYS"),
    Claim("SYMBOL", "GONE", "e_gone", until="2024-08-01"),
    Claim("SYMBOL", "GONE", "e_gone", "2024-01-02", "2024-08-01", "2024-08-01"),
    Claim("SYMBOL", "CLASH", "e_clash_a"),
    Claim("SYMBOL", "CLASH", "e_clash_b", "2024-05-10"),
    Claim("RAW_KEY", "X:CLASH", "e_clash_a"),
    Claim("SYMBOL", "TARDY", "e_tardy", "2024-03-01", known="2024-04-01"),
]


def identifiers() -> list[dict[str, Any]]:
    rows = []
    for number, c in enumerate(CLAIMS):
        row = {
            "event_id": f"i{number}",
            "event_time": at(c.known or c.start),
            "ingest_time": at(c.known or c.start),
            "entity_id": c.listing,
            "listing_id": c.listing,
            "id_type": c.id_type,
            "id_value": c.value,
            "venue": c.venue,
            "series": "",
            "valid_from": at(c.start),
            "valid_to": at(c.end),
            "known_from": at(c.known or c.start),
            "known_to": at(OPEN),
            "reason": c.reason,
            "link": c.link,
            "raw_event_id": f"raw-{c.listing}-{c.start}",
        }
        rows.append(row)
        if c.until != OPEN:
            rows.append({**row, "known_to": at(c.until)})
    return _numbered(rows)


def actions() -> list[dict[str, Any]]:
    """Return a split, a dividend whose ex-date and amount were amended, one that was cancelled."""
    versions = [
        (ACME, "split", 1, "SPLIT", "CONFIRMED", "2024-10-21", "2024-10-15"),
        (ACME, "dividend", 1, "CASH_DIVIDEND", "ANNOUNCED", "2024-11-20", "2024-10-16"),
        (ACME, "dividend", 2, "CASH_DIVIDEND", "AMENDED", "2024-10-26", "2024-10-26"),
        (ACME, "special", 1, "SPECIAL_DIVIDEND", "ANNOUNCED", "2024-10-28", "2024-10-17"),
        (ACME, "special", 2, "SPECIAL_DIVIDEND", "CANCELLED", "2024-10-28", "2024-10-27"),
        (LATE, "late", 1, "SPLIT", "CONFIRMED", "2024-10-21", "2024-10-24"),
    ]
    empty = ("announce_date", "record_date", "pay_date", "subscription_price", "distributed_value")
    rows = []
    for listing, action, version, kind, status, ex_date, known in versions:
        split = kind == "SPLIT"
        row = {
            "event_id": f"{listing}-{action}-{version}",
            "event_time": at(ex_date),
            "ingest_time": at(known),
            "entity_id": listing,
            "action_id": action,
            "version": version,
            "kind": kind,
            "status": status,
            "symbol": listing[2:].upper(),
            "isin": "",
            "venue": "XSIM",
            "ex_date": at(ex_date).date(),
            "effective_time": at(ex_date),
            "ratio_numerator": 2 if split else None,
            "ratio_denominator": 1 if split else None,
            "cash_amount": None if split else Decimal(version) / 2,
            "currency": None if split else "USD",
            "method": None if split else "PREV_CLOSE",
            "reference_price": None if split else Decimal(50),
            "purpose": None,
            "known_from": at(known),
            "raw_partition": 0,
            "raw_offset": len(rows),
        }
        rows.append({**row, **dict.fromkeys(empty)})
    return _numbered(rows)


def adjustment_factors() -> list[dict[str, Any]]:
    """Return the split, a third that no double holds, and the dividend, amended once."""
    third = ("333333333333333333333333333333333331", "1000000000000000000000000000000000000")
    known = [
        (ACME, "2024-10-21", ("1", "2"), ("2", "1"), 0.5, 0.5, 2.0, "2024-10-15", OPEN),
        (ACME, "2024-10-26", third, ("1", "1"), 1 / 3, 1.0, 1.0, "2024-10-26", "2024-10-27"),
        (ACME, "2024-10-26", ("49", "50"), ("1", "1"), 0.98, 1.0, 1.0, "2024-10-27", OPEN),
        (LATE, "2024-10-21", ("1", "2"), ("2", "1"), 0.5, 0.5, 2.0, "2024-10-24", OPEN),
    ]
    rows = []
    for number, (listing, ex_date, price, share, m, x, s, since, until) in enumerate(known):
        row = {
            "event_id": f"f{number}",
            "event_time": at(ex_date),
            "ingest_time": at(since),
            "entity_id": listing,
            "listing_id": listing,
            "venue": "XSIM",
            "ex_date": at(ex_date).date(),
            "effective_time": at(ex_date),
            "price_numerator": price[0],
            "price_denominator": price[1],
            "share_numerator": share[0],
            "share_denominator": share[1],
            "price_factor": m,
            "split_factor": x,
            "share_factor": s,
            "method": "RATIO" if x != 1.0 else "PREV_CLOSE",
            "reference_price": None if x != 1.0 else Decimal("50.5"),
            "reference_date": None if x != 1.0 else at("2024-10-25").date(),
            "action_ids": f"{listing}-{ex_date}",
            "status": "FINAL",
            "factor_version": number,
            "known_from": at(since),
            "known_to": at(OPEN),
        }
        rows.append(row)
        if until != OPEN:
            rows.append({**row, "known_to": at(until)})
    return _numbered(rows)


def restatements() -> list[dict[str, Any]]:
    row = {
        "event_id": "r1",
        "event_time": at("2024-10-24"),
        "ingest_time": at("2024-10-24"),
        "entity_id": LATE,
        "raw_key": "X:LATE",
        "venue": "XSIM",
        "from_time": at("2024-10-21"),
        "to_time": at("2024-10-24"),
        "old_listing_id": LATE,
        "new_listing_id": LATE,
        "old_factor_version": 0,
        "new_factor_version": 1,
        "reason": "ACTION",
        "cause": "e_late-late-1",
    }
    return _numbered([row])


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**ENVELOPE, **row, "kafka_offset": number} for number, row in enumerate(rows)]
