"""Tables over folders of JSON lines: for tests and for a look at a pipeline without a stack."""

from __future__ import annotations

from pathlib import Path

from pyflink.table import TableEnvironment

from asknown.contracts.catalog import contract
from jobs.runtime.kafka import columns, watermark

_JSON = (
    "'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601', "
    "'json.encode.decimal-as-plain-number' = 'true'"
)
_SOURCE_COLUMNS = (
    "`decode_error` STRING, `kafka_partition` INT, `kafka_offset` BIGINT, `kafka_time` TIMESTAMP(3)"
)


def source_table(env: TableEnvironment, topic: str, folder: Path, *, streaming: bool) -> str:
    """Declare the folder's rows as a table with the columns a live source of `topic` has."""
    c = contract(topic)
    name = topic.replace(".", "_")
    clock = f", {watermark(c)}" if streaming else ""
    env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}` ({columns(c)}, `message_bytes` BYTES, "
        f"{_SOURCE_COLUMNS}{clock}) "
        f"WITH ('connector' = 'filesystem', 'path' = '{folder.as_uri()}', {_JSON})"
    )
    return name


def sink_table(env: TableEnvironment, topic: str, folder: Path) -> str:
    """Declare a folder as the sink of `topic` and return its name."""
    name = f"{topic.replace('.', '_')}_out"
    env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}` ({columns(contract(topic))}) "
        f"WITH ('connector' = 'filesystem', 'path' = '{folder.as_uri()}', {_JSON})"
    )
    return name
