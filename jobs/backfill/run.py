"""What a bounded run was asked for: a window of days, by which knowledge, to where."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REBUILT = ("raw.trade", "raw.quote")
Window = tuple[str, str]  # [from, to) of event time, as SQL timestamps in UTC


@dataclass(frozen=True)
class Run:
    """Days [first, end) of the raw `topics`.

    `known_at` is a moment of knowledge in UTC milliseconds; None is the knowledge that each moment
    had. `replayed` says that records of the window were brought back from quarantine. With a
    `staging` folder its markers are what is recomputed, and its files are what is written. With a
    folder `out` all outputs go to tables in it. `hours` are spans of each topic, in place of days.
    """

    first: date
    end: date
    parallelism: int
    topics: tuple[str, ...]
    known_at: int | None
    replayed: bool
    staging: Path | None
    hours: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    out: Path | None = None

    def windows(self, topic: str) -> list[Window]:
        """Return the windows of a topic."""
        if topic in self.hours:
            return [(_sql(start), _sql(end)) for start, end in self.hours[topic]]
        return [(f"{self.first} 00:00:00", f"{self.end} 00:00:00")]

    @property
    def known_at_sql(self) -> str:
        """Return the moment of knowledge as an SQL timestamp."""
        return _sql(self.known_at or 0)

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Run:
        """Read the program arguments that `asknown` passes."""
        parser = argparse.ArgumentParser(prog="backfill")
        # Not --from: Flink's client takes that for its own --fromSavepoint.
        parser.add_argument(
            "--first-day", dest="first", type=date.fromisoformat, default=EPOCH.date()
        )
        parser.add_argument("--end-day", dest="end", type=date.fromisoformat, default=EPOCH.date())
        parser.add_argument("--width", dest="parallelism", type=int, default=1)
        parser.add_argument("--topics", default=",".join(REBUILT))
        parser.add_argument("--known-at", type=int)
        parser.add_argument("--replayed", action="store_true")
        parser.add_argument("--staging", type=Path)
        parser.add_argument("--hours", type=_hours, default={})
        parser.add_argument("--out", type=Path)
        # Read by nobody here: it tells whose job one is that its command has left behind.
        parser.add_argument("--run", default="")
        chosen = vars(parser.parse_args(argv))
        del chosen["run"]
        return cls(**{**chosen, "topics": tuple(chosen["hours"] or chosen["topics"].split(","))})


def _hours(text: str) -> dict[str, list[tuple[int, int]]]:
    """Read `topic=from-to,from-to;topic=...`, times in UTC milliseconds."""
    found = {}
    for part in text.split(";"):
        topic, _, spans = part.partition("=")
        pairs = (span.split("-") for span in spans.split(","))
        found[topic] = [(int(start), int(end)) for start, end in pairs]
    return found


def _sql(at_ms: int) -> str:
    at = EPOCH + timedelta(milliseconds=at_ms)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
