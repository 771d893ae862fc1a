"""What holds of any history: the engine against brute force, in any order, at any moment."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown.reference.records import FOR_EVER, Output, RawAction, RawSecurity, Record
from tests.reference_cases.oracle import Meaning, Oracle, run
from tests.reference_cases.vocabulary import NSE, again

SYMBOLS = ("AA", "BB", "CC", "DD")
ISINS = ("INE200A01026", "INE672A01026", "INE745G01043")
SERIES = ("EQ", "BE")
FIRST = date(2020, 3, 2)
LATEST = 16  # days

Told = list[tuple[int, Output]]
MANY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


@st.composite
def moments(draw: st.DrawFn, latest: int) -> str:
    hours = draw(st.sampled_from(("00:00", "10:00", "18:00")))
    return f"{day(draw(st.integers(-3, latest)))} {hours}"


KINDS = ("LIST", "RENAME", "RENAME", "RENAME", "DELIST", "ISIN_CHANGE", "SERIES_CHANGE")


@st.composite
def walks(draw: st.DrawFn, companies: int) -> list[tuple[str, str, str | None, int]]:
    """Draw facts that could be true, day after day: (kind, symbol, previous symbol, day).

    Swaps of symbols on one day, symbols handed on and symbols left are likely among so few.
    """
    called: list[str | None] = list(SYMBOLS[:companies])
    found: list[tuple[str, str, str | None, int]] = []
    number = 1
    for _ in range(draw(st.integers(0, 6))):
        number = min(LATEST, number + draw(st.sampled_from((0, 0, 1, 1, 2, 4))))
        company = draw(st.integers(0, companies - 1))
        old = called[company]
        new = draw(st.sampled_from([symbol for symbol in SYMBOLS if symbol != old]))
        kind = draw(st.sampled_from(KINDS))
        if old is None:
            kind = "LIST"
        if kind in ("LIST", "RENAME"):
            if old is not None:
                kind = "RENAME"
            found.append((kind, new, old, number))
            called[company] = new
        else:
            found.append((kind, old or new, None, number))
            called[company] = None if kind == "DELIST" else old
    return found


@st.composite
def facts(
    draw: st.DrawFn, name: str, said: tuple[str, str, str | None, int], latest: int
) -> list[RawSecurity]:
    """Draw what a source says of a fact, mostly in time, and now and then its corrections."""
    kind, symbol, previous, number = said
    more: dict[str, Any] = {}
    if kind == "RENAME":
        more["previous_symbol"] = previous
    if kind in ("LIST", "ISIN_CHANGE"):
        more["isin"] = draw(st.sampled_from(ISINS))
    if kind in ("LIST", "SERIES_CHANGE"):
        more["series"] = draw(st.sampled_from(SERIES))
    found = []
    for version in range(1, draw(st.sampled_from((1, 1, 1, 2, 3))) + 1):
        number = number if version == 1 else draw(st.integers(0, LATEST))
        known = draw(
            st.one_of(st.just(f"{day(min(latest, max(-3, number - 2)))} 10:00"), moments(latest))
        )
        status = draw(st.sampled_from((None, None, "CANCELLED"))) if version > 1 else None
        identity = {"fact_id": name, "version": version, "status": status}
        found.append(NSE.fact(kind, symbol, day(number), known, **more, **identity))
    return found


@st.composite
def actions(draw: st.DrawFn, number: int, latest: int) -> list[RawAction]:
    """Draw an action and, now and then, its corrections."""
    kind = draw(st.sampled_from(("SPLIT", "BONUS", "CASH_DIVIDEND")))
    symbol = draw(st.sampled_from((*SYMBOLS, *SYMBOLS[:1] * 3)))
    versions = draw(st.sampled_from((1, 1, 1, 2, 3)))
    said = []
    for version in range(1, versions + 1):
        terms: dict[str, Any] = {
            "ratio_numerator": draw(st.integers(1, 5)),
            "ratio_denominator": draw(st.integers(1, 5)),
        }
        if kind == "CASH_DIVIDEND":
            terms = {"cash_amount": draw(st.integers(1, 9)), "reference_price": 100}
        status = draw(st.sampled_from((None, "AMENDED", "CANCELLED"))) if version > 1 else None
        identity = {"action_id": f"a{number}", "version": version, "status": status}
        ex = day(draw(st.integers(1, LATEST)))
        said.append(
            NSE.action(kind, symbol, ex=ex, known=draw(moments(latest)), **terms, **identity)
        )
    return said


@st.composite
def histories(draw: st.DrawFn) -> list[Record]:
    """Draw what became known about a few companies, in that order."""
    companies = draw(st.integers(1, 3))
    latest = draw(st.sampled_from((1, LATEST, LATEST)))  # 1: all is announced, nothing is late
    found: list[Record] = [
        NSE.listed(symbol, on=day(number), known=day(-4), isin=ISINS[number], fact_id=f"l{number}")
        for number, symbol in enumerate(SYMBOLS[:companies])
    ]
    for number, said in enumerate(draw(walks(companies))):
        found += draw(facts(f"f{number}", said, latest))
    if draw(st.booleans()):  # and one that need not be true
        kind, symbol = draw(st.sampled_from(KINDS)), draw(st.sampled_from(SYMBOLS))
        said = (kind, symbol, draw(st.sampled_from(SYMBOLS)), draw(st.integers(0, LATEST)))
        found += draw(facts("junk", said, latest))
    for number in range(draw(st.integers(0, 4))):
        found += draw(actions(number, latest))
    return sorted(found, key=lambda raw: raw.event_time or 0)


def oracle_of(told: Told) -> Oracle:
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for _, output in told:
        rows[output.topic].append((output.key, output.payload))
    return Oracle(rows["normalized.security"], rows["normalized.corporate_action"])


def payloads(told: Told, topic: str, *key: str) -> list[dict[str, Any]]:
    """Return the rows of a topic, the last one of each key; every one without a key."""
    rows = [output.payload for _, output in told if output.topic == topic]
    if not key:
        return rows
    return list({tuple(row[name] for name in key): row for row in rows}.values())


def rectangles(told: Told) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in payloads(told, "reference.entity_history", "raw_key", "valid_from", "known_from"):
        found[row["raw_key"]].append(row)
    return found


def of(row: dict[str, Any]) -> Meaning:
    if row["status"] == "NOT_LISTED":
        return ("NOT_LISTED", row["listing_id"])
    names = ("status", "listing_id", "symbol", "isin", "series")
    factors = ("price_factor", "split_factor", "share_factor", "factor_version")
    return tuple(row[name] for name in (*names, *factors))


def grid(oracle: Oracle) -> tuple[list[int], list[int]]:
    """Return the event times and the knowledge times between which nothing changes."""
    instants = sorted({at + step for at in oracle.instants for step in (-1, 0)})
    return instants, sorted({at + step for at in oracle.known for step in (-1, 0)})


def keys() -> list[str]:
    return [NSE.key(symbol) for symbol in SYMBOLS]


@MANY
@given(histories())
def test_rectangles_say_at_every_moment_what_brute_force_says(history: list[Record]) -> None:
    told = list(run(history))
    oracle, rows = oracle_of(told), rectangles(told)
    for raw_key in keys():
        for known in grid(oracle)[1]:
            believed = [r for r in rows[raw_key] if r["known_from"] <= known < r["known_to"]]
            for at in grid(oracle)[0]:
                found = [of(r) for r in believed if r["valid_from"] <= at < r["valid_to"]]
                wanted = oracle.meaning(raw_key, at, known)
                assert found == ([] if wanted is None else [wanted]), (raw_key, at, known)


@MANY
@given(histories())
def test_published_points_say_what_was_true_by_the_knowledge_of_the_moment(
    history: list[Record],
) -> None:
    told = list(run(history))
    oracle = oracle_of(told)
    points: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in payloads(told, "reference.entity_change"):
        assert row["effective_time"] >= row["known_from"]
        points[row["raw_key"]].append(row)
    for raw_key in keys():
        for at in grid(oracle)[0]:
            known = [r for r in points[raw_key] if max(r["effective_time"], r["known_from"]) <= at]
            last = max(known, key=lambda row: row["effective_time"], default=None)
            said = [r for r in known if last and r["effective_time"] == last["effective_time"]]
            wanted = oracle.meaning(raw_key, at, at)
            if wanted is None or wanted[0] == "NOT_LISTED":
                assert not said or said[-1]["status"] == "NOT_LISTED", (raw_key, at)
                continue
            found = of({**said[-1], "series": wanted[4]})
            assert found == wanted, (raw_key, at)


@MANY
@given(histories())
def test_rectangles_tile_valid_time_by_every_knowledge(history: list[Record]) -> None:
    told = list(run(history))
    for raw_key, rows in rectangles(told).items():
        assert all(r["known_from"] < r["known_to"] for r in rows), raw_key
        first = min(row["known_from"] for row in rows)
        for known in sorted({row["known_from"] for row in rows}):
            believed = [r for r in rows if r["known_from"] <= known < r["known_to"]]
            spans = sorted((r["valid_from"], r["valid_to"]) for r in believed)
            assert spans[-1][1] == FOR_EVER, (raw_key, known)
            assert spans[0][0] <= max(first, known), (raw_key, known)
            for one, other in zip(spans, spans[1:], strict=False):
                assert one[1] == other[0], (raw_key, known)


def truth(told: Told) -> dict[str, list[str]]:
    """Return every row but those of the lanes and where a record lay, in a fixed order."""
    found: dict[str, list[str]] = defaultdict(list)
    for _, output in told:
        if output.topic in ("quarantine.event", "duplicate.event"):
            continue
        row = {name: str(value) for name, value in output.payload.items() if name != "raw_offset"}
        found[output.topic].append(f"{output.key} {sorted(row.items())}")
    return {topic: sorted(rows) for topic, rows in found.items()}


@MANY
@given(histories(), st.randoms(use_true_random=False), st.data())
def test_order_within_an_instant_and_duplicates_change_nothing(
    history: list[Record], chance: random.Random, data: st.DataObject
) -> None:
    told = list(run(history))
    accepted = {output.event_id for _, output in told if output.topic.startswith("normalized")}
    mixed = list(history)
    for raw in data.draw(st.lists(st.sampled_from(history), max_size=4)):
        mixed.append(raw)
        if raw.event_id in accepted:
            mixed.append(again(raw, day(LATEST + 4)))
    chance.shuffle(mixed)
    mixed.sort(key=lambda raw: raw.event_time or 0)
    placed = [msgspec.structs.replace(raw, offset=at) for at, raw in enumerate(mixed)]
    assert truth(list(run(placed))) == truth(told)


@MANY
@given(histories())
def test_restatements_are_the_past_that_changed_and_nothing_else(history: list[Record]) -> None:
    told = list(run(history))
    oracle = oracle_of(told)
    for at in oracle.known:
        changed: dict[str, set[int]] = defaultdict(set)
        instants = [one for one in oracle.instants if one < at]
        for raw_key in keys():
            for one in instants:
                was, now = oracle.meaning(raw_key, one, at - 1), oracle.meaning(raw_key, one, at)
                nothing = all(m is None or m[0] == "NOT_LISTED" for m in (was, now))
                if was != now and not nothing:
                    changed[raw_key].add(one)
        restated: dict[str, set[int]] = defaultdict(set)
        for when, output in told:
            if output.topic == "normalized.restatement" and when == at:
                row = output.payload
                assert row["from_time"] in instants
                assert row["to_time"] in (*instants, at)
                span = {i for i in instants if row["from_time"] <= i < row["to_time"]}
                assert span.isdisjoint(restated[row["raw_key"]])
                restated[row["raw_key"]] |= span
        assert {k: v for k, v in restated.items() if v} == dict(changed), at


@MANY
@given(histories())
def test_prices_adjusted_to_two_bases_differ_by_one_constant(history: list[Record]) -> None:
    told = list(run(history))
    oracle = oracle_of(told)
    rows = [row for of_key in rectangles(told).values() for row in of_key]
    known = max(oracle.known)
    now = [r for r in rows if r["known_from"] <= known < r["known_to"] and r["status"] == "LISTED"]
    for listing in oracle.listings:
        factors: dict[int, float] = {}
        for at in oracle.instants:
            for row in now:
                if row["listing_id"] == listing and row["valid_from"] <= at < row["valid_to"]:
                    factors[at] = row["price_factor"]
        raw = {at: 100.0 + place for place, at in enumerate(factors)}
        for one, other in zip(list(factors), list(factors)[1:], strict=False):
            ratios = [
                (raw[at] * factors[one] / factors[at]) / (raw[at] * factors[other] / factors[at])
                for at in factors
            ]
            wanted = factors[one] / factors[other]
            assert all(abs(ratio - wanted) <= 1e-12 * wanted for ratio in ratios)


@MANY
@given(histories(), st.integers(-3, LATEST))
def test_what_is_learnt_later_changes_nothing_said_before(
    history: list[Record], number: int
) -> None:
    until = NSE.at(f"{day(number)} 12:00")
    early = [raw for raw in history if (raw.event_time or 0) <= until]
    before = [(at, output) for at, output in run(history) if at <= until]
    assert before == list(run(early, until=until))
