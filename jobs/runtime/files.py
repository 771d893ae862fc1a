"""Tables over folders of JSON lines: for tests and for a look at a pipeline without a stack."""

from __future__ import annotations

from pathlib import Path

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import contract
from asknown.contracts.render import flink_columns
from jobs.runtime.kafka import watermark

_JSON = (
    "'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601', "
    "'json.encode.decimal-as-plain-number' = 'true'"
)
_SOURCE_COLUMNS = (
    "`raw_bytes` BYTES, `decode_error` STRING, `kafka_partition` INT, `kafka_offset` BIGINT, "
    "`kafka_time` TIMESTAMP(3)"
)


def source_view(env: TableEnvironment, topic: str, folder: Path, *, streaming: bool) -> str:
    """Return a view of the folder's rows with the columns a live source of `topic` has."""
    c = contract(topic)
    name = topic.replace(".", "_")
    clock = f", {watermark(c)}" if streaming else ""
    late = (
        "CURRENT_WATERMARK(event_time) IS NOT NULL AND event_time <= CURRENT_WATERMARK(event_time)"
    )
    env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}_rows` ({flink_columns(c)}, {_SOURCE_COLUMNS}{clock}) "
        f"WITH ('connector' = 'filesystem', 'path' = '{folder.as_uri()}', {_JSON})"
    )
    env.execute_sql(
        f"CREATE TEMPORARY VIEW `{name}` AS "
        f"SELECT *, {late if streaming else 'FALSE'} AS is_late FROM `{name}_rows`"
    )
    return name


def sink_table(env: TableEnvironment, topic: str, folder: Path) -> str:
    """Declare a folder as the sink of `topic` and return its name."""
    name = f"{topic.replace('.', '_')}_rows_out"
    env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}` ({flink_columns(contract(topic))}) "
        f"WITH ('connector' = 'filesystem', 'path' = '{folder.as_uri()}', {_JSON})"
    )
    return name
