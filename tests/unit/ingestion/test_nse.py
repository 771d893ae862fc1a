"""NSE's reference files as raw records; the texts are made up in the shape of the real ones.

Corporate actions: test_nse_actions.py.
"""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.contracts.catalog import SCHEMAS
from asknown.errors import UsageError
from asknown.ingestion.connectors.nse import (
    api_actions,
    corporate_actions,
    listings,
    raw_key,
    symbol_changes,
)
from asknown.ingestion.connectors.nse_files import Download, open_download, parse_day
from asknown.ingestion.event import Event, envelope
from asknown.reference.calendars import day_start
from tests.unit.ingestion.nse_feeds import KNOWN_AT, answer, api, feed, payloads, row


def encoded(event: Event) -> Any:
    """Return the payload as the contract's schema lets it through."""
    name = event.topic.removeprefix("raw.")
    schema = fastavro.parse_schema(json.loads((SCHEMAS / f"raw/{name}.avsc").read_text()))
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, envelope(event, 0), strict_allow_default=True)
    buffer.seek(0)
    decoded: Any = fastavro.schemaless_reader(buffer, schema, None)
    return decoded["payload"]


# symbolchange.csv


def test_symbol_change_is_a_rename_from_the_first_day_of_the_new_symbol() -> None:
    (event,) = symbol_changes(Download("s.csv", "Eternal Ltd,ZOMATO,ETERNAL,09-APR-2025\n")).events
    assert event.topic == "raw.security"
    assert event.entity_id == "NSE:EQ:ETERNAL"
    assert event.event_time_ms == day_start("XNSE", date(2025, 4, 9))
    assert event.payload["kind"] == "RENAME"
    assert event.payload["previous_symbol"] == "ZOMATO"
    assert event.payload["valid_from"] == date(2025, 4, 9)
    assert event.payload["extra"] == {"name": "Eternal Ltd", "known_from_estimated": "true"}


@pytest.mark.parametrize(
    ("line", "old", "new", "name"),
    [
        ("Bond,761ABCL35A,761ABCL35A,01-JAN-2024", "761ABCL35A", "761ABCL35A", "Bond"),
        ("Hexa,LIST000857,BHARTIHEXA,10-APR-2024", "LIST000857", "BHARTIHEXA", "Hexa"),
        (",1201210518,ACRYSIL,01-JAN-2010", "1201210518", "ACRYSIL", None),
        ("MAHINDRA,M&M,M&M-NEW,01-JAN-2010", "M&M", "M&M-NEW", "MAHINDRA"),
        ("3I,3IINFOTECH,3IINFO-RE,01-JAN-2010", "3IINFOTECH", "3IINFO-RE", "3I"),
        ("OLD,NEW,01-JAN-2010", "OLD", "NEW", None),
        ("Smith, Jones, and Co,OLD,NEW,01-JAN-10", "OLD", "NEW", "Smith,Jones,and Co"),
    ],
)
def test_odd_line_of_symbol_changes_becomes_a_record_too(
    line: str, old: str, new: str, name: str | None
) -> None:
    (payload,) = payloads(symbol_changes(Download("s.csv", line, known_at=KNOWN_AT)))
    assert (payload["previous_symbol"], payload["symbol"]) == (old, new)
    assert payload["extra"].get("name") == name


@pytest.mark.parametrize("line", ["Name,OLD,NEW,", "Name,,NEW,01-JAN-2010", "word", "a,b"])
def test_line_that_is_no_symbol_change_is_reported_with_its_number(line: str) -> None:
    text = f"A,OLD,NEW,01-JAN-2010\n\n{line}\nB,X,Y,02-JAN-2010\n"
    read = symbol_changes(Download("s.csv", text))
    assert [event.payload["symbol"] for event in read.events] == ["NEW", "Y"]
    (problem,) = read.problems
    assert (problem.code, problem.where) == ("ASKNOWN-INGEST-051", "s.csv:3")


def test_header_of_symbol_changes_is_no_row() -> None:
    text = "SYMB_COMPANY_NAME,SM_KEY_SYMBOL,SM_NEW_SYMBOL,SM_APPLICABLE_FROM\nA,B,C,01-JAN-2010\n"
    assert len(payloads(symbol_changes(Download("s.csv", text)))) == 1


def test_unclosed_quotation_mark_does_not_swallow_the_next_line() -> None:
    read = symbol_changes(Download("s.csv", '"Name,OLD,NEW,01-JAN-2010\nB,X,Y,02-JAN-2010\n'))
    assert [event.payload["symbol"] for event in read.events] == ["Y"]
    assert [problem.where for problem in read.problems] == ["s.csv:1"]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=5))
def test_every_line_is_a_record_or_a_problem(lines: list[str]) -> None:
    text = "\n".join(["A,B,C,01-JAN-2010", *lines])
    read = symbol_changes(Download("s.csv", text))
    said = [line for line in text.splitlines() if line.replace(",", "").replace('"', "").strip()]
    headers = [line for line in said if line.rpartition(",")[2].strip(' "').upper() == "DATE"]
    assert len(read.events) + len(read.problems) == len(said) - len(headers)


# EQUITY_L.csv

LISTED = (
    "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER,"
    " FACE VALUE\n"
)


