"""The registry's endpoints, as an ASGI application over a store.

`docs/schemas.md` lists what it answers; `tests/unit/stack/test_registry_conformance.py` keeps that
list.
"""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import FastAPI, Query

from asknown.contracts.compatibility import violations
from asknown.stack.registry_store import DEFAULT_LEVEL, Store, Version
from asknown.stack.registry_wire import (
    READWRITE,
    Answer,
    Answered,
    Draft,
    LevelChange,
    ModeChange,
    RegistryError,
    add_error_answers,
    avro_of,
    described,
    level_asked,
    level_of,
    mode_of,
    page,
    require_writable,
    text_of,
    verdict,
    version_of,
    versions_of,
)

CLUSTER = "asknown"

Many = Annotated[int, Query()]
Prefix = Annotated[str, Query(alias="subjectPrefix")]
Only = Annotated[bool, Query(alias="deletedOnly")]
Global = Annotated[bool, Query(alias="defaultToGlobal")]


def application(store: Store) -> FastAPI:
    """Return the registry as an ASGI application over a store."""
    app = FastAPI(title="asknown schema registry", default_response_class=Answer)
    add_error_answers(app)
    for add in (_add_cluster, _add_versions, _add_subjects, _add_deletions):
        add(app, store)
    for add in (_add_schemas, _add_levels, _add_modes, _add_compatibility):
        add(app, store)
    return app


def _add_cluster(app: FastAPI, _: Store) -> None:
    @app.get("/")
    def root() -> Answered:
        return {}

    @app.get("/contexts")
    def contexts() -> list[str]:
        return ["."]

    @app.get("/v1/metadata/id")
    def cluster() -> Answered:
        clusters = {"schema-registry-cluster": CLUSTER, "kafka-cluster": ""}
        return {"id": CLUSTER, "scope": {"path": [], "clusters": clusters}}

    @app.get("/v1/metadata/version")
    def version() -> Answered:
        return {"version": "asknown", "commitId": ""}


def _add_versions(app: FastAPI, store: Store) -> None:
    @app.get("/subjects/{subject:path}/versions/{version}/schema")
    def version_text(subject: str, version: str, deleted: bool = False) -> Answer:
        return Answer(json.loads(version_of(store, subject, version, deleted=deleted).schema))

    @app.get("/subjects/{subject:path}/versions/{version}/referencedby")
    def referenced_by(subject: str, version: str) -> list[int]:
        version_of(store, subject, version)
        return []  # schemas with references are refused

    @app.get("/subjects/{subject:path}/versions/{version}")
    def version(subject: str, version: str, deleted: bool = False) -> Answered:
        return described(version_of(store, subject, version, deleted=deleted))

    @app.get("/subjects/{subject:path}/versions")
    def versions(
        subject: str, deleted: bool = False, only: Only = False, offset: Many = 0, limit: Many = -1
    ) -> list[int]:
        found = versions_of(store, subject, deleted=deleted or only)
        return page([v.version for v in found if v.deleted or not only], offset, limit)

    @app.post("/subjects/{subject:path}/versions")
    def register(subject: str, draft: Draft) -> Answered:
        require_writable(store, subject)
        registered = store.register(subject, avro_of(draft))
        return {"id": registered.id, "version": registered.version, "schema": registered.schema}


def _add_subjects(app: FastAPI, store: Store) -> None:
    @app.get("/subjects")
    def subjects(
        prefix: Prefix = "",
        deleted: bool = False,
        only: Only = False,
        offset: Many = 0,
        limit: Many = -1,
    ) -> list[str]:
        alive = set(store.subjects())
        found = [name for name in store.subjects(deleted=deleted or only) if name not in alive]
        names = found if only else sorted({*alive, *found})
        return page([name for name in names if name.startswith(prefix)], offset, limit)

    @app.post("/subjects/{subject:path}")
    def look_up(subject: str, draft: Draft, deleted: bool = False) -> Answered:
        versions_of(store, subject, deleted=deleted)
        found = store.find(subject, avro_of(draft), deleted=deleted)
        if found is None:
            raise RegistryError(40403, "Schema not found")
        return described(found)


def _add_deletions(app: FastAPI, store: Store) -> None:
    @app.delete("/subjects/{subject:path}/versions/{version}")
    def delete_version(subject: str, version: str, permanent: bool = False) -> int:
        require_writable(store, subject)
        found = version_of(store, subject, version, deleted=True)
        name = f"Subject '{subject}' Version {found.version}"
        if found.deleted and not permanent:
            message = f"{name} was soft deleted. Set permanent=true to delete permanently"
            raise RegistryError(40406, message)
        if permanent and not found.deleted:
            message = f"{name} was not deleted first before being permanently deleted"
            raise RegistryError(40407, message)
        store.delete(subject, [found.version], permanent=permanent)
        return found.version

    @app.delete("/subjects/{subject:path}")
    def delete_subject(subject: str, permanent: bool = False) -> list[int]:
        require_writable(store, subject)
        found = versions_of(store, subject, deleted=True)
        alive = [v.version for v in found if not v.deleted]
        if not alive and not permanent:
            message = f"Subject '{subject}' was soft deleted. Set permanent=true to delete it"
            raise RegistryError(40404, message)
        if alive and permanent:
            message = f"Subject '{subject}' was not deleted first before being permanently deleted"
            raise RegistryError(40405, message)
        chosen = [v.version for v in found] if permanent else alive
        store.delete(subject, chosen, permanent=permanent)
        return chosen


