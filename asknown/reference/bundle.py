"""What one source knows about its instruments: the facts and the actions together."""

from __future__ import annotations

from dataclasses import dataclass

from asknown.reference.actions import Action
from asknown.reference.changes import History
from asknown.reference.symbology import SecurityFact


@dataclass(frozen=True, slots=True)
class ReferenceBundle:
    """Facts and actions of one source, ready for raw.security and raw.corporate_action."""

    source: str
    facts: tuple[SecurityFact, ...]
    actions: tuple[Action, ...] = ()

    def history(self) -> History:
        """Return the change points these facts amount to."""
        return History(self.facts, self.actions)

    def symbol_of(self, listing: str) -> SecurityFact:
        """Return the earliest fact about a listing, which names its venue and first symbol."""
        return min(
            (fact for fact in self.facts if fact.listing_id == listing),
            key=lambda fact: fact.valid_from,
        )
