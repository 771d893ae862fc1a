"""The research tables of whole histories: what was believed when, and what it was.

Bounded only: an old day may change with the newest knowledge, so no stream has an end of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asknown.contracts.render import flink_type, quote
from asknown.contracts.tables import lake_table
from asknown.features.definitions import Definitions, Liquid, definitions
from asknown.research.sandbox import sandbox
from jobs.research import pipeline
from jobs.runtime import files
from jobs.runtime.tables import Tables
from tests.pipelines.harness import Harness, Mode, Row, utc
from tests.pipelines.vocabulary import DAY, HOUR, Factors, change
from tests.unit.features import reference

T0 = 1_727_539_200_000  # 2024-09-28 16:00 UTC
FIRST = date(2024, 9, 28)
FOR_EVER = 7_258_118_400_000
SPLIT = Factors(0.5, 0.5, 2.0, 1)


class ResearchHarness(Harness):
    """Runs the research pipeline over rows of its two inputs, and returns its three tables."""

    def compute(
        self, bars: Sequence[Row], history: Sequence[Row], defined: Definitions
    ) -> dict[str, pd.DataFrame]:
        """Return each research table."""
        env = self._environment()
        inputs = {pipeline.BARS: bars, pipeline.HISTORY: history}
        views = {
            topic: files.source_table(
                env, topic, self._write(self.folder, topic, rows), streaming=False
            )
            for topic, rows in inputs.items()
        }
        outputs = pipeline.build(Tables(env, views), defined)
        statements = env.create_statement_set()
        for name, view in outputs.items():
            fields = lake_table(name).fields
            columns = ", ".join(f"{quote(f.name)} {flink_type(f.type)}" for f in fields)
            sink = f"{name.partition('.')[2]}_out"
            folder = self.folder / f"out-{name}"
            env.execute_sql(
                f"CREATE TEMPORARY TABLE `{sink}` ({columns}) WITH ('connector' = 'filesystem', "
                f"'path' = '{folder.as_uri()}', 'format' = 'json')"
            )
            names = ", ".join(quote(f.name) for f in fields)
            statements.add_insert_sql(f"INSERT INTO `{sink}` SELECT {names} FROM `{view}`")
        statements.execute().wait()
        return {name: _table(self.folder / f"out-{name}", name) for name in outputs}


def _table(folder: Path, name: str) -> pd.DataFrame:
    files_ = [f for f in folder.rglob("*") if f.is_file() and not f.name.startswith(".")]
    rows = [json.loads(line) for f in files_ for line in f.read_text().splitlines()]
    frame = pd.DataFrame(rows, columns=[f.name for f in lake_table(name).fields])
    for column in ("known_from", "known_to"):
        frame[column] = frame[column].str[:16]
    return frame


def fact(symbol: str, valid: tuple[int, int], known: tuple[int, int], factors: Factors) -> Row:
    """Return a rectangle: what `symbol` means on `valid`, by the knowledge of `known`."""
    row = change(symbol, at=valid[0], status="LISTED", factors=factors)
    payload = {k: v for k, v in row["payload"].items() if k != "effective_time"}
    spans = dict(zip(("valid_from", "valid_to"), map(utc, valid), strict=True))
    spans |= dict(zip(("known_from", "known_to"), map(utc, known), strict=True))
    return {**row, "event_time": utc(known[0]), "payload": payload | spans}


def bar(symbol: str, day: int, close: float, known: int | None = None) -> Row:
    """Return a daily bar, known an hour after it began unless said otherwise."""
    key = f"SIM:EQ:{symbol}"
    at = T0 + day * DAY
    prices = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 100}
    payload = {
        **{name: str(value) for name, value in prices.items()},
        "raw_key": change(symbol, at=at)["payload"]["raw_key"],
        "raw_symbol": symbol,
        "venue": change(symbol, at=at)["payload"]["venue"],
        "interval_seconds": 86_400,
        "trade_date": str(FIRST + timedelta(days=day)),
        "price_factor": 1.0,
        "split_factor": 1.0,
        "share_factor": 1.0,
        "factor_version": 0,
        "raw_partition": 0,
        "raw_offset": day,
    }
    return {
        "event_id": f"{key}|{day}|{known}",
        "event_time": utc(at),
        "ingest_time": utc(at + HOUR if known is None else known),
        "source": "test",
        "schema_version": 1,
        "entity_id": change(symbol, at=at)["payload"]["listing_id"],
        "payload": payload,
    }


def only(*names: str) -> tuple[Any, ...]:
    """Return some of the defined features."""
    return tuple(one for one in definitions().features if one.name in names)


@pytest.fixture(scope="module")
def restated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Return the tables of a story whose day 2 is the last session of September.

    AAA's bar of day 1 is corrected on day 9; BBB splits on day 3, which is learnt on day 8; CCC
    never changes.
    """
    learnt, ex = T0 + 8 * DAY, T0 + 3 * DAY - HOUR
    bars = [bar("AAA", day, 100.0 + day) for day in range(7)]
    bars += [bar("BBB", day, 50.0 if day < 3 else 25.0) for day in range(7)]
    bars += [bar("CCC", day, 10.0) for day in range(7)]
    bars.append(bar("AAA", 1, 110.0, known=T0 + 9 * DAY))
    ever = (T0 - DAY, FOR_EVER)
    history = [fact(one, ever, ever, Factors()) for one in ("AAA", "CCC")]
    history += [
        fact("BBB", ever, ever, Factors()),
        fact("BBB", ever, (T0 - DAY, learnt), Factors()),
        fact("BBB", (T0 - DAY, ex), (learnt, FOR_EVER), Factors()),
        fact("BBB", (ex, FOR_EVER), (learnt, FOR_EVER), SPLIT),
    ]
    defined = Definitions(
        only("return_1d", "adv_value_20d"),
        universes=(Liquid("liquid_2", "return_1d", 2),),
    )
    folder = tmp_path_factory.mktemp("restated")
    harness = ResearchHarness(lambda _: {}, folder, Mode.BATCH)
    return harness.compute(bars, history, defined)


