"""What the lake answers: adjustment, knowledge, sessions, computed tables, streams, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.errors import UsageError
from asknown.reference.adjusting import scaled
from asknown.research import Connection, connect
from asknown.research.adjusted import scaled_column
from asknown.research.tables import DECIMAL
from asknown.storage import iceberg
from tests.unit.research.market import compute, day, fill, known
from tests.unit.serving.conftest import NOW
from tests.unit.serving.market import at
from tests.unit.storage.lake_rows import new_lake

PRICES = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Yield a lake that also holds what batches compute."""
    folder = tmp_path_factory.mktemp("computed")
    config = new_lake(folder)
    fill(config)
    compute(
        config,
        "gold.daily_bar",
        [
            daily("2024-10-18", "101", known("2024-10-18T11:00:00", "2024-10-29")),
            daily("2024-10-18", "102", known("2024-10-29")),
            daily("2024-10-22", "51", known("2024-10-22T11:00:00")),
        ],
    )
    compute(
        config,
        "gold.feature",
        [
            feature("momentum", 1, "2024-10-18", 1.0, known("2024-10-18T11:00:00", "2024-10-29")),
            feature("momentum", 1, "2024-10-18", 1.5, known("2024-10-29")),
            feature("momentum", 1, "2024-10-21", 2.0, known("2024-10-21T11:00:00")),
            feature("momentum", 2, "2024-10-21", 9.0, known("2024-10-31")),
            feature("volatility", 1, "2024-10-18", 0.2, known("2024-10-18T11:00:00")),
        ],
    )
    compute(
        config,
        "gold.universe_member",
        [
            member("e_acme", "ACME", "2024-01-02", None, known("2024-01-02")),
            member("e_gone", "GONE", "2024-01-02", None, known("2024-01-02", "2024-08-01")),
            member("e_gone", "GONE", "2024-01-02", "2024-08-01", known("2024-08-01")),
        ],
    )
    yield connect(config=config, now=lambda: NOW)


def daily(text: str, close: str, believed: dict[str, Any]) -> dict[str, Any]:
    factors = {"price_factor": 1.0, "split_price_factor": 1.0, "share_factor": 1.0}
    return {
        "entity_id": "e_acme",
        "symbol": "ACME",
        "venue": "XSIM",
        "trade_date": day(text),
        **dict.fromkeys(PRICES, Decimal(close)),
        "volume": Decimal(7),
        "vwap": None,
        "factor_version": 0,
        "source": "trade",
        **factors,
        **believed,
    }


def feature(
    name: str, version: int, text: str, value: float, believed: dict[str, Any]
) -> dict[str, Any]:
    what = {"feature_name": name, "feature_version": version, "entity_id": "e_acme"}
    return {**what, "trade_date": day(text), "value": value, "observations": 2, **believed}


def member(
    listing: str, symbol: str, since: str, until: str | None, believed: dict[str, Any]
) -> dict[str, Any]:
    span = {"valid_from": day(since), "valid_to": day(until or "9999-12-31")}
    return {"universe": "listed", "entity_id": listing, "symbol": symbol, **span, **believed}


def closes(connection: Connection, **asked: Any) -> dict[str, str]:
    table = connection.bars("ACME", "2024-10-01", **asked).to_arrow()
    return {str(r["trade_date"]): f"{r['close']:f}" for r in table.to_pylist()}


def test_computed_days_stand_for_those_of_sources(computed: Connection):
    found = {d: float(c) for d, c in closes(computed).items()}
    assert found == {
        "2024-10-18": 102.0,
        "2024-10-21": 50.0,
        "2024-10-22": 51.0,
        "2024-10-25": 50.0,
        "2024-10-28": 49.0,
    }


def test_computed_days_are_those_believed_then(computed: Connection):
    found = {d: float(c) for d, c in closes(computed, known_at="2024-10-28").items()}
    assert found == {"2024-10-18": 101.0, "2024-10-22": 51.0}


def test_computed_days_are_adjusted_by_the_same_factors(computed: Connection):
    found = {d: float(c) for d, c in closes(computed, adjust="split").items()}
    assert (found["2024-10-18"], found["2024-10-22"]) == (51.0, 51.0)


def test_features_are_of_the_newest_definition_known(computed: Connection):
    now = computed.features("momentum", "ACME").to_arrow().to_pylist()
    assert [(r["feature_version"], r["value"]) for r in now] == [(2, 9.0)]
    then = computed.features("momentum", "ACME", known_at="2024-10-30")
    assert [r["value"] for r in then.to_arrow().to_pylist()] == [1.5, 2.0]
    assert then.meta["feature_versions"] == {"momentum": 1}
    before = computed.features("momentum", known_at="2024-10-20").to_arrow().to_pylist()
    assert [(r["value"], r["known_to"]) for r in before] == [(1.0, None)]


