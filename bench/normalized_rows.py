"""Rows of `silver.trade` as W1 would leave them: what each unique record becomes, as Arrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from asknown.contracts.catalog import contract
from asknown.contracts.render import arrow_schema
from bench.encode import SOURCE
from bench.partitioning import partition_of
from bench.workload import UNIQUE, VENUE, W1, arrivals, population

TOPIC = "normalized.trade"
SCALE = 8  # places of prices and sizes


def rows_of(w: W1) -> pa.Table:
    """Return the rows in the order in which a stream would have written them.

    Equal to what the job makes of W1 but for the coordinates in `normalized.trade`, which depend on
    the order between partitions: here they count the rows of each partition.
    """
    people, a = population(w), None
    a = arrivals(w, people)
    partitions = np.array([partition_of(bytes(k), w.partitions) for k in people.keys])
    raw_partition = partitions[a.entity]
    raw_offset = _places(raw_partition)
    unique = np.flatnonzero(a.kind == UNIQUE)
    entity, change = a.entity[unique], a.change[unique]
    partition = np.array([partition_of(bytes(k), w.partitions) for k in people.listing.ravel()])
    partition = partition.reshape(people.listing.shape)[entity, change]
    columns: dict[str, Any] = {
        "event_id": a.event_id[unique].astype("U"),
        "event_time": a.event_ms[unique] * 1000,
        "ingest_time": a.ingest_ms[unique] * 1000,
        "source": _all(SOURCE.decode(), len(unique)),
        "schema_version": np.ones(len(unique), np.int32),
        "entity_id": people.listing[entity, change].astype("U"),
        "raw_key": people.keys[entity].astype("U"),
        "raw_symbol": people.symbols[entity].astype("U"),
        "isin": people.isin[entity, change].astype("U"),
        "venue": _all(VENUE, len(unique)),
        "price": _decimals(a.price[unique]),
        "size": _decimals(a.size[unique]),
        "sequence": a.sequence[unique],
        "event_time_ns": a.event_ms[unique] * 1_000_000,
        "trade_date": (a.event_ms[unique] // 86_400_000).astype(np.int32),
        "session_phase": _all("regular", len(unique)),
        "price_factor": people.price_factor[entity, change],
        "split_factor": people.split_factor[entity, change],
        "share_factor": people.share_factor[entity, change],
        "factor_version": people.factor_version[entity, change].astype(np.int32),
        "raw_partition": raw_partition[unique].astype(np.int32),
        "raw_offset": raw_offset[unique],
        "kafka_partition": partition.astype(np.int32),
        "kafka_offset": _places(partition),
    }
    schema = arrow_schema(contract(TOPIC))
    arrays = [_array(columns.get(f.name), f.type, len(unique)) for f in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _all(value: str, count: int) -> pa.Array:
    return pa.repeat(value, count)


def _places(partition: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each row among those of its partition."""
    places = np.empty(len(partition), np.int64)
    for one in np.unique(partition):
        mine = np.flatnonzero(partition == one)
        places[mine] = np.arange(len(mine))
    return places


def _decimals(unscaled: NDArray[np.int64]) -> pa.Array:
    """Return decimals of 18 digits, 8 of them behind the point, from their unscaled values."""
    words = np.zeros((len(unscaled), 2), np.int64)  # 128 bits, the low ones first
    words[:, 0] = unscaled
    words[:, 1] = unscaled >> 63
    kind = pa.decimal128(18, SCALE)
    return pa.Array.from_buffers(kind, len(unscaled), [None, pa.py_buffer(words.tobytes())])


def _array(values: Any, kind: pa.DataType, count: int) -> pa.Array:
    if values is None:
        return pa.nulls(count, kind)
    if isinstance(values, pa.Array):
        return values.cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values).cast(kind)
