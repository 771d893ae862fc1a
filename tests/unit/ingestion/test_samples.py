"""The sample companies against their own adjusted close."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest

from asknown.errors import UsageError
from asknown.ingestion.connectors.samples import SampleRow, bars, reference, rows
from asknown.ingestion.decimals import exact_decimal
from asknown.reference.actions import ActionKind
from asknown.reference.calendars import coverage, session_open
from asknown.reference.changes import by_key

# The sample prints its adjusted close to at least 13 digits; a factor is a product of up to 52
# doubles, each right to 1e-16. So a thousandth of a millionth leaves a factor of a thousand.
RELATIVE = 1e-9


@pytest.fixture(scope="module")
def by_ticker() -> dict[str, list[SampleRow]]:
    found: dict[str, list[SampleRow]] = defaultdict(list)
    for row in rows():
        found[row.ticker].append(row)
    return found


def test_adjusted_close_by_our_factors_is_the_samples_own(
    by_ticker: dict[str, list[SampleRow]],
) -> None:
    bundle = reference()
    changes = by_key(bundle.history().as_known())
    for fact in bundle.facts:
        points = changes[fact.raw_key]
        moments = [point.effective_time for point in points]
        series = by_ticker[fact.symbol]
        factors = [
            points[bisect_right(moments, session_open(fact.venue, row.day)) - 1].price_factor
            for row in series
        ]
        # The sample's adjusted close also holds what came after its last row: one constant.
        constant = float(series[-1].close) / float(series[-1].adj_close)
        for row, factor in zip(series, factors, strict=True):
            ours = float(row.close) * factors[-1] / factor
            assert ours == pytest.approx(float(row.adj_close) * constant, rel=RELATIVE), row


def test_every_ex_date_of_the_sample_is_a_fact_with_the_amount_it_implies(
    by_ticker: dict[str, list[SampleRow]],
) -> None:
    paid: dict[tuple[str, date], Fraction] = defaultdict(Fraction)
    bundle = reference()
    for action in bundle.actions:
        symbol = bundle.named_at(action.listing_id, 0).symbol
        if action.kind is ActionKind.SPLIT:
            paid[symbol, action.ex_date] = Fraction(-1)
        else:
            paid[symbol, action.ex_date] += Fraction(action.cash_amount or 0)
    implied: dict[tuple[str, date], float] = {}
    for ticker, series in by_ticker.items():
        for before, row in pairwise(series):
            step = (Fraction(before.adj_close) / Fraction(before.close)) / (
                Fraction(row.adj_close) / Fraction(row.close)
            )
            if abs(step - Fraction(1, 2)) < 1e-9:
                implied[ticker, row.day] = -1.0
            elif abs(step - 1) > 1e-8:
                implied[ticker, row.day] = float(Fraction(row.close) * (1 / step - 1))
    assert implied.keys() == paid.keys()
    assert all(implied[key] == pytest.approx(float(paid[key]), abs=1e-6) for key in paid)


def test_bars_keep_every_column_exactly(by_ticker: dict[str, list[SampleRow]]) -> None:
    delivered = bars()
    assert len(delivered) == sum(len(series) for series in by_ticker.values())
    assert [one.clock_ms for one in delivered] == sorted(one.clock_ms for one in delivered)
    first = by_ticker["IBM"][0]
    event = next(one.item for one in delivered if one.item.entity_id == "XNYS:EQ:IBM")  # type: ignore[union-attr]
    assert event.payload["close"] == exact_decimal(first.close)  # type: ignore[union-attr]
    assert event.payload["extra"] == {  # type: ignore[union-attr]
        "date": first.day.isoformat(),
        "adj_close": first.adj_close,
    }


def test_bars_lie_within_the_calendars_coverage(by_ticker: dict[str, list[SampleRow]]) -> None:
    first, last = coverage("XNYS")
    assert all(first <= row.day <= last for series in by_ticker.values() for row in series)


def test_symbol_that_is_not_in_the_sample_is_refused() -> None:
    with pytest.raises(UsageError, match="TSLA") as refused:
        bars(frozenset({"IBM", "TSLA"}))
    assert refused.value.code == "ASKNOWN-INGEST-031"
