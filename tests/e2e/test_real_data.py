"""Real files through the real jobs: EURUSD ticks give the bars beside them, CCCL its factors.

The files are not part of the project. They lie in ../shared/data beside the checkout, or where
ASKNOWN_SHARED_DATA says.
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from asknown.settings import CHECKOUT
from tests.e2e.surfaces import BARS, Since, Surfaces
from tests.e2e.verdict import restarts

DATA = Path(os.environ.get("ASKNOWN_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
LEAN = DATA / "lean"
FOREX = LEAN / "forex" / "oanda"
INDIA = LEAN / "equity" / "india"
DAY = "20140501"
MIDNIGHT = int(datetime(2014, 5, 1, tzinfo=UTC).timestamp() * 1000)
KOLKATA = ZoneInfo("Asia/Kolkata")
PLACES = Decimal("0.0000001")  # the factor file rounds to seven decimals
BAR_PRICES = ("open", "high", "low", "close")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.clock("2010-01-04"),
    pytest.mark.skipif(not LEAN.is_dir(), reason=f"needs the sample data in {LEAN}"),
]


@pytest.fixture(scope="session")
def lean(pipeline: Any, surfaces: Surfaces) -> Since:
    since, before = surfaces.now(), restarts(pipeline.settings)
    pipeline.json("reference", "load", "lean", str(LEAN))
    pipeline.json("ingest", "lean", str(LEAN))
    reading = pipeline.json("ledger", "--wait", "180", check=False)
    assert reading["closed"], reading
    assert restarts(pipeline.settings) == before
    return since


def cells(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    return list(csv.reader(io.StringIO(text)))


def bars_of_file(folder: str, price_type: str) -> dict[int, tuple[Decimal, ...]]:
    """Return (open, high, low, close) by start, in UTC milliseconds."""
    first = 1 if price_type == "bid" else 6
    rows = cells(FOREX / folder / "eurusd" / f"{DAY}_quote.zip")
    return {
        MIDNIGHT + int(row[0]): tuple(Decimal(cell) for cell in row[first : first + 4])
        for row in rows
    }


def ticks() -> list[list[str]]:
    return cells(FOREX / "tick" / "eurusd" / f"{DAY}_quote.zip")


@pytest.mark.parametrize("price_type", ["bid", "ask"])
@pytest.mark.parametrize(("folder", "seconds"), [("second", 1), ("minute", 60)])
def test_ticks_give_every_bar_of_the_file_beside_them_exactly(
    surfaces: Surfaces, lean: Since, eventually: Any, folder: str, seconds: int, price_type: str
) -> None:
    wanted = bars_of_file(folder, price_type)
    assert len(wanted) > 1000

    def rows() -> list[dict[str, Any]]:
        chosen = f"interval_seconds = {seconds} AND price_type = '{price_type}'"
        return surfaces.query(BARS, f"WHERE {chosen} AND toYear(bar_start) = 2014")

    eventually(lambda: len(rows()) >= len(wanted), 90, f"{len(wanted)} bars in ClickHouse")
    found = rows()
    assert len(found) == len({row["bar_start"] for row in found})
    assert {row["bar_start"]: tuple(row[n] for n in BAR_PRICES) for row in found} == wanted


def test_every_tick_of_the_file_is_a_normalized_quote_exactly(
    surfaces: Surfaces, lean: Since
) -> None:
    wanted = [
        (MIDNIGHT + int(at), Decimal(bid), Decimal(ask), number)
        for number, (at, bid, ask) in enumerate(ticks(), start=1)
    ]
    rows = surfaces.kafka("normalized.quote", lean)
    found = [(r["event_time"], r["bid_price"], r["ask_price"], r["sequence"]) for r in rows]
    assert sorted(found) == sorted(wanted)


def test_bars_are_the_same_in_kafka_iceberg_and_clickhouse(
    pipeline: Any, surfaces: Surfaces, lean: Since, eventually: Any
) -> None:
    wanted = 3 * (len(bars_of_file("second", "bid")) + len(bars_of_file("minute", "bid")))
    eventually(lambda: surfaces.count(BARS, lean) >= wanted, 90, f"{wanted} bars, mid ones too")
    reading = pipeline.json("ledger", "--wait", "90", check=False)
    assert reading["stores_equal"], reading["stores"]
    assert surfaces.count(BARS, lean) == wanted


def scales() -> list[tuple[date, Decimal, Decimal]]:
    """Return (last day, price factor, split factor) of each row of CCCL's factor file."""
    text = (INDIA / "factor_files" / "cccl.csv").read_text()
    return [
        (datetime.strptime(row[0], "%Y%m%d").replace(tzinfo=UTC).date(), *map(Decimal, row[1:3]))
        for row in csv.reader(io.StringIO(text))
    ]


def scale_on(day: date) -> tuple[Decimal, Decimal]:
    return next((price, split) for last, price, split in scales() if day <= last)


def closes() -> dict[date, Decimal]:
    rows = cells(INDIA / "daily" / "cccl.zip")
    return {
        datetime.strptime(row[0][:8], "%Y%m%d").replace(tzinfo=UTC).date(): Decimal(row[4]) / 10_000
        for row in rows
    }


def local_day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, KOLKATA).date()


def test_daily_bars_carry_the_cumulative_factors_of_the_factor_file(
    surfaces: Surfaces, lean: Since
) -> None:
    rows = surfaces.kafka("normalized.bar", lean)
    by_day = {local_day(row["event_time"]): row for row in rows if row["raw_symbol"] == "CCCL"}
    assert {day: row["close"] for day, row in by_day.items()} == closes()
    last = by_day[max(by_day)]
    price_end, split_end = scale_on(max(by_day))
    for day, row in by_day.items():
        price, split = scale_on(day)
        # Ours grow forward from the listing, the file's back from today: the ratios are the same.
        ours_split = Decimal(last["split_factor"] / row["split_factor"])
        ours = Decimal(last["price_factor"] / row["price_factor"])
        assert abs(ours_split - split / split_end) < PLACES
        assert abs(ours - price * split / (price_end * split_end)) < PLACES
        assert last["share_factor"] / row["share_factor"] == pytest.approx(float(split_end / split))
    assert len({row["factor_version"] for row in rows}) == 4


def test_continuous_series_of_the_api_is_the_files_within_its_decimals(
    pipeline: Any, surfaces: Surfaces, lean: Since, eventually: Any
) -> None:
    wanted = closes()

    def served() -> list[dict[str, Any]]:
        query = {"symbols": "CCCL", "interval": "1d", "adjust": "all", "limit": "1000"}
        query |= {"start": "2010-01-01", "end": "2012-01-01"}
        answer = httpx2.get(f"{pipeline.settings.api_url}/v1/bars", params=query, timeout=30)
        assert answer.status_code == 200, answer.text
        data: list[dict[str, Any]] = answer.json()["data"]
        return data

    eventually(lambda: len(served()) == len(wanted), 60, f"{len(wanted)} daily bars")
    found = {start_day(row): Decimal(str(row["close"])) for row in served()}
    assert found.keys() == wanted.keys()
    for day, close in wanted.items():
        price, split = scale_on(day)
        assert abs(found[day] - close * price * split) <= close * PLACES


def start_day(row: dict[str, Any]) -> date:
    start = datetime.fromisoformat(row.get("bar_start") or row["event_time"])
    return start.astimezone(KOLKATA).date()
