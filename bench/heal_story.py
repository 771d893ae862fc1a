"""The hour that `bench.heal` heals: its trades, what the live jobs made of them, and the judge.

Everything is computed by DuckDB from integers in units of 1e-8; nothing is shared with the jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from confluent_kafka import Message

from asknown.contracts.catalog import contract
from asknown.contracts.registry import AvroCodec, RegistryClient
from asknown.contracts.render import arrow_schema
from asknown.settings import settings
from asknown.storage import iceberg
from asknown.storage.blocks import BlockBuilder
from asknown.storage.kafka import TopicReader, ensure_topics

HOUR = "2024-10-28 04:00:00"  # the simulated venue is open
PARTITIONS = 4
SENT = ("normalized.trade", "analytics.bar", "healed.event")
_TRADES = f"""
SELECT
    lpad(n::VARCHAR, 16, '0') AS event_id,
    TIMESTAMP '{HOUR}' + to_milliseconds(at_ms) AS event_time,
    TIMESTAMP '{HOUR}' + to_milliseconds(at_ms + 5) AS ingest_time,
    'bench' AS source, 1 AS schema_version,
    'SIM:EQ:S' || entity AS entity_id,
    'S' || entity AS symbol,
    (10000 + price) / 100 ::DECIMAL(18, 8) AS price,
    size::DECIMAL(18, 8) AS size,
    n AS sequence,
    (entity % {PARTITIONS})::INT AS kafka_partition,
    n AS kafka_offset,
    TIMESTAMP '{HOUR}' + to_milliseconds(at_ms + 9) AS kafka_time,
    late, entity, price + 10000 AS cents, size AS units
