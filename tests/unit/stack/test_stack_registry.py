"""The registry answers as Confluent's does, to Confluent's own client, and forgets nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError


def record(*fields: dict[str, Any], name: str = "asknown.raw.Trade") -> str:
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


A = {"name": "a", "type": "int"}
B = {"name": "b", "type": ["null", "string"], "default": None}
B_REQUIRED = {"name": "b", "type": "string"}


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name}-value"


@pytest.fixture
def client(registry: Any) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": registry.url}) as opened:
        yield opened


def avro(text: str) -> Schema:
    return Schema(text, "AVRO")


def test_registered_schema_is_found_by_id_and_by_subject(
    client: SchemaRegistryClient, subject: str
) -> None:
    schema_id = client.register_schema(subject, avro(record(A)))
    latest = client.get_latest_version(subject)
    assert client.get_schema(schema_id).schema_str == record(A)
    assert (latest.version, latest.schema_id) == (1, schema_id)
    assert subject in client.get_subjects()
    assert client.get_versions(subject) == [1]
    assert client.lookup_schema(subject, avro(record(A))).version == 1


def test_same_schema_written_otherwise_keeps_its_id(
    client: SchemaRegistryClient, subject: str
) -> None:
    first = client.register_schema(subject, avro(record(A)))
    other = json.dumps(
        {
            "fields": [{"type": {"type": "int"}, "name": "a", "doc": "A number."}],
            "namespace": "asknown.raw",
            "name": "Trade",
            "type": "record",
        },
        indent=2,
    )
    assert client.register_schema(subject, avro(other)) == first
    assert client.register_schema(f"another-{subject}", avro(other)) == first
    assert client.get_versions(subject) == [1]


def test_schema_with_another_default_is_another_schema(
    client: SchemaRegistryClient, subject: str
) -> None:
    first = client.register_schema(subject, avro(record(A, {**B, "default": None})))
    changed = {"name": "b", "type": ["string", "null"], "default": "x"}
    assert client.register_schema(subject, avro(record(A, changed))) != first


def test_incompatible_schema_is_refused_with_409_and_the_place(
    client: SchemaRegistryClient,
    subject: str,
) -> None:
    client.register_schema(subject, avro(record(A)))
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema(subject, avro(record(A, B_REQUIRED)))
    assert (caught.value.http_status_code, caught.value.error_code) == (409, 409)
    assert "/b: reader's field has no default" in caught.value.error_message
    assert client.get_versions(subject) == [1]


def test_level_of_a_subject_decides_what_it_accepts(
    client: SchemaRegistryClient, subject: str
) -> None:
    client.register_schema(subject, avro(record(A)))
    client.set_compatibility(subject, "NONE")
    client.register_schema(subject, avro(record(A, B_REQUIRED)))
    assert client.get_compatibility(subject) == "NONE"
    assert client.get_compatibility() == "BACKWARD"
    assert client.get_versions(subject) == [1, 2]


def test_compatibility_is_tested_without_registering(
    client: SchemaRegistryClient, subject: str
) -> None:
    client.register_schema(subject, avro(record(A)))
    assert client.test_compatibility(subject, avro(record(A, B)))
    assert not client.test_compatibility(subject, avro(record(A, B_REQUIRED)))
    assert client.get_versions(subject) == [1]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/subjects/none/versions", None, 40401),
        ("GET", "/subjects/none/versions/latest", None, 40401),
        ("POST", "/subjects/none", {"schema": '"int"'}, 40401),
        ("GET", "/subjects/known/versions/9", None, 40402),
        ("GET", "/subjects/known/versions/x", None, 42202),
        ("POST", "/subjects/known", {"schema": '"int"'}, 40403),
        ("GET", "/schemas/ids/999", None, 40403),
        ("POST", "/subjects/known/versions", {"schema": "{"}, 42201),
        ("POST", "/subjects/known/versions", {"schema": '{"type": "no"}'}, 42201),
        ("POST", "/subjects/known/versions", {"schema": "{}", "schemaType": "JSON"}, 42201),
        ("PUT", "/config/known", {"compatibility": "SIDEWARD"}, 42203),
        ("GET", "/config/known", None, 40408),
    ],
)
def test_error_has_confluents_status_and_code(
    registry: Any, method: str, path: str, body: Any, code: int
) -> None:
    httpx2.post(f"{registry.url}/subjects/known/versions", json={"schema": '"string"'})
    answer = httpx2.request(method, f"{registry.url}{path}", json=body)
    assert answer.json()["error_code"] == code
    assert answer.status_code == code // 100


def test_endpoints_by_id_and_types_answer(registry: Any) -> None:
    url = registry.url
    posted = httpx2.post(f"{url}/subjects/mine/versions", json={"schema": '"bytes"'}).json()
    assert httpx2.get(f"{url}/").json() == {}
    assert httpx2.get(f"{url}/schemas/types").json() == ["AVRO"]
    uses = httpx2.get(f"{url}/schemas/ids/{posted['id']}/versions").json()
    assert uses == [{"subject": "mine", "version": 1}]
    assert httpx2.get(f"{url}/subjects/mine/versions/1/schema").json() == "bytes"
    assert httpx2.get(f"{url}/config/mine?defaultToGlobal=true").status_code == 200


def test_killed_registry_has_lost_no_answered_registration(registry: Any) -> None:
    def register(number: int) -> tuple[int, str]:
        schema = record(A, name=f"R{number}")
        with SchemaRegistryClient({"url": registry.url}) as client:
            return client.register_schema(f"s{number}", avro(schema)), schema

    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(register, range(20)))
    registry.kill()
    registry.start()
    assert len({schema_id for schema_id, _ in answered}) == 20
    with SchemaRegistryClient({"url": registry.url}) as client:
        found = [client.get_schema(schema_id).schema_str for schema_id, _ in answered]
    assert found == [schema for _, schema in answered]
