"""The three kinds of NSE files together, as a person would give them to `reference load nse`."""

from __future__ import annotations

import json
import time
from pathlib import Path

from asknown.ingestion.nse_load import read
from tests.unit.ingestion.nse_feeds import HEADER, answer, row

LISTINGS = (
    "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER,"
    " FACE VALUE\nGENSOL,Gensol Engineering Limited,EQ,03-JUL-2023,10,1,INE06H201014,10\n"
)
CHANGES = "Some Ltd,OLDNAME,NEWNAME,01-JAN-2190\n"


def files(folder: Path) -> tuple[Path, Path, Path]:
    listings, changes, actions = (
        folder / name for name in ("EQUITY_L.csv", "symbolchange.csv", "ca.csv")
    )
    listings.write_text(LISTINGS)
    changes.write_text(CHANGES)
    actions.write_text(HEADER + row("Bonus 2:1", "GENSOL", "17-Oct-2023", "17-Oct-2023") + "\n")
    return listings, changes, actions


def test_files_together_are_facts_and_actions_known_by_now(tmp_path: Path) -> None:
    found = read(*files(tmp_path))
    assert found.problems == ()
    kinds = [event.payload["kind"] for event in found.events]
    assert kinds == ["RENAME", "LIST", "BONUS"]
    assert max(event.event_time_ms for event in found.events) <= time.time() * 1000


def test_action_has_one_id_in_the_csv_and_in_the_api_where_the_listings_tell_the_isin(
    tmp_path: Path,
) -> None:
    listings, changes, csv = files(tmp_path)
    api = tmp_path / "api.json"
    api.write_text(json.dumps([answer()]))
    ids = {
        read(listings, changes, actions).events[-1].payload["action_id"] for actions in (csv, api)
    }
    assert len(ids) == 1


def test_row_that_cannot_be_read_is_named_and_the_others_come(tmp_path: Path) -> None:
    listings, _, _ = files(tmp_path)
    listings.write_text(LISTINGS + "BROKEN,Broken Ltd,EQ,no date,10,1,,10\n")
    found = read(listings, None, None)
    assert [event.payload["symbol"] for event in found.events] == ["GENSOL"]
    assert "EQUITY_L.csv:3" in str(found.problems[0])
