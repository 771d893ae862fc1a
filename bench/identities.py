"""The identities that `bench.resolve` asks for: a market in which every ticker was recycled.

Of every listing n: `S<n>` was its symbol until 2016, `S<n>X` until 2021, and since then it bears
the symbol that listing n + 1 bore first. So every rename superseded a row, and a wrong date, an
ignored knowledge time or a lost row gives another company.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OPEN = "2200-01-01"
TABLES = ("silver.identifier_map", "silver.entity_history")
Question = tuple[str, dict[str, str], str, str | None]  # kind, query, status, listing
# id_type, value of listing n, interval, [known from, known to)
CLAIMS = (
    ("RAW_KEY", "concat('XSIM:EQ:', toString(n))", ("2010", OPEN), ("2010", OPEN)),
    ("ISIN", "concat('IN', toString(n))", ("2010", OPEN), ("2010", "2018")),
    ("ISIN", "concat('IN', toString(n))", ("2010", "2018"), ("2018", OPEN)),
    ("ISIN", "concat('IN', toString(n), 'A')", ("2018", OPEN), ("2018", OPEN)),
    ("SYMBOL", "concat('S', toString(n))", ("2010", OPEN), ("2010", "2016")),
    ("SYMBOL", "concat('S', toString(n))", ("2010", "2016"), ("2016", OPEN)),
    ("SYMBOL", "concat('S', toString(n), 'X')", ("2016", OPEN), ("2016", "2021")),
    ("SYMBOL", "concat('S', toString(n), 'X')", ("2016", "2021"), ("2021", OPEN)),
    ("SYMBOL", "concat('S', toString((n + 1) % {n}))", ("2021", OPEN), ("2021", OPEN)),
)
FACTORS = (("2010", "2016", 1.0), ("2016", "2021", 0.5), ("2021", OPEN, 0.25))
_ENVELOPE = {
    "event_id": "toString(n)",
    "event_time": "toDateTime64('2010-01-01', 3, 'UTC')",
    "ingest_time": "toDateTime64('2010-01-01', 3, 'UTC')",
    "source": "'bench'",
    "venue": "'XSIM'",
    "listing_id": "listing",
}


def question(choice: random.Random, listings: int) -> Question:
    """Return a question with the only right answer."""
    n = choice.randrange(listings)
    me, before = f"e_{n:016d}", f"e_{(n - 1) % listings:016d}"
    on, early = {"on": "2018-03-01"}, {"known_at": "2015-12-31"}
    kinds: tuple[Question, ...] = (
        ("first symbol", {"symbol": f"S{n}", "on": "2012-03-01"}, "RESOLVED", me),
        ("second symbol", {"symbol": f"S{n}X", **on}, "RESOLVED", me),
        ("recycled symbol", {"symbol": f"S{n}"}, "RESOLVED", before),
        ("between owners", {"symbol": f"S{n}", **on}, "CLOSED", None),
        ("rename not known yet", {"symbol": f"S{n}", **on, **early}, "RESOLVED", me),
        ("symbol of the venue", {"symbol": f"S{n}.XSIM"}, "RESOLVED", before),
        ("symbol, typed", {"symbol": f"S{n}", "id_type": "symbol"}, "RESOLVED", before),
        ("ISIN", {"symbol": f"IN{n}A"}, "RESOLVED", me),
        ("key", {"symbol": f"XSIM:EQ:{n}", "id_type": "raw_key"}, "RESOLVED", me),
    )
    return choice.choice(kinds)


def fill(client: Client, listings: int) -> dict[str, int]:
    """Write the rows of all listings, made by ClickHouse itself; return how many there are."""
    offset = 0
    for id_type, value, valid, known in CLAIMS:
        # As the reference job writes: believed first, superseded by a copy with known_to.
        for until in dict.fromkeys((OPEN, known[1])):
            columns = {
                **_ENVELOPE,
                **_interval(valid, (known[0], until)),
                "entity_id": "listing",
                "id_type": f"'{id_type}'",
                "id_value": value.replace("{n}", str(listings)),
                "raw_event_id": "concat('raw-', toString(n))",
                "kafka_offset": str(offset),
            }
            client.command(_insert(TABLES[0], columns, listings))
            offset += 1
    for first, last, factor in FACTORS:
        columns = {
            **_ENVELOPE,
            **_interval((first, last), (first, OPEN)),
            "entity_id": "concat('XSIM:EQ:', toString(n))",
            "raw_key": "concat('XSIM:EQ:', toString(n))",
            "symbol": "concat('S', toString(n))",
            "status": "'LISTED'",
            "price_factor": str(factor),
            "split_factor": str(factor),
            "share_factor": str(1 / factor),
        }
        client.command(_insert(TABLES[1], columns, listings))
    return {t: int(str(client.command(f"SELECT count() FROM {t}"))) for t in TABLES}  # noqa: S608


def _insert(table: str, columns: dict[str, str], listings: int) -> str:
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())}"  # noqa: S608
        " FROM (SELECT number AS n, concat('e_', leftPad(toString(number), 16, '0')) AS listing"
        f" FROM numbers({listings}))"
    )


def _interval(valid: tuple[str, str], known: tuple[str, str]) -> dict[str, str]:
    names = ("valid_from", "valid_to", "known_from", "known_to")
    return dict(zip(names, map(_time, (*valid, *known)), strict=True))


def _time(year: str) -> str:
    day = year if "-" in year else f"{year}-01-01"
    return f"toDateTime64('{day}', 3, 'UTC')"
