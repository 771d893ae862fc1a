"""One column on its way into the registry, the lake and ClickHouse: real ones, and old data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown.cli.main import run
from asknown.contracts import catalog
from asknown.contracts.catalog import contract, contracts
from asknown.contracts.registry import RegistryClient, register_all
from asknown.contracts.render import arrow_schema
from asknown.errors import AsknownError, ExitCode
from asknown.settings import Settings, settings
from asknown.storage import clickhouse as serving
from asknown.storage import evolution, iceberg
from asknown.storage.blocks import Block
from asknown.storage.loader import insert_block
from tests.unit.contracts_vocabulary import Contracts, optional, without
from tests.unit.stack.conftest import RegistryServer

TRADE = "normalized.trade"
QUOTE = {"name": "wait_ms", "type": "int", "doc": "How long it took.", "default": 0}


@pytest.fixture
def registry_server(tmp_path: Path) -> Iterator[RegistryServer]:
    server = RegistryServer(tmp_path / "registry")
    yield server
    server.kill()


@pytest.fixture
def config(clickhouse: Any, registry_server: RegistryServer, tmp_path: Path) -> Settings:
    """Return settings of a registry, a lake and a ClickHouse that nothing else uses."""
    return clickhouse.settings.model_copy(
        update={
            "registry_address": registry_server.url,
            "catalog_address": f"sqlite:///{tmp_path / 'catalog.db'}",
            "warehouse": f"file://{tmp_path / 'warehouse'}",
        }
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Contracts]:
    """Return contracts that a test may change."""
    yield Contracts.copied(tmp_path / "schemas", monkeypatch)
    monkeypatch.undo()
    catalog.contracts.cache_clear()


def make_all(config: Settings, tmp_path: Path) -> None:
    """Make registry and tables as an older checkout did: with its own first migration."""
    sql = tmp_path / "older"
    sql.mkdir()
    for path in serving.MIGRATIONS.glob("*.sql"):
        (sql / path.name).write_text(path.read_text())
    (sql / serving.FIRST).write_text(serving.create_tables_sql())
    iceberg.ensure_tables(config)
    serving.migrate(config, sql)
    with RegistryClient(config.registry_url) as client:
        register_all(client)


def rows_of(schema: pa.Schema, first: int, count: int) -> pa.Table:
    """Return rows of any schema of a topic, at consecutive offsets."""
    columns: dict[str, list[Any]] = {
        f.name: [None if f.nullable else Decimal(0) if pa.types.is_decimal(f.type) else 0] * count
        for f in schema
    }
    for name in ("event_id", "source", "entity_id", "raw_key"):
        columns[name] = [f"{name} {n}" for n in range(count)]
    columns["kafka_offset"] = list(range(first, first + count))
    arrays = {n: pa.array(v, schema.field(n).type) for n, v in columns.items()}
    return pa.table(arrays, schema=schema)


def columns_everywhere(config: Settings) -> dict[str, list[str]]:
    with RegistryClient(config.registry_url) as client:
        newest = json.loads(client.registered(f"{TRADE}-value")[-1][1])
    found = {"registry": [f["name"] for f in newest["fields"][-1]["type"][1]["fields"]]}
    schema = iceberg.lake(config).load_table("silver.trade").schema()
    found["iceberg"] = [f.name for f in schema.fields]
    with serving.client("reader", settings=config) as connection:
        rows = connection.query("DESCRIBE TABLE silver.trade").result_rows
    found["clickhouse"] = [row[0] for row in rows]
    return found


def states(config: Settings) -> dict[str, list[str]]:
    tables = evolution.table_standings(config, [contract(TRADE)])
    return {t.store: [f"{c.step} {c.name}" for c in t.changes or ()] for t in tables}


def test_new_column_appears_in_registry_lake_and_clickhouse_by_one_migration(
    config: Settings, folder: Contracts, tmp_path: Path
) -> None:
    folder.payload(TRADE, without("quality_flags"))
    make_all(config, tmp_path)
    assert states(config) == {"iceberg": [], "clickhouse": []}
    folder.payload(TRADE, lambda fields: fields.append(optional("quality_flags")))
    expected = {"iceberg": ["added quality_flags"], "clickhouse": ["added quality_flags"]}
    assert states(config) == expected
    done = evolution.migrate(config)
    lines = done.lines
    assert "iceberg: added column quality_flags to table silver.trade" in lines
    assert "clickhouse: added column quality_flags to table silver.trade" in lines
    assert lines[-1].startswith("registry: registered normalized.trade-value version 2, id ")
    assert done.start_anew == ("lake", "loader", "derive", "normalize")
    found = columns_everywhere(config)
    assert found["registry"][-1] == "quality_flags"
    assert found["iceberg"][-3:] == ["quality_flags", "kafka_partition", "kafka_offset"]
    assert found["clickhouse"] == found["iceberg"]
    assert evolution.migrate(config).lines == ()


def test_rows_and_writers_of_the_old_contract_go_on_beside_the_migration(
    config: Settings, folder: Contracts, tmp_path: Path
) -> None:
    folder.payload(TRADE, without("quality_flags"))
    make_all(config, tmp_path)
    old = arrow_schema(contract(TRADE))
    blocks = [Block(TRADE, 0, n, n + 1, rows_of(old, n, 2)) for n in (0, 2)]
    lake_table = iceberg.lake(config).load_table("silver.trade")
    with serving.client("writer", settings=config) as loader:
        insert_block(loader, "silver.trade", blocks[0])
        lake_table.append(blocks[0].rows)
        folder.payload(TRADE, lambda fields: fields.append(optional("quality_flags")))
        evolution.migrate(config)
        insert_block(loader, "silver.trade", blocks[1])
        insert_block(loader, "silver.trade", blocks[0])  # sent again: its answer was lost
        new = rows_of(arrow_schema(contract(TRADE)), 4, 2)
        insert_block(loader, "silver.trade", Block(TRADE, 0, 4, 5, new))
        query = "SELECT kafka_offset, quality_flags FROM silver.trade ORDER BY kafka_offset"
        assert loader.query(query).result_rows == [(n, None) for n in range(6)]
    table = iceberg.lake(config).load_table("silver.trade")
    table.append(blocks[1].rows)
    table.append(new)
    found = table.scan(selected_fields=("kafka_offset", "quality_flags")).to_arrow()
    assert sorted(found["kafka_offset"].to_pylist()) == list(range(6))
    assert set(found["quality_flags"].to_pylist()) == {None}


def test_column_ids_of_the_lake_stay_when_a_column_comes_between(
    config: Settings, folder: Contracts, tmp_path: Path
) -> None:
    make_all(config, tmp_path)
    before = {f.name: f.field_id for f in _schema(config).fields}
    folder.payload(TRADE, lambda fields: fields.insert(3, optional("lot_size", "long")))
    evolution.migrate(config)
    after = _schema(config)
    assert {f.name: f.field_id for f in after.fields if f.name in before} == before
    assert after.find_field("lot_size").field_id > max(before.values())
    names = [f.name for f in after.fields]
    assert names == [f.name for f in arrow_schema(contract(TRADE))]
    assert columns_everywhere(config)["clickhouse"] == names


def _schema(config: Settings) -> Any:
    return iceberg.lake(config).load_table("silver.trade").schema()


def test_widened_type_new_words_and_lost_obligation_reach_the_tables(
    config: Settings, folder: Contracts, tmp_path: Path
) -> None:
    make_all(config, tmp_path)

    def change(fields: list[dict[str, Any]]) -> None:
        by_name = {f["name"]: f for f in fields}
        by_name["factor_version"]["type"] = "long"
        by_name["share_factor"] |= {"type": ["null", "double"], "default": None}
        by_name["isin"]["doc"] = "ISIN valid then; it's new."

    folder.payload(TRADE, change)
    steps = ["made optional share_factor", "type widened factor_version"]
    expected = ["doc isin", *steps]
    assert {k: sorted(v) for k, v in states(config).items()} == dict.fromkeys(
        ("iceberg", "clickhouse"), expected
    )
    evolution.migrate(config)
    assert states(config) == {"iceberg": [], "clickhouse": []}
    assert evolution.migrate(config).lines == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda fields: fields.append(QUOTE), "an added field to be optional, found int, required"),
        (without("isin"), "expected string, found no such field"),
        (lambda fields: fields[4].update(type="double"), "expected decimal(18, 8), required"),
    ],
    ids=["without a null", "taken away", "other type"],
)
def test_refused_contract_stops_everything_before_anything_is_written(
    config: Settings, folder: Contracts, tmp_path: Path, change: Any, said: str
) -> None:
    make_all(config, tmp_path)
    before = columns_everywhere(config)
    folder.payload(TRADE, change)
    folder.payload("analytics.bar", lambda fields: fields.append(optional("harmless")))
    chosen = list(contracts().values())
    with pytest.raises(AsknownError) as caught:
        evolution.migrate(config)
    assert (caught.value.code, caught.value.exit_code) == ("ASKNOWN-SCHEMA-001", 3)
    assert said in caught.value.message
    with RegistryClient(config.registry_url) as client:
        with pytest.raises(AsknownError):
            evolution.register(client, chosen, evolution.standings(client, chosen))
        assert len(client.registered("analytics.bar-value")) == 1
    assert columns_everywhere(config) == before
    assert iceberg.differences(contract("analytics.bar"), config) != []


def test_older_checkout_beside_newer_tables_drops_nothing_and_says_so(
    config: Settings, folder: Contracts, tmp_path: Path
) -> None:
    make_all(config, tmp_path)
    folder.payload(TRADE, lambda fields: fields.append(optional("lot_size", "long")))
    evolution.migrate(config)
    before = columns_everywhere(config)
    folder.payload(TRADE, without("lot_size"))
    with RegistryClient(config.registry_url) as client:
        found = evolution.standings(client, [contract(TRADE)])[0]
    assert (found.verdict, found.version) == ("registered; a newer version exists", 1)
    assert [(c.name, c.step) for c in found.changes] == [("payload.lot_size", "extra")]
    assert states(config) == {"iceberg": ["extra lot_size"], "clickhouse": ["extra lot_size"]}
    assert evolution.migrate(config).lines == ()
    assert columns_everywhere(config) == before


def test_migration_that_lost_the_race_for_a_commit_begins_again(
    config: Settings, folder: Contracts
) -> None:
    iceberg.ensure_tables(config)
    stale = iceberg.lake(config).load_table("silver.trade")
    folder.payload(TRADE, lambda fields: fields.append(optional("lot_size", "long")))
    c = contract(TRADE)

    class Between:
        """A catalog that lets another writer commit between our reading and our commit."""

        def __init__(self) -> None:
            self.loads = 0

        def load_table(self, name: str) -> Any:
            table = iceberg.lake(config).load_table(name)
            self.loads += 1
            if self.loads == 1:
                with iceberg.lake(config).load_table(name).update_schema() as update:
                    update.add_column("of_another", stale.schema().fields[0].field_type)
            return table

    catalog_between: Any = Between()
    changes = iceberg.evolve(catalog_between, c)
    assert changes == ["added column lot_size to table silver.trade"]
    assert catalog_between.loads > 1
    names = {f.name for f in _schema(config).fields}
    assert {"lot_size", "of_another"} <= names


def test_command_says_what_would_change_and_exits_with_3_for_a_refused_contract(
    registry_server: RegistryServer,
    folder: Contracts,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def asknown(*arguments: str) -> tuple[int, Any]:
        code = run(["schema", *arguments, "-o", "json"])
        return code, json.loads(capsys.readouterr().out)

    monkeypatch.setenv("ASKNOWN_REGISTRY_ADDRESS", registry_server.url)
    settings.cache_clear()
    assert asknown("check", TRADE, "--registry-only")[1]["subjects"][0]["verdict"] == (
        "not registered yet"
    )
    assert asknown("register", TRADE)[1]["done"] == [f"registered {TRADE}-value version 1, id 1"]
    folder.payload(TRADE, lambda fields: fields.append(optional("lot_size", "long")))
    code, found = asknown("diff", TRADE, "--registry-only")
    added = {"column": "payload.lot_size", "change": "added", "found": None, "wanted": "long"}
    assert (code, found["subjects"][0]["changes"]) == (0, [added])
    assert asknown("check", TRADE, "--registry-only")[0] == 0
    folder.payload(TRADE, without("isin"))
    code, found = asknown("check", TRADE, "--registry-only")
    assert (code, found["passed"]) == (3, False)
    assert [r["field"] for r in found["subjects"][0]["refusals"]] == ["payload.isin"]
    assert run(["schema", "check", TRADE, "--registry-only"]) == 3
    shown = capsys.readouterr().out
    assert "REFUSED normalized.trade.payload.isin: expected string" in shown
    assert run(["schema", "register", TRADE]) == 3
    settings.cache_clear()


def test_jobs_to_start_anew_are_named_readers_first() -> None:
    assert evolution.jobs_of(["normalized.trade"]) == ["lake", "loader", "derive", "normalize"]
    assert evolution.jobs_of(["raw.trade"]) == ["lake", "normalize"]
    assert evolution.jobs_of(["raw.security", "reference.session"]) == [
        "lake",
        "loader",
        "reference",
    ]
    assert evolution.jobs_of([]) == []
    assert ExitCode.CHECK_FAILED == 3
