"""Read rules from their files: which kinds there are, and how each is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from asknown.contracts.catalog import contract
from asknown.quality.rules import ticks
from asknown.quality.rules.check import PAYLOAD, Check
from asknown.quality.rules.history import Gap, Monotonic
from asknown.quality.rules.times import Before, NotAhead, NotBefore, Stale
from asknown.quality.rules.values import BOUNDS, OneOf, Ordered, Pattern, Present, Range

Entry = Mapping[str, Any]


def check(entry: Entry, dataset: str, folder: Path) -> Check:
    """Return the check of a rule, whose only key is its kind.

    Raises `KeyError`, `TypeError` or `ValueError` for what is none.
    """
    ((kind, body),) = entry.items()
    if kind == "tick":
        names, *_ = _only(body, "columns")
        return ticks.OnTick(_names(names), ticks.load(folder, dataset))
    return _KINDS[kind](body)


def _only(body: Entry, *keys: str, optional: tuple[str, ...] = ()) -> list[Any]:
    """Return the values of exactly these keys, and of the optional ones (or None)."""
    if not set(keys) <= set(body) <= {*keys, *optional}:
        raise ValueError(f"expected {keys}, found {sorted(body)}")
    return [body.get(key) for key in (*keys, *optional)]


def _names(names: Any) -> tuple[str, ...]:
    if not names or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"expected names of columns, found {names!r}")
    return tuple(names)


def _required_by(topic: str) -> Present:
    """Require what a later contract cannot leave out and the raw record has under that name."""
    later = contract(topic)
    raw = {f.name for f in contract(f"raw.{later.topic.dataset}").payload}
    strict = [f.name for f in later.payload if not f.nullable and f.name in raw]
    return Present(tuple(f"{PAYLOAD}{name}" for name in strict), filled=False)


def _range(body: Entry) -> Range:
    bounds = dict(body)
    names = _names(bounds.pop("columns"))
    integer = bool(bounds.pop("integer", False))
    optional = bool(bounds.pop("optional", False))
    unknown = set(bounds) - set(BOUNDS)
    if unknown or not bounds:
        raise ValueError(f"unknown bounds: {sorted(unknown)}")
    wanted = tuple((kind, int(bound)) for kind, bound in bounds.items())
    return Range(names, wanted, integer, optional)


def _ordered(body: Entry) -> Ordered:
    lower, upper = _only(body, "lower", "upper")
    return Ordered(_names(lower), _names(upper))


def _enum(body: Entry) -> OneOf:
    names, values = _only(body, "columns", "values")
    kinds = {type(one) for one in values}
    if kinds not in ({str}, {int}):
        raise ValueError(f"expected texts or whole numbers, found {values!r}")
    return OneOf(_names(names), tuple(values))


def _pattern(body: Entry) -> Pattern:
    names, expression = _only(body, "columns", "matches")
    return Pattern(_names(names), str(expression))


def _time(body: Entry) -> Check:
    name = str(body["column"])
    if set(body) == {"column", "not_before"}:
        datetime.fromisoformat(body["not_before"])
        return NotBefore(name, body["not_before"])
    if set(body) == {"column", "before"}:
        datetime.fromisoformat(body["before"])
        return Before(name, body["before"])
    keys = ("column", "ahead_of", "ahead_minutes")
    _, reference, minutes, optional = _only(body, *keys, optional=("optional",))
    return NotAhead(name, str(reference), int(minutes), bool(optional))


def _stale(body: Entry) -> Stale:
    name, behind, minutes, hours = _only(body, "column", "behind", "minutes", "history_hours")
    return Stale(str(name), str(behind), int(minutes), int(hours))


def _monotonic(body: Entry) -> Monotonic:
    (name,) = _only(body, "column")
    if name != "event_time":
        raise ValueError("records of a key are in the order of event_time, and of no other column")
    return Monotonic()


def _gap(body: Entry) -> Gap:
    price, percent, days, previous, only = _only(
        body, "price", "percent", "days", optional=("previous", "only")
    )
    names = _names(price)
    kept = _names(previous) if previous else names
    if not 0 < int(percent) < 100 or int(days) <= 0 or max(len(names), len(kept)) > 2:
        raise ValueError("expected 1 to 99 per cent, days, and one or two columns of a price")
    asked: tuple[str, int] | None = None
    if only:
        ((name, wanted),) = only.items()
        asked = (str(name), int(wanted))
    return Gap(names, kept, int(percent), int(days), asked)


_KINDS: Mapping[str, Callable[[Any], Check]] = {
    "filled": lambda names: Present(_names(names), filled=True),
    "present": lambda names: Present(_names(names), filled=False),
    "required_by": _required_by,
    "range": _range,
    "ordered": _ordered,
    "enum": _enum,
    "pattern": _pattern,
    "time": _time,
    "stale": _stale,
    "monotonic": _monotonic,
    "gap": _gap,
}
