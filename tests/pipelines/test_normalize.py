"""What normalize makes of raw records; each test runs in a stream and in a batch."""

from __future__ import annotations

from tests.pipelines.harness import as_set
from tests.pipelines.vocabulary import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    T0,
    Factors,
    change,
    listed,
    poison,
    quote,
    trade,
)

CHANGES = "reference.entity_change"


def _reasons(out):
    return sorted(row["payload"]["reason"] for row in out["quarantine.event"])


def test_trade_of_a_listed_symbol_is_resolved_and_keeps_its_raw_price(normalizing, mode):
    out = normalizing(mode).run(
        {
            "raw.trade": [trade("RELIANCE", at=T0, price="1334.35", size="7")],
            CHANGES: [listed("RELIANCE", factors=Factors(0.5, 0.5, 2.0, 3))],
        }
    )

    (row,) = out["normalized.trade"]
    assert row["entity_id"] == "e_reliance"
    assert float(row["payload"]["price"]) == 1334.35
    assert row["payload"]["raw_symbol"] == "RELIANCE"
    assert row["payload"]["isin"] == "INRELIANCE"
    assert row["payload"]["trade_date"] == "2024-10-28"
    assert row["payload"]["session_phase"] == "regular"
    assert float(row["payload"]["price_factor"]) == 0.5
    assert row["payload"]["factor_version"] == 3


def test_split_takes_effect_for_trades_at_and_after_its_effective_time(normalizing, mode):
    noon = T0 + HOUR
    out = normalizing(mode).run(
        {
            "raw.trade": [
                trade("TCS", at=noon - 1),
                trade("TCS", at=noon),
                trade("TCS", at=noon + 1),
            ],
            CHANGES: [listed("TCS"), change("TCS", at=noon, factors=Factors(0.1, 0.1, 10.0, 1))],
        }
    )

    versions = {r["event_time"]: r["payload"]["factor_version"] for r in out["normalized.trade"]}
    assert list(dict(sorted(versions.items())).values()) == [0, 1, 1]


def test_rename_moves_the_symbol_but_not_the_listing(normalizing, mode):
    morning = T0 - HOUR
    out = normalizing(mode).run(
        {
            "raw.trade": [trade("ZOMATO", at=T0), trade("ETERNAL", at=T0)],
            CHANGES: [
                listed("ZOMATO", listing="e_food"),
                change("ZOMATO", at=morning, status="NOT_LISTED", listing="e_food"),
                change("ETERNAL", at=morning, listing="e_food"),
            ],
        }
    )

    (row,) = out["normalized.trade"]
    assert (row["entity_id"], row["payload"]["raw_symbol"]) == ("e_food", "ETERNAL")
    assert _reasons(out) == ["NOT_LISTED"]


def test_ticker_handed_to_another_company_resolves_by_event_time(normalizing, mode):
    out = normalizing(mode).run(
        {
            "raw.trade": [trade("GOOG", at=T0), trade("GOOG", at=T0 + HOUR)],
            CHANGES: [
                listed("GOOG", listing="e_class_a"),
                change("GOOG", at=T0 + HOUR, listing="e_class_c"),
            ],
        }
    )

    owners = [
        row["entity_id"] for row in sorted(out["normalized.trade"], key=lambda r: r["event_time"])
    ]
    assert owners == ["e_class_a", "e_class_c"]


def test_records_that_cannot_be_resolved_are_quarantined_with_the_reason(normalizing, mode):
    out = normalizing(mode).run(
        {
            "raw.trade": [
                trade("NOBODY", at=T0),
                trade("GONE", at=T0),
                trade("LATER", at=T0),
                trade("HDFC", at=T0 + 12 * HOUR),
            ],
            CHANGES: [
                change("GONE", at=T0 - DAY, status="DELISTED"),
                change("LATER", at=T0 + HOUR),
                listed("HDFC"),
            ],
        }
    )

    assert out["normalized.trade"] == []
    assert _reasons(out) == ["AFTER_DELISTING", "MARKET_CLOSED", "UNKNOWN_SYMBOL", "UNKNOWN_SYMBOL"]


def test_broken_records_are_quarantined_with_coordinates_and_bytes(normalizing, mode):
    out = normalizing(mode).run(
        {
            "raw.trade": [
                poison("DECODE_BAD_MAGIC", at=T0),
                trade("INFY", at=T0, price="-1"),
                trade("INFY", at=T0, size="-1"),
                trade("INFY", at=T0, price=None),
                trade("INFY", at=T0 + DAY, ingest_time=None),
                trade("INFY", at=T0, message_bytes="AAEC"),
            ],
            CHANGES: [listed("INFY")],
        }
    )

    lanes = {row["payload"]["offset"]: row["payload"] for row in out["quarantine.event"]}
    assert {offset: lane["reason"] for offset, lane in lanes.items()} == {
        0: "DECODE_BAD_MAGIC",
        1: "PRICE_OUT_OF_RANGE",
        2: "SIZE_OUT_OF_RANGE",
        3: "FIELD_MISSING",
        4: "ENVELOPE_INCOMPLETE",
    }
    assert lanes[0]["raw_bytes"] == "AAEC"
    assert lanes[0]["topic"] == "raw.trade"
    assert len(out["normalized.trade"]) == 1


