"""NSE's reference files as text: downloads, rows with their line, dates with two-digit years."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from asknown.errors import UsageError
from asknown.ingestion.event import Event

FIRST_YEAR = 1990  # the exchange opened in 1994: two digits mean a year from here to 2089
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DATE = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{2}|\d{4})(?:\s.*)?")
_NOTHING = frozenset({"", "-"})


@dataclass(frozen=True, slots=True)
class Download:
    """One file as it was fetched, and the instant from which its content was known.

    `known_at` None: nobody wrote it down, so each row counts as known from the start of its day.
    `version` numbers the downloads of one file when a later one amends actions of an earlier one.
    """

    name: str
    text: str
    known_at: int | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Read:
    """What a file came to: every row is in the one or in the other."""

    events: tuple[Event, ...]
    problems: tuple[UsageError, ...]


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A row of the corporate-actions feed, whatever file it stood in.

    `symbol`, `isin` and the face value in `extra` are those of the day of the download, also on
    rows of many years ago (DOMAIN.md fact 1).
    """

    where: str
    symbol: str
    series: str
    isin: str
    purpose: str
    ex_date: date
    record_date: date | None
    closure_date: date | None
    announce_date: date | None
    extra: dict[str, str] = field(default_factory=dict)


def open_download(path: Path, known_at: int | None = None, version: int = 1) -> Download:
    """Return the file at `path`; raises `UsageError` ASKNOWN-INGEST-050 if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "ASKNOWN-INGEST-050",
            f"expected a readable text in UTF-8, found {error}.",
            where=str(path),
            hint="fetch the file again.",
        ) from error
    return Download(str(path), text, known_at, version)


def records(download: Download) -> Iterator[tuple[str, list[str]]]:
    """Yield (file:line, cells without the blanks around them) of each line that has any.

    A line is a row: a quotation mark that is never closed does not swallow the lines after it.
    """
    for number, line in enumerate(download.text.splitlines(), start=1):
        cells = [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True), [])]
        if any(cells):
            yield f"{download.name}:{number}", cells


def table(download: Download, required: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (file:line, cells by column) of a file with a header, its names without blanks.

    Cells beyond the header are kept as `field_N`. Raises `UsageError` ASKNOWN-INGEST-050 when a
    column of `required` is missing.
    """
    rows = records(download)
    header = [name.upper() for name in next(rows, ("", []))[1]]
    missing = [name for name in required if name not in header]
    if missing:
        raise UsageError(
            "ASKNOWN-INGEST-050",
            f"expected the columns {', '.join(missing)}, found {', '.join(header) or 'none'}.",
            where=f"{download.name}:1",
            hint="fetch the file again; it is not what its name says.",
        )
    for where, cells in rows:
        names = [*header, *(f"field_{at}" for at in range(len(header) + 1, len(cells) + 1))]
        yield where, dict(zip(names, cells, strict=False))


def documents(download: Download) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (file[n], fields as text) of an API answer: a list, or a list under `data`.

    Raises `UsageError` ASKNOWN-INGEST-050 for another shape.
    """
    try:
        found: Any = json.loads(download.text)
    except ValueError as error:
        raise _not_a_list(download, str(error)) from error
    if isinstance(found, dict):
        found = found.get("data")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _not_a_list(download, type(found).__name__)
    for number, one in enumerate(found):
        fields = {
            str(name): "" if value is None else str(value).strip() for name, value in one.items()
        }
        yield f"{download.name}[{number}]", fields


def parse_day(text: str) -> date | None:
    """Return a date written `18-Sep-13` or `21-SEP-2026`, a time after it ignored, or None."""
    match = _DATE.fullmatch(text.strip())
    if match is None or match[2].upper() not in _MONTHS:
        return None
    year = int(match[3])
    if len(match[3]) == 2:
        year += FIRST_YEAR - FIRST_YEAR % 100
        year += 100 if year < FIRST_YEAR else 0
    try:
        return date(year, _MONTHS.index(match[2].upper()) + 1, int(match[1]))
    except ValueError:
        return None


def day_of(where: str, name: str, text: str) -> date:
    """Return the date in a cell that must have one."""
    found = parse_day(text)
    if found is None:
        raise unusable(where, f"a date DD-MON-YYYY as {name}", text)
    return found


def action_row(where: str, cells: Mapping[str, str], columns: Mapping[str, str]) -> ActionRow:
    """Return a row of the feed; `columns` says what each part is called in this kind of file.

    Raises `UsageError` ASKNOWN-INGEST-051 for a row without symbol or ex-date.
    """
    part = {name: cells.get(column, "") for name, column in columns.items()}
    if part["symbol"] in _NOTHING:
        raise unusable(where, "a symbol", part["symbol"])
    dates = {name: parse_day(part[name]) for name in ("record", "closure", "announced")}
    typed = {columns[name] for name in ("symbol", "purpose", "ex", "isin")}
    typed |= {columns[name] for name in ("record", "announced") if dates[name] is not None}
    return ActionRow(
        where=where,
        symbol=part["symbol"],
        series="" if part["series"] in _NOTHING else part["series"].upper(),
        isin="" if part["isin"] in _NOTHING else part["isin"].upper(),
        purpose=part["purpose"],
        ex_date=day_of(where, "ex-date", part["ex"]),
        record_date=dates["record"],
        closure_date=dates["closure"],
        announce_date=dates["announced"],
        extra={
            name: cell for name, cell in cells.items() if name not in typed and cell not in _NOTHING
        },
    )


def unusable(where: str, expected: str, found: str) -> UsageError:
    """Return the report of a row that no record can be made of."""
    return UsageError(
        "ASKNOWN-INGEST-051",
        f"expected {expected}, found {found!r}.",
        where=where,
        hint="correct the row and load the file again; the other rows are not held up by it.",
    )


def _not_a_list(download: Download, found: str) -> UsageError:
    return UsageError(
        "ASKNOWN-INGEST-050",
        f"expected a JSON list of actions, found {found}.",
        where=download.name,
        hint="fetch the file again; the site answers a refused request with a page.",
    )
