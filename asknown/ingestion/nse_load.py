"""Files of the National Stock Exchange of India, together, as records of the reference topics."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from asknown.ingestion.connectors import nse
from asknown.ingestion.connectors.nse_files import Download, Read, open_download
from asknown.ingestion.event import Event


def read(listings: Path | None, changes: Path | None, actions: Path | None) -> Read:
    """Return the records of the files given, and the rows that cannot be read.

    A file says nothing about when its rows became known: they are known from their own day on if
    that lies before now, and from now on otherwise.
    """
    now = time.time_ns() // 1_000_000
    renames: Read = Read((), ())
    if changes is not None:
        renames = nse.symbol_changes(_open(changes))
    found = [renames]
    isins: dict[str, str] = {}
    if listings is not None:
        found.append(nse.listings(_open(listings), renames.events))
        isins = _isins(found[-1].events)
    if actions is not None:
        download = _open(actions, now)
        rows = nse.api_actions if actions.suffix == ".json" else nse.corporate_actions
        found.append(rows(download, nse.Known(isins)))
    return Read(
        tuple(_learnt_by(now, event) for one in found for event in one.events),
        tuple(problem for one in found for problem in one.problems),
    )


def _isins(listings: Iterable[Event]) -> dict[str, str]:
    """Return the ISIN of each symbol of the day of the download."""
    found = {}
    for event in listings:
        said = event.payload
        if said["isin"]:
            found[said["extra"].get("symbol_today", said["symbol"])] = said["isin"]
    return found


def _learnt_by(now: int, event: Event) -> Event:
    """Return the record of what is announced for a later day as known now."""
    return replace(event, event_time_ms=min(event.event_time_ms, now))


def _open(path: Path, known_at: int | None = None) -> Download:
    return open_download(path, known_at, 1)
