"""The two operators of the reference job: the keeper of the truth, and the clock behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor

from asknown.contracts.catalog import HEARTBEAT, contract
from asknown.contracts.partitions import keys_by_partition, partition_of
from asknown.reference import say
from asknown.reference.engine import Engine
from asknown.reference.records import SOURCE, Output, Record, UnreadableError, decode
from jobs.reference.state import StateStore
from jobs.runtime import streams

CHANGES = "reference.entity_change"
PARTITIONS = contract(CHANGES).topic.partitions
OUTPUTS = (
    "normalized.security",
    "normalized.corporate_action",
    "normalized.restatement",
    "reference.entity_history",
    "reference.identifier_map",
    "reference.adjustment_factor",
    "reference.session",
    "quarantine.event",
    "duplicate.event",
)
TAGS = {topic: OutputTag(topic, streams.block_type(topic)) for topic in OUTPUTS}
PLACED = Types.ROW_NAMED(
    ["partition", "beat", "rows"],
    [Types.INT(), Types.LONG(), Types.OBJECT_ARRAY(streams.row_type(CHANGES))],
)
_VERSION = 1
DAY_MS = 86_400_000


class Keeper(KeyedProcessFunction):
    """Keyed by venue: waits until a moment has come, then applies all that became known at it.

    State, per venue: the engine's entries, for ever; what is announced for later, until then. What
    comes behind the watermark is known from the next moment on: knowledge is never backdated.
    """

    def __init__(self, not_before: int) -> None:
        self._not_before = not_before  # nothing is known earlier: readers have gone on without us

    def open(self, runtime_context: RuntimeContext) -> None:
        """Find the state."""
        entries = MapStateDescriptor("entries", Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE()))
        waiting = MapStateDescriptor("waiting", Types.STRING(), Types.STRING())
        counts = MapStateDescriptor("waiting_blocks", Types.LONG(), Types.INT())
        self._store = StateStore(runtime_context.get_map_state(entries))
        self._waiting = runtime_context.get_map_state(waiting)
        self._counts = runtime_context.get_map_state(counts)
        self._engine = Engine(self._store)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Let a block of records wait for its moment."""
        timers = ctx.timer_service()
        at = max(streams.milliseconds(value[1]), timers.current_watermark() + 1, self._not_before)
        number = self._counts.get(at) or 0
        self._waiting.put(f"{at}/{number}", value[2])
        self._counts.put(at, number + 1)
        timers.register_event_time_timer(at)
        yield from ()

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Apply what became known at `timestamp`, and hand on what follows from it."""
        venue = str(ctx.get_current_key())
        self._store.enter(venue)
        records, refused = self._records(timestamp)
        applied = self._engine.apply(venue, records, timestamp)
        self._store.commit()
        for when in applied.wake:
            ctx.timer_service().register_event_time_timer(when)
        yield from _handed_on([*refused, *applied.outputs])

    def _records(self, at: int) -> tuple[list[Record], list[Output]]:
        """Take what waited for `at`: the records, and the lane rows of those nobody can read."""
        records, refused = [], []
        for line in self._lines(at):
            try:
                records.append(decode(line))
            except UnreadableError as error:
                refused.append(say.refused(error.bare, error, at))
        return records, refused

    def _lines(self, at: int) -> list[str]:
        blocks = [f"{at}/{number}" for number in range(self._counts.get(at) or 0)]
        lines = [line for block in blocks for line in self._waiting.get(block).split("\n")]
        for block in blocks:
            self._waiting.remove(block)
        if blocks:
            self._counts.remove(at)
        return lines


class Clock(KeyedProcessFunction):
    """Keyed by partition of the change points: holds a heartbeat until what it stands for is out.

    Its timer fires when the keeper's time has reached the beat, so every change point known by
    then has gone through here before. State: the timers.
    """

    def __init__(self) -> None:
        self._keys = keys_by_partition(HEARTBEAT, PARTITIONS)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Pass change points on; let a heartbeat wait."""
        if value[1] is None:
            yield Row(value[2])
        else:
            ctx.timer_service().register_event_time_timer(value[1])

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Write the heartbeat; compaction keeps the last one of each day.

        So who reads the topic from its beginning sees time move, and need not hold all of history
        until its end.
        """
        heartbeat = self._keys[ctx.get_current_key()]
        key = f"{heartbeat}|{timestamp // DAY_MS}"
        yield Row(
            [streams.row(CHANGES, _envelope(key, heartbeat, timestamp, timestamp, HEARTBEAT), None)]
        )


def _handed_on(outputs: list[Output]) -> Iterator[Any]:
    """Yield the outputs in blocks: change points by partition, everything else by topic."""
    rows: dict[str, list[Row]] = defaultdict(list)
    placed: dict[int, list[Row]] = defaultdict(list)
    for one in outputs:
        learnt = one.payload["known_from"] if one.topic == CHANGES else one.event_time
        envelope = _envelope(one.event_id, one.key, one.event_time, learnt, SOURCE)
        row = streams.row(one.topic, envelope, one.payload)
        if one.topic == CHANGES:
            placed[partition_of(one.key, PARTITIONS)].append(row)
        else:
            rows[one.topic].append(row)
    for partition, changes in placed.items():
        for block in streams.blocks(changes):
            yield Row(partition, None, block)
    for topic, of_topic in rows.items():
        for block in streams.blocks(of_topic):
            yield TAGS[topic], Row(block)


def _envelope(event_id: str, key: str, event_time: int, at: int, source: str) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "event_time": event_time,
        "ingest_time": at,
        "source": source,
        "schema_version": _VERSION,
        "entity_id": key,
    }
