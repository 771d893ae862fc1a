"""Checksums: equal for equal rows however they are ordered, typed and cut; different otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.storage import iceberg
from asknown.storage.checksum import Checksum, of_files, of_groups, of_rows, of_table
from tests.unit.storage.lake_rows import append, new_lake, row_of, utc

COLUMNS = ("name", "seen", "size", "price", "more")
AT = datetime(2024, 10, 28, 3, 45, 0, 1000, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("seen", pa.timestamp("us")),
        ("size", pa.int64()),
        ("price", pa.decimal128(18, 8)),
        ("more", pa.map_(pa.string(), pa.string())),
    ]
)
ROW: dict[str, Any] = {
    "name": "a",
    "seen": AT.replace(tzinfo=None),
    "size": 5,
    "price": Decimal("1.5"),
    "more": [("k", "v"), ("l", "w")],
}
rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | st.text(max_size=3),
            "size": st.none() | st.integers(-3, 3),
            "price": st.none() | st.decimals(-9, 9, places=2, allow_nan=False),
        }
    ),
    min_size=1,
    max_size=8,
)


def table(*rows: dict[str, Any]) -> pa.Table:
    """Return rows of SCHEMA; what is not given is missing."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def checksum(*rows: dict[str, Any]) -> Checksum:
    """Return the checksum of rows over all columns."""
    return of_rows(table(*rows), COLUMNS)


@settings(max_examples=25, deadline=None)
@given(rows_of, st.randoms(use_true_random=False))
def test_checksum_of_rows_in_another_order_and_in_parts_is_the_same(rows: list[Any], random: Any):
    shuffled = random.sample(rows, len(rows))
    cut = random.randint(0, len(rows))
    assert checksum(*rows) == checksum(*shuffled)
    assert checksum(*rows) == checksum(*shuffled[:cut]) + checksum(*shuffled[cut:])


@settings(max_examples=25, deadline=None)
@given(rows_of, rows_of)
def test_checksum_is_the_same_only_for_the_same_rows(one: list[Any], other: list[Any]):
    same = sorted(map(repr, table(*one).to_pylist())) == sorted(
        map(repr, table(*other).to_pylist())
    )
    assert (checksum(*one) == checksum(*other)) is same


@pytest.mark.parametrize(
    "change",
    [
        {"name": "b"},
        {"name": None},
        {"seen": None},
        {"size": 6},
        {"price": Decimal("1.50000001")},
        {"more": [("k", "v"), ("l", "x")]},
    ],
    ids=str,
)
def test_checksum_of_a_row_changes_with_each_of_its_values(change: dict[str, Any]):
    assert checksum(ROW) != checksum(ROW | change)


def test_checksum_tells_values_that_changed_places_between_rows():
    one, other = ROW | {"name": "a", "size": 1}, ROW | {"name": "b", "size": 2}
    crossed = [one | {"size": 2}, other | {"size": 1}]
    assert checksum(one, other) != checksum(*crossed)


def test_checksum_counts_a_doubled_row_twice():
    assert checksum(ROW, ROW) == checksum(ROW) + checksum(ROW) != checksum(ROW)


def test_checksum_is_the_same_in_the_types_of_another_store():
    other = pa.table(
        {
            "price": pa.array([Decimal("1.5")], pa.decimal128(30, 8)),
            "more": pa.array([[("l", "w"), ("k", "v")]], pa.map_(pa.large_string(), pa.string())),
            "seen": pa.array([AT], pa.timestamp("ms", "UTC")),
            "size": pa.array([5], pa.int32()),
            "name": pa.array(["a"], pa.dictionary(pa.int8(), pa.string())),
        }
    )
    assert of_rows(other, COLUMNS) == checksum(ROW)


def test_checksum_of_no_row_is_that_of_nothing():
    assert checksum() == Checksum() == of_files([], COLUMNS)


def test_checksum_of_groups_adds_up_to_that_of_all():
    rows = table(ROW, ROW | {"seen": utc(2024, 10, 29)}, ROW | {"seen": utc(2024, 10, 29, 1)})
    found = of_groups(rows, COLUMNS, ["CAST(seen AS DATE)"])
    assert {key: part.rows for key, part in found.items()} == {
        (date(2024, 10, 28),): 1,
        (date(2024, 10, 29),): 2,
    }
    assert sum(found.values(), Checksum()) == of_rows(rows, COLUMNS)


def test_checksum_of_files_is_that_of_their_rows(tmp_path: Path):
    paths = [str(tmp_path / f"{n}.parquet") for n in range(2)]
    for path, size in zip(paths, (1, 2), strict=True):
        pq.write_table(table(ROW | {"size": size}), path)
    expected = checksum(ROW | {"size": 2}, ROW | {"size": 1})
    assert of_files(paths, COLUMNS) == expected


def test_checksum_of_a_table_is_that_of_the_rows_chosen(tmp_path: Path):
    config = new_lake(tmp_path)
    kept = row_of("normalized.trade", event_id="a", event_time=utc(2024, 10, 28))
    append(config, "normalized.trade", kept, kept | {"event_time": utc(2024, 10, 29)})
    found = iceberg.lake(config).load_table("silver.trade")
    names = ("event_id", "event_time", "price")
    (whole,) = of_table(found, names, "event_time < '2024-10-29T00:00:00'").values()
    schema = pa.schema([arrow_schema(contract("normalized.trade")).field(name) for name in names])
    assert whole == of_rows(pa.Table.from_pylist([kept], schema=schema), names)
