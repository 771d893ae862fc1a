"""Write workload W1 straight into the lake, as the live jobs would have: bronze and change points.

Every column is made from numpy arrays, a block at a time, so fifty million records take minutes and
not the memory of all of them as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from asknown.settings import Settings
from asknown.storage.iceberg import lake
from bench.generate import place
from bench.workload import POISON, VENUE, W1, Arrivals, Ints, Population

RAW, CHANGE = "raw.trade", "reference.entity_change"
BLOCK = 2_000_000  # rows of a file of bronze, about what an hour's compaction leaves


def fill(w: W1, people: Population, a: Arrivals, config: Settings) -> None:
    """Write bronze.trade and silver.entity_change of the workload."""
    catalog = lake(config)
    catalog.load_table(contract(CHANGE).topic.table).append(change_rows(people))
    partition, offset = place(w, people, a)
    table = catalog.load_table(contract(RAW).topic.table)
    for rows in blocks(w.events):
        table.append(raw_rows(people, a, rows, (partition[rows], offset[rows])))


def blocks(count: int) -> Iterator[Ints]:
    """Yield the numbers of the rows of each block."""
    for first in range(0, count, BLOCK):
        yield np.arange(first, min(first + BLOCK, count))


def raw_rows(people: Population, a: Arrivals, rows: Ints, place_of: tuple[Any, Any]) -> pa.Table:
    """Return arrivals as rows of bronze; what cannot be decoded has bytes and a reason alone."""
    entity, readable = a.entity[rows], a.kind[rows] < POISON
    missing = ~readable
    columns = {
        "event_id": _text(a.event_id[rows], missing),
        "event_time": _time(a.event_ms[rows], missing),
        "ingest_time": _time(a.ingest_ms[rows], missing),
        "source": _same(b"synthetic", missing),
        "schema_version": pa.array(np.ones(len(rows), np.int32), mask=missing),
        "entity_id": _text(people.keys[entity], missing),
        "source_system": _same(VENUE.encode(), missing),
        "symbol": _text(people.symbols[entity], missing),
        "price": decimals(a.price[rows], missing),
        "size": decimals(a.size[rows], missing),
        "sequence": pa.array(a.sequence[rows], mask=missing),
        "event_time_ns": pa.array(a.event_ms[rows] * 1_000_000, mask=missing),
        "raw_bytes": _same(b"\x00", readable, pa.binary()),
        "decode_error": _same(b"DECODE_TRUNCATED", readable),
        "kafka_partition": pa.array(place_of[0].astype(np.int32)),
        "kafka_offset": pa.array(place_of[1]),
        "kafka_time": _time(a.ingest_ms[rows], None),
    }
    return _table(RAW, columns, len(rows))


def change_rows(people: Population) -> pa.Table:
    """Return every change point as a row of silver.entity_change, by effective time."""
    order = np.argsort(people.effective_ms, axis=None, kind="stable")
    entity, version = np.divmod(order, people.effective_ms.shape[1])
    effective = _time(people.effective_ms[entity, version], None)
    known = {name: getattr(people, name)[entity, version] for name in _FACTORS}
    columns = {
        "event_id": pa.array([f"c{e:09d}{v:06d}" for e, v in zip(entity, version, strict=True)]),
        **dict.fromkeys(("event_time", "ingest_time", "effective_time", "known_from"), effective),
        "source": _same(b"bench", np.zeros(len(order), bool)),
        "schema_version": pa.array(np.ones(len(order), np.int32)),
        "entity_id": _text(people.keys[entity], None),
        "raw_key": _text(people.keys[entity], None),
        "listing_id": _text(people.listing[entity, version], None),
        "isin": _text(people.isin[entity, version], None),
        "symbol": _text(people.symbols[entity], None),
        "venue": _same(VENUE.encode(), np.zeros(len(order), bool)),
        "status": _same(b"LISTED", np.zeros(len(order), bool)),
        **{name: pa.array(values) for name, values in known.items()},
        "factor_version": pa.array(people.factor_version[entity, version].astype(np.int32)),
        "kafka_partition": pa.array(np.zeros(len(order), np.int32)),
        "kafka_offset": pa.array(np.arange(len(order), dtype=np.int64)),
    }
    return _table(CHANGE, columns, len(order))


_FACTORS = ("price_factor", "split_factor", "share_factor")


def decimals(unscaled: Ints, missing: Any = None) -> pa.Array:
    """Return integers of 8 decimal places as DECIMAL(18, 8)."""
    wide = np.zeros((len(unscaled), 2), np.int64)
    wide[:, 0], wide[:, 1] = unscaled, unscaled >> 63
    validity = None
    if missing is not None:
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    buffers = [validity, pa.py_buffer(wide.tobytes())]
    return pa.Array.from_buffers(pa.decimal128(18, 8), len(unscaled), buffers)


def _table(topic: str, columns: dict[str, pa.Array], count: int) -> pa.Table:
    schema = arrow_schema(contract(topic))
    found = [
        columns[f.name].cast(f.type) if f.name in columns else pa.nulls(count, f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(found, schema=schema)


def _text(values: Any, missing: Any) -> pa.Array:
    return pa.array(values, pa.binary(), mask=missing).cast(pa.string())


def _time(at_ms: Ints, missing: Any) -> pa.Array:
    return pa.array(at_ms * 1000, pa.int64(), mask=missing).cast(pa.timestamp("us"))


def _same(value: bytes, missing: Any, kind: pa.DataType | None = None) -> pa.Array:
    """Return one value in every row that has one."""
    codes = pa.array(np.zeros(len(missing), np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(codes, pa.array([value], pa.binary())).cast(
        kind or pa.string()
    )
