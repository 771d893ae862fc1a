"""CCCL and 3MINDIA of the shared LEAN data: the engine gives the files' own answers."""

from __future__ import annotations

import csv
import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asknown.ingestion.connectors.lean_reference import reference
from asknown.ingestion.gateway import Event
from asknown.ingestion.reference_load import action_event, security_event
from asknown.reference.engine import replay
from asknown.reference.records import RawAction, RawSecurity, Record, record
from asknown.settings import CHECKOUT
from tests.reference_cases.check import Told
from tests.reference_cases.vocabulary import NSE
from tests.unit.reference.test_engine_cases import by_topic

ALWAYS = NSE.at("2150-01-01")
INDIA = Path("equity", "india")


@pytest.fixture(scope="module")
def folder() -> Path:
    shared = Path(os.environ.get("ASKNOWN_SHARED_DATA", CHECKOUT.parent / "shared" / "data"))
    if not (shared / "lean").is_dir():
        pytest.skip(f"real data is absent: no folder {shared / 'lean'} (set ASKNOWN_SHARED_DATA)")
    return shared / "lean"


@pytest.fixture(scope="module")
def told(folder: Path) -> Told:
    bundle = reference(folder)
    events = [
        *(security_event(bundle, fact) for fact in bundle.facts),
        *(action_event(bundle, action) for action in bundle.actions),
    ]
    records = sorted(map(_record, events), key=lambda raw: raw.event_time or 0)
    return Told(by_topic(replay(records)))


def _record(event: Event) -> Record:
    """Return an event of the loader as the reference job reads it."""
    kinds = {"raw.security": RawSecurity, "raw.corporate_action": RawAction}
    known = {field.name for field in msgspec.structs.fields(kinds[event.topic])}
    payload: dict[str, Any] = dict(event.payload or {})
    extra = payload.pop("extra", {})
    columns = {name: value for name, value in {**payload, **extra}.items() if name in known}
    return record(
        event.topic,
        partition=0,
        offset=0,
        event_id=str(event.natural_key),
        event_time=event.event_time_ms,
        raw_key=event.entity_id,
        **columns,
    )


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as text:
        return list(csv.reader(text))


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  # a date, of no zone


def test_cumulative_factors_of_cccl_are_those_of_its_factor_file(folder: Path, told: Told) -> None:
    rows = _rows(folder / INDIA / "factor_files" / "cccl.csv")
    key = NSE.key("CCCL")
    last = told.meaning(key, NSE.at("2024-01-01"), ALWAYS)
    assert last is not None
    for text, price, split, _ in rows[:-1]:
        found = told.meaning(key, NSE.at(_day(text).isoformat()), ALWAYS)
        assert found is not None, text
        scale = last["price_factor"] / found["price_factor"]
        assert scale == pytest.approx(float(price) * float(split), abs=2e-7), text
        shares = last["split_factor"] / found["split_factor"]
        assert shares == pytest.approx(float(split), abs=1e-9), text
        assert found["share_factor"] * found["split_factor"] == pytest.approx(1, abs=1e-12)


def test_symbols_of_3mindia_are_those_of_its_map_file(folder: Path, told: Told) -> None:
    listed, *tickers = _rows(folder / INDIA / "map_files" / "3mindia.csv")
    first, ids = _day(listed[0]), set()
    for text, ticker in tickers:
        last = min(_day(text), date(2030, 1, 1))
        for day in (first, last):
            found = told.meaning(NSE.key(ticker.upper()), NSE.at(day.isoformat()), ALWAYS)
            assert found is not None, (ticker, day)
            assert found["status"] == "LISTED", (ticker, day)
            ids.add(found["listing_id"])
        for day in (first - timedelta(days=1), last + timedelta(days=1)):
            outside = told.meaning(NSE.key(ticker.upper()), NSE.at(day.isoformat()), ALWAYS)
            known_end = day < date(2030, 1, 1)
            assert not known_end or outside is None or outside["status"] == "NOT_LISTED", day
        first = last + timedelta(days=1)
    assert len(ids) == 1


def test_nothing_of_the_folder_is_refused_and_listings_keep_their_ids(
    folder: Path, told: Told
) -> None:
    assert not told.rows("quarantine.event")
    assert not told.rows("duplicate.event")
    for fact in reference(folder).facts:
        found = told.meaning(fact.raw_key, fact.valid_from, ALWAYS)
        assert found is not None
        assert found["listing_id"] == fact.listing_id
