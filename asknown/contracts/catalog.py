"""Read the contracts: `schemas/topics.yaml` and one Avro schema per topic.

A topic `<layer>.<dataset>` has its schema in `schemas/<layer>/<dataset>.avsc`. These files are the
only place where a column is named; every DDL is rendered from what this module returns.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import fastavro
import yaml

from asknown.errors import UsageError
from asknown.settings import CHECKOUT

SCHEMAS = CHECKOUT / "schemas"
PAYLOAD = "payload"
HEARTBEAT = "heartbeat"
DERIVED_MAX_BYTES = 32 * 1024 * 1024  # of a record that a job writes, with what it quotes

Kind = Literal["string", "int", "long", "double", "bytes", "date", "timestamp", "decimal", "map"]

_PRIMITIVES: Mapping[str, Kind] = {
    "string": "string",
    "int": "int",
    "long": "long",
    "double": "double",
    "bytes": "bytes",
}
_LOGICAL: Mapping[str, Kind] = {
    "timestamp-millis": "timestamp",
    "date": "date",
    "decimal": "decimal",
}


@dataclass(frozen=True)
class FieldType:
    """Type of one column; precision and scale are those of a decimal, else 0."""

    kind: Kind
    precision: int = 0
    scale: int = 0


@dataclass(frozen=True)
class Field:
    """One column of a contract."""

    name: str
    type: FieldType
    nullable: bool
    doc: str


@dataclass(frozen=True)
class Sla:
    """What is promised of a dataset: how new it is, in open-session time, and how complete."""

    freshness_seconds: int
    completeness: float | None = None
    calendar: Literal["venue", "always"] = "venue"


@dataclass(frozen=True)
class Topic:
    """How a topic is cut, kept and read: one entry of topics.yaml."""

    name: str
    layer: str
    dataset: str
    partitions: int
    cleanup: str
    retention_hours: int
    out_of_orderness_ms: int
    compatibility: str
    table: str
    key: tuple[str, ...] = ()
    clock: str = "event_time"
    sla: Sla | None = None

    @property
    def namespace(self) -> str:
        """Return the store namespace: bronze, silver, gold or ops."""
        return self.table.partition(".")[0]

    @property
    def subject(self) -> str:
        """Return the registry subject of the topic's values."""
        return f"{self.name}-value"


@dataclass(frozen=True)
class Contract:
    """A topic and the Avro schema of its records."""

    topic: Topic
    avro: dict[str, Any] = field(compare=False, repr=False)
    envelope: tuple[Field, ...] = field(repr=False)
    payload: tuple[Field, ...] = field(repr=False)
    parsed: Any = field(compare=False, repr=False)


@lru_cache(maxsize=1)
def contracts() -> Mapping[str, Contract]:
    """Return every contract by topic name, in the order of topics.yaml.

    Raises `UsageError` ASKNOWN-CONTRACT-002 for a topic without a schema and
    ASKNOWN-CONTRACT-003 for a type that no store can hold.
    """
    document = yaml.safe_load((SCHEMAS / "topics.yaml").read_text(encoding="utf-8"))
    defaults = document["defaults"]
    found = {
        name: _read(_topic(name, {**defaults, **(entry or {})}))
        for name, entry in document["topics"].items()
    }
    return MappingProxyType(found)


def contract(topic: str) -> Contract:
    """Return the contract of a topic such as `raw.trade`.

    Raises `UsageError` ASKNOWN-CONTRACT-001, with the nearest names, when there is none.
    """
    known = contracts()
    if topic in known:
        return known[topic]
    near = difflib.get_close_matches(topic, known, n=3, cutoff=0.4) or list(known)
    raise UsageError(
        "ASKNOWN-CONTRACT-001",
        f"expected the name of a topic, found {topic!r}.",
        hint=f"use one of: {', '.join(near)}.",
    )


def envelope_schema() -> dict[str, Any]:
    """Return the Avro schema of the envelope alone."""
    schema: dict[str, Any] = json.loads((SCHEMAS / "envelope.avsc").read_text(encoding="utf-8"))
    return schema


def _topic(name: str, entry: Mapping[str, Any]) -> Topic:
    layer, _, dataset = name.partition(".")
    return Topic(
        name=name,
        layer=layer,
        dataset=dataset,
        partitions=int(entry["partitions"]),
        cleanup=str(entry["cleanup"]),
        retention_hours=int(entry["retention_hours"]),
        out_of_orderness_ms=int(entry["out_of_orderness_ms"]),
        compatibility=str(entry["compatibility"]),
        table=str(entry["table"]),
        key=tuple(entry.get("key", ())),
        clock=str(entry["clock"]),
        sla=Sla(**entry["sla"]) if "sla" in entry else None,
    )


def _read(topic: Topic) -> Contract:
    path = SCHEMAS / topic.layer / f"{topic.dataset}.avsc"
    if not path.is_file():
        raise UsageError(
            "ASKNOWN-CONTRACT-002",
            f"topic {topic.name} is in topics.yaml, its schema is missing.",
            where=str(path),
            hint="write the schema or take the topic out of topics.yaml.",
        )
    avro: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    record = next(f for f in avro["fields"] if f["name"] == PAYLOAD)["type"][1]
    envelope, payload = fields_of(avro, path), fields_of(record, path)
    return Contract(topic, avro, envelope, payload, fastavro.parse_schema(avro))


def fields_of(record: Mapping[str, Any], path: Path) -> tuple[Field, ...]:
    """Return the columns of an Avro record of the file `path`; a payload is none."""
    return tuple(_field(f, path) for f in record["fields"] if f["name"] != PAYLOAD)


def _field(entry: Mapping[str, Any], path: Path) -> Field:
    kind = entry["type"]
    nullable = isinstance(kind, list)
    if nullable:
        kind = next(branch for branch in kind if branch != "null")
    return Field(entry["name"], _type(kind, entry["name"], path), nullable, entry.get("doc", ""))


def _type(avro: Any, name: str, path: Path) -> FieldType:
    if isinstance(avro, str) and avro in _PRIMITIVES:
        return FieldType(_PRIMITIVES[avro])
    if isinstance(avro, dict) and avro.get("logicalType") in _LOGICAL:
        kind = _LOGICAL[avro["logicalType"]]
        return FieldType(kind, avro.get("precision", 0), avro.get("scale", 0))
    if isinstance(avro, dict) and (avro.get("type"), avro.get("values")) == (
        "map",
        "string",
    ):
        return FieldType("map")
    raise UsageError(
        "ASKNOWN-CONTRACT-003",
        f"expected a type that every store can hold for field {name!r}, found {avro!r}.",
        where=str(path),
        hint=f"use {', '.join([*_PRIMITIVES, *_LOGICAL])} or a map of strings.",
    )
