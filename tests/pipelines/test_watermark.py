"""What moves a topic's watermark, evaluated as Flink evaluates it."""

from __future__ import annotations

import pytest

from asknown.contracts.catalog import contract
from jobs.runtime import environment, kafka
from jobs.runtime.kafka import watermark
from jobs.runtime.run import RunConfig

NOON = "2024-10-28 12:00:00"
LATER = "2024-10-29 12:00:00"
TODAY = "2026-11-21 12:00:00"
YEAR_2262 = "2262-04-12 00:00:00"

# event, ingestion, broker -> whether the record moves time
CASES = [
    ((NOON, NOON, NOON), True),
    ((NOON, NOON, TODAY), True),  # a replay: the broker is years ahead
    ((NOON, NOON, None), True),
    ((LATER, NOON, LATER), False),
    ((LATER, LATER, NOON), False),  # both of its clocks are wrong
    ((YEAR_2262, YEAR_2262, TODAY), False),
    (("2024-10-28 12:05:00", NOON, NOON), True),
    (("2024-10-28 12:05:00.001", "2024-10-28 12:05:00.001", NOON), False),
]


@pytest.mark.parametrize("source", ["test", "heartbeat"])
@pytest.mark.parametrize("zoned", [False, True], ids=["file", "broker"])
def test_only_a_time_that_ingestion_and_broker_have_reached_moves_the_watermark(source, zoned):
    env = environment.bounded("test", 1, **environment.without_cluster())
    rows = ", ".join(
        f"({number}, {_row(times, source)})" for number, (times, _) in enumerate(CASES)
    )
    broker = "CAST(kafka_time AS TIMESTAMP_LTZ(3)) AS kafka_time" if zoned else "kafka_time"
    env.execute_sql(
        f"CREATE TEMPORARY VIEW v AS SELECT n, event_time, ingest_time, source, {broker} "
        f"FROM (VALUES {rows}) AS t (n, event_time, ingest_time, kafka_time, source)"
    )
    topics = ("raw.trade", "normalized.trade", "raw.security", "reference.entity_change")
    moved = ", ".join(f"({_expression(topic)}) IS NOT NULL" for topic in topics)
    with env.execute_sql(f"SELECT n, {moved} FROM v").collect() as found:
        by_case = {row[0]: tuple(row)[1:] for row in found}
    beats = source == "heartbeat"
    expected = {n: (one, one, one and beats, one and beats) for n, (_, one) in enumerate(CASES)}
    assert by_case == expected


def _row(times: tuple[str, str, str | None], source: str) -> str:
    cells = [f"CAST({repr(t) if t else 'NULL'} AS TIMESTAMP(3))" for t in times]
    return f"{', '.join(cells)}, '{source}'"


def _expression(topic: str) -> str:
    return watermark(contract(topic)).partition(" AS ")[2]


@pytest.mark.parametrize(
    ("topic", "aligned", "held_together"),
    [
        ("raw.trade", True, True),
        ("raw.trade", False, False),
        ("raw.security", True, False),  # its time comes by heartbeats, to all partitions alike
        ("reference.entity_change", True, False),
    ],
)
def test_partitions_are_held_together_in_time_where_a_job_asks_and_rows_carry_it(
    topic, aligned, held_together
):
    env = environment.bounded("test", 1, **environment.without_cluster())
    table = kafka.source_table(env, RunConfig.from_args("test", []), topic, aligned=aligned)
    with env.execute_sql(f"SHOW CREATE TABLE `{table}`").collect() as rows:
        ((declared,),) = rows
    assert ("'scan.watermark.alignment.group'" in declared) == held_together
