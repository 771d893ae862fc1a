"""The promise of one code: the same rows from the stream and from a bounded run."""

from __future__ import annotations

import random

import pytest

from tests.pipelines.harness import Mode, as_set
from tests.pipelines.vocabulary import (
    HOUR,
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


def session(seed: int):
    """Return raw records of half an hour with splits, a rename, copies, poison and disorder."""
    chance = random.Random(seed)
    symbols = ["AAA", "BBB", "CCC", "OLD", "NEW", "NOBODY"]
    trades = [
        trade(
            chance.choice(symbols),
            at=T0 + chance.randrange(HOUR // 2),
            price=f"{chance.randrange(1, 10_000)}.{chance.randrange(100):02}",
            event_id=f"t{n}",
            sequence=n,
        )
        for n in range(600)
    ]
    trades += [dict(row) for row in chance.sample(trades, 30)]
    trades += [poison("DECODE_TRUNCATED", at=T0) for _ in range(5)]
    quotes = [
        quote(
            "AAA",
            at=T0 + chance.randrange(HOUR // 2),
            bid=f"9.{n:03}",
            ask=f"10.{n:03}",
            event_id=f"q{n}",
        )
        for n in range(100)
    ]
    halfway = T0 + 900 * SECOND
    changes = [
        *(listed(symbol) for symbol in ("AAA", "BBB", "CCC")),
        listed("OLD", listing="e_renamed"),
        change("OLD", at=halfway, status="NOT_LISTED", listing="e_renamed"),
        change("NEW", at=halfway, listing="e_renamed"),
        change("BBB", at=halfway, factors=Factors(0.2, 0.2, 5.0, 1)),
        change("CCC", at=halfway + 77, factors=Factors(0.99, 1.0, 1.0, 1)),
    ]
    return {"raw.trade": trades, "raw.quote": quotes, CHANGES: changes}


@pytest.mark.parametrize("seed", [1, 2])
def test_stream_and_bounded_run_give_the_same_normalized_rows_and_bars(backfilling, seed):
    rows = session(seed)
    stream = backfilling(Mode.STREAMING).run(rows)
    batch = backfilling(Mode.BATCH, parallelism=2, shuffle_seed=seed).run(rows)

    assert stream.keys() == batch.keys()
    for topic in stream:
        assert as_set(stream[topic]) == as_set(batch[topic]), topic
    assert len(stream["normalized.trade"]) > 300
    assert len(stream["analytics.bar"]) > 300