FROM drawn
"""  # noqa: S608  # constants of ours
# Cents times units: exact integers. A bar is what its trades say, in the order of their sequence.
_BARS = """
SELECT
    concat_ws(':', 'e_S' || entity, span.s, 'trade', epoch_ms(bar_start), 0, 0) AS event_id,
    bar_start AS event_time, max(ingest_time) AS ingest_time,
    'derive' AS source, 1 AS schema_version, 'e_S' || entity AS entity_id,
    span.s AS interval_seconds, 'trade' AS price_type, bar_start,
    'S' || entity AS raw_symbol, 'XSIM' AS venue, CAST(bar_start AS DATE) AS trade_date,
    (arg_min(cents, sequence) / 100)::DECIMAL(18, 8) AS open,
    (max(cents) / 100)::DECIMAL(18, 8) AS high,
    (min(cents) / 100)::DECIMAL(18, 8) AS low,
    (arg_max(cents, sequence) / 100)::DECIMAL(18, 8) AS close,
    sum(units)::DECIMAL(38, 8) AS volume,
    -- half up at the eighth place
    ((2 * sum(cents::HUGEINT * units) * 1000000 + sum(units)) // (2 * sum(units)))::HUGEINT
        AS vwap_scaled,
    count(*)::BIGINT AS event_count,
    1.0::DOUBLE AS price_factor, 1.0::DOUBLE AS split_factor, 1.0::DOUBLE AS share_factor,
    0 AS factor_version, 0 AS revision
FROM (
    SELECT trade.*, span.s, time_bucket(to_seconds(span.s), event_time) AS bar_start
    FROM trade CROSS JOIN (VALUES (1), (60)) AS span (s)
    WHERE {chosen}
) AS span
GROUP BY entity, span.s, bar_start
"""
_VALUES = ("open", "high", "low", "close", "volume", "event_count", "ingest_time", "trade_date")


class Story:
    """One hour of trades, a share of them late."""

    def __init__(self, rows: int, late: float, entities: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        at = np.sort(chance.integers(0, 3_600_000, rows))
        drawn = {
            "n": np.arange(rows),
            "at_ms": at,
            "entity": chance.integers(0, entities, rows),
            "price": chance.integers(0, 10_000, rows),
            "size": chance.integers(1, 1_000, rows),
            "late": chance.random(rows) < late,
        }
        self._entities = entities
        self._config = settings()
        self._db = duckdb.connect()
        self._db.execute("SET TimeZone = 'UTC'")
        self._db.register("drawn", pa.table(drawn))
        self._db.execute(f"CREATE TABLE trade AS {_TRADES}")  # noqa: S608
        self.late_rows = int(drawn["late"].sum())
        for name, chosen in (("bar_before", "NOT late"), ("bar_after", "TRUE")):
            self._db.execute(f"CREATE TABLE {name} AS {_BARS.format(chosen=chosen)}")

    def fill(self) -> None:
        """Make topics and tables, and write what the live jobs would have."""
        ensure_topics(self._config)
        iceberg.ensure_tables(self._config)
        self._append("raw.trade", "SELECT *, 'bench' AS source_system FROM trade")
        self._append(
            "late.event",
            "SELECT 'raw.trade:' || kafka_partition || ':' || kafka_offset AS event_id,"
            " 'raw.trade:' || kafka_partition || ':' || kafka_offset AS entity_id,"
            " kafka_time AS event_time, kafka_time AS ingest_time, 'bench' AS source,"
            " 1 AS schema_version, 'raw.trade' AS topic, kafka_partition AS \"partition\","
            " kafka_offset AS \"offset\", 'normalize' AS stage,"
            " 'LATE_BEYOND_WATERMARK' AS reason, event_id AS raw_event_id, entity_id AS raw_key,"
            " 0 AS kafka_partition, row_number() OVER () AS kafka_offset FROM trade WHERE late",
        )
        self._append("reference.entity_change", _CHANGES.format(entities=self._entities))
        self._append("normalized.trade", _NORMALIZED)
        self._append("analytics.bar", _stored("bar_before"))
        # Time has passed the hour: the bar of a minute behind it is out.
        self._append("analytics.bar", f"{_stored('bar_after')} LIMIT 1", after=True)

    def judge(self, said: dict[str, Any]) -> list[str]:
        """Return what is wrong with what was sent; nothing when all is right."""
        found = {topic: self._read(topic) for topic in SENT}
        for topic, rows in found.items():
            self._db.register(f"found_{topic.partition('.')[0]}", rows)
        findings = [
            f"{name}: {count}" for name, sql in _CHECKS.items() if (count := self._count(sql))
        ]
        if said["outcomes"] != {"NORMALIZED": self.late_rows}:
            findings.append(f"said {said['outcomes']}, expected {self.late_rows} normalized")
        return findings

    def copy_to_lake(self) -> None:
        """Copy what was sent into the lake, as the lake job does."""
        for topic in SENT:
            rows = self._read(topic)
            table = iceberg.lake(self._config).load_table(contract(topic).topic.table)
            table.append(rows.cast(arrow_schema(contract(topic))))

    def _count(self, sql: str) -> int:
        return len(self._db.sql(sql).to_arrow_table())

    def _append(self, topic: str, sql: str, *, after: bool = False) -> None:
        schema = arrow_schema(contract(topic))
        rows = self._db.sql(sql).to_arrow_table()
        columns = []
        for f in schema:
            column = rows[f.name] if f.name in rows.column_names else pa.nulls(rows.num_rows)
            columns.append(column.cast(f.type))
        table = pa.Table.from_arrays(columns, schema=schema)
        if after:
            later = pa.array([_HOUR_END] * table.num_rows, pa.timestamp("us"))
            for name in ("bar_start", "event_time"):
                table = table.set_column(schema.get_field_index(name), schema.field(name), later)
            sixty = pa.array([60] * table.num_rows, pa.int32())
            at = schema.get_field_index("interval_seconds")
            table = table.set_column(at, schema.field(at), sixty)
        iceberg.lake(self._config).load_table(contract(topic).topic.table).append(table)

    def _read(self, topic: str) -> Any:
        """Return a topic's records as the loader would build them."""
        held: dict[int, list[tuple[int, bytes]]] = {}

        def take(message: Message) -> None:
            row: Any = (message.offset(), message.value())
            held.setdefault(int(message.partition() or 0), []).append(row)

        with RegistryClient(self._config.registry_url) as registry:
            with TopicReader([topic], self._config) as reader:
                reader.drain(take)
            builder = BlockBuilder(contract(topic), AvroCodec(registry))
            blocks = [builder.build(partition, rows) for partition, rows in held.items()]
        tables = [block.rows for block in blocks if block is not None]
        empty: Sequence[Any] = [arrow_schema(contract(topic)).empty_table()]
        return pa.concat_tables(tables or empty)


def _stored(table: str) -> str:
    return (
        "SELECT * EXCLUDE (vwap_scaled), (vwap_scaled // 100000000)::DECIMAL(38, 8)"
        " + (vwap_scaled % 100000000)::DECIMAL(38, 8) / 100000000 AS vwap,"
        f" 0 AS kafka_partition, row_number() OVER () AS kafka_offset FROM {table}"  # noqa: S608
    )


_HOUR_END = np.datetime64("2024-10-28T05:00:00", "us").astype(object)
_CHANGES = """
SELECT
    'c' || n AS event_id, TIMESTAMP '2024-10-01' AS event_time,
    TIMESTAMP '2024-10-01' AS ingest_time, 'reference' AS source, 1 AS schema_version,
    'SIM:EQ:S' || n AS entity_id, 'SIM:EQ:S' || n AS raw_key,
    TIMESTAMP '2024-10-01' AS effective_time, 'e_S' || n AS listing_id, '' AS isin,
    'S' || n AS symbol, 'XSIM' AS venue, 'LISTED' AS status, 1.0 AS price_factor,
    1.0 AS split_factor, 1.0 AS share_factor, 0 AS factor_version,
    TIMESTAMP '2024-10-01' AS known_from, 0 AS kafka_partition, n AS kafka_offset
FROM range({entities}) AS numbers (n)
"""
_NORMALIZED = """
SELECT
    * EXCLUDE (entity_id), 'e_S' || entity AS entity_id, entity_id AS raw_key,
    symbol AS raw_symbol, 'XSIM' AS venue, CAST(event_time AS DATE) AS trade_date,
    'regular' AS session_phase, 1.0 AS price_factor, 1.0 AS split_factor, 1.0 AS share_factor,
    0 AS factor_version, kafka_partition AS raw_partition, kafka_offset AS raw_offset
FROM trade WHERE NOT late
"""
_SAME = " AND ".join(f"f.{name} = a.{name}" for name in _VALUES)
_GRAIN = "f.entity_id = a.entity_id AND f.interval_seconds = a.interval_seconds"
_GRAIN += " AND f.bar_start = a.bar_start"
_CHANGED = """
SELECT a.*, coalesce(b.event_count, 0) AS before FROM bar_after AS a
LEFT JOIN bar_before AS b ON a.event_id = b.event_id
WHERE b.event_id IS NULL OR b.event_count <> a.event_count
"""
# ruff: noqa: S608
_CHECKS = {
    "late records without their row": "SELECT * FROM trade AS t WHERE late AND NOT EXISTS (SELECT 1"
    " FROM found_normalized AS f WHERE f.raw_partition = t.kafka_partition"
    " AND f.raw_offset = t.kafka_offset AND f.event_id = t.event_id AND f.price = t.price"
    " AND f.size = t.size AND f.event_time = t.event_time AND f.entity_id = 'e_S' || t.entity)",
    "rows sent that were not late": "SELECT * FROM found_normalized AS f JOIN trade AS t"
    " ON f.event_id = t.event_id WHERE NOT t.late",
    "rows sent twice": "SELECT event_id FROM found_normalized GROUP BY ALL HAVING count(*) > 1",
    "late records without their marker": "SELECT * FROM trade AS t WHERE late AND NOT EXISTS"
    " (SELECT 1 FROM found_healed AS f WHERE f.topic = 'raw.trade'"
    " AND f.partition = t.kafka_partition AND f.offset = t.kafka_offset"
    " AND f.outcome = 'NORMALIZED')",
    "markers doubled": "SELECT event_id FROM found_healed GROUP BY ALL HAVING count(*) > 1",
    "touched bars without the right revision": f"SELECT * FROM ({_CHANGED}) AS a WHERE NOT EXISTS"
    f" (SELECT 1 FROM found_analytics AS f WHERE {_GRAIN} AND {_SAME}"
    " AND round(f.vwap * 100000000)::HUGEINT = a.vwap_scaled"
    " AND f.revision = CASE WHEN a.before > 0 THEN 1 ELSE 0 END"
    " AND f.event_id = regexp_replace(a.event_id, ':0$', ':' || f.revision))",
    "bars revised that were not touched": "SELECT * FROM found_analytics AS f WHERE NOT EXISTS"
    f" (SELECT 1 FROM ({_CHANGED}) AS a WHERE {_GRAIN})",
    "bars sent twice": "SELECT event_id FROM found_analytics GROUP BY ALL HAVING count(*) > 1",
}
