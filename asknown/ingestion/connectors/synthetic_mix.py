"""How much of what goes wrong a synthetic session has: a usual day, or a storm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Burst:
    """Late records sent together: when, and from which part of the session they are.

    All three are shares of the session's length. The pause before them has to be so long that every
    partition's clock has passed them: `at` lies well behind `until`.
    """

    at: float
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Mix:
    """Thousandths of all records that are each kind; `disordered` of the originals.

    Certain to be found as they are called: duplicates, the late ones, what is refused. A running
    job may call late or not: `stragglers`, which come up to five minutes behind in the middle of
    the others, and `across`, copies that come while the watermark passes their first. The late ones
    are new trades (`late`), copies of trades there are (`late_copies`), and keys without a meaning
    (`late_unresolved`).
    """

    duplicates: int
    late: int
    poison: int
    invalid: int
    unresolved: int
    disordered: int
    bursts: tuple[Burst, ...]
    stragglers: int = 0
    across: int = 0
    late_copies: int = 0
    late_unresolved: int = 0


USUAL = Mix(
    duplicates=10,
    late=3,
    poison=2,
    invalid=3,
    unresolved=3,
    disordered=50,
    bursts=(Burst(0.7, 0.0, 0.3),),
)

# 30 % duplicates, 30 % disorder within the bound and more beyond it, 5 % late, 2 % poison.
STORM = Mix(
    duplicates=280,
    across=20,
    late=32,
    late_copies=12,
    late_unresolved=6,
    poison=20,
    invalid=10,
    unresolved=10,
    disordered=300,
    stragglers=30,
    bursts=(Burst(0.45, 0.0, 0.3), Burst(0.7, 0.2, 0.55), Burst(0.95, 0.45, 0.8)),
)
