"""The services of the local stack, in the order they are started."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from asknown.errors import UsageError
from asknown.settings import Settings
from asknown.stack.applications import api_service, heal_service, live_service, loader_service
from asknown.stack.clickhouse import clickhouse_service
from asknown.stack.flink_cluster import flink_service
from asknown.stack.kafka import kafka_service
from asknown.stack.postgres import postgres_service
from asknown.stack.process import Service
from asknown.stack.redis import redis_service
from asknown.stack.registry import registry_service
from asknown.stack.trino import trino_service, wanted


def services(config: Settings) -> tuple[Service, ...]:
    """Return every service of this stack, in order of starting."""
    healing = (heal_service(config),) if config.heal_every_seconds > 0 else ()
    research = (trino_service(config),) if wanted(config) else ()
    return (
        kafka_service(config),
        registry_service(config),
        flink_service(config),
        postgres_service(config),
        clickhouse_service(config),
        redis_service(config),
        loader_service(config),
        live_service(config),
        api_service(config),
        *research,
        *healing,
    )


def chosen(every: Sequence[Service], only: Sequence[str]) -> list[Service]:
    """Return the services named, in their order of starting; all when none is named.

    Raises:
        UsageError: a name is not a service's.
    """
    names = [service.name for service in every]
    for name in only:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise UsageError(
                "ASKNOWN-STACK-040",
                f"Expected a service ({', '.join(names)}), was {name!r}.",
                hint=f"did you mean {near[0]}?" if near else "",
            )
    return [service for service in every if not only or service.name in only]
