"""ClickHouse: its own HTTP server, run from the library that npm ships."""

from __future__ import annotations

from functools import partial

import httpx2

from asknown.errors import AsknownError
from asknown.settings import Settings
from asknown.stack.paths import INFRA, Paths
from asknown.stack.process import Process, Service, environment, python_module, render
from asknown.stack.secrets import hashed, secret
from asknown.stack.sizes import sizes

_READER_SHARE = 2  # the reader's queries get one half of the server's memory


def clickhouse_service(config: Settings) -> Service:
    """Return ClickHouse as a service; without processes when another one is configured."""
    ready = partial(_ready, config)
    if config.clickhouse_address:
        return Service(name="clickhouse", url=config.clickhouse_url, ready=ready)
    process = Process(
        name="clickhouse",
        command=python_module("asknown.stack.clickhouse_server"),
        environment=environment(config),
        stop_seconds=10,
    )
    return Service(
        name="clickhouse",
        url=config.clickhouse_url,
        ready=ready,
        processes=(process,),
        prepare=partial(_prepare, config),
        ports=(config.port(config.clickhouse_port),),
    )


def _prepare(config: Settings) -> None:
    """Write the configuration with the users and hashes of their passwords."""
    paths = Paths.of(config)
    if not paths.libchdb.exists():
        raise AsknownError(
            "ASKNOWN-STACK-060",
            "Expected ClickHouse's library, found none.",
            where=str(paths.libchdb),
            hint="make setup",
        )
    users = paths.run / "clickhouse" / "users.xml"
    memory = sizes().clickhouse_memory
    render(
        INFRA / "clickhouse" / "users.xml",
        users,
        {
            "writer": config.clickhouse_writer,
            "reader": config.clickhouse_reader,
            "writer_hash": hashed("clickhouse_writer", config),
            "reader_hash": hashed("clickhouse_reader", config),
            "query_memory": memory * 3 // 4,
            "reader_memory": memory // _READER_SHARE,
        },
    )
    render(
        INFRA / "clickhouse" / "config.xml",
        paths.run / "clickhouse" / "config.xml",
        {
            "host": config.host,
            "port": config.port(config.clickhouse_port),
            "users": users,
            "memory": memory,
        },
    )
    paths.clickhouse.mkdir(parents=True, exist_ok=True)


def _ready(config: Settings) -> str:
    """Return what is missing until the writer gets an answer to a query."""
    headers = {
        "X-ClickHouse-User": config.clickhouse_writer,
        "X-ClickHouse-Key": secret("clickhouse_writer", config),
    }
    url = config.clickhouse_url
    try:
        answer = httpx2.post(url, content="SELECT 1", headers=headers, timeout=2)
    except httpx2.HTTPError as error:
        return f"no answer from {url}: {str(error) or type(error).__name__}"
    return "" if answer.text.strip() == "1" else answer.text.strip()[:200]
