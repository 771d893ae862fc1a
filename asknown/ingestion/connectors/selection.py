"""Choosing symbols on the command line."""

from __future__ import annotations

from collections.abc import Collection

from asknown.errors import UsageError


def check_chosen(chosen: frozenset[str] | None, known: Collection[str]) -> None:
    """Raise `UsageError` ASKNOWN-INGEST-031 when `chosen` names what the source does not have."""
    strange = sorted((chosen or frozenset()) - set(known))
    if strange or chosen == frozenset():
        raise UsageError(
            "ASKNOWN-INGEST-031",
            f"expected symbols among {', '.join(sorted(known))}, "
            f"found {', '.join(strange) or 'none'}.",
            hint="leave --symbols out to take all of them.",
        )