def listing(symbol: str) -> str:
    """Return the permanent id of a symbol."""
    return str(change(symbol, at=T0)["payload"]["listing_id"])


def of(frame: pd.DataFrame, symbol: str, day: int) -> list[tuple[Any, ...]]:
    """Return the versions of a day, in the order in which they were believed."""
    on = str(FIRST + timedelta(days=day))
    found = frame[(frame.entity_id == listing(symbol)) & (frame.trade_date == on)]
    columns = [name for name in ("close", "price_factor", "value") if name in found]
    return sorted(found[["known_from", "known_to", *columns]].itertuples(index=False, name=None))


def at(day: int, hours: int = 1) -> str:
    """Return a moment as the tables have it."""
    return utc(T0 + day * DAY + hours * HOUR)[:16].replace("T", " ")


EVER = "9999-12-31 00:00"


def test_daily_bar_corrected_late_is_believed_until_then(restated: dict[str, pd.DataFrame]):
    assert of(restated["gold.daily_bar"], "AAA", 1) == [
        (at(1), at(9, 0), 101.0, 1.0),
        (at(9, 0), EVER, 110.0, 1.0),
    ]
    assert of(restated["gold.daily_bar"], "AAA", 2) == [(at(2), EVER, 102.0, 1.0)]


def test_daily_bar_after_a_split_learnt_late_has_both_factors(restated: dict[str, pd.DataFrame]):
    assert of(restated["gold.daily_bar"], "BBB", 2) == [(at(2), EVER, 50.0, 1.0)]
    assert of(restated["gold.daily_bar"], "BBB", 4) == [
        (at(4), at(8, 0), 25.0, 1.0),
        (at(8, 0), EVER, 25.0, 0.5),
    ]


def test_feature_of_a_corrected_bar_is_restated_where_it_is_used(
    restated: dict[str, pd.DataFrame],
):
    returns = restated["gold.feature"]
    returns = returns[returns.feature_name == "return_1d"]
    assert [row[:2] for row in of(returns, "AAA", 1)] == [(at(1), at(9, 0)), (at(9, 0), EVER)]
    assert [row[2] for row in of(returns, "AAA", 2)] == pytest.approx(
        [102 / 101 - 1, 102 / 110 - 1]
    )
    assert [row[:2] for row in of(returns, "AAA", 3)] == [(at(3), EVER)]


def test_feature_across_a_split_learnt_late_was_a_crash_until_then(
    restated: dict[str, pd.DataFrame],
):
    returns = restated["gold.feature"]
    returns = returns[returns.feature_name == "return_1d"]
    assert of(returns, "BBB", 3) == [(at(3), at(8, 0), -0.5), (at(8, 0), EVER, 0.0)]
    assert of(returns, "BBB", 4) == [(at(4), EVER, 0.0)]


def test_universe_listed_holds_each_listing_once(restated: dict[str, pd.DataFrame]):
    members = restated["gold.universe_member"]
    found = members[members.universe == "listed"]
    assert sorted(found.entity_id) == sorted(listing(one) for one in ("AAA", "BBB", "CCC"))
    assert set(found.valid_to) == {"9999-12-31"}


