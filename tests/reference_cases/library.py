"""All cases together, each record with a place in its topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from asknown.reference.records import Close, Record
from tests.reference_cases import adjustments, identity, inert, knowledge, names, refusals
from tests.reference_cases.vocabulary import Case


def _placed(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return the cases with offsets as if one producer had sent them one after the other."""
    placed, sent = [], Counter[str]()
    for case in cases:
        records: list[Record] = []
        for raw in case.records:
            if isinstance(raw, Close):
                records.append(raw)
                continue
            records.append(msgspec.structs.replace(raw, offset=sent[raw.topic]))
            sent[raw.topic] += 1
        placed.append(Case(case.name, tuple(records), case.expected))
    return tuple(placed)


ALL_CASES: tuple[Case, ...] = _placed(
    (
        *identity.CASES,
        *names.CASES,
        *refusals.CASES,
        *adjustments.CASES,
        *inert.CASES,
        *knowledge.CASES,
    )
)


def merged(cases: Iterable[Case] = ALL_CASES) -> list[Record]:
    """Return the records of several cases in the order in which they became known."""
    found: list[tuple[int, Record]] = []
    for case in cases:
        at = 0
        for raw in case.records:
            at = at if raw.event_time is None else raw.event_time
            found.append((at, raw))
    return [raw for _, raw in sorted(found, key=lambda pair: pair[0])]
