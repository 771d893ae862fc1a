"""Talk to the schema registry, and turn records into framed Avro and back.

Framing is Confluent's: a zero byte, the schema id in four bytes (big-endian), the Avro body.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from types import TracebackType
from typing import Any, Self, cast

import fastavro
import httpx2

from asknown.contracts.catalog import contract, contracts
from asknown.errors import AsknownError, UnreachableError, UsageError

MAGIC = 0
HEADER = struct.Struct(">BI")
ATTEMPTS = 6
FIRST_PAUSE_S = 0.2
TIMEOUT_S = 5.0
_MEDIA = "application/vnd.schemaregistry.v1+json"

Record = dict[str, Any]


class DecodeError(AsknownError):
    """Report bytes that are no record; `reason` is one of the DECODE_* reason codes."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(
            "ASKNOWN-CONTRACT-010",
            message,
            hint="the record belongs in quarantine; find it by its topic, partition and offset.",
        )
        self.reason = reason


class RegistryClient:
    """Client of a registry with the Confluent endpoints; schemas are kept once fetched.

    Connection failures and 5xx answers are tried again up to `attempts` times with doubling
    pauses, then raise `UnreachableError` ASKNOWN-REGISTRY-001.
    """

    def __init__(self, url: str, *, attempts: int = ATTEMPTS) -> None:
        self.url = url.rstrip("/")
        self._attempts = attempts
        self._http = httpx2.Client(timeout=TIMEOUT_S, headers={"content-type": _MEDIA})
        self._schemas: dict[int, Record] = {}

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def register(self, subject: str, avro: Record) -> int:
        """Register a schema under a subject and return its id; the same schema keeps its id.

        Raises `UsageError` ASKNOWN-REGISTRY-002 when it is refused, e.g. as incompatible.
        """
        body = {"schema": json.dumps(avro), "schemaType": "AVRO"}
        answer = self._call("POST", f"/subjects/{subject}/versions", body)
        return int(_accepted(answer, f"schema of {subject}")["id"])

    def schema(self, schema_id: int) -> Record:
        """Return the schema with an id.

        Raises `DecodeError` with DECODE_UNKNOWN_SCHEMA when the registry has no such id.
        """
        if schema_id not in self._schemas:
            answer = self._call("GET", f"/schemas/ids/{schema_id}")
            if answer.status_code in (404, 422):
                raise DecodeError(
                    "DECODE_UNKNOWN_SCHEMA", f"expected a known schema id, found {schema_id}."
                )
            found = _accepted(answer, f"schema id {schema_id}")
            self._schemas[schema_id] = json.loads(found["schema"])
        return self._schemas[schema_id]

    def registered(self, subject: str) -> list[tuple[int, str]]:
        """Return the (version, schema text) pairs of a subject, oldest first; none is no error."""
        answer = self._call("GET", f"/subjects/{subject}/versions")
        if answer.status_code == 404:
            return []
        numbers = cast(list[int], _accepted(answer, f"versions of {subject}"))
        return [(number, self._version(subject, number)) for number in numbers]

    def _version(self, subject: str, number: int) -> str:
        answer = self._call("GET", f"/subjects/{subject}/versions/{number}")
        return str(_accepted(answer, f"version {number} of {subject}")["schema"])

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set what the registry demands of new versions of a subject."""
        answer = self._call("PUT", f"/config/{subject}", {"compatibility": level})
        _accepted(answer, f"compatibility {level} of {subject}")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        pause = FIRST_PAUSE_S
        found = ""
        for attempt in range(self._attempts):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                answer = self._http.request(method, self.url + path, json=body)
            except httpx2.TransportError as error:
                found = str(error) or type(error).__name__
                continue
            if answer.status_code < 500:
                return answer
            found = f"status {answer.status_code}"
        raise UnreachableError(
            "ASKNOWN-REGISTRY-001",
            f"expected an answer from the schema registry, found: {found}.",
            where=self.url + path,
            hint="`asknown status` shows whether it runs; `asknown up` starts it.",
        )


def _accepted(answer: Any, what: str) -> Record:
    if answer.status_code == 200:
        return cast(Record, answer.json())
    raise UsageError(
        "ASKNOWN-REGISTRY-002",
        f"expected the registry to accept {what}, found {answer.status_code}: {answer.text}",
        where=str(answer.url),
        hint="compare the schema with the registered versions of its subject.",
    )


class AvroCodec:
    """Encode and decode framed Avro. Not for use by several threads at once."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._writers: dict[int, Any] = {}

    def encoder(self, topic: str) -> Callable[[Record], bytes]:
        """Return a function from nested records to framed bytes of the topic's schema.

        The schema is registered now, once. Times may be milliseconds or aware datetimes. The
        function raises `ValueError` or `TypeError` for a record that does not fit the schema.
        """
        found = contract(topic)
        schema_id = self._client.register(found.topic.subject, found.avro)
        header = HEADER.pack(MAGIC, schema_id)
        buffer = BytesIO()
        schema = found.parsed
        write = fastavro.schemaless_writer

        def encode(record: Record) -> bytes:
            buffer.seek(0)
            buffer.truncate()
            buffer.write(header)
            write(buffer, schema, record)
            return buffer.getvalue()

        return encode

    def decode(self, data: bytes | None) -> Record:
        """Return the nested record in framed bytes; prices as Decimal, times as aware datetimes.

        Raises `DecodeError` for anything that is no record, `UnreachableError` when the registry
        does not answer.
        """
        if data is None:
            raise DecodeError("DECODE_NULL_VALUE", "expected a value, found none.")
        if not data:
            raise DecodeError("DECODE_TRUNCATED", "expected a framed record, found 0 bytes.")
        if data[0] != MAGIC:
            raise DecodeError("DECODE_BAD_MAGIC", f"expected byte 0 first, found {data[0]}.")
        if len(data) < HEADER.size:
            raise DecodeError("DECODE_TRUNCATED", f"expected 5 bytes or more, found {len(data)}.")
        schema = self._writer_schema(HEADER.unpack_from(data)[1])
        body = BytesIO(data)
        body.seek(HEADER.size)
        try:
            record = fastavro.schemaless_reader(body, schema, None)
        except (
            Exception
        ) as error:  # any bytes can come; the decoder's failures are not a closed set
            found = f"{type(error).__name__}: {error}"
            raise DecodeError(
                "DECODE_TRUNCATED", f"expected a record of its schema, found {found}."
            ) from error
        if not isinstance(record, dict):
            raise DecodeError("DECODE_TRUNCATED", "expected a record, found another Avro type.")
        return record

    def _writer_schema(self, schema_id: int) -> Any:
        if schema_id not in self._writers:
            self._writers[schema_id] = fastavro.parse_schema(self._client.schema(schema_id))
        return self._writers[schema_id]


def register_all(client: RegistryClient) -> None:
    """Register every contract under its topic's subject, with the compatibility it asks for."""
    for found in contracts().values():
        client.set_compatibility(found.topic.subject, found.topic.compatibility)
        client.register(found.topic.subject, found.avro)
