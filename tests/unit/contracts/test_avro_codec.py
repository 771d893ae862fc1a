"""Framed Avro: what is written is read back, and no bytes do harm."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.contracts.registry import AvroCodec, DecodeError, RegistryClient
from asknown.errors import UnreachableError, UsageError
from asknown.quality.reasons import Reason


class Registry(BaseHTTPRequestHandler):
    """The three endpoints a codec needs, in memory; the first request can be made to fail."""

    schemas: list[str] = []
    failures = 0

    def do_POST(self) -> None:
        """Register a schema."""
        schema = json.loads(self._body())["schema"]
        if '"name": "Refused"' in schema:
            return self._reply(409, {"error_code": 409, "message": "incompatible"})
        if schema not in self.schemas:
            self.schemas.append(schema)
        return self._reply(200, {"id": self.schemas.index(schema) + 1})

    def do_GET(self) -> None:
        """Fetch a schema by its id."""
        if type(self).failures:
            type(self).failures -= 1
            return self._reply(503, {})
        number = int(self.path.rpartition("/")[2])
        if not 0 < number <= len(self.schemas):
            return self._reply(404, {"error_code": 40403, "message": "Schema not found"})
        return self._reply(200, {"schema": self.schemas[number - 1]})

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def _reply(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def codec(url: str) -> Iterator[AvroCodec]:
    with RegistryClient(url, attempts=2) as client:
        yield AvroCodec(client)


def trade(price: Decimal = Decimal("101.25"), at_ms: int = 1_700_000_000_123) -> dict:
    payload = {
        "source_system": "test",
        "symbol": "AAA",
        "price": price,
        "size": Decimal("3"),
        "sequence": 7,
        "event_time_ns": None,
        "extra": {"condition": "@"},
    }
    return {
        "event_id": "0123456789abcdef",
        "event_time": at_ms,
        "ingest_time": at_ms,
        "source": "test",
        "schema_version": 1,
        "entity_id": "XTST:EQ:AAA",
        "payload": payload,
    }


@given(
    price=st.decimals(min_value=-(10**9), max_value=10**9, places=8),
    at_ms=st.integers(min_value=0, max_value=4_000_000_000_000),
)
@settings(max_examples=50, deadline=None)
def test_a_record_encoded_and_decoded_is_the_same_record(codec: AvroCodec, price, at_ms):
    decoded = codec.decode(codec.encoder("raw.trade")(trade(price, at_ms)))
    expected = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    assert decoded["payload"]["price"] == price
    assert decoded["event_time"] == expected
    assert decoded["payload"]["extra"] == {"condition": "@"}


def test_encoding_twice_gives_equal_bytes(codec: AvroCodec):
    encode = codec.encoder("raw.trade")
    first = encode(trade())
    encode(trade(Decimal("123456789.12345678")))
    assert encode(trade()) == first


def test_a_heartbeat_has_no_payload(codec: AvroCodec):
    record = {**trade(), "source": "heartbeat", "payload": None}
    assert codec.decode(codec.encoder("raw.trade")(record))["payload"] is None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, Reason.DECODE_NULL_VALUE),
        (b"", Reason.DECODE_TRUNCATED),
        (b"\x00\x00", Reason.DECODE_TRUNCATED),
        (b'{"price": 1}', Reason.DECODE_BAD_MAGIC),
        (b"\x00\x7f\xff\xff\xff\x02", Reason.DECODE_UNKNOWN_SCHEMA),
        (b"\x00\x00\x00\x00\x01", Reason.DECODE_TRUNCATED),
    ],
)
def test_bytes_that_are_no_record_are_named_by_their_reason(codec: AvroCodec, data, reason):
    codec.encoder("raw.trade")
    with pytest.raises(DecodeError) as caught:
        codec.decode(data)
    assert caught.value.reason == reason


@given(body=st.binary(max_size=200), cut=st.integers(min_value=0, max_value=80))
@settings(max_examples=200, deadline=None)
def test_any_bytes_behind_a_good_header_give_a_record_or_a_reason(codec: AvroCodec, body, cut):
    good = codec.encoder("raw.trade")(trade())
    for data in (good[:5] + body, good[:cut], good[:cut] + body):
        try:
            assert isinstance(codec.decode(data), dict)
        except DecodeError as error:
            assert error.reason in set(Reason)


def test_a_failing_registry_is_asked_again(url: str, codec: AvroCodec):
    data = codec.encoder("raw.trade")(trade())
    Registry.failures = 1
    with RegistryClient(url, attempts=3) as client:
        assert AvroCodec(client).decode(data)["event_id"] == "0123456789abcdef"


def test_an_absent_registry_is_unreachable_and_not_poison():
    with (
        RegistryClient("http://127.0.0.1:9", attempts=2) as client,
        pytest.raises(UnreachableError) as caught,
    ):
        AvroCodec(client).decode(b"\x00\x00\x00\x00\x01\x02")
    assert caught.value.code == "ASKNOWN-REGISTRY-001"


def test_a_refused_schema_says_so(url: str):
    with RegistryClient(url) as client, pytest.raises(UsageError) as caught:
        client.register("x-value", {"type": "record", "name": "Refused", "fields": []})
    assert caught.value.code == "ASKNOWN-REGISTRY-002"
