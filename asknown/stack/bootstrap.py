"""What `asknown up` makes in the servers once they answer: topics, schemas, tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asknown.settings import Settings


@dataclass(frozen=True)
class Step:
    """One thing to make; `run` may be repeated and returns what it did in a few words."""

    name: str
    service: str
    run: Callable[[], str]


def steps(config: Settings, ready: Sequence[str]) -> list[Step]:
    """Return the steps whose service is among those that have become ready."""
    every = (
        Step("topics", "kafka", _topics),
        Step("schemas", "registry", lambda: _schemas(config.registry_url)),
        Step("lake tables", "postgres", _lake_tables),
        Step("serving tables", "clickhouse", _serving_tables),
        Step("research views", "trino", lambda: _research_views(config)),
    )
    return [step for step in every if step.service in ready]


# Each imports its own part of the platform only when it runs: `asknown up --only kafka` must not
# load the lake's and ClickHouse's clients.


def _topics() -> str:
    from asknown.storage.kafka import ensure_topics

    return _made(ensure_topics())


def _schemas(url: str) -> str:
    from asknown.contracts.registry import RegistryClient, register_all

    register_all(RegistryClient(url))
    return "done"


def _lake_tables() -> str:
    from asknown.storage.iceberg import ensure_tables

    return _made(ensure_tables())


def _serving_tables() -> str:
    from asknown.storage.clickhouse import migrate

    return _made(migrate())


def _research_views(config: Settings) -> str:
    from asknown.stack.trino import keeper
    from asknown.storage.iceberg import ensure_tables
    from asknown.storage.trino import make_views

    ensure_tables(config)  # what the views read; services become ready in any order
    return f"{len(make_views(config, keeper(config)))} made"


def _made(names: Sequence[str]) -> str:
    return f"{len(names)} made" if names else "done"
