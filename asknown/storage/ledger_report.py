"""The readings of the ledger beside each other: Kafka by count, Kafka by place, and the lake."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import TracebackType
from typing import Any, Self

from asknown.quality.ledger import LANES, Gap, Ledger
from asknown.settings import Settings
from asknown.storage import ledger_lake, ledger_live
from asknown.storage.ledger import Collector, Reading
from asknown.storage.ledger_lake import LakeLedger
from asknown.storage.ledger_places import PlaceBook, PlaceReading

SHOWN = 100  # gaps in a document


class By(StrEnum):
    """How fine the ledger is shown."""

    TOPIC = "topic"
    PARTITION = "partition"
    HOUR = "hour"


@dataclass(frozen=True)
class Asked:
    """What a ledger is asked for."""

    by: By = By.TOPIC
    since_ms: int | None = None
    lake: bool = False

    @property
    def places(self) -> bool:
        """Tell whether the coordinates of Kafka's records have to be read."""
        return self.by is not By.TOPIC or self.since_ms is not None


@dataclass(frozen=True)
class Difference:
    """A lane of which Kafka and the lake hold different numbers; partition -1: all of the topic."""

    topic: str
    partition: int
    lane: str
    kafka: int
    lake: int


@dataclass(frozen=True)
class Report:
    """All readings; those that were not asked for are None."""

    asked: Asked
    kafka: Reading
    places: PlaceReading | None = None
    lake: tuple[LakeLedger, ...] | None = None
    differences: tuple[Difference, ...] = ()
    live: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def gaps(self) -> list[Gap]:
        """Return the records that are not in exactly one lane, of both readings, once."""
        named = set(self.places.gaps if self.places else ())
        return sorted(named.union(*(one.gaps for one in self.lake or ())))

    @property
    def exact(self) -> bool:
        """Tell whether no reading names a gap."""
        placed = self.places is None or self.places.closed
        return placed and all(one.exact for one in self.lake or ())

    @property
    def passed(self) -> bool:
        """Tell whether all close and agree."""
        return self.kafka.closed and self.kafka.stores_equal and self.exact and not self.differences

    def document(self) -> dict[str, Any]:
        """Return the report as one JSON document."""
        gaps = self.gaps
        found = {
            **self.kafka.document(),
            "closed": self.kafka.closed and self.exact,
            "gaps": [gap.document() for gap in gaps[:SHOWN]],
            "gap_records": sum(gap.records for gap in gaps),
        }
        if self.places is not None and self.asked.by is By.PARTITION:
            found["partitions"] = [
                {"topic": topic, "partition": partition, **ledger.document()}
                for (topic, partition), ledger in self.places.partitions.items()
            ]
        if self.places is not None and self.asked.by is By.HOUR:
            found["hours"] = [
                {
                    "topic": one.topic,
                    "partition": one.partition,
                    "hour": one.hour,
                    **one.ledger.document(),
                }
                for one in self.places.hours
            ]
        if self.lake is not None:
            found["lake"] = self._lake()
            found["live"] = self.live
        return found

    def _lake(self) -> dict[str, Any]:
        every = self.lake or ()
        return {
            "exact": all(one.exact for one in every),
            "equal": not self.differences,
            **sum((one.total() for one in every), Ledger()).document(),
            "restated": sum(one.restated for one in every),
            "topics": [
                {"topic": o.topic, **o.total().document(), "faults": dict(o.faults)} for o in every
            ],
            "differences": [vars(one) for one in self.differences],
        }


class Ledgers:
    """Every reading that is asked for; read again, Kafka adds only what came. A context manager."""

    def __init__(self, config: Settings, asked: Asked) -> None:
        self._config = config
        self._asked = asked
        self._stack = ExitStack()
        self._collector: Collector | None = None
        self._book: PlaceBook | None = None

    def __enter__(self) -> Self:
        """Return the readings themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        self._stack.close()

    def read(self) -> Report:
        """Read Kafka; the other stores and the lake only when Kafka closes."""
        asked = self._asked
        places = self._places().read() if asked.places else None
        if asked.since_ms is None:
            kafka = self._counts().count()
            if self._counts().forgetful:  # counts of different spans say nothing, equal or not
                places = places or self._places().read()
                kafka = replace(kafka, ledgers=places.topics)
            kafka = self._counts().with_stores(kafka) if kafka.closed else kafka
        else:
            kafka = Reading(places.topics if places else {}, (), {})
        found = Report(asked, kafka, places)
        return self._with_lake(found) if asked.lake and found.passed else found

    def complete(self, found: Report) -> Report:
        """Add what a report that did not pass lacks: the stores, the lake and the offsets."""
        if self._asked.since_ms is None and not found.kafka.stores:
            found = replace(found, kafka=self._counts().with_stores(found.kafka))
        if self._asked.lake and found.lake is None:
            found = self._with_lake(found)
        if not found.kafka.closed and found.places is None:
            return replace(found, places=self._places().read())
        return found

    def _with_lake(self, found: Report) -> Report:
        begins = self._places().begins
        since = begins if self._asked.since_ms is not None else None
        lake = tuple(ledger_lake.read(self._config, kept=begins, since=since))
        differences = tuple(compare(found.kafka.ledgers, found.places, lake))
        live = ledger_live.published(self._config)
        return Report(found.asked, found.kafka, found.places, lake, differences, live)

    def _counts(self) -> Collector:
        if self._collector is None:
            self._collector = self._stack.enter_context(Collector(self._config))
        return self._collector

    def _places(self) -> PlaceBook:
        if self._book is None:
            book = PlaceBook(self._config, self._asked.since_ms)
            self._book = self._stack.enter_context(book)
        return self._book


def compare(
    topics: Mapping[str, Ledger], places: PlaceReading | None, lake: tuple[LakeLedger, ...]
) -> list[Difference]:
    """Return where Kafka and the lake differ, of what Kafka still has.

    By partition when the places were read. A topic that a backfill by another knowledge has
    touched is not compared: its rows are meant to differ.
    """
    found: list[Difference] = []
    for one in lake:
        if one.restated:
            continue
        if places is None:
            pairs = {-1: (topics[one.topic], one.total(known=True))}
        else:
            ours = one.by_partition(known=True)
            own = {p: k for (topic, p), k in places.partitions.items() if topic == one.topic}
            keys = sorted(own.keys() | ours.keys())
            pairs = {p: (own.get(p, Ledger()), ours.get(p, Ledger())) for p in keys}
        for partition, (kafka, kept) in pairs.items():
            for lane in ("raw", *LANES):
                left, right = getattr(kafka, lane), getattr(kept, lane)
                if left != right:
                    found.append(Difference(one.topic, partition, lane, left, right))
    return found
