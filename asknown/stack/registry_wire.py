"""What goes over the wire of the registry: bodies, errors, and versions by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from asknown.contracts.compatibility import Difference, Level
from asknown.errors import UsageError
from asknown.stack.registry_store import DEFAULT_LEVEL, IncompatibleError, Store, Version

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
READWRITE, READONLY = MODES = ("READWRITE", "READONLY")

Answered = dict[str, Any]


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


class ModeChange(BaseModel):
    """A mode as clients send it."""

    mode: str


def add_error_answers(app: FastAPI) -> None:
    """Answer every failure as Confluent's registry does: a code and a message."""
    app.add_exception_handler(RegistryError, _on_error)
    app.add_exception_handler(UsageError, _on_invalid_schema)
    app.add_exception_handler(IncompatibleError, _on_incompatible)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


def verdict(broken: Sequence[Difference], verbose: bool) -> Answered:
    """Return the answer to a test of compatibility."""
    messages = {"messages": [str(difference) for difference in broken]} if verbose else {}
    return {"is_compatible": not broken, **messages}


def level_asked(store: Store, subject: str) -> Level:
    """Return the level that a subject asks of a new version."""
    return store.level(subject) or store.level() or DEFAULT_LEVEL


def avro_of(draft: Draft) -> str:
    """Return a draft's schema; this registry keeps Avro without references."""
    if (draft.schemaType or "AVRO") != "AVRO":
        raise RegistryError(42201, f"Expected schemaType AVRO, was {draft.schemaType}")
    if draft.references:
        raise RegistryError(42201, "Expected a schema without references")
    if not draft.schema_:
        raise RegistryError(42201, "Expected a schema, found an empty text")
    return draft.schema_


def level_of(change: LevelChange) -> Level:
    """Return the level of a change; raise RegistryError 42203 for none of them."""
    try:
        return Level(change.compatibility.upper())
    except ValueError:
        raise RegistryError(
            42203, f"Invalid compatibility level {change.compatibility}; one of {', '.join(Level)}"
        ) from None


def mode_of(change: ModeChange) -> str:
    """Return the mode of a change; raise RegistryError 42204 for none that is kept here."""
    if change.mode.upper() not in MODES:
        raise RegistryError(42204, f"Invalid mode {change.mode}; one of {', '.join(MODES)}")
    return change.mode.upper()


def require_writable(store: Store, subject: str) -> None:
    """Raise RegistryError 42205 for a subject that is read only."""
    if (store.mode(subject) or store.mode() or READWRITE) == READONLY:
        raise RegistryError(42205, f"Subject {subject} is in read-only mode")


def versions_of(store: Store, subject: str, *, deleted: bool = False) -> list[Version]:
    """Return a subject's versions; raise RegistryError 40401 when it has none."""
    found = store.versions(subject, deleted=deleted)
    if not found:
        raise RegistryError(40401, f"Subject '{subject}' not found.")
    return found


def version_of(store: Store, subject: str, number: str, *, deleted: bool = False) -> Version:
    """Return a version by its number or `latest`; raise RegistryError 40402 or 42202."""
    versions = versions_of(store, subject, deleted=deleted)
    if number in ("latest", "-1"):
        return versions[-1]
    if not (number.isascii() and number.isdecimal()) or int(number) < 1:
        raise RegistryError(42202, f"The specified version '{number}' is not a valid version id.")
    for version in versions:
        if version.version == int(number):
            return version
    raise RegistryError(40402, f"Version {number} not found.")


def text_of(store: Store, schema_id: int) -> str:
    """Return the schema with an id; raise RegistryError 40403 when there is none."""
    text = store.schema(schema_id) if schema_id < 2**63 else None
    if text is None:
        raise RegistryError(40403, f"Schema {schema_id} not found")
    return text


def page(found: list[Any], offset: int, limit: int) -> list[Any]:
    """Return a part of a list; a negative limit is none."""
    return found[offset:] if limit < 0 else found[offset : offset + limit]


def described(version: Version) -> Answered:
    """Return a version as it goes over the wire."""
    return {
        "subject": version.subject,
        "version": version.version,
        "id": version.id,
        "schemaType": "AVRO",
        "schema": version.schema,
    }


def _failure(code: int, message: str) -> Answer:
    return Answer({"error_code": code, "message": message}, status_code=int(str(code)[:3]))


async def _on_error(_: Request, error: Exception) -> Answer:
    return _failure(getattr(error, "code", 50001), str(error))


async def _on_invalid_schema(_: Request, error: Exception) -> Answer:
    return _failure(42201, f"Invalid schema: {error}")


async def _on_incompatible(_: Request, error: Exception) -> Answer:
    return _failure(409, f"Schema being registered is incompatible with an earlier schema; {error}")


async def _on_invalid_request(_: Request, error: Exception) -> Answer:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    place = ".".join(str(part) for part in first.get("loc", ()))
    return _failure(422, f"{place}: {first.get('msg', error)}")


async def _on_http_error(_: Request, error: Exception) -> Answer:
    code = getattr(error, "status_code", 500)
    return _failure(code, f"HTTP {code} {getattr(error, 'detail', error)}")
