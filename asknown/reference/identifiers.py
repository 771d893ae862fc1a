"""Which listing an identifier names: one answer of five, never a guess.

Rows are rectangles, valid time by knowledge time, both half open. A row counts for a question when
it was believed at `known_at`, so an answer about the past does not change when more is learnt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class ResolutionStatus(StrEnum):
    """What came of a question; only RESOLVED names one listing to use."""

    RESOLVED = "RESOLVED"
    UNKNOWN = "UNKNOWN"  # by that knowledge it names nothing at that time and never did before
    AMBIGUOUS = "AMBIGUOUS"  # it names several listings: say the venue or the series
    CLOSED = "CLOSED"  # it named a listing, and only before that time
    CONFLICT = "CONFLICT"  # two listings own it at one time, or two identifiers disagree


@dataclass(frozen=True, slots=True)
class Identifier:
    """`id_value` names `listing_id` within [valid_from, valid_to), as believed [known_from, to)."""

    listing_id: str
    id_type: str
    id_value: str
    venue: str
    series: str
    valid_from: int
    valid_to: int
    known_from: int
    known_to: int

    def believed(self, known_at: int) -> bool:
        """Tell whether the row was knowledge at `known_at`."""
        return self.known_from <= known_at < self.known_to

    def covers(self, at: int) -> bool:
        """Tell whether the row holds at `at`."""
        return self.valid_from <= at < self.valid_to


@dataclass(frozen=True, slots=True)
class Resolution:
    """A status, the listings it speaks of in order, and the rows that say so.

    `listing_ids` is one when RESOLVED, none when UNKNOWN, the last ones named when CLOSED.
    """

    status: ResolutionStatus
    listing_ids: tuple[str, ...] = ()
    candidates: tuple[Identifier, ...] = ()


def resolve(  # noqa: PLR0913  # the parts of one question; all but three are said by name
    rows: Iterable[Identifier],
    id_type: str,
    value: str,
    venue: str | None = None,
    series: str | None = None,
    *,
    at: int,
    known_at: int,
) -> Resolution:
    """Return what `value` names at `at` by the knowledge of `known_at` (UTC milliseconds).

    `venue` and `series` None are not asked about; '' asks for rows of a venue without series.
    """
    known = [
        row
        for row in rows
        if (row.id_type, row.id_value) == (id_type, value)
        and row.believed(known_at)
        and venue in (None, row.venue)
        and series in (None, row.series)
    ]
    holding = [row for row in known if row.covers(at)]
    if holding:
        return _named(_status_of(holding), holding)
    past = [row for row in known if row.valid_to <= at]
    if not past:
        return Resolution(ResolutionStatus.UNKNOWN)
    last = max(row.valid_to for row in past)
    return _named(ResolutionStatus.CLOSED, [row for row in past if row.valid_to == last])


def agree(*resolutions: Resolution) -> Resolution:
    """Return what the identifiers of one record name together, e.g. its symbol and its ISIN.

    They agree when one listing is left that all of them may mean: an ISIN alone is AMBIGUOUS
    between two venues, the symbol beside it decides. An identifier that names nothing beside one
    that does is a CONFLICT, not a reason to trust the other.
    """
    candidates = tuple(dict.fromkeys(row for one in resolutions for row in one.candidates))
    every = sorted({name for one in resolutions for name in one.listing_ids})
    statuses = {one.status for one in resolutions}
    if not resolutions or statuses == {ResolutionStatus.UNKNOWN}:
        return Resolution(ResolutionStatus.UNKNOWN)
    shared = set(every).intersection(*(one.listing_ids for one in resolutions))
    if statuses == {ResolutionStatus.CLOSED} and shared:
        return Resolution(ResolutionStatus.CLOSED, tuple(sorted(shared)), candidates)
    if statuses <= {ResolutionStatus.RESOLVED, ResolutionStatus.AMBIGUOUS} and shared:
        one_left = len(shared) == 1
        status = ResolutionStatus.RESOLVED if one_left else ResolutionStatus.AMBIGUOUS
        return Resolution(status, tuple(sorted(shared)), candidates)
    return Resolution(ResolutionStatus.CONFLICT, tuple(every), candidates)


def _named(status: ResolutionStatus, rows: Sequence[Identifier]) -> Resolution:
    names = tuple(sorted({row.listing_id for row in rows}))
    ordered = sorted(rows, key=lambda row: (row.listing_id, row.venue, row.series, row.valid_from))
    return Resolution(status, names, tuple(ordered))


def _status_of(rows: Sequence[Identifier]) -> ResolutionStatus:
    """Return the status of rows that all hold at one instant by one knowledge."""
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        owners[row.venue, row.series].add(row.listing_id)
    if any(len(names) > 1 for names in owners.values()):
        return ResolutionStatus.CONFLICT
    several = len(set().union(*owners.values())) > 1
    return ResolutionStatus.AMBIGUOUS if several else ResolutionStatus.RESOLVED
