"""Read `schemas/features.yaml`: which features and universes there are, and in which version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import yaml

from asknown.contracts.catalog import SCHEMAS
from asknown.errors import UsageError
from asknown.features.measures import MEASURES, Definition


@dataclass(frozen=True)
class Liquid:
    """A universe of the `members` listings of a venue with the highest value of feature `by`."""

    name: str
    by: str
    members: int


@dataclass(frozen=True)
class Definitions:
    """All definitions; `benchmarks` is the listing that stands for a venue's market."""

    features: tuple[Definition, ...]
    benchmarks: Mapping[str, str] = field(default_factory=dict)
    universes: tuple[Liquid, ...] = ()

    def against(self, benchmarks: Mapping[str, str]) -> Definitions:
        """Return the definitions with more benchmarks, or others."""
        return replace(self, benchmarks={**self.benchmarks, **benchmarks})

    def ranked_by(self, feature: str) -> tuple[Liquid, ...]:
        """Return the universes that a feature ranks."""
        return tuple(one for one in self.universes if one.by == feature)


@lru_cache(maxsize=1)
def definitions() -> Definitions:
    """Return what features.yaml says.

    Raises UsageError ASKNOWN-FEATURE-001 for a measure or a feature that there is not.
    """
    document = yaml.safe_load((SCHEMAS / "features.yaml").read_text(encoding="utf-8"))
    features = tuple(_feature(name, entry) for name, entry in document["features"].items())
    names = [one.name for one in features]
    universes = tuple(Liquid(name, **entry) for name, entry in document["universes"].items())
    for universe in universes:
        _one_of(universe.name, "by", universe.by, names)
    return Definitions(features, document["benchmarks"], universes)


def _feature(name: str, entry: Mapping[str, Any]) -> Definition:
    _one_of(name, "measure", entry["measure"], list(MEASURES))
    return Definition(name, **entry)


def _one_of(name: str, key: str, found: str, known: list[str]) -> None:
    if found not in known:
        raise UsageError(
            "ASKNOWN-FEATURE-001",
            f"{name}: expected `{key}` to be one of {', '.join(known)}, found {found!r}.",
            where="schemas/features.yaml",
            hint="correct the entry.",
        )
