"""Encode a table of flat rows as framed Avro, column by column.

For a million rows, one at a time is too slow. Each column becomes an array of Avro bytes, and
Arrow joins the arrays row by row. What it writes decodes to what `AvroCodec.encoder` would have
written; only decimals may carry leading bytes that say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from asknown.contracts.catalog import PAYLOAD, Contract, Field
from asknown.contracts.registry import HEADER, MAGIC
from asknown.errors import UsageError

_NULL, _PRESENT = b"\x00", b"\x02"  # the branches of ["null", type]
_VARINT_BYTES = 10  # of 64 bits
_DECIMAL_BYTES = 16
Columns = Any  # a pa.Table


def encode(c: Contract, schema_id: int, rows: Columns) -> list[bytes]:
    """Return each row as a framed record of the topic's schema, payload present.

    Raises `UsageError` ASKNOWN-AVRO-001 for a type that has no columns here, or a null where the
    contract has none.
    """
    if not rows.num_rows:
        return []
    head = HEADER.pack(MAGIC, schema_id)
    fields = {f.name: f for f in c.envelope + c.payload}
    parts: list[Any] = [pa.scalar(head, pa.large_binary())]
    for entry in c.avro["fields"]:
        if entry["name"] == PAYLOAD:
            parts.append(pa.scalar(_PRESENT, pa.large_binary()))
            for f in c.payload:
                parts += _parts(f, rows[f.name])
        else:
            parts += _parts(fields[entry["name"]], rows[entry["name"]])
    joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()))
    found: list[bytes] = joined.to_pylist()
    return found


def _parts(f: Field, column: Any) -> list[Any]:
    """Return the arrays whose bytes, joined, are the column's."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if values.null_count and not f.nullable:
        raise UsageError(
            "ASKNOWN-AVRO-001", f"expected {f.name} in each row, found {values.null_count} nulls."
        )
    parts = _values(f, values)
    if not f.nullable:
        return parts
    if not values.null_count:
        return [pa.scalar(_PRESENT, pa.large_binary()), *parts]
    there = values.is_valid()
    nothing = pa.scalar(b"", pa.large_binary())
    branch = pc.if_else(
        there, pa.scalar(_PRESENT, pa.large_binary()), pa.scalar(_NULL, pa.large_binary())
    )
    return [branch, *(pc.if_else(there, part, nothing) for part in parts)]


def _values(f: Field, values: Any) -> list[Any]:
    match f.type.kind:
        case "string" | "bytes":
            flat = values.cast(pa.large_binary()).fill_null(b"")
            return [_varints(_integers(pc.binary_length(flat))), flat]
        case "int" | "long":
            return [_varints(_integers(values))]
        case "date":
            return [_varints(_integers(values.cast(pa.int32())))]
        case "timestamp":
            return [_varints(_integers(values.cast(pa.timestamp("ms")).cast(pa.int64())))]
        case "double":
            doubles = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
            return [_fixed(np.ascontiguousarray(doubles, "<f8").view(np.uint8).reshape(-1, 8))]
        case "decimal":
            return _decimals(values.cast(pa.decimal128(f.type.precision, f.type.scale)))
        case kind:
            raise UsageError(
                "ASKNOWN-AVRO-001", f"expected a type that has columns, found {kind} of {f.name}."
            )


def _integers(values: Any) -> NDArray[np.int64]:
    whole = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray(whole, np.int64)


def _varints(values: NDArray[np.int64]) -> Any:
    """Return longs as Avro writes them: zigzag, seven bits a byte, the lowest first."""
    zigzag = ((values << 1) ^ (values >> 63)).view(np.uint64)
    most = int(zigzag.max(initial=0))
    width = next(n for n in range(1, _VARINT_BYTES + 1) if n == _VARINT_BYTES or not most >> 7 * n)
    shifts = np.arange(width, dtype=np.uint64) * np.uint64(7)
    rest = zigzag[:, None] >> shifts
    used = rest != 0
    used[:, 0] = True
    digits = (rest & np.uint64(0x7F)).astype(np.uint8)
    digits[:, :-1] |= np.where(used[:, 1:], np.uint8(0x80), np.uint8(0))
    return _binary(digits[used], used.sum(axis=1))


def _decimals(values: Any) -> list[Any]:
    """Return decimals as two's complement, highest byte first, all as wide as the widest."""
    whole = values.fill_null(0)
    words = np.frombuffer(whole.buffers()[1], np.uint8).reshape(-1, _DECIMAL_BYTES)
    words = words[whole.offset : whole.offset + len(whole)]
    sign = (words[:, -1:] >> 7) * np.uint8(0xFF)
    telling = (words ^ sign).max(axis=0, initial=0)  # of positive numbers the largest digits
    last = int(np.flatnonzero(telling)[-1]) if telling.any() else 0
    width = min(last + 1 + int(telling[last] > 0x7F), _DECIMAL_BYTES)
    return [
        pa.scalar(bytes([2 * width]), pa.large_binary()),
        _fixed(np.ascontiguousarray(words[:, :width][:, ::-1])),
    ]


def _fixed(matrix: NDArray[np.uint8]) -> Any:
    return _binary(matrix.reshape(-1), np.full(len(matrix), matrix.shape[1], np.int64))


def _binary(data: NDArray[np.uint8], lengths: Sequence[int] | NDArray[Any]) -> Any:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(lengths), buffers)