def test_listing_is_a_list_fact_with_the_rest_in_extra() -> None:
    text = LISTED + "20MICRONS,20 Microns Limited,EQ,06-OCT-2008,5,1,INE144J01027,5\n"
    (event,) = listings(Download("l.csv", text, known_at=KNOWN_AT)).events
    assert (event.entity_id, event.event_time_ms) == ("NSE:EQ:20MICRONS", KNOWN_AT)
    payload = event.payload
    assert (payload["kind"], payload["series"]) == ("LIST", "EQ")
    assert (payload["isin"], payload["valid_from"]) == ("INE144J01027", date(2008, 10, 6))
    assert payload["extra"] == {
        "name_of_company": "20 Microns Limited",
        "paid_up_value": "5",
        "market_lot": "1",
        "face_value": "5",
        "isin_as_of": "download",  # its serial number is 02: it was not the first
    }


def test_listing_without_an_isin_says_nothing_of_one() -> None:
    (payload,) = payloads(listings(Download("l.csv", LISTED + "C,C,BE,06-OCT-2008,5,1,-,5\n")))
    assert payload["isin"] is None
    assert "isin_as_of" not in payload["extra"]


def test_listing_begins_under_the_symbol_of_its_first_day() -> None:
    changes = symbol_changes(
        Download(
            "s.csv",
            "A,APPAPER,IPAPPM,21-JAN-2014\nA,IPAPPM,ANDPAPER,22-JAN-2020\n"
            "A,ANDPAPER,ANDHRAPAP,05-MAR-2020\nA,ANDHRAPAP,ANDHRAPAP,06-MAR-2020\n"
            "Old owner,OTHER,APPAPER,01-JAN-2001\n",
        )
    ).events
    text = LISTED + "ANDHRAPAP,Andhra Paper,EQ,21-MAY-2004,10,1,INE435A01028,10\n"
    (payload,) = payloads(listings(Download("l.csv", text), changes))
    assert payload["symbol"] == "APPAPER"
    assert payload["extra"]["symbol_today"] == "ANDHRAPAP"
    (alone,) = payloads(listings(Download("l.csv", text)))
    assert alone["symbol"] == "ANDHRAPAP"


def test_recycled_symbol_is_not_taken_back_past_its_first_day() -> None:
    text = "A,BOROSIL,BORORENEW,20-FEB-2020\n"
    changes = symbol_changes(Download("s.csv", text)).events
    rows = (
        "BORORENEW,Borosil Renewables,EQ,16-JUL-2018,1,1,INE666D01022,1\n"
        "BOROSIL,Borosil Ltd,EQ,22-JUL-2020,1,1,INE02PY01013,1\n"
    )
    found = payloads(listings(Download("l.csv", LISTED + rows), changes))
    assert [one["symbol"] for one in found] == ["BOROSIL", "BOROSIL"]
    assert [one["valid_from"] for one in found] == [date(2018, 7, 16), date(2020, 7, 22)]


@pytest.mark.parametrize("text", ["", "Name,Old\n", "<html>\n<body>\n"])
def test_file_without_the_columns_is_refused(text: str) -> None:
    for read in (listings, corporate_actions):
        with pytest.raises(UsageError) as refused:
            read(Download("l.csv", text))
        assert refused.value.code == "ASKNOWN-INGEST-050"


def test_listing_without_a_date_is_reported() -> None:
    read = listings(Download("l.csv", LISTED + "ABC,Abc,EQ,-,5,1,INE144J01027,5\nABC\n"))
    assert read.events == ()
    assert [problem.where for problem in read.problems] == ["l.csv:2", "l.csv:3"]


# Common to all


@pytest.mark.parametrize(
    ("series", "key"),
    [("EQ", "NSE:EQ:M&M"), ("BE", "NSE:EQ:M&M"), ("", "NSE:EQ:M&M"), ("E1", "NSE:E1:M&M")],
)
def test_series_is_in_the_key_only_of_another_security(series: str, key: str) -> None:
    assert raw_key("M&M", series) == key


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("18-Sep-13", date(2013, 9, 18)),
        ("18-Sep-26", date(2026, 9, 18)),
        ("21-Sep-2026", date(2026, 9, 21)),
        ("3-JAN-2005", date(2005, 1, 3)),
        ("29-DEC-94", date(1994, 12, 29)),
        ("01-Jan-89", date(2089, 1, 1)),
        (" 09-Oct-2023 18:30:11 ", date(2023, 10, 9)),
        ("31-Feb-2023", None),
        ("01-Xyz-2023", None),
        ("01-01-2023", None),
        ("01-Jan-203", None),
        ("-", None),
        ("", None),
    ],
)
def test_date_with_two_digits_lies_from_1990_on(text: str, day: date | None) -> None:
    assert parse_day(text) == day


def test_every_record_fits_its_contract() -> None:
    purposes = ["Bonus 1:1", "Dividend - Rs 2.5", "Rights 19:100 at Rs 150", "What", "Merger"]
    events = (
        *symbol_changes(Download("s.csv", "A,B,C,01-JAN-2010\n")).events,
        *listings(Download("l.csv", LISTED + "C,C,BE,06-OCT-2008,5,1,-,5\n")).events,
        *corporate_actions(feed(*map(row, purposes))).events,
        *api_actions(api(answer())).events,
    )
    for event in events:
        decoded = encoded(event)
        assert {name: decoded[name] for name in event.payload} == dict(event.payload)


def test_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(b"\xef\xbb\xbfA,B,C,01-JAN-2010\n")
    download = open_download(path, KNOWN_AT, 2)
    assert (download.known_at, download.version) == (KNOWN_AT, 2)
    assert symbol_changes(download).events[0].payload["extra"]["name"] == "A"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "s.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        open_download(path)
    assert refused.value.code == "ASKNOWN-INGEST-050"
