"""Drift of `extra`: what a source sends beside the contract, measured and compared.

`extra` keeps whatever a source sent that the contract has no field for, as text. Nobody declares
it, so nobody is told when it changes; but a new key may be a field to take into the contract, a
vanished one a reader's loss, and a number that became text a feed that broke.

A profile counts, by source and key, how often a key came and what its values looked like. It is a
plain document: two of them are compared without looking at a record again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SOURCES = 64  # of one profile; and keys of one source: a feed gone mad must not fill the memory
KEYS = 512
KEY_LENGTH = 128
# Below so many records expected, that a key or a kind did not come says nothing.
ENOUGH = 20.0


class Kind(StrEnum):
    """What a text looks like."""

    EMPTY = "empty"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    TIME = "time"
    TEXT = "text"


_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
# In this order; written so that Python and RE2 (Arrow) read them alike. Anything else is text.
PATTERNS: Mapping[Kind, str] = {
    Kind.EMPTY: r"[ \t]*",
    Kind.BOOLEAN: r"[Tt]rue|TRUE|[Ff]alse|FALSE",
    Kind.INTEGER: r"[+-]?[0-9]+",
    Kind.DECIMAL: r"[+-]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?",
    Kind.DATE: _DAY,
    Kind.TIME: _DAY + r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?:Z|[+-][0-9:]+)?",
}
# A kind whose values are values of the other, too.
_WITHIN = {Kind.INTEGER: frozenset({Kind.DECIMAL})}


def kind_of(value: str | None) -> Kind:
    """Return what a value looks like; one that is missing is empty."""
    if value is None:
        return Kind.EMPTY
    found = (kind for kind, pattern in PATTERNS.items() if re.fullmatch(pattern, value))
    return next(found, Kind.TEXT)


@dataclass
class SourceProfile:
    """What one source sent: its records, each key's values by kind, and values of further keys."""

    records: int = 0
    keys: dict[str, Counter[Kind]] = field(default_factory=dict)
    further: int = 0


@dataclass
class Profile:
    """What came in `extra` of one dataset within [first, end), by source."""

    dataset: str
    first: str
    end: str
    sources: dict[str, SourceProfile] = field(default_factory=dict)
    further: int = 0  # records of sources beyond the limit

    def add_records(self, source: str, records: int) -> None:
        """Count records of a source."""
        found = self._source(source)
        if found is None:
            self.further += records
        else:
            found.records += records

    def add_values(self, source: str, key: str, kind: Kind, values: int) -> None:
        """Count values of a key that looked alike."""
        found = self._source(source)
        if found is None:
            return
        name = key[:KEY_LENGTH]
        if name not in found.keys and len(found.keys) >= KEYS:
            found.further += values
            return
        found.keys.setdefault(name, Counter())[kind] += values

    def _source(self, name: str) -> SourceProfile | None:
        if name not in self.sources and len(self.sources) >= SOURCES:
            return None
        return self.sources.setdefault(name, SourceProfile())

    @property
    def records(self) -> int:
        """Return how many records were looked at."""
        return sum(source.records for source in self.sources.values()) + self.further

    def document(self) -> dict[str, Any]:
        """Return the profile as plain names and values."""
        sources = {
            name: {
                "records": source.records,
                "further_values": source.further,
                "keys": {
                    key: {str(kind): count for kind, count in sorted(kinds.items())}
                    for key, kinds in sorted(source.keys.items())
                },
            }
            for name, source in sorted(self.sources.items())
        }
        head = {"dataset": self.dataset, "first": self.first, "end": self.end}
        return head | {"records": self.records, "sources": sources}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Profile:
        """Return the profile that a document was made of."""
        profile = cls(document["dataset"], document["first"], document["end"])
        for name, source in document["sources"].items():
            keys = {
                key: Counter({Kind(kind): count for kind, count in kinds.items()})
                for key, kinds in source["keys"].items()
            }
            profile.sources[name] = SourceProfile(source["records"], keys, source["further_values"])
        profile.further = document["records"] - profile.records
        return profile


class What(StrEnum):
    """How a key changed."""

    NEW = "new key"
    VANISHED = "vanished key"
    TYPE = "changed type"


@dataclass(frozen=True)
class Drift:
    """One key of one source that is not what it was."""

    dataset: str
    source: str
    key: str
    what: What
    before: str
    now: str
    records: int  # with the key, now


def compare(baseline: Profile, current: Profile) -> list[Drift]:
    """Return what drifted, by source and key; a source that is in one of them only is left out."""
    found: list[Drift] = []
    for name, now in sorted(current.sources.items()):
        before = baseline.sources.get(name)
        if before is not None and before.records and now.records:
            found += _source_drift(current.dataset, name, before, now)
    return found


def not_compared(baseline: Profile, current: Profile) -> list[str]:
    """Return the sources of the current profile that the baseline does not have."""
    return sorted(set(current.sources) - set(baseline.sources))


def _source_drift(
    dataset: str, source: str, before: SourceProfile, now: SourceProfile
) -> Iterator[Drift]:
    share = now.records / before.records
    for key in sorted({*before.keys, *now.keys}):
        old, new = before.keys.get(key, Counter()), now.keys.get(key, Counter())
        count = sum(new.values())
        if not old:
            # With as many keys as are counted, one that was not counted then need not be new.
            what = None if before.further else What.NEW
        elif not new:
            what = What.VANISHED if sum(old.values()) * share >= ENOUGH else None
        else:
            what = What.TYPE if _differ(old, new) else None
        if what:
            yield Drift(dataset, source, key, what, _words(old), _words(new), count)


def _differ(old: Counter[Kind], new: Counter[Kind]) -> bool:
    """Tell whether a kind came that nothing before explains, or one that should have, did not."""
    ratio = sum(new.values()) / sum(old.values())
    before, now = set(old) - {Kind.EMPTY}, set(new) - {Kind.EMPTY}
    if not before:  # it was always empty: nothing is known about its type
        return False
    appeared = {kind for kind in now if kind not in before and not _within(kind, before)}
    expected = {kind for kind in before if old[kind] * ratio >= ENOUGH}
    return bool(appeared and Kind.TEXT not in before) or bool(expected - now)


def _within(kind: Kind, others: set[Kind]) -> bool:
    return bool(_WITHIN.get(kind, frozenset()) & others)


def _words(kinds: Counter[Kind]) -> str:
    total = sum(kinds.values())
    parts = [f"{kind} {100 * count / total:.3g} %" for kind, count in kinds.most_common()]
    if len(parts) == 1:
        return str(next(iter(kinds)))
    return ", ".join(parts) if parts else "-"