def test_universe_of_a_month_follows_the_restatement_of_what_ranks_it(
    restated: dict[str, pd.DataFrame],
):
    members = restated["gold.universe_member"]
    found = members[members.universe.str.startswith("liquid_2_")]
    assert set(found.valid_from) == {"2024-10-01"} and set(found.valid_to) == {"2024-11-01"}
    last = at(3, -4)  # noon after the last session, UTC
    early = found[found.known_to != EVER]
    assert set(early[["entity_id", "known_from"]].itertuples(index=False, name=None)) == {
        (listing("AAA"), last)
    }
    late = found[found.known_to == EVER]
    assert set(late[["entity_id", "known_from"]].itertuples(index=False, name=None)) == {
        (listing("BBB"), last),
        (listing("CCC"), at(9, 0)),
    }


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Return the tables of the five sample companies, with Microsoft as its venue's market."""
    pytest.importorskip("bokeh_sampledata", reason="the sample companies are not installed")
    lake = sandbox(tmp_path_factory.mktemp("lake"))
    bars = _rows(lake.table("silver.bar").to_arrow(), "normalized.bar")
    history = _rows(lake.table("silver.entity_history").to_arrow(), "reference.entity_history")
    market = next(r["entity_id"] for r in bars if r["payload"]["raw_symbol"] == "MSFT")
    venue = next(r["payload"]["venue"] for r in bars if r["entity_id"] == market)
    folder = tmp_path_factory.mktemp("companies")
    harness = ResearchHarness(lambda _: {}, folder, Mode.BATCH)
    tables = harness.compute(bars, history, definitions().against({venue: market}))
    tables["market"] = pd.DataFrame([{"venue": venue, "entity_id": market}])
    tables["bars"] = pd.DataFrame([{"entity_id": bar["entity_id"]} for bar in bars])
    return tables


def _rows(table: Any, topic: str) -> list[Row]:
    """Return rows of the lake as they were in the stream."""
    from asknown.contracts.catalog import contract

    payload = [f.name for f in contract(topic).payload]
    rows = []
    for row in table.to_pylist():
        plain = {name: _plain(value) for name, value in row.items()}
        own = {name: plain.pop(name) for name in payload}
        rows.append({**plain, "payload": own})
    return rows


def _plain(value: Any) -> Any:
    if hasattr(value, "hour"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    return value if value is None or isinstance(value, (int, float, str)) else str(value)


def frames(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the days of each company as the oracle reads them, beside the market's close."""
    days = tables["gold.daily_bar"].sort_values("trade_date")
    days = days[days.known_to == EVER]
    ((venue, market),) = tables["market"].itertuples(index=False, name=None)
    its = days[days.entity_id == market].set_index("trade_date")
    closes = its["close"] / its["price_factor"]
    held = {}
    for one, frame in days.groupby("entity_id"):
        beside = closes if (frame.venue == venue).all() else closes * np.nan
        held[str(one)] = frame.assign(market=frame.trade_date.map(beside)).reset_index(drop=True)
    return held


def test_companies_have_a_day_for_each_of_their_bars(companies: dict[str, pd.DataFrame]):
    found = {one: len(frame) for one, frame in frames(companies).items()}
    assert found == companies["bars"].groupby("entity_id").size().to_dict()
    assert len(found) == 5


@pytest.mark.parametrize("name", [one.name for one in definitions().features])
def test_companies_feature_is_what_pandas_gives(companies: dict[str, pd.DataFrame], name: str):
    found = companies["gold.feature"]
    found = found[(found.feature_name == name) & (found.known_to == EVER)]
    compared = 0
    for one, frame in frames(companies).items():
        expected = reference.FEATURES[name](frame)
        expected.index = frame.trade_date
        expected = expected[np.isfinite(expected)]
        values = found[found.entity_id == one].set_index("trade_date")["value"].sort_index()
        assert list(values.index) == list(expected.index), one
        assert values.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-8, abs=1e-11), one
        compared += len(values)
    assert compared > 5_000


def test_companies_feature_is_never_known_before_its_last_bar(companies: dict[str, pd.DataFrame]):
    keys = ["entity_id", "trade_date"]
    bars = companies["gold.daily_bar"].groupby(keys)["known_from"].min()
    values = companies["gold.feature"].groupby(keys)["known_from"].min()
    both = pd.concat([bars, values], axis=1, keys=["bar", "value"]).dropna()
    assert len(both) > 10_000
    assert (both["value"] >= both["bar"]).all()


def test_companies_universe_of_a_month_was_decided_before_it_began(
    companies: dict[str, pd.DataFrame],
):
    members = companies["gold.universe_member"]
    liquid = members[members.universe.str.startswith("liquid_20_")]
    assert len(liquid) > 300
    assert (liquid.known_from.str[:10] <= liquid.valid_from).all()
