"""Decode many Avro records of one schema at once, into columns.

Each field is read for all records together: the position of every record is kept in one array
and moved on field by field. Covers what the topics use: records, nullable fields, strings,
bytes, decimals of up to 8 bytes, int, long, double, float, boolean; maps are skipped. A few
microseconds a record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
FRAME = 5  # magic byte and schema id
_DTYPES = {"double": "<f8", "float": "<f4", "boolean": "?"}
_PAD = 64  # bytes behind the last record, so that a gather never leaves the buffer


class UndecodableError(ValueError):
    """Report records that do not fit the schema."""


def decode(
    values: Sequence[bytes], schema: Mapping[str, Any], wanted: Collection[str]
) -> dict[str, Column]:
    """Return the wanted fields (`event_id`, `payload.price`) of framed records, one row each.

    Strings come as numpy bytes, decimals as unscaled int64, a null as b'' or 0. Raises
    UndecodableError when a record does not end where its bytes do.
    """
    sizes = np.fromiter(map(len, values), np.int64, len(values))
    reader = _Reader(b"".join(values), np.cumsum(sizes) - sizes + FRAME, frozenset(wanted))
    rows = np.arange(len(values))
    reader.read(schema, rows, "")
    bad = np.flatnonzero(reader.at != np.cumsum(sizes))
    if len(bad):
        raise UndecodableError(
            f"{len(bad)} records do not fit {schema.get('name')}, first {bad[0]}"
        )
    missing = set(wanted) - set(reader.columns)
    if missing:
        raise UndecodableError(
            f"{schema.get('name')}: expected fields {sorted(missing)}, found none"
        )
    return reader.columns


class _Reader:
    """Walk a schema over a buffer, one field of all records at a time."""

    def __init__(self, data: bytes, at: NDArray[np.int64], wanted: frozenset[str]) -> None:
        self.at = at
        self.columns: dict[str, Column] = {}
        self._data = np.frombuffer(data + bytes(_PAD), np.uint8)
        self._wanted = wanted

    def read(self, kind: Any, rows: NDArray[np.intp], path: str) -> None:
        """Read one value of this Avro type for the rows, keeping it when its path is wanted."""
        if isinstance(kind, list):
            branch = self._long(rows)
            for number, option in enumerate(kind):
                self.read(option, rows[branch == number], path)
            if len(branch) and (branch.min() < 0 or branch.max() >= len(kind)):
                raise UndecodableError(
                    f"{path}: expected one of {len(kind)} branches, found another"
                )
            return
        name = kind["type"] if isinstance(kind, Mapping) else kind
        if name == "record":
            for field in kind["fields"]:
                self.read(field["type"], rows, f"{path}.{field['name']}".lstrip("."))
            return
        if name == "map":
            self._skip_map(kind["values"], rows)
            return
        if not isinstance(name, str):
            self.read(name, rows, path)
            return
        self._scalar(name, kind, rows, path)

    def _scalar(self, name: str, kind: Any, rows: NDArray[np.intp], path: str) -> None:
        if name == "null":
            return
        if not len(rows):  # no value at all still has a type
            decimal = isinstance(kind, Mapping) and kind.get("logicalType") == "decimal"
            text = name in ("string", "bytes") and not decimal
            dtype = "S1" if text else _DTYPES.get(name, "i8")
            self._keep(path, rows, np.zeros(0, dtype))
            return
        if name in ("string", "bytes"):
            is_decimal = isinstance(kind, Mapping) and kind.get("logicalType") == "decimal"
            self._sized(rows, path, is_decimal)
        elif name in ("int", "long"):
            self._keep(path, rows, self._long(rows))
        elif name in _DTYPES:
            self._keep(path, rows, self._fixed(rows, _DTYPES[name]))
        else:
            raise UndecodableError(f"{path}: expected a scalar, found {name}")

    def _keep(self, path: str, rows: NDArray[np.intp], found: Column) -> None:
        """Store values of some rows; rows without one stay zero or empty."""
        if path not in self._wanted:
            return
        if len(rows) == len(self.at):
            self.columns[path] = found
            return
        column = self.columns.get(path)
        if column is None:
            column = np.zeros(len(self.at), found.dtype)
        elif column.dtype != found.dtype:
            column = column.astype(np.promote_types(column.dtype, found.dtype))
        column[rows] = found
        self.columns[path] = column

    def _skip_map(self, values: Any, rows: NDArray[np.intp]) -> None:
        """Move past maps: blocks of entries, the last one of length zero."""
        while len(rows):
            count = self._long(rows)
            self._long(rows[count < 0])  # the block's size in bytes, where it is given
            count = np.abs(count)
            for entry in range(int(count.max())):
                self.read("string", rows[count > entry], "")
                self.read(values, rows[count > entry], "")
            rows = rows[count > 0]

    def _bytes(self, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return one byte at each position; behind the end of the buffer that is an error."""
        if len(at) and int(at.max()) >= len(self._data):
            raise UndecodableError("a record is shorter than its schema asks for")
        return self._data[at]

    def _long(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """Read zigzag varints."""
        at = self.at[rows]
        value = np.zeros(len(rows), np.uint64)
        open_ = np.arange(len(rows))
        for shift in range(0, 70, 7):
            byte = self._bytes(at[open_])
            value[open_] |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
            at[open_] += 1
            open_ = open_[byte >= 0x80]
            if not len(open_):
                break
        self.at[rows] = at
        sign = (value & np.uint64(1)).astype(np.int64)
        return (value >> np.uint64(1)).astype(np.int64) ^ -sign

    def _fixed(self, rows: NDArray[np.intp], dtype: str) -> Column:
        width = np.dtype(dtype).itemsize
        at = self.at[rows]
        found = self._bytes(at[:, None] + np.arange(width)).view(dtype).ravel()
        self.at[rows] = at + width
        return found

    def _sized(self, rows: NDArray[np.intp], path: str, is_decimal: bool) -> None:
        """Read a string, bytes or a decimal."""
        length = self._long(rows)
        at = self.at[rows]
        if int(length.min()) < 0 or int((at + length).max()) > len(self._data) - _PAD:
            raise UndecodableError(f"{path}: expected a length within the record, found another")
        self.at[rows] = at + length
        if path not in self._wanted:
            return
        if is_decimal:
            self._keep(path, rows, self._decimal(at, length, path))
            return
        width = max(int(length.max()), 1)
        place = np.arange(width)
        where = np.minimum(at[:, None] + place, len(self._data) - 1)
        text = np.where(place < length[:, None], self._data[where], 0).astype(np.uint8)
        self._keep(path, rows, text.view(f"S{width}").ravel())

    def _decimal(
        self, at: NDArray[np.int64], length: NDArray[np.int64], path: str
    ) -> NDArray[np.int64]:
        """Read big-endian two's complement."""
        if int(length.min()) < 1 or int(length.max()) > 8:
            raise UndecodableError(f"{path}: expected decimals of 1 to 8 bytes, found others")
        value = self._data[at].view(np.int8).astype(np.int64)
        for place in range(1, int(length.max())):
            more = length > place
            value[more] = (value[more] << 8) | self._data[at[more] + place]
        return value
