"""How far each table of ClickHouse has been loaded, by the rows themselves and by what is kept.

The loader goes on behind the newest offset that a table holds. Whoever takes rows out of a table
keeps that offset first (`keep`), or the loader would bring the rows back at its next start. What
is kept can only be too low, and the rows then say more; so the two never disagree.
"""

from __future__ import annotations

from collections.abc import Mapping

from clickhouse_connect.driver.client import Client

TABLE = "ops.loaded_offset"
Offsets = Mapping[int, int]  # Kafka partition -> offset


def loaded(connection: Client, table: str) -> dict[int, int]:
    """Return up to which offset each Kafka partition of a table has been loaded."""
    rows = connection.query(
        "SELECT kafka_partition, max(kafka_offset) FROM ("  # noqa: S608  # a name of topics.yaml
        f" SELECT kafka_partition, kafka_offset FROM {table} WHERE kafka_partition >= 0"
        f" UNION ALL SELECT kafka_partition, kafka_offset FROM {TABLE}"
        " WHERE loaded_table = {table:String}) GROUP BY kafka_partition",
        parameters={"table": table},
    ).result_rows
    return {int(partition): int(offset) for partition, offset in rows}


def keep(connection: Client, table: str, offsets: Offsets) -> None:
    """Keep how far a table has been loaded; call it before rows are taken out."""
    rows = [[table, partition, offset] for partition, offset in sorted(offsets.items())]
    if rows:
        names = ["loaded_table", "kafka_partition", "kafka_offset"]
        connection.insert(TABLE, rows, column_names=names)
