"""What a run of the research job was asked for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """How wide it runs, and which listings stand for their venue's market beside those defined."""

    parallelism: int
    benchmarks: Mapping[str, str]

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Run:
        """Read the program arguments that `asknown` passes."""
        parser = argparse.ArgumentParser(prog="research")
        parser.add_argument("--width", dest="parallelism", type=int, default=1)
        parser.add_argument("--benchmark", type=_pair, action="append", default=[])
        asked = parser.parse_args(argv)
        return cls(asked.parallelism, dict(asked.benchmark))


def _pair(text: str) -> tuple[str, str]:
    """Read `venue=listing`."""
    venue, _, listing = text.partition("=")
    return venue, listing
