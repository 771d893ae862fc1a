"""The market of tests/unit/serving, as rows of the lake."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from asknown.contracts.catalog import contracts
from asknown.contracts.tables import lake_table
from asknown.settings import Settings
from asknown.storage import iceberg
from tests.unit.serving import conftest, market
from tests.unit.serving.market import at
from tests.unit.storage.lake_rows import append, row_of

Row = dict[str, Any]
EVER = datetime(9999, 12, 31)  # noqa: DTZ001  # as the lake has it


def fill(config: Settings) -> None:
    """Put into a lake what the API's tests put into ClickHouse."""
    learnt = {"ingest_time": at("2024-10-30"), "kafka_offset": 900}
    trade = {**conftest.trades()[0], **learnt, "price": Decimal("99.5")}
    bar = {**conftest.bars()[1], **learnt, "close": Decimal(101), "revision": 1}
    put(config, "silver.entity_history", market.entity_history())
    put(config, "silver.identifier_map", market.identifiers())
    put(config, "silver.corporate_action", market.actions())
    put(config, "silver.trade", [*conftest.trades(), *conftest.late_trades(), trade])
    put(config, "silver.bar", conftest.daily_bars())
    put(config, "gold.bar", [*conftest.bars(), bar, *conftest.revised_bars()])


def put(config: Settings, table: str, rows: list[Row]) -> None:
    """Append rows to a topic's table, times without their zone."""
    topic = next(name for name, c in contracts().items() if c.topic.table == table)
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    append(config, topic, *(row_of(topic, **row) for row in plain))


def compute(config: Settings, table: str, rows: list[Row]) -> None:
    """Append rows to a table that no topic feeds."""
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    found = pa.Table.from_pylist(plain, schema=lake_table(table).arrow_schema())
    iceberg.lake(config).load_table(table).append(found)


def known(since: str, until: str | None = None) -> Row:
    """Return when a computed row was believed."""
    return {"known_from": at(since), "known_to": at(until) if until else EVER}


def day(text: str) -> date:
    """Return a date."""
    return date.fromisoformat(text)


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value
