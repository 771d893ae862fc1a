"""A schema registry for the local stack, with the endpoints and error codes of Confluent's.

Enough of them for confluent-kafka's client, Flink's avro-confluent format and Trino; in production
any Confluent-compatible registry takes its place. Run as `python -m asknown.stack.registry`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx2
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from asknown.contracts.compatibility import Level, violations
from asknown.errors import UsageError
from asknown.settings import Settings, settings
from asknown.stack.paths import Paths
from asknown.stack.process import Process, Service, environment, python_module
from asknown.stack.registry_store import DEFAULT_LEVEL, IncompatibleError, Store, Version

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class Answer(JSONResponse):
    """JSON under the registry's own media type."""

    media_type = MEDIA_TYPE


class RegistryError(Exception):
    """One of the registry's documented errors; its HTTP status is the code's first three digits."""

    def __init__(self, code: int, message: str) -> None:
        """Take a code such as 40401 and its message."""
        super().__init__(message)
        self.code = code


class Draft(BaseModel):
    """A schema as clients send it."""

    schema_: str = ""
    schemaType: str | None = "AVRO"  # noqa: N815  # the name on the wire
    references: list[Any] | None = None

    model_config = {"alias_generator": lambda name: name.rstrip("_"), "extra": "ignore"}


class LevelChange(BaseModel):
    """A compatibility level as clients send it."""

    compatibility: str


def application(store: Store) -> FastAPI:
    """Return the registry as an ASGI application over a store."""
    app = FastAPI(title="asknown schema registry", default_response_class=Answer)
    app.add_exception_handler(RegistryError, _on_error)
    app.add_exception_handler(UsageError, _on_invalid_schema)
    app.add_exception_handler(IncompatibleError, _on_incompatible)
    _add_subjects(app, store)
    _add_schemas(app, store)
    _add_levels(app, store)
    return app


def _add_subjects(app: FastAPI, store: Store) -> None:
    @app.get("/")
    def root() -> dict[str, str]:
        return {}

    @app.get("/subjects")
    def subjects(subjectPrefix: str = "") -> list[str]:  # noqa: N803  # the name on the wire
        return [name for name in store.subjects() if name.startswith(subjectPrefix)]

    @app.get("/subjects/{subject:path}/versions/{version}/schema")
    def version_text(subject: str, version: str) -> Answer:
        import json

        return Answer(json.loads(_version(store, subject, version).schema))

    @app.get("/subjects/{subject:path}/versions/{version}")
    def version(subject: str, version: str) -> dict[str, Any]:
        return _described(_version(store, subject, version))

    @app.get("/subjects/{subject:path}/versions")
    def versions(subject: str) -> list[int]:
        return [version.version for version in _versions(store, subject)]

    @app.post("/subjects/{subject:path}/versions")
    def register(subject: str, draft: Draft) -> dict[str, Any]:
        registered = store.register(subject, _avro(draft))
        return {"id": registered.id, "version": registered.version, "schema": registered.schema}

    @app.post("/subjects/{subject:path}")
    def look_up(subject: str, draft: Draft) -> dict[str, Any]:
        _versions(store, subject)
        found = store.find(subject, _avro(draft))
        if found is None:
            raise RegistryError(40403, "Schema not found")
        return _described(found)


def _add_schemas(app: FastAPI, store: Store) -> None:
    @app.get("/schemas/types")
    def types() -> list[str]:
        return ["AVRO"]

    @app.get("/schemas/ids/{schema_id}")
    def by_id(schema_id: int) -> dict[str, str]:
        return {"schema": _text(store, schema_id)}

    @app.get("/schemas/ids/{schema_id}/schema")
    def text_by_id(schema_id: int) -> Answer:
        import json

        return Answer(json.loads(_text(store, schema_id)))

    @app.get("/schemas/ids/{schema_id}/versions")
    def versions_by_id(schema_id: int) -> list[dict[str, Any]]:
        _text(store, schema_id)
        return [{"subject": v.subject, "version": v.version} for v in store.uses(schema_id)]

    @app.get("/schemas/ids/{schema_id}/subjects")
    def subjects_by_id(schema_id: int) -> list[str]:
        _text(store, schema_id)
        return [v.subject for v in store.uses(schema_id)]


