"""The lake and the API give the same answers: rows, types, what they rest on, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asknown.errors import AsknownError, UsageError
from asknown.research import Connection, Result
from asknown.research.sources import ACTION, BAR, SOURCE_DAY, TRADE
from asknown.serving import datasets, facts

Question = Callable[[Connection], Result]
QUESTIONS: dict[str, Question] = {
    "trades": lambda c: c.trades("ACME", "2024-10-01", "2024-11-01"),
    "trades_of_several": lambda c: c.trades(["PEAR", "OLD", "LATE"], "2024-01-01"),
    "trades_adjusted": lambda c: c.trades("ACME,LATE", "2024-10-01", adjust="all"),
    "trades_before_it_was_learnt": lambda c: c.trades(
        "LATE", "2024-10-01", adjust="all", known_at="2024-10-23"
    ),
    "trades_before_a_correction": lambda c: c.trades(
        "ACME", "2024-10-18", "2024-10-19", known_at="2024-10-29"
    ),
    "trades_by_time": lambda c: c.trades(
        "ACME", "2024-10-18T04:00:03Z", "2024-10-18T04:00:09Z", adjust="dividend"
    ),
    "trades_of_a_symbol_given_up": lambda c: c.trades(
        "OLD", "2024-01-01", symbol_as_of="2024-02-01"
    ),
    "trades_by_id": lambda c: c.trades(entity_ids="e_pear", start="2024-01-01"),
    "no_trades": lambda c: c.trades("ACME", "2023-01-01", "2023-02-01"),
    "daily_bars": lambda c: c.bars("ACME", "2024-10-01"),
    "daily_bars_for_splits": lambda c: c.bars("ACME", "2024-10-01", adjust="split"),
    "minutes": lambda c: c.bars("OLD", "2024-10-01", interval="1m"),
    "minutes_before_a_revision": lambda c: c.bars(
        "OLD", "2024-10-01", interval="1m", known_at="2024-10-29T12:00:00Z"
    ),
    "seconds_adjusted": lambda c: c.bars("ACME", "2024-10-01", interval="1s", adjust="all"),
    "bids": lambda c: c.bars("ACME", "2024-10-01", interval="1m", price_type="bid"),
    "actions": lambda c: c.actions("ACME,LATE"),
    "actions_of_a_range": lambda c: c.actions(start="2024-10-01", end="2024-11-01"),
    "actions_before_an_amendment": lambda c: c.actions("ACME", known_at="2024-10-20"),
    "every_version_of_actions": lambda c: c.actions("ACME", revisions=True),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_both_places_give_the_same_rows(name: str, asknown: Connection, over_http: Connection):
    here, there = (QUESTIONS[name](one) for one in (asknown, over_http))
    table = here.to_arrow()
    assert table.equals(there.to_arrow())
    assert table.num_rows or name == "no_trades"
    alike = ("known_at", "symbol_as_of", "adjust", "precision", "factor_basis")
    assert {n: here.meta.get(n) for n in alike if n in there.meta} == {
        n: there.meta[n] for n in alike if n in there.meta
    }


@pytest.mark.parametrize("symbol", ["NOBODY", "OLD", "TWIN", "CLASH"])
def test_both_places_refuse_a_symbol_that_names_no_one_listing(
    symbol: str, asknown: Connection, over_http: Connection
):
    found = []
    for place in (asknown, over_http):
        with pytest.raises(AsknownError) as refused:
            place.trades(symbol, "2024-01-01", symbol_as_of="2024-06-15")
        found.append((refused.value.code, refused.value.message, refused.value.data))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "asked",
    [
        {"symbol": "OLD", "on": "2024-02-01"},
        {"symbol": "OLD", "on": "2024-06-15"},
        {"symbol": "US0000000AC1"},
        {"symbol": "X:ACME", "id_type": "raw_key"},
        {"symbol": "TWIN", "venue": "XNYS"},
        {"symbol": "TWIN"},
        {"symbol": "CLASH"},
        {"symbol": "TARDY", "on": "2024-03-15", "known_at": "2024-03-20"},
    ],
)
def test_both_places_resolve_alike(
    asked: dict[str, Any], asknown: Connection, over_http: Connection
):
    assert asknown.resolve(**asked) == over_http.resolve(**asked)


def test_columns_are_those_of_the_api():
    for source, served in (
        (TRADE, datasets.TRADE),
        (BAR, datasets.BAR),
        (SOURCE_DAY, datasets.DAILY_BAR),
        (ACTION, facts.ACTIONS),
    ):
        assert source.columns == served.names
        assert source.key == tuple(name for name, _ in served.order)
    for source, served in ((TRADE, datasets.TRADE), (BAR, datasets.BAR)):
        assert (source.prices, source.sizes, source.cut) == (
            *(served.prices, served.sizes),
            served.cut,
        )


def test_features_are_not_served_over_http(over_http: Connection):
    with pytest.raises(UsageError) as refused:
        over_http.features("momentum")
    assert refused.value.code == "ASKNOWN-RESEARCH-005"
