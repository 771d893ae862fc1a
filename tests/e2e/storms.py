"""What a storm adds to a session: half way, the producer writes a newer version of the schema."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from io import BytesIO
from typing import Any

import fastavro

from asknown.contracts.catalog import contract
from asknown.contracts.registry import HEADER, MAGIC, AvroCodec, Record, RegistryClient
from asknown.ingestion.connectors.synthetic import TOPIC, Session
from asknown.ingestion.event import Delivery, Event, Settle

ADDED = "trade_condition"
CONDITION = "@"


def evolved(avro: dict[str, Any]) -> dict[str, Any]:
    """Return a contract's schema with one optional field more, in the middle of its payload."""
    newer = deepcopy(avro)
    payload = next(one for one in newer["fields"] if one["name"] == "payload")["type"][1]
    field = {"name": ADDED, "type": ["null", "string"], "default": None}
    payload["fields"].insert(2, field)
    return newer


class TwoVersions(AvroCodec):
    """Writes trades that have the new field by the newer schema, everything else as ever."""

    def __init__(self, client: RegistryClient) -> None:
        super().__init__(client)
        self._registry = client

    def encoder(self, topic: str) -> Callable[[Record], bytes]:
        """Return the encoder of a topic; the newer schema is registered with the first record."""
        older = super().encoder(topic)
        newer: list[Callable[[Record], bytes]] = []

        def encode(record: Record) -> bytes:
            if topic != TOPIC or ADDED not in (record["payload"] or {}):
                return older(record)
            if not newer:
                newer.append(self._newer())
            return newer[0](record)

        return encode

    def _newer(self) -> Callable[[Record], bytes]:
        found = contract(TOPIC)
        avro = evolved(found.avro)
        header = HEADER.pack(MAGIC, self._registry.register(found.topic.subject, avro))
        schema = fastavro.parse_schema(avro)

        def encode(record: Record) -> bytes:
            body = BytesIO()
            fastavro.schemaless_writer(body, schema, record)
            return header + body.getvalue()

        return encode


def upgraded(session: Session) -> Session:
    """Return the session whose producer adds a field to what it sees first in its second half.

    What was sent before and is sent again is the same bytes, of the older schema.
    """
    clocks = [one.clock_ms for one in session.deliveries]
    half = (clocks[0] + clocks[-1]) // 2
    return replace(session, deliveries=[_upgraded(one, half) for one in session.deliveries])


def _upgraded(one: Delivery | Settle, since_ms: int) -> Delivery | Settle:
    if isinstance(one, Settle) or not isinstance(one.item, Event):
        return one
    seen = one.item.ingest_time_ms
    if seen is None or seen < since_ms:
        return one
    return replace(one, item=replace(one.item, payload={**one.item.payload, ADDED: CONDITION}))
