"""The platform's own servers as services of the stack: the ClickHouse loader and the API."""

from __future__ import annotations

from functools import partial

import httpx2

from asknown.settings import Settings
from asknown.stack.process import Process, Service, environment, python_module


def loader_service(config: Settings) -> Service:
    """Return the loader from Kafka to ClickHouse as a service."""
    port = config.port(config.loader_metrics_port)
    url = f"http://{config.host}:{port}/metrics"
    return _python_service(
        config,
        "loader",
        "asknown.storage.loader",
        url,
        port,
        ("kafka", "registry", "clickhouse"),
    )


def api_service(config: Settings) -> Service:
    """Return the API as a service."""
    port = config.port(config.api_port)
    service = _python_service(
        config,
        "api",
        "asknown.serving.main",
        f"{config.api_url}/healthz",
        port,
        ("clickhouse",),
    )
    return Service(**{**vars(service), "url": config.api_url})


def _python_service(
    config: Settings,
    name: str,
    module: str,
    probe: str,
    port: int,
    needs: tuple[str, ...],
) -> Service:
    process = Process(
        name=name, command=python_module(module), environment=environment(config)
    )
    return Service(
        name=name,
        url=probe,
        ready=partial(_answers, probe),
        processes=(process,),
        ports=(port,),
        needs=needs,
        timeout=60.0,
    )


def _answers(url: str) -> str:
    """Return what is missing until a server answers without an error."""
    try:
        answer = httpx2.get(url, timeout=3)
    except httpx2.HTTPError as error:
        return f"no answer from {url}: {str(error) or type(error).__name__}"
    return "" if answer.is_success else f"{url} answers {answer.status_code}"