def _add_schemas(app: FastAPI, store: Store) -> None:
    @app.get("/schemas")
    def schemas(
        prefix: Prefix = "",
        deleted: bool = False,
        latest: Annotated[bool, Query(alias="latestOnly")] = False,
        offset: Many = 0,
        limit: Many = -1,
    ) -> list[Answered]:
        found: list[Version] = []
        for subject in store.subjects(deleted=deleted):
            if subject.startswith(prefix):
                every = store.versions(subject, deleted=deleted)
                found += every[-1:] if latest else every
        return page([described(version) for version in found], offset, limit)

    @app.get("/schemas/types")
    def types() -> list[str]:
        return ["AVRO"]

    @app.get("/schemas/ids/{schema_id:int}")
    def by_id(
        schema_id: int, newest: Annotated[bool, Query(alias="fetchMaxId")] = False
    ) -> Answered:
        found: Answered = {"schema": text_of(store, schema_id)}
        return found | ({"maxId": store.newest_id()} if newest else {})

    @app.get("/schemas/ids/{schema_id:int}/schema")
    def text_by_id(schema_id: int) -> Answer:
        return Answer(json.loads(text_of(store, schema_id)))

    @app.get("/schemas/ids/{schema_id:int}/versions")
    def versions_by_id(schema_id: int, subject: str = "", deleted: bool = False) -> list[Answered]:
        text_of(store, schema_id)
        found = [v for v in store.uses(schema_id, deleted=deleted) if subject in ("", v.subject)]
        return [{"subject": v.subject, "version": v.version} for v in found]

    @app.get("/schemas/ids/{schema_id:int}/subjects")
    def subjects_by_id(schema_id: int, subject: str = "", deleted: bool = False) -> list[str]:
        text_of(store, schema_id)
        names = {v.subject for v in store.uses(schema_id, deleted=deleted)}
        return sorted(name for name in names if subject in ("", name))


def _add_levels(app: FastAPI, store: Store) -> None:
    @app.get("/config")
    def level() -> Answered:
        return {"compatibilityLevel": store.level() or DEFAULT_LEVEL}

    @app.put("/config")
    def set_level(change: LevelChange) -> Answered:
        store.set_level(level_of(change))
        return {"compatibility": change.compatibility}

    @app.delete("/config")
    def forget_level() -> Answered:
        found = store.level() or DEFAULT_LEVEL
        store.set_level(None)
        return {"compatibilityLevel": found}

    @app.get("/config/{subject:path}")
    def subject_level(subject: str, or_global: Global = False) -> Answered:
        found = store.level(subject)
        if found is None and not or_global:
            raise RegistryError(
                40408, f"Subject '{subject}' does not have subject-level compatibility configured"
            )
        return {"compatibilityLevel": found or store.level() or DEFAULT_LEVEL}

    @app.put("/config/{subject:path}")
    def set_subject_level(subject: str, change: LevelChange) -> Answered:
        store.set_level(level_of(change), subject)
        return {"compatibility": change.compatibility}

    @app.delete("/config/{subject:path}")
    def forget_subject_level(subject: str) -> Answered:
        found = store.level(subject)
        if found is None:
            raise RegistryError(40401, f"Subject '{subject}' not found.")
        store.set_level(None, subject)
        return {"compatibilityLevel": found}


def _add_modes(app: FastAPI, store: Store) -> None:
    @app.get("/mode")
    def mode() -> Answered:
        return {"mode": store.mode() or READWRITE}

    @app.put("/mode")
    def set_mode(change: ModeChange) -> Answered:
        store.set_mode(mode_of(change))
        return {"mode": change.mode}

    @app.get("/mode/{subject:path}")
    def subject_mode(subject: str, or_global: Global = False) -> Answered:
        found = store.mode(subject)
        if found is None and not or_global:
            message = f"Subject '{subject}' does not have subject-level mode configured"
            raise RegistryError(40409, message)
        return {"mode": found or store.mode() or READWRITE}

    @app.put("/mode/{subject:path}")
    def set_subject_mode(subject: str, change: ModeChange) -> Answered:
        store.set_mode(mode_of(change), subject)
        return {"mode": change.mode}

    @app.delete("/mode/{subject:path}")
    def forget_subject_mode(subject: str) -> Answered:
        found = store.mode(subject)
        if found is None:
            raise RegistryError(40401, f"Subject '{subject}' not found.")
        store.set_mode(None, subject)
        return {"mode": found}


def _add_compatibility(app: FastAPI, store: Store) -> None:
    @app.post("/compatibility/subjects/{subject:path}/versions/{version}")
    def check(subject: str, version: str, draft: Draft, verbose: bool = False) -> Answered:
        against = [version_of(store, subject, version).schema]
        return verdict(violations(level_asked(store, subject), avro_of(draft), against), verbose)

    @app.post("/compatibility/subjects/{subject:path}/versions")
    def check_all(subject: str, draft: Draft, verbose: bool = False) -> Answered:
        texts = [version.schema for version in store.versions(subject)]
        return verdict(violations(level_asked(store, subject), avro_of(draft), texts), verbose)
