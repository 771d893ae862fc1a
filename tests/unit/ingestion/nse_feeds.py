"""NSE's reference files as the tests write them, in the shape of the real ones."""

from __future__ import annotations

import json
from typing import Any

from asknown.ingestion.connectors.nse_files import Download, Read

KNOWN_AT = 1_700_000_000_000
HEADER = (
    '"SYMBOL"," COMPANY NAME"," SERIES"," PURPOSE"," FACE VALUE"," EX-DATE"," RECORD DATE",'
    '" BOOK CLOSURE START DATE"," BOOK CLOSURE END DATE"\n'
)


def feed(*rows: str, **download: Any) -> Download:
    return Download("ca.csv", HEADER + "\n".join(rows) + "\n", **download)


def row(purpose: str, symbol: str = "MCX", ex: str = "18-Sep-13", record: str = "19-Sep-13") -> str:
    return f'"{symbol}","Some Ltd","EQ","{purpose}","2","{ex}","{record}","-","-"'


def payloads(read: Read) -> list[Any]:
    assert read.problems == ()
    return [event.payload for event in read.events]


def answer(**changed: str | None) -> dict[str, str | None]:
    return {
        "symbol": "GENSOL",
        "series": "EQ",
        "ind": "-",
        "faceVal": "10",
        "subject": "Bonus 2:1",
        "exDate": "17-Oct-2023",
        "recDate": "17-Oct-2023",
        "bcStartDate": "-",
        "comp": "Gensol Engineering Limited",
        "isin": "INE06H201014",
        "caBroadcastDate": None,
        **changed,
    }


def api(*answers: dict[str, str | None], **download: Any) -> Download:
    return Download("api.json", json.dumps(list(answers)), **download)
