"""What one source knows about its instruments: the facts and the actions together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from asknown.reference.actions import Action
from asknown.reference.changes import History
from asknown.reference.symbology import SecurityFact


@dataclass(frozen=True, slots=True)
class ReferenceBundle:
    """Facts and actions of one source, ready for raw.security and raw.corporate_action."""

    source: str
    facts: tuple[SecurityFact, ...]
    actions: tuple[Action, ...] = ()
    # Where a listing is older than what is known of it: the date that goes into its permanent id.
    first_trade_dates: Mapping[str, date] = field(default_factory=dict)

    def history(self) -> History:
        """Return the change points these facts amount to."""
        return History(self.facts, self.actions)

    def named_at(self, listing: str, at_ms: int) -> SecurityFact:
        """Return the fact that names a listing at an instant: its key, symbol and venue then."""
        facts = sorted(
            (fact for fact in self.facts if fact.listing_id == listing),
            key=lambda fact: fact.valid_from,
        )
        begun = [fact for fact in facts if fact.valid_from <= at_ms]
        return begun[-1] if begun else facts[0]
