"""Jobs of one contract beside records of another: through a real broker and a real registry."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka import Consumer, Producer
from pyflink.table import TableEnvironment

from asknown.contracts import catalog
from asknown.contracts.catalog import contract
from asknown.contracts.registry import HEADER, MAGIC, AvroCodec, RegistryClient
from asknown.contracts.render import flink_flat_columns
from asknown.settings import Settings, settings
from jobs.runtime import environment, kafka, lakehouse
from jobs.runtime.run import RunConfig
from tests.unit.contracts_vocabulary import Contracts, optional
from tests.unit.storage.conftest import free_stack_offset

RAW, NORMALIZED = "raw.trade", "normalized.trade"
JARS = ("asknown-flink-formats-*.jar", "flink-sql-connector-kafka-*.jar", "flink-sql-avro-*.jar")
NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Start Kafka and the registry, with the topics and schemas of this checkout."""
    found = settings().model_copy(
        update={"data_dir": tmp_path_factory.mktemp("stack"), "port_offset": free_stack_offset()}
    )
    variables = {
        **os.environ,
        "ASKNOWN_DATA_DIR": str(found.data_dir),
        "ASKNOWN_PORT_OFFSET": str(found.port_offset),
    }
    command = [sys.executable, "-m", "asknown.cli.main"]
    try:
        up = [*command, "up", "--only", "kafka,registry"]
        subprocess.run(up, env=variables, check=True, timeout=120, capture_output=True)
        yield found
    finally:
        down = [*command, "down"]
        subprocess.run(down, env=variables, check=False, timeout=60, capture_output=True)


@pytest.fixture
def client(broker: Settings) -> Iterator[RegistryClient]:
    with RegistryClient(broker.registry_url) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Contracts]:
    """Return contracts that a test may change."""
    yield Contracts.copied(tmp_path / "schemas", monkeypatch)
    monkeypatch.undo()
    catalog.contracts.cache_clear()


def environment_of(broker: Settings) -> tuple[TableEnvironment, RunConfig]:
    run = RunConfig("normalize", ("trade",), 1, 1000, broker)
    folder = settings().home / "jars" / "flink"
    jars = [jar.as_uri() for pattern in JARS for jar in sorted(folder.glob(pattern))]
    options = {"pipeline.jars": ";".join(jars), "restart-strategy.type": "none"}
    return environment.streaming(run, **options), run


def raw(number: int, **more: Any) -> Row:
    payload = {"symbol": f"S{number}", "price": Decimal(number), "extra": {}, **more}
    return _event(number, payload)


def _event(number: int, payload: Row) -> Row:
    return {
        "event_id": str(number),
        "event_time": NOON,
        "ingest_time": NOON,
        "source": "test",
        "schema_version": 1,
        "entity_id": "K",
        "payload": payload,
    }


def framed(schema_id: int, avro: Row, record: Row) -> bytes:
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(avro), record)
    return HEADER.pack(MAGIC, schema_id) + body.getvalue()


def with_fields(topic: str, change: Callable[[list[Row]], object]) -> Row:
    """Return a schema that differs from the topic's contract in its payload."""
    avro = copy.deepcopy(contract(topic).avro)
    change(avro["fields"][-1]["type"][1]["fields"])
    return avro


def send(broker: Settings, topic: str, *values: bytes | None) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for value in values:
        producer.produce(topic, value=value, key=b"K", partition=0)
    assert producer.flush(30) == 0


def test_insert_of_the_old_contract_fills_a_table_that_has_more_columns(
    broker: Settings, tmp_path: Path, folder: Contracts
) -> None:
    env, _ = environment_of(broker)
    catalog_name, path = lakehouse.CATALOG, lakehouse.table_path(contract(NORMALIZED))
    env.execute_sql(f"CREATE CATALOG {catalog_name} WITH ('type' = 'generic_in_memory')")
    env.execute_sql(f"CREATE DATABASE `{catalog_name}`.`silver`")
    folder.payload(NORMALIZED, lambda fields: fields.insert(3, optional("lot_size", "long")))
    columns = ", ".join(f"`{n}` {kind}" for n, kind in flink_flat_columns(contract(NORMALIZED)))
    options = f"'connector' = 'filesystem', 'format' = 'json', 'path' = '{tmp_path / 'rows'}'"
    env.execute_sql(f"CREATE TABLE {path} ({columns}) WITH ({options})")
    folder.payload(NORMALIZED, lambda fields: fields.pop(3))
    rows = f"{normalized(1)}, 0 AS kafka_partition, CAST(5 AS BIGINT) AS kafka_offset"
    env.execute_sql(lakehouse.append_rows(contract(NORMALIZED), rows)).wait()
    files = [f for f in (tmp_path / "rows").rglob("*") if f.is_file()]
    found = [json.loads(line) for f in files for line in f.read_text().splitlines()]
    values = [(r["venue"], r["lot_size"], r["price_factor"], r["kafka_offset"]) for r in found]
    assert values == [("x", None, 1.0, 5)]


def read_by_job(broker: Settings, query: str) -> list[tuple[Any, ...]]:
    env, run = environment_of(broker)
    table = kafka.source_table(env, run, RAW)
    hint = "/*+ OPTIONS('scan.bounded.mode' = 'latest-offset') */"
    result = env.execute_sql(query.format(f"`{table}` {hint}"))
    with result.collect() as rows:
        return sorted(tuple(row) for row in rows)


