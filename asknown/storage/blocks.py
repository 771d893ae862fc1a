"""Blocks: one offset range of one Kafka partition, as the rows of one ClickHouse insert."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from asknown.contracts.catalog import Contract
from asknown.contracts.registry import DecodeError
from asknown.contracts.render import arrow_schema
from asknown.errors import AsknownError


class Decoder(Protocol):
    """What turns framed bytes into a nested record: an AvroCodec."""

    def decode(self, data: bytes | None) -> dict[str, Any]:
        """Return the nested record; raise DecodeError for bytes that are none."""


@dataclass(frozen=True)
class Block:
    """Rows of one offset range; `first` and `last` are the offsets of its outermost rows."""

    topic: str
    partition: int
    first: int
    last: int
    rows: pa.Table

    @property
    def token(self) -> str:
        """Return the name under which ClickHouse takes the block once only."""
        return f"{self.topic}:{self.partition}:{self.first}-{self.last}"


class BlockBuilder:
    """Build the blocks of one topic; keeps its column names and Arrow schema at hand."""

    def __init__(self, contract: Contract, decoder: Decoder) -> None:
        self._topic = contract.topic.name
        self._decoder = decoder
        self._schema = arrow_schema(contract)
        self._envelope = [f.name for f in contract.envelope]
        self._payload = [f.name for f in contract.payload]

    def build(self, partition: int, records: Sequence[tuple[int, bytes]]) -> Block | None:
        """Return the block of (offset, value) pairs in offset order; None without any data row.

        Raises `AsknownError` ASKNOWN-LOADER-001, with the coordinates, for a value that cannot be
        decoded or does not fit the contract: skipping it would lose data.
        """
        offsets: list[int] = []
        events: list[dict[str, Any]] = []
        for offset, value in records:
            try:
                event = self._decoder.decode(value)
            except DecodeError as error:
                raise self._broken(partition, f"offset {offset}", error) from error
            if event.get("payload") is not None:
                offsets.append(offset)
                events.append(event)
        if not events:
            return None
        try:
            rows = self._rows(partition, offsets, events)
        except (pa.ArrowException, TypeError, ValueError) as error:
            where = f"offsets {offsets[0]} to {offsets[-1]}"
            raise self._broken(partition, where, error) from error
        return Block(self._topic, partition, offsets[0], offsets[-1], rows)

    def _rows(self, partition: int, offsets: list[int], events: list[dict[str, Any]]) -> pa.Table:
        payloads = [event["payload"] for event in events]
        columns: dict[str, list[Any]] = {}
        for name in self._envelope:
            columns[name] = [event.get(name) for event in events]
        for name in self._payload:
            columns[name] = [payload.get(name) for payload in payloads]
        columns["kafka_partition"] = [partition] * len(events)
        columns["kafka_offset"] = offsets
        arrays = [self._array(f, columns[f.name]) for f in self._schema]
        table = pa.Table.from_arrays(arrays, schema=self._schema)
        table.validate()
        return table

    def _array(self, field: pa.Field, values: list[Any]) -> pa.Array:
        if pa.types.is_map(field.type):
            # A map of the record is a dict; Arrow wants its pairs, and ClickHouse has no null map.
            values = [list((value or {}).items()) for value in values]
        array = pa.array(values, type=field.type)
        if array.null_count and not field.nullable:
            raise ValueError(f"{array.null_count} rows have no {field.name}")
        return array

    def _broken(self, partition: int, where: str, error: Exception) -> AsknownError:
        return AsknownError(
            "ASKNOWN-LOADER-001",
            f"expected records of the contract of {self._topic}, found: {error}",
            where=f"{self._topic}[{partition}] {where}",
            hint="find out what wrote it; until it is mended the partition is not loaded further.",
        )
