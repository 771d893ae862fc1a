"""Read the contracts of tables that no topic feeds: what batches compute, and what they did.

`schemas/tables.yaml` says how each is cut; its columns are in `schemas/lake/<namespace>/`. The rows
are no events, so they have no envelope and no coordinates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import yaml

from asknown.contracts.catalog import SCHEMAS, Field, fields_of
from asknown.contracts.render import arrow_fields, iceberg_fields
from asknown.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema


@dataclass(frozen=True)
class LakeTable:
    """A table such as `gold.daily_bar`.

    `key` names a row. `partition_by` are pairs of a column and how it cuts the table: identity,
    day, month or year; `sort_by` is the order of the rows in a file.
    """

    name: str
    doc: str
    fields: tuple[Field, ...] = field(repr=False)
    key: tuple[str, ...]
    partition_by: tuple[tuple[str, str], ...]
    sort_by: tuple[str, ...]

    @property
    def namespace(self) -> str:
        """Return the namespace: gold or ops."""
        return self.name.partition(".")[0]

    def iceberg_schema(self) -> Schema:
        """Return the Iceberg schema; ids count from 1 in column order."""
        return iceberg_fields(self.fields)

    def arrow_schema(self) -> pa.Schema:
        """Return the Arrow schema; times are `timestamp[us]` without zone, in UTC."""
        return arrow_fields(self.fields)


@lru_cache(maxsize=1)
def lake_tables() -> Mapping[str, LakeTable]:
    """Return every such table by name, in the order of tables.yaml."""
    document = yaml.safe_load((SCHEMAS / "tables.yaml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _read(name, entry) for name, entry in document.items()})


def lake_table(name: str) -> LakeTable:
    """Return the contract of a table such as `gold.daily_bar`.

    Raises `UsageError` ASKNOWN-CONTRACT-005 when there is none.
    """
    known = lake_tables()
    if name in known:
        return known[name]
    raise UsageError(
        "ASKNOWN-CONTRACT-005",
        f"expected a table of schemas/tables.yaml, found {name!r}.",
        hint=f"use one of: {', '.join(known)}.",
    )


def _read(name: str, entry: Mapping[str, Any]) -> LakeTable:
    namespace, _, noun = name.partition(".")
    path = SCHEMAS / "lake" / namespace / f"{noun}.avsc"
    avro: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return LakeTable(
        name=name,
        doc=avro["doc"],
        fields=fields_of(avro, path),
        key=tuple(entry["key"]),
        partition_by=tuple(entry.get("partition_by", {}).items()),
        sort_by=tuple(entry.get("sort_by", entry["key"])),
    )