def _add_levels(app: FastAPI, store: Store) -> None:
    @app.get("/mode")
    def mode() -> dict[str, str]:
        return {"mode": "READWRITE"}

    @app.get("/config")
    def level() -> dict[str, str]:
        return {"compatibilityLevel": store.level() or DEFAULT_LEVEL}

    @app.put("/config")
    def set_level(change: LevelChange) -> dict[str, str]:
        store.set_level(_level(change))
        return {"compatibility": change.compatibility}

    @app.get("/config/{subject:path}")
    def subject_level(subject: str, defaultToGlobal: bool = False) -> dict[str, str]:  # noqa: N803
        found = store.level(subject)
        if found is None and not defaultToGlobal:
            raise RegistryError(
                40408, f"Subject '{subject}' does not have subject-level compatibility configured"
            )
        return {"compatibilityLevel": found or store.level() or DEFAULT_LEVEL}

    @app.put("/config/{subject:path}")
    def set_subject_level(subject: str, change: LevelChange) -> dict[str, str]:
        store.set_level(_level(change), subject)
        return {"compatibility": change.compatibility}

    @app.post("/compatibility/subjects/{subject:path}/versions/{version}")
    def check(subject: str, version: str, draft: Draft, verbose: bool = False) -> dict[str, Any]:
        against = _version(store, subject, version)
        level = store.level(subject) or store.level() or DEFAULT_LEVEL
        broken = violations(level, _avro(draft), [against.schema])
        messages = {"messages": [str(difference) for difference in broken]} if verbose else {}
        return {"is_compatible": not broken, **messages}

    @app.post("/compatibility/subjects/{subject:path}/versions")
    def check_all(subject: str, draft: Draft, verbose: bool = False) -> dict[str, Any]:
        level = store.level(subject) or store.level() or DEFAULT_LEVEL
        texts = [version.schema for version in store.versions(subject)]
        broken = violations(level, _avro(draft), texts)
        messages = {"messages": [str(difference) for difference in broken]} if verbose else {}
        return {"is_compatible": not broken, **messages}


def _avro(draft: Draft) -> str:
    """Return a draft's schema; this registry keeps Avro without references."""
    if (draft.schemaType or "AVRO") != "AVRO":
        raise RegistryError(42201, f"Expected schemaType AVRO, was {draft.schemaType}")
    if draft.references:
        raise RegistryError(42201, "Expected a schema without references")
    if not draft.schema_:
        raise RegistryError(42201, "Expected a schema, found an empty text")
    return draft.schema_


def _level(change: LevelChange) -> Level:
    try:
        return Level(change.compatibility.upper())
    except ValueError:
        raise RegistryError(
            42203, f"Invalid compatibility level {change.compatibility}; one of {', '.join(Level)}"
        ) from None


def _versions(store: Store, subject: str) -> list[Version]:
    found = store.versions(subject)
    if not found:
        raise RegistryError(40401, f"Subject '{subject}' not found.")
    return found


def _version(store: Store, subject: str, number: str) -> Version:
    versions = _versions(store, subject)
    if number in ("latest", "-1"):
        return versions[-1]
    if not number.isdecimal() or int(number) < 1:
        raise RegistryError(42202, f"The specified version '{number}' is not a valid version id.")
    for version in versions:
        if version.version == int(number):
            return version
    raise RegistryError(40402, f"Version {number} not found.")


def _text(store: Store, schema_id: int) -> str:
    text = store.schema(schema_id)
    if text is None:
        raise RegistryError(40403, f"Schema {schema_id} not found")
    return text


def _described(version: Version) -> dict[str, Any]:
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        "schemaType": "AVRO",
        "schema": version.schema,
    }


def _failure(code: int, message: str) -> Answer:
    status = int(str(code)[:3])
    return Answer({"error_code": code, "message": message}, status_code=status)


async def _on_error(_: Request, error: Exception) -> Answer:
    return _failure(getattr(error, "code", 50001), str(error))


async def _on_invalid_schema(_: Request, error: Exception) -> Answer:
    return _failure(42201, f"Invalid schema: {error}")


async def _on_incompatible(_: Request, error: Exception) -> Answer:
    return _failure(409, f"Schema being registered is incompatible with an earlier schema; {error}")


def registry_service(config: Settings) -> Service:
    """Return the registry as a service; without processes when another one is configured."""
    process = Process(
        name="registry",
        command=python_module("asknown.stack.registry"),
        environment=environment(config),
    )
    return Service(
        name="registry",
        url=config.registry_url,
        ready=partial(_ready, config.registry_url),
        processes=() if config.registry_address else (process,),
        ports=() if config.registry_address else (config.port(config.registry_port),),
    )


def _ready(url: str) -> str:
    """Return what is missing until the registry answers."""
    try:
        httpx2.get(f"{url}/subjects", timeout=2).raise_for_status()
    except httpx2.HTTPError as error:
        return f"no answer from {url}: {str(error) or type(error).__name__}"
    return ""


def main() -> None:
    """Serve the registry of this checkout until it is told to stop."""
    import uvicorn

    config = settings()
    app = application(Store(Paths.of(config).registry))
    port = config.port(config.registry_port)
    uvicorn.run(app, host=config.host, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
