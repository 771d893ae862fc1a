"""What the development registry answers: one table, kept as a page in docs/schemas.md.

Each line is asked in the order of the table, of one registry that starts empty. The same is then
asked through Confluent's own client, plain and async, and through its Avro serializers.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from confluent_kafka.schema_registry import (
    AsyncSchemaRegistryClient,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from asknown.contracts.compatibility import canonical
from asknown.settings import CHECKOUT
from asknown.stack.registry_store import Store
from tests.unit.stack.conftest import RegistryServer

PAGE = CHECKOUT / "docs" / "schemas.md"
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


def record(*names: str, **more: Any) -> str:
    """Return a record whose first field is required, the others optional."""
    fields: list[Any] = [{"name": names[0], "type": "int"}]
    fields += [{"name": n, "type": ["null", "string"], "default": None} for n in names[1:]]
    return json.dumps({"type": "record", "name": "R", "fields": fields, **more})


ONE, TWO, BROKEN = record("a"), record("a", "b"), record("z")
S1, S2, S3 = ({"schema": text} for text in (ONE, TWO, BROKEN))
STRICT = {"compatibility": "BACKWARD_TRANSITIVE"}
REFERENCE = {"name": "R", "subject": "s", "version": 1}


class Line(NamedTuple):
    """One request and what is answered: the status and, in short, the body."""

    method: str
    path: str
    body: Any
    status: int
    answer: Any  # the body itself, or the set of its keys, or an error code


KEYS = {"subject", "version", "id", "schemaType", "schema"}
TABLE = [
    Line("GET", "/", None, 200, {}),
    Line("GET", "/subjects", None, 200, []),
    Line("GET", "/schemas/types", None, 200, ["AVRO"]),
    Line("GET", "/contexts", None, 200, ["."]),
    Line("GET", "/v1/metadata/id", None, 200, {"id", "scope"}),
    Line("GET", "/v1/metadata/version", None, 200, {"version", "commitId"}),
    # registering and finding
    Line("POST", "/subjects/s/versions", S1, 200, {"id", "version", "schema"}),
    Line("POST", "/subjects/s/versions?normalize=true", S2, 200, {"id", "version", "schema"}),
    Line("POST", "/subjects/s/versions", S3, 409, 409),
    Line("POST", "/subjects/s/versions", {"schema": "{"}, 422, 42201),
    Line("POST", "/subjects/s/versions", {"schema": ""}, 422, 42201),
    Line("POST", "/subjects/s/versions", {**S1, "schemaType": "JSON"}, 422, 42201),
    Line("POST", "/subjects/s/versions", {**S1, "references": [REFERENCE]}, 422, 42201),
    Line("POST", "/subjects/s/versions", [], 422, 422),
    Line("GET", "/subjects?subjectPrefix=s", None, 200, ["s"]),
    Line("GET", "/subjects?offset=1&limit=1", None, 200, []),
    Line("GET", "/subjects/s/versions", None, 200, [1, 2]),
    Line("GET", "/subjects/none/versions", None, 404, 40401),
    Line("GET", "/subjects/s/versions/1", None, 200, KEYS),
    Line("GET", "/subjects/s/versions/latest", None, 200, KEYS),
    Line("GET", "/subjects/s/versions/-1", None, 200, KEYS),
    Line("GET", "/subjects/s/versions/9", None, 404, 40402),
    Line("GET", "/subjects/s/versions/x", None, 422, 42202),
    Line("GET", "/subjects/s/versions/1/schema", None, 200, json.loads(ONE)),
    Line("GET", "/subjects/s/versions/1/referencedby", None, 200, []),
    Line("POST", "/subjects/s?normalize=false&deleted=false", S1, 200, KEYS),
    Line("POST", "/subjects/s", S3, 404, 40403),
    Line("POST", "/subjects/none", S1, 404, 40401),
    # by id
    Line("GET", "/schemas/ids/1", None, 200, {"schema": ONE}),
    Line("GET", "/schemas/ids/1?fetchMaxId=true&subject=s", None, 200, {"schema", "maxId"}),
    Line("GET", "/schemas/ids/1/schema", None, 200, json.loads(ONE)),
    Line("GET", "/schemas/ids/1/versions", None, 200, [{"subject": "s", "version": 1}]),
    Line("GET", "/schemas/ids/1/subjects", None, 200, ["s"]),
    Line("GET", "/schemas/ids/9", None, 404, 40403),
    Line("GET", "/schemas/ids/x", None, 404, 404),
    Line("GET", "/schemas?latestOnly=true", None, 200, [KEYS]),
    # compatibility
    Line("POST", "/compatibility/subjects/s/versions/1", S2, 200, {"is_compatible": True}),
    Line("POST", "/compatibility/subjects/s/versions/latest", S3, 200, {"is_compatible": False}),
    Line(
        "POST",
        "/compatibility/subjects/s/versions?verbose=true",
        S3,
        200,
        {"is_compatible", "messages"},
    ),
    Line("POST", "/compatibility/subjects/none/versions", S3, 200, {"is_compatible": True}),
    Line("POST", "/compatibility/subjects/none/versions/latest", S3, 404, 40401),
    Line("GET", "/config", None, 200, {"compatibilityLevel": "BACKWARD"}),
    Line("PUT", "/config", {"compatibility": "FULL"}, 200, {"compatibility": "FULL"}),
    Line("GET", "/config", None, 200, {"compatibilityLevel": "FULL"}),
    Line("DELETE", "/config", None, 200, {"compatibilityLevel": "FULL"}),
    Line("GET", "/config/s", None, 404, 40408),
    Line("GET", "/config/s?defaultToGlobal=true", None, 200, {"compatibilityLevel": "BACKWARD"}),
    Line("PUT", "/config/s", STRICT, 200, STRICT),
    Line("GET", "/config/s", None, 200, {"compatibilityLevel": "BACKWARD_TRANSITIVE"}),
    Line("PUT", "/config/s", {"compatibility": "SIDEWARD"}, 422, 42203),
    Line("DELETE", "/config/s", None, 200, {"compatibilityLevel": "BACKWARD_TRANSITIVE"}),
    Line("DELETE", "/config/s", None, 404, 40401),
    # modes
    Line("GET", "/mode", None, 200, {"mode": "READWRITE"}),
    Line("GET", "/mode/s", None, 404, 40409),
    Line("GET", "/mode/s?defaultToGlobal=true", None, 200, {"mode": "READWRITE"}),
    Line("PUT", "/mode/s", {"mode": "READONLY"}, 200, {"mode": "READONLY"}),
    Line("POST", "/subjects/s/versions", S1, 422, 42205),
    Line("DELETE", "/subjects/s", None, 422, 42205),
    Line("PUT", "/mode/s", {"mode": "IMPORT"}, 422, 42204),
    Line("DELETE", "/mode/s", None, 200, {"mode": "READONLY"}),
    Line("DELETE", "/mode/s", None, 404, 40401),
    Line("PUT", "/mode", {"mode": "READWRITE"}, 200, {"mode": "READWRITE"}),
    # deleting: first soft, then for good; an id stays with its schema
    Line("DELETE", "/subjects/s/versions/2?permanent=true", None, 404, 40407),
    Line("DELETE", "/subjects/s/versions/2", None, 200, 2),
    Line("DELETE", "/subjects/s/versions/2", None, 404, 40406),
    Line("GET", "/subjects/s/versions", None, 200, [1]),
    Line("GET", "/subjects/s/versions?deleted=true", None, 200, [1, 2]),
    Line("GET", "/subjects/s/versions?deletedOnly=true", None, 200, [2]),
    Line("GET", "/subjects/s/versions/2", None, 404, 40402),
    Line("GET", "/subjects/s/versions/2?deleted=true", None, 200, KEYS),
    Line("GET", "/schemas/ids/2", None, 200, {"schema": TWO}),
    Line("POST", "/subjects/s", S2, 404, 40403),
    Line("POST", "/subjects/s?deleted=true", S2, 200, KEYS),
    Line("DELETE", "/subjects/s/versions/2?permanent=true", None, 200, 2),
    Line("GET", "/schemas/ids/2", None, 404, 40403),
    Line("DELETE", "/subjects/s?permanent=true", None, 404, 40405),
    Line("DELETE", "/subjects/s", None, 200, [1]),
    Line("DELETE", "/subjects/s", None, 404, 40404),
    Line("GET", "/subjects/s/versions", None, 404, 40401),
    Line("GET", "/subjects?deleted=true", None, 200, ["s"]),
    Line("GET", "/subjects?deletedOnly=true", None, 200, ["s"]),
    Line("DELETE", "/subjects/s?permanent=true", None, 200, [1]),
    Line("GET", "/subjects?deleted=true", None, 200, []),
    Line("DELETE", "/subjects/none", None, 404, 40401),
    # anything else
    Line("GET", "/nothing", None, 404, 404),
    Line("PATCH", "/subjects", None, 405, 405),
]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx2.Response]]:
    """Ask a registry of its own every line of the table, in order."""
    server = RegistryServer(tmp_path_factory.mktemp("conformance"))
    with httpx2.Client(base_url=server.url) as http:
        yield [http.request(line.method, line.path, json=line.body) for line in TABLE]
    server.kill()


def shape(body: Any, like: Any) -> Any:
    """Return of a body what a line of the table says about it."""
    if isinstance(like, set):
        return set(body)
    if isinstance(like, list) and like and isinstance(like[0], set):
        return [set(element) for element in body]
    return body


@pytest.mark.parametrize(
    "number", range(len(TABLE)), ids=[f"{line.method} {line.path}" for line in TABLE]
)
def test_line_of_the_table_is_answered(asked: list[httpx2.Response], number: int) -> None:
    line, answer = TABLE[number], asked[number]
    body = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.status_code == line.status, body
    if line.status == 200:
        assert shape(body, line.answer) == line.answer
    else:
        assert set(body) == {"error_code", "message"}
        assert body["error_code"] == line.answer


def in_words(line: Line) -> str:
    if line.status != 200:
        return f"error_code {line.answer}"
    if isinstance(line.answer, set):
        return "`{" + ", ".join(sorted(line.answer)) + "}`"
    if isinstance(line.answer, list) and line.answer and isinstance(line.answer[0], set):
        return "a list of `{" + ", ".join(sorted(line.answer[0])) + "}`"
    if isinstance(line.answer, dict) and "fields" in line.answer:
        return "the schema itself"
    return f"`{json.dumps(line.answer)}`" if "fields" not in str(line.answer) else "`{schema}`"


def rendered() -> str:
    names = {ONE: "one", TWO: "two", BROKEN: "broken"}
    rows = ["| request | body | status | answer |", "|---|---|---|---|"]
    for line in TABLE:
        body = dict(line.body) if isinstance(line.body, dict) else line.body
        if isinstance(body, dict) and body.get("schema") in names:
            body["schema"] = names[body["schema"]]
        said = f"`{json.dumps(body)}`" if body is not None else ""
        rows.append(f"| `{line.method} {line.path}` | {said} | {line.status} | {in_words(line)} |")
    return "\n".join(rows)


def test_page_has_the_table_that_is_tested() -> None:
    found = re.search(r"<!-- registry -->\n\n(.*?)\n\n<!-- /registry -->", PAGE.read_text(), re.S)
    assert found is not None
    assert found[1] == rendered(), f"{PAGE} should have:\n{rendered()}"


def test_client_of_confluent_does_all_it_can_do_here(registry: RegistryServer) -> None:
    one, two = Schema(ONE, "AVRO"), Schema(TWO, "AVRO")
    with SchemaRegistryClient({"url": registry.url}) as client:
        first = client.register_schema("all", one)
        assert client.register_schema("all", two, normalize_schemas=True) > first
        assert client.register_schema_full_response("all", one).schema_id == first
        assert client.get_schema(first, subject_name="all").schema_str == ONE
        assert "AVRO" in client.get_schema_types()
        assert client.get_subjects_by_schema_id(first) == ["all"]
        assert [(v.subject, v.version) for v in client.get_schema_versions(first)] == [("all", 1)]
        assert client.lookup_schema("all", two).version == 2
        assert "all" in client.get_subjects(subject_prefix="a", limit=5)
        assert client.get_latest_version("all").version == 2
        assert client.get_version("all", 1).schema_id == first
        assert client.get_referenced_by("all", 1) == []
        assert client.test_compatibility_all_versions("all", two)
        assert client.get_contexts() == ["."]
        client.set_compatibility("all", "FULL")
        assert client.get_config("all").compatibility_level == "FULL"
        client.delete_config("all")
        assert client.update_mode("all", "READONLY") == "READONLY"
        assert client.get_mode("all") == "READONLY"
        client.delete_mode("all")
        assert client.delete_version("all", 2) == 2
        assert client.get_version("all", 2, deleted=True).version == 2
        assert client.delete_version("all", 2, permanent=True) == 2
        assert client.delete_subject("all") == [1]
        assert client.delete_subject("all", permanent=True) == [1]
        with pytest.raises(SchemaRegistryError) as caught:
            client.get_versions("all")
        assert caught.value.error_code == 40401


def test_references_are_refused_not_ignored(registry: RegistryServer) -> None:
    schema = Schema(ONE, "AVRO", [SchemaReference("R", "s", 1)])
    with (
        SchemaRegistryClient({"url": registry.url}) as client,
        pytest.raises(SchemaRegistryError) as caught,
    ):
        client.register_schema("with-references", schema)
    assert caught.value.error_code == 42201
    assert "without references" in caught.value.error_message


def test_async_client_of_confluent_registers_and_finds(registry: RegistryServer) -> None:
    async def ask() -> tuple[int, str, list[int]]:
        async with AsyncSchemaRegistryClient({"url": registry.url}) as client:
            schema_id = await client.register_schema("async", Schema(ONE, "AVRO"))
            found = await client.get_schema(schema_id)
            return schema_id, str(found.schema_str), await client.get_versions("async")

    schema_id, text, versions = asyncio.run(ask())
    assert (schema_id > 0, text, versions) == (True, ONE, [1])


@pytest.mark.parametrize("automatic", [True, False])
def test_avro_serializers_of_confluent_carry_a_record(
    registry: RegistryServer, automatic: bool
) -> None:
    topic = f"carried-{automatic}"
    options: dict[str, Any] = {
        "auto.register.schemas": automatic,
        "use.latest.version": not automatic,
        "normalize.schemas": automatic,
    }
    context = SerializationContext(topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema(f"{topic}-value", Schema(TWO, "AVRO"))
        data = AvroSerializer(client, TWO, conf=options)({"a": 1, "b": "x"}, context)
        assert AvroDeserializer(client)(data, context) == {"a": 1, "b": "x"}
        assert AvroDeserializer(client, ONE)(data, context) == {"a": 1}


def test_deleted_schema_that_is_registered_again_keeps_its_id(registry: RegistryServer) -> None:
    with SchemaRegistryClient({"url": registry.url}) as client:
        first = client.register_schema("again", Schema(record("again"), "AVRO"))
        client.delete_subject("again")
        client.delete_subject("again", permanent=True)
        other = client.register_schema("again", Schema(record("other"), "AVRO"))
        client.set_compatibility("again", "NONE")
        again = client.register_schema("again", Schema(record("again"), "AVRO"))
    assert again == first
    assert other > first


def test_file_of_an_older_registry_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as db:
        db.executescript(
            "CREATE TABLE schema (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " canonical TEXT NOT NULL UNIQUE, text TEXT NOT NULL);"
            "CREATE TABLE version (subject TEXT NOT NULL, version INTEGER NOT NULL,"
            " schema_id INTEGER NOT NULL REFERENCES schema (id),"
            " PRIMARY KEY (subject, version), UNIQUE (subject, schema_id));"
            "CREATE TABLE level (subject TEXT PRIMARY KEY, level TEXT NOT NULL);"
        )
        db.execute("INSERT INTO schema VALUES (7, ?, ?)", (canonical(ONE), ONE))
        db.execute("INSERT INTO version VALUES ('s', 3, 7)")
    db.close()
    for _ in range(2):
        store = Store(path)
        assert [(v.version, v.id, v.schema) for v in store.versions("s")] == [(3, 7, ONE)]
    assert store.register("s", TWO).version == 4
    assert store.register("s", TWO).id == 8
