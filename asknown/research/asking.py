"""A question as it was asked: instruments, range, knowledge, adjustment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from asknown.errors import UsageError
from asknown.reference.adjusting import Adjust
from asknown.reference.moments import iso, parse_day, parse_time

When = date | datetime | str
Bound = date | datetime  # a date is that session day, a time is that instant
T = TypeVar("T")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Ask:
    """One question. What is None takes its default from whoever answers.

    `start` and `end` are half open; of a date every row whose session has that date counts,
    wherever its venue's clock stands. `options` are those of one dataset. `snapshots` are the
    states of tables to read, by table; others are read as they are.
    """

    dataset: str
    symbols: tuple[str, ...] = ()
    entity_ids: tuple[str, ...] = ()
    start: Bound | None = None
    end: Bound | None = None
    known_at: datetime | None = None
    symbol_as_of: datetime | None = None
    adjust: Adjust = Adjust.RAW
    options: Mapping[str, Any] = field(default_factory=dict)
    snapshots: Mapping[str, int | None] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the question as JSON keeps it, in full."""
        return {
            "dataset": self.dataset,
            "symbols": list(self.symbols),
            "entity_ids": list(self.entity_ids),
            "start": shown(self.start),
            "end": shown(self.end),
            "known_at": shown(self.known_at),
            "symbol_as_of": shown(self.symbol_as_of),
            "adjust": self.adjust.value,
            "options": dict(self.options),
        }


def asked(document: Mapping[str, Any], snapshots: Mapping[str, int | None]) -> Ask:
    """Return the question of a document, to be answered from some states of tables."""
    return Ask(
        dataset=document["dataset"],
        symbols=tuple(document["symbols"]),
        entity_ids=tuple(document["entity_ids"]),
        start=bound("start", document["start"]),
        end=bound("end", document["end"]),
        known_at=instant("known_at", document["known_at"]),
        symbol_as_of=day("symbol_as_of", document["symbol_as_of"]),
        adjust=adjustment(document["adjust"]),
        options=document["options"],
        snapshots=snapshots,
    )


def shown(value: Bound | None) -> str | None:
    """Return a date or a time as text."""
    if value is None:
        return None
    return iso(value) if isinstance(value, datetime) else value.isoformat()


def bound(name: str, value: When | None) -> Bound | None:
    """Return an end of a range: a session date, or a UTC time.

    Raises UsageError ASKNOWN-RESEARCH-001 for what is neither, or a time without a zone.
    """
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    return instant(name, value)


def instant(name: str, value: When | None) -> datetime | None:
    """Return a UTC time; a date is its midnight. Raises UsageError ASKNOWN-RESEARCH-001."""
    return _read(name, value, parse_time)


def day(name: str, value: When | None) -> datetime | None:
    """Return a UTC time; a date is that day at the exchange. Raises ASKNOWN-RESEARCH-001."""
    return _read(name, value, parse_day)


def _read(name: str, value: When | None, parse: Callable[[Any], datetime]) -> datetime | None:
    if value is None:
        return None
    text: Any = value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise bad(name, "a time that names its zone", value.isoformat())
        text = value.astimezone(UTC).isoformat(timespec="microseconds")
    try:
        return parse(text)
    except ValueError as error:
        raise bad(name, str(error).removeprefix("expected "), value) from None


def adjustment(value: str) -> Adjust:
    """Return the adjustment of a name. Raises UsageError ASKNOWN-RESEARCH-001."""
    return one_of("adjust", value, {one.value: one for one in Adjust})


def one_of(name: str, value: str, known: Mapping[str, T]) -> T:
    """Return what a name stands for. Raises UsageError ASKNOWN-RESEARCH-001 for no such name."""
    if value not in known:
        raise bad(name, f"one of {', '.join(known)}", value)
    return known[value]


def names(name: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """Return names, given as one text with commas or as several; each once, in their order."""
    given = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(one, str) for one in given):
        raise bad(name, "texts", given)
    return tuple(dict.fromkeys(one.strip() for one in given if one.strip()))


def check_order(start: Bound | None, end: Bound | None) -> None:
    """Raise UsageError ASKNOWN-RESEARCH-001 for a range that ends before it begins."""
    if start is None or end is None:
        return
    alike = isinstance(start, datetime) == isinstance(end, datetime)
    if (end <= start) if alike else (latest(end) <= earliest(start)):
        raise bad("end", f"a time after start ({shown(start)})", shown(end))


def earliest(value: Bound) -> datetime:
    """Return the first instant that a bound can mean: a session may begin the evening before."""
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day, tzinfo=UTC) - _ONE_DAY


def latest(value: Bound) -> datetime:
    """Return the last instant before which an end can lie."""
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day, tzinfo=UTC) + _ONE_DAY


def bad(name: str, expected: str, found: object) -> UsageError:
    """Return the error for one argument."""
    return UsageError(
        "ASKNOWN-RESEARCH-001", f"{name}: expected {expected}, found {str(found)[:100]!r}."
    )
