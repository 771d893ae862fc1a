"""Files in LEAN's data format, as they lie in a folder: found, unpacked, split into fields.

forex/<market>/tick/<symbol>/YYYYMMDD_quote.zip       ms since midnight,bid,ask
forex/<market>/{second,minute}/<symbol>/...           ms,bid OHLC,size,ask OHLC,size
equity/<market>/daily/<symbol>.zip                    YYYYMMDD 00:00,OHLC x 10,000,volume
equity/<market>/{map_files,factor_files}/<symbol>.csv
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from asknown.errors import UsageError
from asknown.ingestion.connectors.selection import check_chosen
from asknown.ingestion.decimals import exact_decimal

# The hours database of the same folder says UTC for Forex-oanda; so do the bursts at US releases.
FOREX_ZONE = "UTC"
_QUOTE_BAR_FIELDS = 11
_VENUES = {"india": ("NSE", "XNSE")}


@dataclass(frozen=True, slots=True)
class LeanFile:
    """One data file: what kind it is and for whom; `day` None where it spans many."""

    path: Path
    market: str
    symbol: str
    day: date | None = None

    @property
    def equity_venue(self) -> tuple[str, str]:
        """Return prefix of the raw key and market identifier of an equity file.

        Raises `UsageError` ASKNOWN-INGEST-044 for a market without a calendar of ours.
        """
        if self.market not in _VENUES:
            raise UsageError(
                "ASKNOWN-INGEST-044",
                f"expected an equity market among {', '.join(_VENUES)}, found {self.market}.",
                where=str(self.path),
                hint="choose --symbols of a known market.",
            )
        return _VENUES[self.market]


@dataclass(frozen=True, slots=True)
class QuoteBar:
    """One bar of a second or minute file; times UTC milliseconds, (open, high, low, close)."""

    start_ms: int
    bid: tuple[Decimal, Decimal, Decimal, Decimal]
    ask: tuple[Decimal, Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class MapRow:
    """`ticker` was used up to and including `last`; the first row of a file is the listing."""

    last: date
    ticker: str


@dataclass(frozen=True, slots=True)
class FactorRow:
    """Factors for all days up to and including `last`; `reference` is its raw close, or 0."""

    last: date
    price: Decimal
    split: Decimal
    reference: Decimal


@dataclass(frozen=True, slots=True)
class LeanFolder:
    """The files of a folder that we read, optionally of chosen symbols only."""

    root: Path
    ticks: tuple[LeanFile, ...]
    daily: tuple[LeanFile, ...]
    maps: tuple[LeanFile, ...]
    factors: tuple[LeanFile, ...]


def open_folder(root: Path, chosen: frozenset[str] | None = None) -> LeanFolder:
    """Return the files under `root`, the folder that has `forex` or `equity` in it.

    Raises `UsageError` ASKNOWN-INGEST-040 when there is no such folder, ASKNOWN-INGEST-041 when it
    has none of the files, ASKNOWN-INGEST-031 for a symbol it does not have.
    """
    if not root.is_dir():
        raise UsageError(
            "ASKNOWN-INGEST-040",
            "expected a folder in LEAN's data format, found none.",
            where=str(root),
            hint="give the folder that has `forex` or `equity` in it.",
        )
    found = (
        [_dated(path) for path in sorted(root.glob("forex/*/tick/*/*_quote.zip"))],
        [_plain(path) for path in sorted(root.glob("equity/*/daily/*.zip"))],
        [_plain(path) for path in sorted(root.glob("equity/*/map_files/*.csv"))],
        [_plain(path) for path in sorted(root.glob("equity/*/factor_files/*.csv"))],
    )
    symbols = {one.symbol for files in found for one in files}
    if not symbols:
        raise UsageError(
            "ASKNOWN-INGEST-041",
            "expected forex ticks, daily equity bars, map files or factor files, found none.",
            where=str(root),
            hint="give the folder that has `forex` or `equity` in it.",
        )
    check_chosen(chosen, symbols)
    kept = [
        tuple(one for one in files if chosen is None or one.symbol in chosen) for files in found
    ]
    return LeanFolder(root, *kept)


def forex_zone(name: str) -> ZoneInfo:
    """Return the zone of a forex file's midnight.

    Raises `UsageError` ASKNOWN-INGEST-043 for a name that is no time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(
            "ASKNOWN-INGEST-043",
            f"expected a time zone such as {FOREX_ZONE} or UTC, found {name!r}.",
            hint=f"--time-zone {FOREX_ZONE}",
        ) from error


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return when `day` begins in `zone`, in UTC milliseconds."""
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


def lines(path: Path, fields: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, fields) of a text or of a zip with one text in it.

    Raises `UsageError` ASKNOWN-INGEST-042 when the file cannot be read or a line has another
    number of fields.
    """
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        cells = line.strip().split(",")
        if len(cells) < fields:
            raise malformed(path, number, f"{fields} fields", line)
        yield number, cells


def quote_bars(path: Path, day: date, zone: ZoneInfo) -> list[QuoteBar]:
    """Return the bars of a forex second or minute file."""
    start = midnight_ms(day, zone)
    found = []
    for number, cells in lines(path, _QUOTE_BAR_FIELDS):
        values = [_number(path, number, cell) for cell in cells[1:]]
        bid, ask = values[:4], values[5:9]
        found.append(
            QuoteBar(
                start_ms=start + milliseconds(path, number, cells[0]),
                bid=(bid[0], bid[1], bid[2], bid[3]),
                ask=(ask[0], ask[1], ask[2], ask[3]),
            )
        )
    return found


def map_rows(path: Path) -> list[MapRow]:
    """Return the rows of a map file in their order."""
    return [
        MapRow(parse_day(path, number, cells[0]), cells[1].upper())
        for number, cells in lines(path, 2)
    ]


def factor_rows(path: Path) -> list[FactorRow]:
    """Return the rows of a factor file in their order."""
    return [
        FactorRow(
            parse_day(path, number, cells[0]), *(_number(path, number, one) for one in cells[1:4])
        )
        for number, cells in lines(path, 4)
    ]


def parse_day(path: Path, number: int, text: str) -> date:
    """Return a date written YYYYMMDD, whatever time follows it."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError as error:
        raise malformed(path, number, "a date YYYYMMDD", text) from error


def milliseconds(path: Path, number: int, text: str) -> int:
    """Return the milliseconds since midnight in a field."""
    if not text.isdecimal():
        raise malformed(path, number, "milliseconds since midnight", text)
    return int(text)


def malformed(path: Path, number: int, expected: str, found: str) -> UsageError:
    """Return the error for a line that is not what the format says."""
    return UsageError(
        "ASKNOWN-INGEST-042",
        f"expected {expected}, found {found!r}.",
        where=f"{path}:{number}",
        hint="fetch the file again, or leave its symbol out with --symbols.",
    )


def _number(path: Path, number: int, text: str) -> Decimal:
    value = exact_decimal(text)
    if value is None:
        raise malformed(path, number, "a number of at most eight decimals", text)
    return value


def _text(path: Path) -> str:
    try:
        if path.suffix != ".zip":
            return path.read_text(encoding="utf-8")
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise malformed(path, 0, "one file in the archive", ", ".join(names))
            return archive.read(names[0]).decode("utf-8")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise malformed(path, 0, "a readable file", str(error)) from error


def _dated(path: Path) -> LeanFile:
    symbol, market = path.parent.name.upper(), path.parents[2].name
    return LeanFile(path, market, symbol, parse_day(path, 0, path.name))


def _plain(path: Path) -> LeanFile:
    return LeanFile(path, path.parents[1].name, path.stem.upper())
