"""Kafka tables: the only place that knows how a topic is read and written by a stream."""

from __future__ import annotations

from collections.abc import Collection

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import DERIVED_MAX_BYTES, HEARTBEAT, Contract, contract
from asknown.contracts.render import flink_type, quote
from jobs.runtime.run import RunConfig

# A record that claims to lie further ahead of its own ingestion, or of the broker that took it,
# must not drag the watermark. In a replay the broker is years ahead and holds nothing back.
_FUTURE = "INTERVAL '5' MINUTE"
_REACHED = (
    f"event_time <= ingest_time + {_FUTURE} AND "
    f"(kafka_time IS NULL OR event_time <= CAST(kafka_time AS TIMESTAMP(3)) + {_FUTURE})"
)
_COORDINATES = (
    "`kafka_partition` INT METADATA FROM 'partition' VIRTUAL, "
    "`kafka_offset` BIGINT METADATA FROM 'offset' VIRTUAL, "
    "`kafka_time` TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL"
)


def source_table(
    env: TableEnvironment,
    run: RunConfig,
    topic: str,
    *,
    without: Collection[str] = (),
    aligned: bool = False,
) -> str:
    """Declare the topic as a table and return its name.

    Rows are flat, as in the stores: the envelope, the payload, `message_bytes`, `decode_error` and
    their coordinates. `without` names payload columns that are not even decoded. Of an `aligned`
    raw topic no partition runs ahead of the others in event time.
    """
    c = contract(topic)
    name = topic.replace(".", "_")
    env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}` ({columns(c, without)}, "
        f"`message_bytes` BYTES, `decode_error` STRING, {_COORDINATES}, {watermark(c)}) "
        f"WITH ({_options(_source_options(run, c) | (_alignment(c) if aligned else {}))})"
    )
    return name


def timeless_table(env: TableEnvironment, run: RunConfig, topic: str) -> str:
    """Declare the topic as a table whose rows say nothing about time, and return its name.

    For what comes back to a job from behind it: waiting for its time would be waiting for itself.
    So its watermark lies beyond every time, and before its first row it counts as idle.
    """
    c = contract(topic)
    name = topic.replace(".", "_")
    options = _source_options(run, c) | {"scan.watermark.idle-timeout": "1 s"}
    env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}` ({columns(c)}, "
        f"`message_bytes` BYTES, `decode_error` STRING, {_COORDINATES}, "
        f"WATERMARK FOR event_time AS CAST(TIMESTAMP '2199-12-31 00:00:00' AS TIMESTAMP(3))) "
        f"WITH ({_options(options)})"
    )
    return name


def sink_table(env: TableEnvironment, run: RunConfig, topic: str) -> str:
    """Declare the topic as an exactly-once sink and return its name."""
    c = contract(topic)
    name = f"{topic.replace('.', '_')}_sink"
    # A compacted topic keeps the last record of a key; its event_id names what is replaced.
    compacted = c.topic.cleanup == "compact"
    options = {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": run.settings.bootstrap_servers,
        "key.format": "raw",
        "key.fields": "event_id" if compacted else "entity_id",
        **_value_format(run, c),
        "sink.delivery-guarantee": "exactly-once",
        # The default makes a new transactional id for each subtask and checkpoint.
        "sink.transaction-naming-strategy": "pooling",
        "sink.transactional-id-prefix": f"{run.group}.{topic}",
        # Below the broker's maximum (15 min), above the longest checkpoint plus a restart.
        "properties.transaction.timeout.ms": "600000",
        "properties.compression.type": "lz4",
        "properties.linger.ms": "20",
        "properties.batch.size": "262144",
        # A rejected record carries the bytes of the raw one, so it is longer than any raw one.
        "properties.max.request.size": str(DERIVED_MAX_BYTES),
        "properties.buffer.memory": str(2 * DERIVED_MAX_BYTES),
    }
    if compacted:
        options["sink.partitioner"] = "asknown.flink.RawKeyPartitioner"
    declared = columns(c)
    env.execute_sql(f"CREATE TEMPORARY TABLE `{name}` ({declared}) WITH ({_options(options)})")
    return name


def columns(c: Contract, without: Collection[str] = ()) -> str:
    """Return the column list of a topic, flat, leaving out the columns `without` names."""
    fields = [f for f in c.envelope + c.payload if f.name not in without]
    return ", ".join(f"{quote(f.name)} {flink_type(f.type)}" for f in fields)


def watermark(c: Contract) -> str:
    """Return the WATERMARK clause of the topic's tables."""
    if c.topic.clock == "heartbeats":
        # Change points lie in the future at will; only a heartbeat says that time has passed.
        expression = f"CASE WHEN source = '{HEARTBEAT}' AND {_REACHED} THEN event_time END"
    else:
        bound = c.topic.out_of_orderness_ms // 1000
        expression = f"CASE WHEN {_REACHED} THEN event_time - INTERVAL '{bound}' SECOND(3) END"
    return f"WATERMARK FOR event_time AS {expression}"


def _source_options(run: RunConfig, c: Contract) -> dict[str, str]:
    options = {
        "connector": "kafka",
        "topic": c.topic.name,
        "properties.bootstrap.servers": run.settings.bootstrap_servers,
        "properties.group.id": run.group,
        "properties.isolation.level": "read_committed",
        # While no broker answers, the admin client would begin anew 30,000 times a second. A job
        # that cannot reach Kafka is restarted by Flink, with clients that know the addresses.
        "properties.metadata.recovery.strategy": "none",
        "properties.auto.offset.reset": "earliest",
        "scan.startup.mode": "earliest-offset",
        "scan.topic-partition-discovery.interval": "0",
        **_value_format(run, c),
    }
    if c.topic.layer == "reference":
        # A dead reference job must not hold the market up for ever.
        options["scan.watermark.idle-timeout"] = f"{run.settings.reference_grace_ms} ms"
    return options


def _alignment(c: Contract) -> dict[str, str]:
    """Return what holds partitions together in event time.

    Those of unequal size run apart, and a job that orders rows by time buffers the difference. Only
    for such a job: each update is a message that Flink can lose track of when a TaskManager dies,
    and then one checkpoint hangs until its timeout (docs/operate/taskmanager-lost.md).
    """
    if c.topic.layer != "raw" or c.topic.clock != "event_time":
        return {}
    return {
        "scan.watermark.alignment.group": c.topic.name,
        "scan.watermark.alignment.max-drift": "2 s",
        "scan.watermark.alignment.update-interval": "100 ms",
    }


def _value_format(run: RunConfig, c: Contract) -> dict[str, str]:
    return {
        "value.format": "asknown-avro",
        "value.asknown-avro.url": run.settings.registry_url,
        "value.asknown-avro.subject": c.topic.subject,
        "value.fields-include": "ALL",
    }


def _options(options: dict[str, str]) -> str:
    return ", ".join(f"'{key}' = '{value}'" for key, value in options.items())
