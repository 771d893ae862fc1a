"""Exports can be had again from their manifest; what differs is told, with exit code 3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.cli.main import run
from asknown.errors import AsknownError, UsageError
from asknown.research import Connection, connect, exporting
from asknown.research.exporting import Checksum
from asknown.settings import Settings
from asknown.settings import settings as own
from asknown.storage import iceberg
from tests.unit.research.market import fill
from tests.unit.serving.conftest import NOW

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Yield the settings of a lake of the market, which commands read as well."""
    monkeypatch.setenv("ASKNOWN_CATALOG_ADDRESS", f"sqlite:///{tmp_path / 'catalog.db'}")
    monkeypatch.setenv("ASKNOWN_WAREHOUSE", f"file://{tmp_path / 'warehouse'}")
    own.cache_clear()
    found = Settings()
    iceberg.ensure_tables(found)
    fill(found)
    yield found
    own.cache_clear()


@pytest.fixture
def command(lake: Settings, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command and returns its code and what it printed."""

    def asknown(*arguments: str) -> tuple[int, str]:
        code = run(["export", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return asknown


def test_an_answer_is_had_again_after_the_lake_went_on(lake: Settings, tmp_path: Path):
    connection = connect(config=lake, now=lambda: NOW)
    file = tmp_path / "bars.parquet"
    result = connection.bars("ACME", "2024-10-01", adjust="all")
    manifest = exporting.read(result.export(file))
    assert (manifest["rows"], pq.read_table(file).num_rows) == (4, 4)
    assert manifest["ask"]["adjust"] == "all"
    assert manifest["meta"]["snapshots"]["silver.bar"]
    iceberg.lake(lake).load_table("silver.bar").delete()
    again = tmp_path / "again.parquet"
    exporting.again(manifest, connection, again)
    assert again.read_bytes() == file.read_bytes()


def test_a_table_is_exported_and_verified_by_the_command(command: Command, tmp_path: Path):
    file = tmp_path / "trades.parquet"
    code, printed = command("silver.trade", "--where", "size < 1", "--to", str(file))
    assert code == 0, printed
    assert pq.read_table(file).num_rows == 3
    manifest = f"{file}.manifest.json"
    code, printed = command("--from-manifest", manifest, "--verify", "--report", "json")
    assert (code, json.loads(printed)["same"]) == (0, True)
    held = file.read_bytes()
    file.unlink()
    assert command("--from-manifest", manifest)[0] == 0
    assert file.read_bytes() == held


def test_rows_that_differ_end_with_3_and_leave_no_file(command: Command, tmp_path: Path):
    file = tmp_path / "bars.csv"
    assert command("gold.bar", "--to", str(file))[0] == 0
    file.unlink()
    path = Path(f"{file}.manifest.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "checksum": "0" * 16}))
    code, printed = command("--from-manifest", str(path))
    assert code == 3
    assert "ASKNOWN-RESEARCH-012" in printed
    assert not file.exists()
    assert not list(tmp_path.glob("*.part"))


def test_a_state_that_was_expired_is_named(lake: Settings, tmp_path: Path):
    connection = connect(config=lake, now=lambda: NOW)
    manifest = exporting.read(connection.table("silver.bar").export(tmp_path / "bars.arrow"))
    manifest["meta"]["snapshots"]["silver.bar"] += 1
    with pytest.raises(AsknownError) as refused:
        exporting.again(manifest, connection)
    assert refused.value.code == "ASKNOWN-RESEARCH-003"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("silver.nothing",), "ASKNOWN-RESEARCH-002"),
        (("silver.trade", "--where", "size <"), "ASKNOWN-RESEARCH-001"),
        (("silver.trade", "--where", "nothing = 1"), "ASKNOWN-RESEARCH-001"),
        (("silver.trade", "--columns", "nothing"), "ASKNOWN-RESEARCH-001"),
        (("silver.trade", "-o", "xlsx"), "ASKNOWN-RESEARCH-010"),
        ((), "ASKNOWN-CLI-005"),
        (("silver.trade", "--verify"), "ASKNOWN-CLI-005"),
        (("--from-manifest", "nothing.json"), "ASKNOWN-RESEARCH-011"),
    ],
)
def test_exports_that_cannot_be_are_refused(
    arguments: tuple[str, ...], code: str, command: Command
):
    found, printed = command(*arguments)
    assert (found, code in printed) == (2, True), printed


def test_an_answer_over_http_is_had_again_by_its_knowledge(over_http: Connection, tmp_path: Path):
    result = over_http.trades("LATE", "2024-10-01", adjust="all", known_at="2024-10-23")
    manifest = exporting.read(result.export(tmp_path / "trades.parquet"))
    assert exporting.again(manifest, over_http).rows == 2
    with pytest.raises(UsageError):
        result.export(tmp_path / "trades.xlsx")


ROWS = st.lists(
    st.tuples(
        st.none() | st.text(max_size=3),
        st.none() | st.floats(allow_nan=True),
        st.decimals(-1000, 1000, places=2),
    ),
    min_size=1,
    max_size=8,
)


def checksum(*parts: list[tuple[Any, ...]]) -> str:
    found = Checksum()
    types = (pa.string(), pa.float64(), pa.decimal128(18, 8))
    for rows in parts:
        columns = [pa.array(c, t) for c, t in zip(zip(*rows, strict=True), types, strict=True)]
        found.add(pa.record_batch(columns, names=["a", "b", "c"]))
    return f"{found.rows}:{found}"


@settings(max_examples=25, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_checksum_knows_no_order_and_no_batches(rows: list[tuple[Any, ...]], random: Any):
    mixed = random.sample(rows, len(rows))
    half = len(mixed) // 2
    parts = [part for part in (mixed[:half], mixed[half:]) if part]
    assert checksum(*parts) == checksum(rows)


@pytest.mark.parametrize(
    "other",
    [
        [("a", 1.0, Decimal("1.00000001"))],
        [("a", 1.0000000000000002, Decimal(1))],
        [(None, 1.0, Decimal(1))],
        [("", 1.0, Decimal(1))],
        [("a", None, Decimal(1))],
        [("a", 1.0, Decimal(1))] * 2,
    ],
)
def test_checksum_tells_rows_apart(other: list[tuple[Any, ...]]):
    assert checksum(other) != checksum([("a", 1.0, Decimal(1))])
