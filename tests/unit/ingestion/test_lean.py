"""LEAN's data format: conventions on small files, and the real records where they are."""

from __future__ import annotations

import gzip
import json
import zipfile
from bisect import bisect_right
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from asknown.errors import UsageError
from asknown.ingestion.connectors.lean import daily_bars, records
from asknown.ingestion.connectors.lean_files import (
    FOREX_ZONE,
    factor_rows,
    forex_zone,
    map_rows,
    midnight_ms,
    open_folder,
    quote_bars,
)
from asknown.ingestion.connectors.lean_reference import facts_of, reference
from asknown.ingestion.event import Event
from asknown.reference.calendars import coverage, day_schedules, session, session_open
from asknown.reference.changes import Status, by_key
from asknown.reference.symbology import FactKind

CCCL = frozenset({"CCCL"})
EURUSD = frozenset({"EURUSD"})


def archive(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("data.csv", text)
    return path


def event_of(item: object) -> Event:
    assert isinstance(item, Event)
    return item


def test_daily_prices_are_ten_thousandths_and_the_time_is_the_open(tmp_path: Path) -> None:
    archive(tmp_path / "equity/india/daily/abc.zip", "20241028 00:00,4235000,4235500,1,130,77\n")
    (delivery,) = records(tmp_path)
    event = event_of(delivery.item)
    assert event.entity_id == "NSE:EQ:ABC"
    assert event.event_time_ms == session_open("XNSE", date(2024, 10, 28))
    assert event.payload["open"] == Decimal("423.5")
    assert event.payload["high"] == Decimal("423.55")
    assert event.payload["low"] == Decimal("0.0001")
    assert event.payload["volume"] == Decimal(77)


def test_price_that_is_none_stays_in_extra(tmp_path: Path) -> None:
    archive(tmp_path / "equity/india/daily/abc.zip", "20241028 00:00,inf,oops,1,1e30,77\n")
    payload = event_of(records(tmp_path)[0].item).payload
    assert (payload["open"], payload["high"], payload["close"]) == (None, None, None)
    kept = {name: payload["extra"][name] for name in ("open", "high", "close")}
    assert kept == {"open": "inf", "high": "oops", "close": "1e30"}


def test_tick_time_counts_from_midnight_of_the_zone(tmp_path: Path) -> None:
    name = "forex/oanda/tick/eurusd/20140501_quote.zip"
    archive(tmp_path / name, "292,1.38676,1.38686\n")
    local = event_of(records(tmp_path, time_zone="America/New_York")[0].item)
    utc = event_of(records(tmp_path)[0].item)
    assert local.event_time_ms - utc.event_time_ms == 4 * 3_600_000
    assert utc.event_time_ms == midnight_ms(date(2014, 5, 1), forex_zone("UTC")) + 292
    assert local.payload["bid_price"] == Decimal("1.38676")
    assert local.event_id == utc.event_id


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("equity/india/daily/abc.zip", "20241028 00:00,1,2\n"),
        ("equity/india/daily/abc.zip", "2024-10-28,1,2,3,4,5\n"),
        ("forex/oanda/tick/eurusd/20140501_quote.zip", "noon,1.3,1.4\n"),
    ],
)
def test_malformed_line_is_refused_with_its_place(tmp_path: Path, name: str, text: str) -> None:
    path = archive(tmp_path / name, text)
    with pytest.raises(UsageError) as refused:
        records(tmp_path)
    assert refused.value.code == "ASKNOWN-INGEST-042"
    assert refused.value.where == f"{path}:1"


def test_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "equity/india/daily/abc.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no archive")
    with pytest.raises(UsageError) as refused:
        records(tmp_path)
    assert refused.value.code == "ASKNOWN-INGEST-042"