def test_copies_of_an_event_leave_one_normalized_and_the_rest_as_duplicates(normalizing, mode):
    copies = [trade("SBIN", at=T0, event_id="same", kafka_offset=n) for n in (5, 3, 9)]
    neighbours = [
        trade("SBIN", at=T0, event_id=f"other-{n}", kafka_offset=20 + n) for n in range(3)
    ]
    out = normalizing(mode).run({"raw.trade": copies + neighbours, CHANGES: [listed("SBIN")]})

    kept = sorted(row["payload"]["raw_offset"] for row in out["normalized.trade"])
    assert kept == [3, 20, 21, 22]
    assert sorted(r["payload"]["offset"] for r in out["duplicate.event"]) == [5, 9]


def test_heartbeat_goes_on_and_is_neither_duplicate_nor_quarantined(normalizing, mode):
    beat = {
        "event_id": "beat",
        "event_time": "2024-10-28T04:00:00.000",
        "ingest_time": "2024-10-28T04:00:00.000",
        "source": "heartbeat",
        "schema_version": 1,
        "entity_id": "heartbeat-3",
    }
    out = normalizing(mode).run({"raw.trade": [beat, beat], CHANGES: [listed("SBIN")]})

    assert {row["entity_id"] for row in out["normalized.trade"]} == {"heartbeat-3"}
    assert all(row["payload"] is None for row in out["normalized.trade"])
    assert not out["quarantine.event"] and not out["duplicate.event"]


def test_every_raw_record_ends_in_exactly_one_place(normalizing, mode):
    symbols = ["A", "B", "C", "UNKNOWN"]
    raw = [
        trade(
            symbols[n % 4],
            at=T0 + n * SECOND // 7,
            price=str(n % 11 - 1),
            event_id=f"id-{n // 2 * 2}-{symbols[n % 4]}",
        )
        for n in range(400)
    ]
    out = normalizing(mode).run({"raw.trade": raw, CHANGES: [listed(s) for s in symbols[:3]]})

    taken = [row["payload"]["raw_offset"] for row in out["normalized.trade"]]
    taken += [
        r["payload"]["offset"]
        for lane in ("duplicate.event", "late.event", "quarantine.event")
        for r in out[lane]
    ]
    assert sorted(taken) == list(range(400))


def test_quotes_and_bars_share_the_pass_with_trades(normalizing, mode):
    bar_payload = {"open": "1", "high": "3", "low": "1", "close": "2", "volume": "5"}
    bar = trade("ITC", at=T0, interval_seconds=86400, **bar_payload)
    bar["payload"] = {k: v for k, v in bar["payload"].items() if k not in {"price", "size"}}
    out = normalizing(mode).run(
        {
            "raw.trade": [trade("ITC", at=T0)],
            "raw.quote": [
                quote("ITC", at=T0, bid="9", ask="8"),
                quote("ITC", at=T0, bid="7", ask="8"),
            ],
            "raw.bar": [bar],
            CHANGES: [listed("ITC")],
        }
    )

    assert len(out["normalized.trade"]) == len(out["normalized.bar"]) == 1
    assert [float(r["payload"]["bid_price"]) for r in out["normalized.quote"]] == [7.0]
    assert _reasons(out) == ["CROSSED_QUOTE"]


def test_lanes_are_the_same_rows_whatever_the_order_and_parallelism(normalizing, mode):
    raw = [trade("AB"[n % 2], at=T0 + n * MINUTE // 10, event_id=f"{n % 90}") for n in range(90)]
    raw += [dict(raw[n], kafka_offset=1000 + n) for n in range(0, 90, 9)]
    changes = [
        listed("A"),
        listed("B"),
        change("A", at=T0 + 4 * MINUTE, factors=Factors(0.5, 0.5, 2, 1)),
    ]
    plain = normalizing(mode).run({"raw.trade": raw, CHANGES: changes})

    numbered = [{"kafka_offset": n} | row for n, row in enumerate(raw)]
    mixed = normalizing(mode, parallelism=3, shuffle_seed=11).run(
        {"raw.trade": numbered, CHANGES: changes}
    )

    assert plain.keys() == mixed.keys()
    for topic in plain:
        assert as_set(plain[topic]) == as_set(mixed[topic])
    assert len(plain["duplicate.event"]) == 10