def test_job_of_the_old_contract_reads_a_newer_version_and_refuses_what_breaks_the_rules(
    broker: Settings, client: RegistryClient
) -> None:
    newer = with_fields(RAW, lambda fields: fields.insert(2, optional("lot_size", "long")))
    other = with_fields(RAW, lambda fields: fields[2].update(type="string"))
    del other["fields"][-1]["type"][1]["fields"][2]["default"]
    stranger = {**other, "name": "Somebody"}
    with_lots = framed(client.register(f"{RAW}-value", newer), newer, raw(1, lot_size=7))
    send(
        broker,
        RAW,
        AvroCodec(client).encoder(RAW)(raw(0)),
        with_lots,
        framed(client.register("rogue-value", other), other, raw(2, price="cheap")),
        framed(client.register("stranger-value", stranger), stranger, raw(3, price="cheap")),
        with_lots[:-4],
        HEADER.pack(MAGIC, 999_999) + b"x",
        b"no avro",
        None,
    )
    found = read_by_job(broker, "SELECT kafka_offset, symbol, price, decode_error FROM {}")
    assert found == [
        (0, "S0", Decimal("0E-8"), None),
        (1, "S1", Decimal("1.00000000"), None),
        (2, None, None, "DECODE_TRUNCATED"),
        (3, None, None, "DECODE_TRUNCATED"),
        (4, None, None, "DECODE_TRUNCATED"),
        (5, None, None, "DECODE_UNKNOWN_SCHEMA"),
        (6, None, None, "DECODE_BAD_MAGIC"),
        (7, None, None, "DECODE_NULL_VALUE"),
    ]


def test_job_of_the_new_contract_reads_old_records_with_the_new_column_empty(
    broker: Settings, client: RegistryClient, folder: Contracts
) -> None:
    topic = "raw.quote"
    old = AvroCodec(client).encoder(topic)
    send(broker, topic, old(_event(0, {"symbol": "OLD", "extra": {}})))
    folder.payload(topic, lambda fields: fields.append(optional("lot_size", "long")))
    new = AvroCodec(client).encoder(topic)
    send(broker, topic, new(_event(1, {"symbol": "NEW", "extra": {}, "lot_size": 7})))
    env, run = environment_of(broker)
    table = kafka.source_table(env, run, topic)
    hint = "/*+ OPTIONS('scan.bounded.mode' = 'latest-offset') */"
    query = f"SELECT kafka_offset, symbol, lot_size, decode_error FROM `{table}` {hint}"
    with env.execute_sql(query).collect() as rows:
        found = sorted(tuple(row) for row in rows)
    assert found == [(0, "OLD", None, None), (1, "NEW", 7, None)]


def normalized(number: int) -> str:
    """Return the SELECT of one row of normalized.trade, in the order of its contract."""
    given = {"event_id": f"'{number}'", "quality_flags": "CAST(NULL AS STRING)"}
    values = {"string": "'x'", "timestamp": "TIMESTAMP '2024-01-02 12:00:00.000'"}
    values |= {"date": "DATE '2024-01-02'", "double": "CAST(1 AS DOUBLE)"}
    values |= {"decimal": "CAST(1 AS DECIMAL(18, 8))", "long": "CAST(1 AS BIGINT)"}
    c = contract(NORMALIZED)
    return "SELECT " + ", ".join(
        f"{given.get(f.name, values.get(f.type.kind, '1'))} AS `{f.name}`"
        for f in c.envelope + c.payload
    )


def write_by_job(broker: Settings, number: int) -> None:
    env, run = environment_of(broker)
    sink = kafka.sink_table(env, run, NORMALIZED)
    env.execute_sql(f"INSERT INTO `{sink}` {normalized(number)}").wait()


def read_all(broker: Settings, client: RegistryClient, count: int) -> list[Row]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "test",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([NORMALIZED])
    codec, found = AvroCodec(client), []
    while len(found) < count:
        messages = consumer.consume(1, timeout=30)
        assert messages, f"only {len(found)} records"
        found.append(codec.decode(messages[0].value()))
    consumer.close()
    return found


def test_job_of_the_old_contract_writes_on_in_a_newer_version_with_the_column_null(
    broker: Settings, client: RegistryClient
) -> None:
    newer = with_fields(NORMALIZED, lambda fields: fields.insert(1, optional("lot_size", "long")))
    client.register(f"{NORMALIZED}-value", newer)
    write_by_job(broker, 1)
    record = read_all(broker, client, 1)[0]
    assert record["payload"]["lot_size"] is None
    assert record["payload"]["price"] == Decimal(1)
    assert record["payload"]["raw_symbol"] == "x"


def test_job_of_a_contract_that_is_not_registered_ends_instead_of_losing_the_column(
    broker: Settings, folder: Contracts
) -> None:
    folder.payload(NORMALIZED, lambda fields: fields.append(optional("unregistered")))
    with pytest.raises(Exception, match="ASKNOWN-AVRO-004 .*unregistered.*asknown schema migrate"):
        write_by_job(broker, 2)
    assert contract(NORMALIZED).payload[-1].name == "unregistered"
