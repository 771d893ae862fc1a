"""Keep who is who and what was known when: raw facts and actions in, change points and truth out.

1. Read: what cannot be read, or is no envelope, leaves with a reason code.
2. Gather what became known at one instant of one venue.
3. Apply it (asknown.reference.engine), keyed by venue, when its moment has come.
4. Let heartbeats follow the change points, partition by partition.

Assumes: one gateway's heartbeats move the time of both raw topics; event_time is when a record was
known. State: the engine's entries, for ever; blocks whose moment has not come.
"""

from __future__ import annotations

from pyflink.common import Types
from pyflink.datastream import DataStream

from asknown.contracts.catalog import Field, contract
from asknown.contracts.render import quote
from jobs.normalize.lanes import unread
from jobs.reference.operators import CHANGES, OUTPUTS, PARTITIONS, PLACED, TAGS, Clock, Keeper
from jobs.runtime import streams
from jobs.runtime.tables import Tables

RAW = ("raw.security", "raw.corporate_action")
CLOSES = "normalized.bar"
UNREAD = ("source_system",)
CHUNK_ROWS = 1000
LINE_FEED = "U&'\\000A'"
INSTANT = "INTERVAL '0.001' SECOND(1, 3)"  # of a window: records of one millisecond
CLOSE = (
    "KEY 'topic' VALUE 'normalized.bar'",
    "KEY 'listing_id' VALUE entity_id",
    "KEY 'venue' VALUE venue",
    "KEY 'trade_date' VALUE CAST(trade_date AS STRING)",
    "KEY 'close' VALUE CAST(`close` AS STRING)",
)
REASON = (
    "CASE WHEN decode_error IS NOT NULL THEN decode_error "
    "WHEN source = 'heartbeat' THEN CAST(NULL AS STRING) "  # said by sql/reference/beats.sql
    "WHEN event_id IS NULL OR event_id = '' OR event_time IS NULL OR ingest_time IS NULL "
    "OR source IS NULL OR entity_id IS NULL OR entity_id = '' "
    # Before 1970 nobody set it; and what lies beyond these years no clock of ours can wait for.
    "OR event_time <= TIMESTAMP '1970-01-01 00:00:00' THEN 'ENVELOPE_INCOMPLETE' "
    "WHEN event_time > ingest_time + INTERVAL '5' MINUTE "
    "OR event_time > CAST(kafka_time AS TIMESTAMP(3)) + INTERVAL '5' MINUTE "
    "OR event_time >= TIMESTAMP '2200-01-01 00:00:00' THEN 'TIME_IN_FUTURE' END"
)


def build(tables: Tables, not_before: int = 0) -> dict[str, str]:
    """Return the view of each output topic; `not_before` (ms): readers went on alone until then."""
    batches = [
        tables.view(
            f"known_{topic.replace('.', '_')}",
            "reference/known.sql",
            records=_records(tables, topic),
            line_feed=LINE_FEED,
            instant=INSTANT,
        )
        for topic in RAW
    ]
    if CLOSES in tables:
        close = f"{', '.join(CLOSE)} ABSENT ON NULL"
        bars = tables[CLOSES]
        batches.append(tables.view("closes", "reference/closes.sql", bars=bars, members=close))
    known = tables.to_stream(tables.union("known", batches))
    kept = (
        known.key_by(lambda row: row[0], Types.STRING())
        .process(Keeper(not_before), PLACED)
        .name("keep the truth")
        .uid("keeper")
    )
    outputs = {
        topic: streams.view_of(tables, topic, kept.get_side_output(TAGS[topic]))
        for topic in OUTPUTS
    }
    changes = (
        kept.union(_beats(tables))
        .key_by(lambda row: row[0], Types.INT())
        .process(Clock(), streams.block_type(CHANGES))
        .name("tell the time behind the change points")
        .uid("clock")
    )
    outputs[CHANGES] = streams.view_of(tables, CHANGES, changes)
    lane = "quarantine.event"
    refused = [unread(tables, topic, REASON, f"({REASON}) IS NOT NULL") for topic in RAW]
    outputs[lane] = tables.union("quarantine_of_reference", [*refused, outputs[lane]])
    return outputs


def _records(tables: Tables, topic: str) -> str:
    fields = [f for f in contract(topic).payload if f.name not in UNREAD and f.type.kind != "map"]
    members = [
        f"KEY 'topic' VALUE '{topic}'",
        "KEY 'partition' VALUE kafka_partition",
        "KEY 'offset' VALUE kafka_offset",
        "KEY 'event_id' VALUE event_id",
        "KEY 'raw_key' VALUE entity_id",
        "KEY 'valid_from_ms' VALUE extra['valid_from_ms']",
        *(f"KEY '{f.name}' VALUE {_value(f)}" for f in fields),
    ]
    return tables.view(
        f"record_{topic.replace('.', '_')}",
        "reference/record.sql",
        raw=tables[topic],
        chunk_rows=str(CHUNK_ROWS),
        members=f"{', '.join(members)} ABSENT ON NULL",
        reason=REASON,
        late=tables.late,
    )


def _value(f: Field) -> str:
    column = quote(f.name)
    if f.type.kind == "date":
        # Flink writes a year of five digits with four, and so a wrong day that looks like a day.
        return (
            f"CASE WHEN {column} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' "
            f"THEN CAST({column} AS STRING) WHEN {column} IS NOT NULL THEN 'of no calendar' END"
        )
    return f"CAST({column} AS STRING)" if f.type.kind == "decimal" else column


def _beats(tables: Tables) -> DataStream:
    """Return the heartbeats, one for each partition of the change points."""
    numbers = ", ".join(f"({number})" for number in range(PARTITIONS))
    view = tables.view(
        "beats", "reference/beats.sql", raw=tables["raw.corporate_action"], partitions=numbers
    )
    return tables.to_stream(view).map(lambda row: streams.beat(*row), PLACED).name("heartbeats")
