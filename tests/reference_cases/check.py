"""Judge what an engine or a job said of a case: what the case expects, and what always holds.

What always holds, for every key of every case:
    - rows of one knowledge time tile valid time: no gap, no overlap after the first instant
    - what was published, read at any moment, is what was true by the knowledge of that moment
    - every record ends in exactly one of: accepted, refused, duplicate
    - no restatement beyond the ones the case names
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from asknown.reference.identifiers import Identifier, agree, resolve
from asknown.reference.records import FOR_EVER, Close
from tests.reference_cases import vocabulary as v

Row = Mapping[str, Any]

HISTORY, CHANGE = "reference.entity_history", "reference.entity_change"
_CHANGED = (
    *("listing_id", "isin", "symbol", "venue", "status", "price_factor", "split_factor"),
    *("share_factor", "factor_version"),
)
_IDENTIFIER = (
    *("listing_id", "id_type", "id_value", "venue", "series", "valid_from", "valid_to"),
    *("known_from", "known_to"),
)


def check(case: v.Case, outputs_by_topic: Mapping[str, Sequence[Row]]) -> None:
    """Assert that payloads, by topic and in the order of their offsets, are what `case` expects.

    Rows of other cases may lie among them.
    """
    told = Told(outputs_by_topic)
    for one in case.expected:
        _CHECKS[type(one)](told, one)
    _every_record_has_one_outcome(case, told)
    _restatements_are_all_named(case, told)
    for raw_key in sorted(case.raw_keys):
        _rectangles_tile(told, raw_key)
        _published_is_what_was_true(told, raw_key)


class Told:
    """Payloads by topic, superseded copies left out."""

    def __init__(self, outputs: Mapping[str, Sequence[Row]]) -> None:
        self._outputs = outputs

    def rows(self, topic: str) -> Sequence[Row]:
        """Return every row of a topic."""
        return self._outputs.get(topic, ())

    def last(self, topic: str, name: str, value: str, *key: str) -> list[Row]:
        """Return the rows whose `name` is `value`, of those with one `key` the last one."""
        mine = [row for row in self.rows(topic) if row[name] == value]
        return list({tuple(row[column] for column in key): row for row in mine}.values())

    def history(self, raw_key: str) -> list[Row]:
        """Return the rectangles of a key."""
        return self.last(HISTORY, "raw_key", raw_key, "valid_from", "known_from")

    def meaning(self, raw_key: str, at: int, known: int) -> Row | None:
        """Return what a key means at `at` by the knowledge of `known`; None when unknown."""
        found = [row for row in _believed(self.history(raw_key), known) if _covers(row, at)]
        assert len(found) < 2, f"{raw_key} has {len(found)} meanings at {at} known {known}"
        return found[0] if found else None

    def points(self, raw_key: str) -> list[Row]:
        """Return the change points of a key in the order of their time."""
        found = self.last(CHANGE, "raw_key", raw_key, "effective_time")
        return sorted(found, key=lambda row: row["effective_time"])

    def identifiers(self, id_type: str, value: str) -> list[Identifier]:
        """Return the rows of an identifier."""
        key = ("id_type", "listing_id", "valid_from", "known_from")
        found = self.last("reference.identifier_map", "id_value", value, *key)
        return [
            Identifier(**{name: row[name] for name in _IDENTIFIER})
            for row in found
            if row["id_type"] == id_type
        ]


def _believed(rows: Iterable[Row], known: int) -> list[Row]:
    return [row for row in rows if row["known_from"] <= known < row["known_to"]]


def _covers(row: Row, at: int) -> bool:
    return bool(row["valid_from"] <= at < row["valid_to"])


def _means(told: Told, one: v.Means) -> None:
    found = told.meaning(one.raw_key, one.at, one.known)
    if one.status == "UNKNOWN":
        assert found is None, (one, found)
        return
    assert found is not None, one
    assert found["status"] == one.status, (one, found)
    if one.listing is not None:
        assert found["listing_id"] == one.listing, (one, found)
    for name in ("price", "split", "share"):
        if (wanted := getattr(one, name)) is not None:
            assert _close(found[f"{name}_factor"], wanted), (one, name, found)
    _columns(one, one.columns, found)


def _close(found: float, wanted: Fraction) -> bool:
    return abs(found - float(wanted)) <= 1e-12 * float(wanted)


def _columns(one: object, wanted: Mapping[str, Any], found: Row) -> None:
    for name, value in wanted.items():
        held = found[name]
        if isinstance(value, Decimal) and held is not None:
            held = Decimal(str(held))
        assert held == value, (one, name, held, value)


def _refused(told: Told, one: v.Refused) -> None:
    rows = [r for r in told.rows("quarantine.event") if r["raw_event_id"] == one.raw.event_id]
    assert [row["reason"] for row in rows] == [one.reason], (one, rows)
    for word in one.mentions:
        assert word in rows[0]["detail"], (one, rows)
    assert rows[0]["topic"] == one.raw.topic
    assert rows[0]["raw_key"] == one.raw.raw_key


def _accepted(told: Told, one: v.Accepted) -> None:
    topic, name = "normalized.security", "fact_id"
    if one.raw.topic == "raw.corporate_action":
        topic, name = "normalized.corporate_action", "action_id"
    version = one.raw.version or 1
    rows = [
        row for row in told.rows(topic) if (row[name], row["version"]) == (one.raw.name, version)
    ]
    assert len(rows) == 1, (one, rows)
    _columns(one, one.columns, rows[0])


def _repeated(told: Told, one: v.Repeated) -> None:
    rows = [r for r in told.rows("duplicate.event") if r["raw_event_id"] == one.raw.event_id]
    assert [row["reason"] for row in rows] == ["DUPLICATE"] * one.times, (one, rows)


def _published(told: Told, one: v.Published) -> None:
    found = [
        (r["effective_time"], r["status"], r["price_factor"]) for r in told.points(one.raw_key)
    ]
    assert [row[:2] for row in found] == [row[:2] for row in one.points], (one, found)
    assert all(_close(row[2], wanted[2]) for row, wanted in zip(found, one.points, strict=True)), (
        one,
        found,
    )


def _resolves(told: Told, one: v.Resolves) -> None:
    rows = told.identifiers(one.id_type, one.value)
    found = resolve(
        rows, one.id_type, one.value, one.venue, one.series, at=one.at, known_at=one.known
    )
    assert found.status == one.status, (one, found)
    if one.listings:
        assert set(found.listing_ids) == set(one.listings), (one, found)


def _agrees(told: Told, one: v.Agrees) -> None:
    named = [
        resolve(
            told.identifiers(id_type, value),
            id_type,
            value,
            one.venue,
            at=one.at,
            known_at=one.known,
        )
        for id_type, value in (("SYMBOL", one.symbol), ("ISIN", one.isin))
    ]
    found = agree(*named)
    assert found.status == one.status, (one, found)


def _factor(told: Told, one: v.Factor) -> None:
    key = ("ex_date", "known_from")
    rows = told.last("reference.adjustment_factor", "listing_id", one.listing, *key)
    of_day = [row for row in _believed(rows, one.known) if _iso(row["ex_date"]) == one.ex]
    assert len(of_day) == 1, (one, of_day)
    found = of_day[0]
    price = Fraction(int(found["price_numerator"]), int(found["price_denominator"]))
    share = Fraction(int(found["share_numerator"]), int(found["share_denominator"]))
    assert (price, share, found["status"]) == (one.price, one.share, one.status), (one, found)
    assert _close(found["price_factor"], price)
    assert _close(found["share_factor"], share)
    _columns(one, one.columns, found)


def _iso(day: date | str) -> str:
    return day if isinstance(day, str) else day.isoformat()


def _nothing(_told: Told, _one: v.Restated) -> None:
    """Leave restatements to the comparison of all of them at once."""


_CHECKS: dict[type, Any] = {
    v.Means: _means,
    v.Refused: _refused,
    v.Accepted: _accepted,
    v.Repeated: _repeated,
    v.Restated: _nothing,
    v.Published: _published,
    v.Resolves: _resolves,
    v.Agrees: _agrees,
    v.Factor: _factor,
}


def _restatements_are_all_named(case: v.Case, told: Told) -> None:
    wanted = Counter(
        (one.raw_key, one.start, one.end, one.reason)
        for one in case.expected
        if isinstance(one, v.Restated)
    )
    found = Counter(
        (row["raw_key"], row["from_time"], row["to_time"], row["reason"])
        for row in told.rows("normalized.restatement")
        if row["raw_key"] in case.raw_keys
    )
    assert found == wanted, (case.name, found - wanted, wanted - found)


def _every_record_has_one_outcome(case: v.Case, told: Told) -> None:
    raws = [one for one in case.records if not isinstance(one, Close)]
    sent = Counter(raw.event_id for raw in raws)
    names = {raw.event_id: (raw.topic, raw.name) for raw in raws}
    lanes = Counter(
        row["raw_event_id"]
        for topic in ("quarantine.event", "duplicate.event")
        for row in told.rows(topic)
    )
    wanted: Counter[tuple[str, str]] = Counter()
    for event_id, times in sent.items():
        wanted[names[event_id]] += times - lanes[event_id]
    accepted = Counter(("raw.security", row["fact_id"]) for row in told.rows("normalized.security"))
    accepted += Counter(
        ("raw.corporate_action", row["action_id"])
        for row in told.rows("normalized.corporate_action")
    )
    for name, times in wanted.items():
        assert accepted[name] == times, (case.name, name, accepted[name], times)
    for one in case.expected:
        kind = type(one)
        if kind is v.Refused or kind is v.Repeated:
            lanes.pop(one.raw.event_id, None)  # type: ignore[union-attr]  # both have a record
    unnamed = [event_id for event_id in sent if event_id in lanes]
    assert not unnamed, (case.name, "refused or repeated, and nobody expects it", unnamed)


def _rectangles_tile(told: Told, raw_key: str) -> None:
    rows = told.history(raw_key)
    for known in sorted({row["known_from"] for row in rows}):
        spans = sorted((row["valid_from"], row["valid_to"]) for row in _believed(rows, known))
        assert all(one[1] == other[0] for one, other in zip(spans, spans[1:], strict=False)), (
            raw_key,
            known,
            spans,
        )
        assert not spans or spans[-1][1] == FOR_EVER, (raw_key, known, spans)


def _published_is_what_was_true(told: Told, raw_key: str) -> None:
    points, rows = told.points(raw_key), told.history(raw_key)
    instants = {row[name] for row in rows for name in ("valid_from", "known_from", "known_to")}
    instants |= {row["effective_time"] for row in points}
    for at in sorted(instants - {FOR_EVER}):
        said = [row for row in points if row["effective_time"] <= at]
        truth = told.meaning(raw_key, at, at)
        if truth is None:
            assert not said or said[-1]["status"] == "NOT_LISTED", (raw_key, at, said[-1:])
            continue
        assert said, (raw_key, at, truth)
        wanted, found = ({name: row[name] for name in _CHANGED} for row in (truth, said[-1]))
        assert found == wanted, (raw_key, at, found, wanted)
