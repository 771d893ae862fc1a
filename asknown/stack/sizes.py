"""What each server of the local stack gets, memory above all; `ASKNOWN_<FIELD>` overrides."""

from __future__ import annotations

from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Sizes(BaseSettings):
    """Memory and slots; the defaults keep the whole stack under 9 GiB."""

    model_config = SettingsConfigDict(env_prefix="ASKNOWN_", frozen=True)

    kafka_heap: str = "768m"
    jobmanager_memory: str = "1024m"
    taskmanager_memory: str = "2048m"
    # State is on the heap; what is left here serves window buffers and batch sorts.
    taskmanager_managed: str = "256m"
    taskmanager_network: str = "128m"
    taskmanager_slots: int = 8
    taskmanagers: int = 2  # one works, one is the spare that takes over
    # More options of Kafka's and the TaskManagers' Java: an agent, a recording. A stack that lives
    # for minutes does better without the second compiler, -XX:TieredStopAtLevel=1.
    java_options: str = ""
    clickhouse_memory: int = 2_000_000_000  # bytes, all queries together
    redis_memory: int = 1_000_000_000  # bytes; about 100 kB for each listing that trades
    trino_heap_mb: int = 1024  # all queries together may use six tenths of it, one of them half


@lru_cache(maxsize=1)
def sizes() -> Sizes:
    """Return the sizes of this process."""
    return Sizes()