@pytest.mark.parametrize(
    ("folder", "code"), [("absent", "ASKNOWN-INGEST-040"), (".", "ASKNOWN-INGEST-041")]
)
def test_folder_without_the_format_is_refused(tmp_path: Path, folder: str, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_folder(tmp_path / folder)
    assert refused.value.code == code


def test_unknown_zone_and_market_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Mars"):
        forex_zone("Mars/Olympus")
    archive(tmp_path / "equity/mars/daily/abc.zip", "20241028 00:00,1,2,3,4,5\n")
    with pytest.raises(UsageError, match="mars"):
        records(tmp_path)


def test_map_file_that_ends_delists(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("20050103,old\n20080930,old\n20100105,new\n", encoding="utf-8")
    facts = facts_of(map_rows(path), "NSE", "XNSE")
    said = [(fact.kind, fact.symbol, fact.first_date) for fact in facts]
    assert said == [
        (FactKind.LIST, "OLD", date(2005, 1, 3)),
        (FactKind.RENAME, "NEW", date(2008, 10, 1)),
        (FactKind.DELIST, "NEW", date(2010, 1, 6)),
    ]


def test_3mindia_map_gives_one_listing_under_two_keys(lean_folder: Path) -> None:
    rows = by_key(reference(lean_folder, frozenset({"3MINDIA"})).history().as_known())
    old, new = rows["NSE:EQ:BIRLA3M"], rows["NSE:EQ:3MINDIA"]
    assert [row.status for row in old] == [Status.LISTED, Status.NOT_LISTED]
    assert old[0].listing_id == new[0].listing_id
    # The file's date is the old ticker's last day.
    assert new[0].effective_time == old[1].effective_time
    assert session("XNSE", new[0].effective_time)[0] == date(2004, 6, 16)


def test_cccl_factors_are_the_files_to_seven_decimals(lean_folder: Path) -> None:
    points = by_key(reference(lean_folder, CCCL).history().as_known())["NSE:EQ:CCCL"]
    moments = [point.effective_time for point in points]
    latest = points[-1].price_factor
    rows = factor_rows(lean_folder / "equity/india/factor_files/cccl.csv")
    for row in rows[:-1]:
        at = bisect_right(moments, session_open("XNSE", row.last)) - 1
        assert latest / points[at].price_factor == pytest.approx(
            float(row.price * row.split), abs=1e-7
        ), row
    assert [point.share_factor for point in points] == [1.0, 5.0, 5.0, 5.0]


def test_cccl_continuous_series_is_the_files(lean_folder: Path) -> None:
    points = by_key(reference(lean_folder, CCCL).history().as_known())["NSE:EQ:CCCL"]
    moments = [point.effective_time for point in points]
    rows = factor_rows(lean_folder / "equity/india/factor_files/cccl.csv")
    (file,) = open_folder(lean_folder, CCCL).daily
    delivered = list(daily_bars(file))
    assert len(delivered) == 495
    for delivery in delivered:
        event = event_of(delivery.item)
        day = session("XNSE", event.event_time_ms)[0]
        theirs = next(row.price * row.split for row in rows if day <= row.last)
        at = bisect_right(moments, event.event_time_ms) - 1
        ours = float(event.payload["close"]) * points[-1].price_factor / points[at].price_factor
        assert ours == pytest.approx(float(event.payload["close"] * theirs), rel=2e-7)


@pytest.mark.parametrize(("folder", "seconds"), [("second", 1), ("minute", 60)])
def test_eurusd_ticks_make_the_bars_beside_them(
    lean_folder: Path, folder: str, seconds: int
) -> None:
    zone = forex_zone(FOREX_ZONE)
    path = lean_folder / f"forex/oanda/{folder}/eurusd/20140501_quote.zip"
    theirs = quote_bars(path, date(2014, 5, 1), zone)
    windows: dict[int, list[Event]] = {}
    for delivery in records(lean_folder, EURUSD):
        event = event_of(delivery.item)
        start = event.event_time_ms // (seconds * 1000) * seconds * 1000
        windows.setdefault(start, []).append(event)
    assert [bar.start_ms for bar in theirs] == list(windows)
    for bar in theirs:
        for side, expected in (("bid_price", bar.bid), ("ask_price", bar.ask)):
            prices = [event.payload[side] for event in windows[bar.start_ms]]
            assert (prices[0], max(prices), min(prices), prices[-1]) == expected, bar


def test_calendars_agree_with_leans_market_hours(lean_folder: Path) -> None:
    packed = (lean_folder / "market-hours-database.subset.json.gz").read_bytes()
    entries = json.loads(gzip.decompress(packed))["entries"]
    differing: dict[str, list[date]] = {}
    for name, venue in (("Equity-india-[*]", "XNSE"), ("Equity-usa-[*]", "XNYS")):
        first, last = coverage(venue)
        days = [datetime.strptime(text, "%m/%d/%Y").date() for text in entries[name]["holidays"]]  # noqa: DTZ007
        days = [day for day in days if first <= day <= last]
        opened = {one.date for one in day_schedules(venue, min(days), max(days))}
        differing[venue] = [day for day in days if day in opened]
    # LEAN has no hour of Muhurat trading on the Diwali of 2011; we have.
    assert differing == {"XNSE": [date(2011, 10, 26)], "XNYS": []}