def test_features_with_revisions_hold_what_was_superseded(computed: Connection):
    found = computed.features("momentum", version=1, revisions=True).to_arrow().to_pylist()
    assert [(r["value"], r["known_to"]) for r in found] == [
        (1.0, at("2024-10-29")),
        (1.5, None),
        (2.0, None),
    ]
    assert found[0]["close_time"] == at("2024-10-18T10:00:00")  # 15:30 in India


def test_universe_by_then_names_those_who_left_later(computed: Connection):
    def members(**asked: Any) -> list[str]:
        rows = computed.universe("listed", **asked).to_arrow()
        return rows.column("symbol").to_pylist()

    assert members(on="2024-10-01") == ["ACME"]
    assert members(on="2024-05-01") == ["ACME", "GONE"]
    assert members(on="2024-10-01", known_at="2024-07-01") == ["ACME", "GONE"]
    assert members(on="2024-08-01") == ["ACME"]  # the end is exclusive


def test_dates_are_session_dates_and_ends_are_excluded(asknown: Connection):
    found = asknown.trades("ACME", "2024-10-18", "2024-10-22").to_arrow()
    assert set(found.column("trade_date").to_pylist()) == {day("2024-10-18"), day("2024-10-21")}


def test_batches_hold_the_same_rows_as_the_table(asknown: Connection):
    result = asknown.trades("ACME,LATE", "2024-10-01", adjust="all")
    batches = list(result.batches())
    assert len(batches) > 1  # a week at a time
    assert sum(batch.num_rows for batch in batches) == result.to_arrow().num_rows
    assert all(batch.schema == result.schema for batch in batches)


def test_frames_hold_floats_unless_exact(asknown: Connection):
    result = asknown.bars("ACME", "2024-10-01")
    assert result.to_pandas()["close"].tolist() == [100.0, 50.0, 50.0, 49.0]
    assert result.to_pandas(exact=True)["close"].tolist()[3] == Decimal(49)


def test_polars_frames_hold_the_same(asknown: Connection):
    pytest.importorskip("polars")
    result = asknown.bars("ACME", "2024-10-01")
    assert result.to_polars()["close"].to_list() == [Decimal(c) for c in (100, 50, 50, 49)]


def test_answers_show_what_they_are(asknown: Connection):
    result = asknown.bars("ACME", "2024-10-01", adjust="all")
    assert repr(result).startswith("<daily_bar known at 2024-11-01T12:00:00.000Z, all;")
    assert set(result.meta["snapshots"]) >= {"silver.bar", "silver.entity_history"}
    assert result.meta["factor_basis"][0]["factor_version"] == 2


def test_answers_stay_when_the_lake_goes_on(tmp_path: Path):
    config = new_lake(tmp_path)
    fill(config)
    result = connect(config=config, now=lambda: NOW).trades("ACME", "2024-10-01")
    before = result.to_arrow()
    fill(config)
    iceberg.lake(config).load_table("silver.trade").delete()
    assert result.to_arrow().equals(before)


@pytest.mark.parametrize(
    "asked",
    [
        {"start": "yesterday"},
        {"start": datetime(2024, 10, 1)},  # noqa: DTZ001  # that is the point
        {"start": "2024-10-02", "end": "2024-10-01"},
        {"start": "2024-10-01", "adjust": "both"},
        {"start": "2024-10-01", "interval": "5m"},
        {"start": "2024-10-01", "price_type": "bid"},
        {"start": "2024-10-01", "known_at": "2030-01-01"},
        {"start": None},
        {"start": "2024-10-01", "symbols": ()},
    ],
)
def test_questions_that_cannot_be_asked_are_refused(asked: dict[str, Any], asknown: Connection):
    with pytest.raises(UsageError) as refused:
        asknown.bars(**{"symbols": "ACME", **asked})
    assert refused.value.code == "ASKNOWN-RESEARCH-001"


DECIMALS = st.decimals(min_value=-(10**9), max_value=10**9, places=8)
RATIOS = st.floats(1e-14, 1e7, allow_nan=False) | st.just(1.0)


@given(st.lists(st.tuples(DECIMALS | st.none(), RATIOS), min_size=1, max_size=20))
def test_columns_are_scaled_as_values_are(rows: list[tuple[Decimal | None, float]]):
    values, by = [v for v, _ in rows], [r for _, r in rows]
    found = scaled_column(pa.array(values, DECIMAL), by).to_pylist()
    assert found == [None if v is None else scaled(v, r) for v, r in rows]


def test_a_listing_is_read_as_of_now_in_utc(asknown: Connection):
    found = asknown.resolve("ACME", datetime(2024, 10, 1, 12, tzinfo=UTC))
    assert (found["status"], found["entity_id"]) == ("RESOLVED", "e_acme")
